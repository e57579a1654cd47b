"""Logistic regression as a neural network of one unit: Z = wᵀ X + b, A = σ(Z)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn.errors import ShapeError

from ._core.arrays import Array, as_float64, as_matrix, as_targets, check_shape
from ._core.cost_printing import print_cost_after
from ._core.layers import activate, cross_entropy, gradient_step, linear, linear_gradients, quiet

__all__ = ["initialize_with_zeros", "model", "optimize", "predict", "propagate", "sigmoid"]


def sigmoid(z: ArrayLike) -> Array:
    """Return σ(z) = 1 / (1 + e^−z) of a number or an array of any shape, number by number.

    Parameters
    ----------
    z : array_like
        A number or an array.

    Returns
    -------
    ndarray of float64
        The same shape; for a single number a NumPy float.
    """
    a: Array = activate("sigmoid", as_float64("z", z))[()]
    return a


def initialize_with_zeros(dim: int) -> tuple[Array, float]:
    """Return weights of zero and a bias of zero: logistic regression has no symmetry to break.

    Parameters
    ----------
    dim : int
        The number of features.

    Returns
    -------
    w : ndarray, (dim, 1)
    b : float
    """
    return np.zeros((dim, 1)), 0.0


def _checked(w: ArrayLike, b: ArrayLike, X: ArrayLike) -> tuple[Array, Array, Array]:
    """Return w (n_x, 1), b (1, 1) and X (n_x, m), which fit together."""
    X = as_matrix("X", X)
    w = as_matrix("w", w)
    check_shape("w", w, (X.shape[0], 1), f"one weight for each row of X, {X.shape}")
    if np.size(b) != 1:
        raise ShapeError(f"b must be one number, got shape {np.shape(b)}; one bias serves one unit")
    return w, as_float64("b", b).reshape(1, 1), X


def propagate(
    w: ArrayLike, b: ArrayLike, X: ArrayLike, Y: ArrayLike
) -> tuple[dict[str, Array | float], float]:
    """Return the gradients dw = X (A − Y)ᵀ / m and db = Σ (a − y) / m, and the cost.

    Parameters
    ----------
    w : array_like, (n_x, 1)
        Weights.
    b : number
        Bias.
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (1, m)
        Labels.

    Returns
    -------
    grads : dict
        "dw" (n_x, 1) and "db", a NumPy float.
    cost : float
        −1/m Σ (y log a + (1−y) log(1−a)).

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    """
    w, b, X = _checked(w, b, X)
    A = activate("sigmoid", linear(X, w.T, b))
    Y = as_targets("Y", Y, A, f"one label for each column of X, {X.shape}")
    _, dW, db = linear_gradients(_difference(A, Y), X, w.T, wanted=False)
    return {"dw": dW.T, "db": db[0, 0]}, cross_entropy(A, Y)


@quiet
def _difference(A: Array, Y: Array) -> Array:
    """Return dZ = A − Y.   All (1, m)."""
    return A - Y


@quiet
def optimize(
    w: ArrayLike,
    b: ArrayLike,
    X: ArrayLike,
    Y: ArrayLike,
    num_iterations: int = 100,
    learning_rate: float = 0.009,
    print_cost: bool = False,
) -> tuple[dict[str, Array | float], dict[str, Array | float], list[float]]:
    """Take `num_iterations` steps of gradient descent from w and b, which stay as they are.

    Parameters
    ----------
    w, b, X, Y
        As for `propagate`.
    num_iterations : int
        Steps to take.
    learning_rate : float
        α in w ← w − α dw and b ← b − α db.
    print_cost : bool
        Print the cost every 100 steps.

    Returns
    -------
    params : dict
        "w" (n_x, 1) and "b", a NumPy float.
    grads : dict
        "dw" and "db" of the last step; empty if no step was taken.
    costs : list of float
        The cost before steps 0, 100, 200, …

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    """
    w, column, X = _checked(w, b, X)
    bias_now, rate = column[0, 0], float(learning_rate)
    grads: dict[str, Array | float] = {}
    costs = []
    for i in range(num_iterations):
        grads, cost = propagate(w, bias_now, X, Y)
        w = gradient_step(w, np.asarray(grads["dw"]), rate)
        bias_now = bias_now - rate * grads["db"]
        if i % 100 == 0:
            costs.append(cost)
            if print_cost:
                print_cost_after(i, cost)
    return {"w": w.copy(), "b": bias_now}, grads, costs


def predict(w: ArrayLike, b: ArrayLike, X: ArrayLike) -> NDArray[np.int64]:
    """Return 1 where the probability σ(wᵀ x + b) is strictly above 0.5, else 0.

    Parameters
    ----------
    w, b, X
        As for `propagate`.

    Returns
    -------
    ndarray of int, (1, m)
        Predictions, 0 or 1: ``classes[predictions[0, i]]`` names the class of example i.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    """
    w, b, X = _checked(w, b, X)
    return (activate("sigmoid", linear(X, w.T, b)) > 0.5).astype(np.int64)


def model(
    X_train: ArrayLike,
    Y_train: ArrayLike,
    X_test: ArrayLike,
    Y_test: ArrayLike,
    num_iterations: int = 2000,
    learning_rate: float = 0.5,
    print_cost: bool = False,
) -> dict[str, object]:
    """Train from zeros and predict both sets.

    Parameters
    ----------
    X_train, X_test : array_like, (n_x, m_train) and (n_x, m_test)
        Examples in columns.
    Y_train, Y_test : array_like, (1, m_train) and (1, m_test)
        Labels.
    num_iterations, learning_rate
        As for `optimize`.
    print_cost : bool
        Print the cost every 100 steps and both accuracies at the end.

    Returns
    -------
    dict
        "costs" (every 100 steps), "Y_prediction_test", "Y_prediction_train", "w", "b",
        "learning_rate", "num_iterations".

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    """
    X_train, X_test = as_matrix("X_train", X_train), as_matrix("X_test", X_test)
    check_shape("X_test", X_test, (len(X_train), None), f"the rows of X_train {X_train.shape}")
    rule = "one label for each column of"
    Y_train = as_targets("Y_train", Y_train, X_train[:1], f"{rule} X_train, {X_train.shape}")
    Y_test = as_targets("Y_test", Y_test, X_test[:1], f"{rule} X_test, {X_test.shape}")
    start = initialize_with_zeros(len(X_train))
    params, _, costs = optimize(*start, X_train, Y_train, num_iterations, learning_rate, print_cost)
    w, b = params["w"], params["b"]
    train, test = predict(w, b, X_train), predict(w, b, X_test)
    if print_cost:
        for name, right, Y in (("train", train, Y_train), ("test", test, Y_test)):
            print(f"{name} accuracy: {100 - np.mean(np.abs(right - Y)) * 100} %")
    return {
        "costs": costs,
        "Y_prediction_test": test,
        "Y_prediction_train": train,
        "w": w,
        "b": b,
        "learning_rate": learning_rate,
        "num_iterations": num_iterations,
    }
