"""
Learning curve
==============

`fastnn.plot.learning_curve`: the score on seen and on unseen examples over the number of training
examples. A gap that closes promises more from more data.
"""

from fastnn import Network, data, diagnostics, plot

digits = data.digits()
X, X_dev, y, y_dev = data.split(data.flatten_images(digits.X), digits.y)


def make(seed):
    """Return a new network, its weights drawn by that seed."""
    return Network.mlp([64, 32, 10], output="softmax", rescale=1 / 16, seed=seed)


result = diagnostics.learning_curve(make, X, y, X_dev=X_dev, y_dev=y_dev, seeds=(0, 1, 2))
ax = plot.learning_curve(result)
