"""
Training history
================

`fastnn.plot.history`: cost and accuracy over epochs. Solid lines are the training data, dashed
lines the validation data; where they part, the network learns the examples by heart.
"""

from fastnn import Network, data, plot

digits = data.digits()
X = data.flatten_images(digits.X)
net = Network.mlp([64, 128, 10], output="softmax", rescale=1 / 16)
history = net.fit(X, digits.y, epochs=30, batch_size=32, validation_split=0.2)
ax = plot.history(history)
