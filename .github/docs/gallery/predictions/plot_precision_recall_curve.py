"""
Precision and recall
====================

`fastnn.plot.precision_recall_curve`: the share of alarms that are right over the share of positives
that are found. Where one class is rare this says more than a ROC curve; here one example in ten is
positive.
"""

import numpy as np

from fastnn import Network, data, plot

X, y = data.moons(2000, noise=0.3, seed=1)
kept = (y == 0) | (np.random.default_rng(1).random(len(y)) < 0.11)
X, X_test, y, y_test = data.split(X[kept], y[kept], test=0.4)
net = Network.mlp([2, 16, 1], output="sigmoid")
net.fit(X, y, epochs=100, batch_size=32, class_weight="balanced")
ax = plot.precision_recall_curve(net, X_test, y_test)
