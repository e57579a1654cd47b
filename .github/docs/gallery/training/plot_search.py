"""
Hyper-parameter search
======================

`fastnn.plot.search`: the score of every trial of `fastnn.tune` over each parameter. Trials that
were stopped early are hollow.
"""

from fastnn import Network, data, plot, spaces, tune

X, y = data.moons(400, noise=0.2, seed=1)


def build(units):
    """Return a network of that many hidden units."""
    return Network.mlp([2, units, 1], output="sigmoid")


search = tune(
    build,
    X,
    y,
    {"units": spaces.Integer(2, 64, log=True), "learning_rate": spaces.Log(1e-4, 1e-1)},
    trials=24,
    epochs=20,
)
ax = plot.search(search)
