"""
Histograms of gradients
=======================

`fastnn.plot.gradient_histogram`: the gradient of the cost by every weight, layer by layer.
Gradients that shrink from layer to layer towards the input vanish.
"""

from fastnn import Network, data, plot

digits = data.digits()
X = data.flatten_images(digits.X)
net = Network.mlp([64, 32, 32, 32, 10], hidden="sigmoid", output="softmax", rescale=1 / 16)
ax = plot.gradient_histogram(net, X, digits.y)
