"""
Weights of the first layer
==========================

`fastnn.plot.first_layer`: each unit's weights as an image, which is what that unit looks for. Blue
weights are negative, red ones positive.
"""

from fastnn import Network, data, plot

digits = data.digits()
net = Network.mlp([64, 16, 10], output="softmax", rescale=1 / 16)
net.fit(data.flatten_images(digits.X), digits.y, epochs=30, batch_size=32, l2=1.0)
ax = plot.first_layer(net, (8, 8))
