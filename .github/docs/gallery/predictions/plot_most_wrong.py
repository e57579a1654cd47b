"""
Most confident mistakes
=======================

`fastnn.plot.most_wrong`: the images whose true class was given the least probability. A wrong
label or an odd image often stands first.
"""

from fastnn import Network, data, plot

digits = data.digits()
X, X_test, y, y_test = data.split(data.flatten_images(digits.X), digits.y)
net = Network.mlp([64, 32, 10], output="softmax", rescale=1 / 16)
net.fit(X, y, epochs=10, batch_size=32)
ax = plot.most_wrong(net, X_test, y_test, (8, 8), count=8)
