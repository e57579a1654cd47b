"""The ideas of the notes as small experiments: each function returns the numbers of one idea.

``python -m fastnn.course.ideas`` runs them all and says in a few lines what each one shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn._runtime.backend import active
from fastnn.data import digits, flatten_images
from fastnn.kernels.opcodes import Loss as Code

from . import deep, logistic_regression, planar_utils, shallow
from ._core import explanations, parity_nets
from ._core.arrays import Array
from ._core.layers import activate, activation_backward, gradient_step, linear

__all__ = [
    "learning_rates",
    "linear_layers_collapse",
    "main",
    "parity",
    "shapes",
    "slope",
    "squared_error_against_cross_entropy",
    "zero_initialization",
]


def slope(a: float = 2.0, step: float = 0.001) -> dict[str, float]:
    """Nudge a by a small step: f(a) = 3a moves three times as far.

    Returns
    -------
    dict
        "before" f(a), "after" f(a + step), "slope" their difference over the step.
    """
    before, after = 3 * a, 3 * (a + step)
    return {"before": before, "after": after, "slope": (after - before) / step}


def _squared_error(Z: Array, Y: Array) -> tuple[float, Array]:
    """J = 1/m Σ ½(σ(z) − y)², and dZ = (a − y) a (1 − a) / m.   All (1, m)."""
    A, dA = activate("sigmoid", Z), np.empty(Z.shape)
    cost = active().losses[Code.SQUARED_ERROR].cost(A.T, Y.T, np.ones(Z.shape[1]), 0.0, dA.T)
    return cost, activation_backward("sigmoid", dA, A)


def _cross_entropy(Z: Array, Y: Array) -> tuple[float, Array]:
    """J = −1/m Σ (y log σ(z) + (1−y) log(1−σ(z))), and dZ = (a − y) / m.   All (1, m)."""
    dZ = np.empty(Z.shape)
    cost = active().losses[Code.BINARY_CROSS_ENTROPY].cost
    return cost(Z.T, Y.T, np.ones(Z.shape[1]), 0.0, dZ.T), dZ


Loss = Callable[[Array, Array], tuple[float, Array]]
LOSSES: dict[str, Loss] = {"squared error": _squared_error, "cross-entropy": _cross_entropy}


def squared_error_against_cross_entropy(steps: int = 1000) -> dict[str, dict[str, Any]]:
    """Follow both costs of logistic regression along a line, and descend on both from afar.

    Along the line w = (t, 1) through four examples the squared error has two valleys. On four
    other examples, which a threshold at 0 separates, descent starts at w = −10, all of them wrong:
    there a (1 − a) is nearly 0, and with it the gradient of the squared error.

    Returns
    -------
    dict
        For "squared error" and "cross-entropy": "costs" along the line, "minima" inside it, the
        least "curvature" (second difference over the square of the step; negative: not convex),
        and "w", "cost" after `steps` steps of descent at the rate 0.5.
    """
    X, Y = np.array([[4.0, 4, 4, 4], [8, 0, -8, -16]]), np.array([[1.0, 0, 1, 0]])
    line, gap = np.linspace(-4, 6, 401, retstep=True)
    b = np.zeros((1, 1))
    results = {}
    for name, loss in LOSSES.items():
        costs = np.array([loss(linear(X, np.array([[t, 1.0]]), b), Y)[0] for t in line])
        lower = np.diff(costs)
        w, end = _descend(loss, steps)
        results[name] = {
            "costs": costs,
            "minima": int(np.sum((lower[:-1] < 0) & (lower[1:] > 0))),
            "curvature": float(np.diff(costs, 2).min() / gap**2),
            "w": w,
            "cost": end,
        }
    return results


def _descend(loss: Loss, steps: int) -> tuple[float, float]:
    """Return w and the cost after descent from w = −10 on four examples that 0 separates."""
    X, Y = np.array([[-2.0, -1, 1, 2]]), np.array([[0.0, 0, 1, 1]])
    w, b = np.array([[-10.0]]), np.zeros((1, 1))
    for _ in range(steps):
        dZ = loss(linear(X, w, b), Y)[1]
        w = gradient_step(w, dZ @ X.T, 0.5)
    return float(w[0, 0]), loss(linear(X, w, b), Y)[0]


def linear_layers_collapse(layer_dims: Sequence[int] = (3, 4, 2), seed: int = 1) -> dict[str, Any]:
    """Compare two layers without activations with the one layer they amount to.

    Examples are columns, so the first layer stands at the right: W2 (W1 x + b1) + b2 =
    (W2 W1) x + (W2 b1 + b2). The product W1 W2 has, as a rule, not even fitting shapes.

    Returns
    -------
    dict
        "W" = W2 W1 (n2, n0), "b" = W2 b1 + b2 (n2, 1), the largest "difference" of both outputs.
    """
    n0, n1, n2 = layer_dims
    rng = np.random.RandomState(seed)
    W1, b1, W2, b2 = (rng.randn(*size) for size in ((n1, n0), (n1, 1), (n2, n1), (n2, 1)))
    X = rng.randn(n0, 10)
    W, b = linear(W1, W2, np.zeros((n2, 1))), linear(b1, W2, b2)
    two, one = linear(linear(X, W1, b1), W2, b2), linear(X, W, b)
    return {"W": W, "b": b, "difference": float(np.abs(two - one).max())}


def shapes(layer_dims: Sequence[int] = (2, 3, 5, 4, 2, 1), m: int = 10) -> dict[str, Any]:
    """Give the shapes of a deep network: W (n, n_prev), b (n, 1), Z and A (n, m).

    Returns
    -------
    dict
        "W1": (n1, n0), "b1": (n1, 1), "Z1": (n1, m), …
    """
    parameters = deep.initialize_parameters_deep(layer_dims, seed=1)
    _, caches = deep.L_model_forward(np.zeros((layer_dims[0], m)), parameters)
    found = {}
    for layer, (_, Z) in enumerate(caches, start=1):
        found[f"W{layer}"] = parameters[f"W{layer}"].shape
        found[f"b{layer}"] = parameters[f"b{layer}"].shape
        found[f"Z{layer}"] = Z.shape
    return found


def zero_initialization(n_h: int = 4, steps: int = 1000) -> dict[str, dict[str, float]]:
    """Train one network on the flower from zeros, from equal numbers and from random ones.

    Hidden units that start equal get equal gradients and stay equal: n_h of them are worth one.
    From zeros it is worse: W2 = 0 keeps dW1 at 0, and W1 = 0 keeps dW2 there.

    Returns
    -------
    dict
        For "zeros", "equal" and "random": "spread", the largest difference between the weights of
        two hidden units, and "cost" after `steps` steps at the rate 1.2.
    """
    X, Y = planar_utils.load_planar_dataset()
    start = shallow.initialize_parameters(len(X), n_h, 1)
    starts = {
        "zeros": {key: np.zeros_like(array) for key, array in start.items()},
        "equal": {key: np.full_like(array, 0.5) for key, array in start.items()},
        "random": start,
    }
    results = {}
    for name, parameters in starts.items():
        for _ in range(steps):
            _, cache = shallow.forward_propagation(X, parameters)
            grads = shallow.backward_propagation(parameters, cache, X, Y)
            parameters = shallow.update_parameters(parameters, grads)
        A2, _ = shallow.forward_propagation(X, parameters)
        spread = float(np.ptp(parameters["W1"], axis=0).max())
        results[name] = {"spread": spread, "cost": shallow.compute_cost(A2, Y)}
    return results


def parity(most: int = 8) -> dict[int, dict[str, int]]:
    """Count the hidden units that the parity of n bits takes, deep and shallow, for n = 2 … most.

    The networks are built by hand and tried on all 2ⁿ words. A tree of xor needs about 2n units in
    ⌈log₂ n⌉ layers; one layer whose units each recognise a word needs 2ⁿ⁻¹. (A layer that may add
    the bits up first gets by with n: parity is hard for gates, less so for weights.)

    Returns
    -------
    dict
        For each n: "deep", "deep layers" (hidden ones), "shallow", "counting".

    Raises
    ------
    ArithmeticError
        If a network gave a wrong parity.
    """
    table = {}
    for n in range(2, most + 1):
        nets = {
            "deep": parity_nets.tree(n),
            "shallow": parity_nets.detectors(n),
            "counting": parity_nets.counters(n),
        }
        for name, parameters in nets.items():
            if not parity_nets.is_right(parameters, n):
                raise ArithmeticError(f"the {name} network is wrong about {n} bits")
        table[n] = {name: parity_nets.hidden_units(net) for name, net in nets.items()}
        table[n]["deep layers"] = len(nets["deep"]) // 2 - 1
    return table


def _digit(k: int) -> tuple[Array, Array, Array, Array]:
    """Return the bundled digits as columns, "is it a k?": X, Y of four fifths, X, Y of the rest."""
    images, labels = digits()
    X, Y = flatten_images(images).T / 16, (labels == k).astype(np.float64).reshape(1, -1)
    cut = X.shape[1] * 4 // 5
    return X[:, :cut], Y[:, :cut], X[:, cut:], Y[:, cut:]


def learning_rates(
    sets: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike] | None = None,
    rates: Sequence[float] = (0.01, 0.001, 0.0001),
    num_iterations: int = 1500,
) -> dict[float, dict[str, Any]]:
    """Train logistic regression at several learning rates.

    Parameters
    ----------
    sets : X_train, Y_train, X_test, Y_test, optional
        Examples in columns, such as the cat set's; else the bundled digits, "is it a 0?".
    rates : sequence of float
        The learning rates.
    num_iterations : int
        Steps at each rate.

    Returns
    -------
    dict
        For each rate: "costs" (every 100 steps) and the shares "train" and "test" of right answers.
    """
    X_train, Y_train, X_test, Y_test = _digit(0) if sets is None else sets
    results = {}
    for rate in rates:
        fit: dict[str, Any] = logistic_regression.model(
            X_train, Y_train, X_test, Y_test, num_iterations, rate
        )
        results[rate] = {
            "costs": fit["costs"],
            "train": float(np.mean(fit["Y_prediction_train"] == np.asarray(Y_train))),
            "test": float(np.mean(fit["Y_prediction_test"] == np.asarray(Y_test))),
        }
    return results


IDEAS: tuple[tuple[str, Callable[[], Any], Callable[[Any], Any]], ...] = (
    ("The slope of 3a at 2", slope, explanations.slope),
    (
        "Squared error against cross-entropy for logistic regression",
        squared_error_against_cross_entropy,
        explanations.squared_error_against_cross_entropy,
    ),
    ("Linear layers collapse to one", linear_layers_collapse, explanations.linear_layers_collapse),
    ("The shapes of [2, 3, 5, 4, 2, 1], 10 examples", shapes, explanations.shapes),
    ("Why zero initialisation fails", zero_initialization, explanations.zero_initialization),
    ("Parity of n bits, deep against shallow", parity, explanations.parity),
    ("What a learning rate does in 1500 steps", learning_rates, explanations.learning_rates),
)


def main() -> None:
    """Run every idea and print what it shows."""
    for title, experiment, account in IDEAS:
        print(title)
        for line in account(experiment()):
            print(f"    {line}")
        print()


if __name__ == "__main__":
    main()
