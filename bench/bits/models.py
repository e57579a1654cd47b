"""Estimators and lessons of the course whose bits are recorded."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastnn
from fastnn.course import deep, initialization, optimization, planar_utils, regularization, shallow

from .tasks import FLOATS, Model, Task


def course() -> dict[str, Any]:
    """Parameters and costs of the lessons' models, a few iterations each."""
    X, Y = planar_utils.load_planar_dataset()
    X, Y, sizes = X[:, ::10], Y[:, ::10], [2, 4, 3, 1]
    few = {"num_iterations": 4, "print_cost": False}
    settings: dict[str, Any] = {"num_epochs": 2, "print_cost": False, "mini_batch_size": 16}
    optimized = [
        optimization.model(X, Y, sizes, name, **settings) for name in ("gd", "momentum", "adam")
    ]
    return {
        "shallow": shallow.nn_model(X, Y, 4, **few),
        "two layers": deep.two_layer_model(X, Y, [2, 3, 1], **few),
        "deep": deep.L_layer_model(X, Y, sizes, **few),
        "he": initialization.model(X, Y, **few),
        "penalty": regularization.model(X, Y, lambd=0.7, **few),
        "dropout": regularization.model(X, Y, keep_prob=0.86, **few),
        "optimized": optimized,
    }


def products() -> list[Any]:
    """Products of the course's layers, forward and back, of shapes that go every way."""
    rng, found = np.random.default_rng(0), []
    for n, before, m in (
        (1, 1, 1), (5, 3, 7), (20, 200, 9), (300, 200, 12), (13, 300, 200), (33, 130, 260),
        (40, 300, 31), (200, 270, 300), (300, 40, 64), (64, 513, 32), (10, 64, 1000),
    ):  # fmt: skip
        A, W = rng.normal(size=(before, m)), rng.normal(size=(n, before))
        Z, cache = deep.linear_forward(A, W, rng.normal(size=(n, 1)))
        found += [Z, deep.linear_backward(Z, cache)]
        found.append(deep.linear_forward(np.asfortranarray(A), W[:, ::-1], W[:, :1])[0])
    return found


def _classifier(**settings: Any) -> Any:
    """Return what makes a classifier of three epochs, by default of 20 units."""
    defaults = {"hidden_layer_sizes": (20,), "max_iter": 3, "random_state": 0}
    return lambda: fastnn.MLPClassifier(**defaults | settings)


def sparse() -> tuple[Task, ...]:
    """Sparse rows: few numbers, which are multiplied, and many, which are laid out."""
    return (
        *(
            Model(_classifier(hidden_layer_sizes=(units,), dtype=dtype), (60, 400), share, kind)
            for dtype, kind in (*zip(FLOATS, FLOATS, strict=True), ("float32", "float64"))
            for share in (0.03, 0.3)
            for units in (3, 20)
        ),
        Model(lambda: fastnn.LogisticRegression(max_iter=5), (60, 400), 0.03),
    )


def estimators() -> tuple[Task, ...]:
    """The solvers of the estimators, in both dtypes."""
    return (
        *(Model(_classifier(solver=solver, nesterovs_momentum=look, learning_rate=rate), kind=kind)
          for solver, look, rate, kind in (
              ("sgd", True, "invscaling", "float32"), ("sgd", False, "adaptive", "float64"),
              ("adam", True, "constant", "float64"), ("lbfgs", True, "constant", "float64"))),
        Model(_classifier(early_stopping=True, batch_norm=True, dropout=0.2, scale="standard")),
        Model(lambda: fastnn.MLPRegressor(max_iter=3, random_state=1, scale="robust")),
        Model(lambda: fastnn.LogisticRegression(max_iter=9), kind="float64"),
    )  # fmt: skip
