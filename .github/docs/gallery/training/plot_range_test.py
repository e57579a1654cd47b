"""
Learning-rate finder
====================

`fastnn.plot.range_test`: the cost after a few steps at each of many learning rates, and the rate
that `fastnn.diagnostics.range_test` suggests.
"""

from fastnn import Network, data, diagnostics, plot

X, y = data.moons(600, noise=0.2, seed=1)
net = Network.mlp([2, 16, 1], output="sigmoid")
found = diagnostics.range_test(net, X, y)
ax = plot.range_test(found)
