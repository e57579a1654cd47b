"""
Histograms of activations
=========================

`fastnn.plot.activation_histogram`: the numbers that each layer gives out. A layer whose numbers
all lie at 0, or at the ends of tanh, hands on little.
"""

from fastnn import Network, data, plot

digits = data.digits()
X = data.flatten_images(digits.X)
net = Network.mlp([64, 32, 32, 10], hidden=["tanh", "relu"], output="softmax", rescale=1 / 16)
net.fit(X, digits.y, epochs=5, batch_size=32)
ax = plot.activation_histogram(net, X)
