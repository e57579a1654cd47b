"""
Calibration
===========

`fastnn.plot.calibration_curve`: how often a class occurred over the probability that it was given.
On the diagonal probabilities are what they say; class weights push them away from it.
"""

from fastnn import Network, data, plot

X, y = data.moons(2000, noise=0.4, seed=1)
X, X_test, y, y_test = data.split(X, y, test=0.4)
for weights in (None, {0: 1, 1: 4}):
    net = Network.mlp([2, 16, 1], output="sigmoid")
    net.fit(X, y, epochs=100, batch_size=32, class_weight=weights)
    ax = plot.calibration_curve(net, X_test, y_test)
    ax.set_title(f"class_weight={weights}")
