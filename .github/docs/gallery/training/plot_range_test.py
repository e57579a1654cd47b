"""
Learning-rate finder
====================

`fastnn.plot.range_test`: the cost while the rate grows, the final costs of trial fits, and the rate
that `fastnn.diagnostics.range_test` suggests.
"""

from fastnn import Network, data, diagnostics, plot

X, y = data.moons(600, noise=0.2, seed=1)
net = Network.mlp([2, 16, 1], output="sigmoid")
found = diagnostics.range_test(net, X, y)
ax = plot.range_test(found)
