"""The helpers of the one-hidden-layer notebook: points in the plane and their decision boundary."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._runtime.optional import require
from fastnn.data import flower

from ._core.arrays import Array, as_matrix, check_shape
from .logistic_regression import sigmoid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["load_extra_datasets", "load_planar_dataset", "plot_decision_boundary", "sigmoid"]

Points = tuple[NDArray[np.float64], NDArray[Any]]


def plot_decision_boundary(
    model: Callable[[NDArray[np.float64]], ArrayLike], X: ArrayLike, y: ArrayLike
) -> Axes:
    """Draw the regions in which a model predicts each class, and the examples over them.

    It draws on pyplot's current axes, so that ``plt.subplot`` before and ``plt.title`` after it
    work as in the notebooks. Needs matplotlib.

    Parameters
    ----------
    model : callable
        Takes rows (k, 2), gives k labels: ``lambda x: predict(parameters, x.T)``.
    X : array_like, (2, m)
        Examples in columns.
    y : array_like, (1, m)
        Labels.

    Returns
    -------
    Axes
        The axes that were drawn on.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    MissingExtraError
        If matplotlib is not installed.
    """
    from fastnn import plot  # not at the top: training needs no pictures

    X = as_matrix("X", X)
    check_shape("X", X, (2, None), "two coordinates for each example")
    labels = np.asarray(y).reshape(1, -1)
    check_shape("y", labels, (1, X.shape[1]), f"one label for each column of X, {X.shape}")
    axes = require("matplotlib.pyplot", extra="plot", purpose="plot_decision_boundary").gca()
    return plot.decision_boundary(model, X.T, labels[0], ax=axes)


def load_planar_dataset() -> tuple[Array, NDArray[np.uint8]]:
    """Draw the flower: 400 points from the seed 1, their class by petal.

    Returns
    -------
    X : ndarray, (2, 400)
        Points in columns.
    Y : ndarray of uint8, (1, 400)
        Their classes, 0 or 1.
    """
    X, y = flower(400, 0.2, seed=1)
    # The notebook draws these 800 numbers from the global generator; leave it where it would be.
    np.random.seed(1)
    np.random.randn(2 * len(X))
    return np.ascontiguousarray(X.T), y.astype(np.uint8).reshape(1, -1)


def load_extra_datasets() -> tuple[Points, Points, Points, Points, Points]:
    """Draw five more sets of 200 points, as rows, from NumPy's global generator (scikit-learn).

    Returns
    -------
    noisy_circles, noisy_moons, blobs, gaussian_quantiles : tuple of ndarray
        X (200, 2) and y (200,) of each; blobs has six classes.
    no_structure : tuple of ndarray
        Two sets of 200 points drawn evenly from the unit square.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    sets = require("sklearn.datasets", extra="sklearn", purpose="load_extra_datasets")
    N = 200
    noisy_circles = sets.make_circles(n_samples=N, factor=0.5, noise=0.3)
    noisy_moons = sets.make_moons(n_samples=N, noise=0.2)
    blobs = sets.make_blobs(n_samples=N, random_state=5, n_features=2, centers=6)
    quantiles = sets.make_gaussian_quantiles(
        mean=None, cov=0.5, n_samples=N, n_features=2, n_classes=2, shuffle=True, random_state=None
    )
    no_structure = np.random.rand(N, 2), np.random.rand(N, 2)
    return noisy_circles, noisy_moons, blobs, quantiles, no_structure
