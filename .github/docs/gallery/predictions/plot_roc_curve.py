"""
ROC curve
=========

`fastnn.plot.roc_curve`: the share of positives that are found over the share of false alarms, a
point for each threshold. The diagonal is chance.
"""

from fastnn import Network, data, plot

X, y = data.moons(1000, noise=0.4, seed=1)
X, X_test, y, y_test = data.split(X, y, test=0.4)
net = Network.mlp([2, 16, 1], output="sigmoid")
net.fit(X, y, epochs=100, batch_size=32)
ax = plot.roc_curve(net, X_test, y_test)
