"""
Learning rates compared
=======================

`fastnn.plot.learning_rates`: the cost under several learning rates, one curve each. Too small a
rate is slow, too large a one leaps over the minimum.
"""

from fastnn import GradientDescent, Network, data, plot

X, y = data.moons(300, noise=0.2, seed=1)
costs = {}
for rate in (0.01, 0.1, 1.0):
    net = Network.mlp([2, 8, 1], output="sigmoid")
    costs[rate] = net.fit(X, y, epochs=200, batch_size=None, optimizer=GradientDescent(rate))
ax = plot.learning_rates(costs)
