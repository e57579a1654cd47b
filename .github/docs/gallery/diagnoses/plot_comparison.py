"""
Loops, vectors and compiled kernels
===================================

`fastnn.plot.comparison`: the time that work takes on each backend. Here, cost and gradients of a
small network over all of its examples, once each; ``fastnn compare`` measures more, and with care.
"""

from timeit import timeit

import fastnn
from fastnn import Network, data, plot

X, y = data.circles(300, noise=0.05, seed=1)
rows = []
for units in (5, 20):
    net = Network.mlp([2, units, 1], output="sigmoid")
    row = {"name": f"2→{units}→1, {len(X)} examples"}
    for name in ("loops", "vectorized", "jitted"):
        with fastnn.backend(name):
            net.cost_and_gradients(X, y)  # compiles, if need be
            row[name] = timeit(lambda net=net: net.cost_and_gradients(X, y), number=3) / 3
    rows.append(row)
ax = plot.comparison(rows)
