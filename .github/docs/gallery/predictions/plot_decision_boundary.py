"""
Decision boundary
=================

`fastnn.plot.decision_boundary`: the class that a model of two features gives to every point of the
plane, with the examples; the line is where two classes are equally likely.
"""

from fastnn import Adam, Network, data, plot

X, y = data.flower(400, seed=3)
net = Network.mlp([2, 16, 16, 1], output="sigmoid")
net.fit(X, y, epochs=300, batch_size=32, optimizer=Adam(0.01))
ax = plot.decision_boundary(net, X, y)
