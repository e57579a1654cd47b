"""Training runs to be timed: the networks of the course, through `Network.fit`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fastnn
from fastnn import Adam, GradientDescent, Network
from fastnn.optimizers import Optimizer

from .agreement import agree

Data = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@cache
def cats() -> Data:
    """The 209 images of the course from $FASTNN_DATA, else noise of their shape: (209, 12288)."""
    path = Path(os.environ.get("FASTNN_DATA", "")) / "train_catvnoncat.h5"
    if path.is_file():
        X, y = fastnn.data.load_h5(path)
        return fastnn.data.flatten_images(X), y
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (209, 12288), dtype=np.uint8), rng.integers(0, 2, 209)


@cache
def flower() -> Data:
    """The planar lesson's 400 points."""
    return fastnn.data.flower(400)


@cache
def circles() -> Data:
    """The initialisation lesson's 300 points."""
    return fastnn.data.circles(300, seed=1)


@cache
def digits() -> Data:
    """The bundled 8×8 digits, a row each."""
    X, y = fastnn.data.digits()
    return fastnn.data.flatten_images(X), y


@cache
def table(m: int = 100_000) -> Data:
    """Return m rows of three numbers, so long that their order is an epoch's main work."""
    X = np.random.default_rng(0).standard_normal((m, 3), dtype=np.float32)
    return X, (X[:, 0] > 0).astype(np.int64)


@dataclass(frozen=True)
class Run:
    """A network, its data, and how many epochs a timing takes.

    `sample` is the number of examples on which loops stay below a second or two.
    """

    title: str
    data: Callable[[], Data]
    sizes: tuple[int, ...]
    epochs: int
    optimizer: Optimizer
    hidden: str = "relu"
    output: str = "sigmoid"
    batch_size: int | None = None
    rescale: float | None = None
    init: str = "he"
    sample: int = 40
    dtype: str = "float64"

    @property
    def name(self) -> str:
        """The title, the number of steps and the dtype."""
        return f"{self.title}, {self.steps} steps {self.dtype}"

    def __str__(self) -> str:
        return self.name

    @property
    def steps(self) -> int:
        """Updates of one call."""
        m = len(self.data()[0])
        return self.epochs * -(-m // (self.batch_size or m))

    def network(self) -> Network:
        """Return the network with its first weights."""
        return Network.mlp(
            self.sizes, output=self.output, hidden=self.hidden, rescale=self.rescale,
            init=self.init, dtype=self.dtype,
        )  # fmt: skip

    def fit(self, network: Network, backend: str, data: Data | None = None) -> list[float]:
        """Train for the run's epochs on that backend and return their costs."""
        X, y = data or self.data()
        with fastnn.backend(backend):
            history = network.fit(
                X, y, epochs=self.epochs, batch_size=self.batch_size, optimizer=self.optimizer,
                progress=False,
            )  # fmt: skip
        return list(history["cost"])

    def check(self, backend: str) -> None:
        """Check two epochs' costs: a few examples against loops, all against vectorized."""
        few = replace(self, epochs=2)
        X, y = self.data()
        sample = X[: self.sample], y[: self.sample]
        if backend != "loops":
            agree(self.title, self.dtype, few.fit(few.network(), backend, sample), _looped(few))
        if backend == "jitted":
            expected = few.fit(few.network(), "vectorized")
            agree(self.title, self.dtype, few.fit(few.network(), backend), expected)


@cache
def _looped(run: Run) -> list[float]:
    """Costs of the loops on a few examples."""
    X, y = run.data()
    return run.fit(run.network(), "loops", (X[: run.sample], y[: run.sample]))


LOGISTIC = Run(
    "logistic cats [12288, 1]", cats, (12288, 1), 20, GradientDescent(0.005),
    rescale=1 / 255, init="zeros", sample=6,
)  # fmt: skip
TWO_LAYERS = Run(
    "cats [12288, 7, 1]", cats, (12288, 7, 1), 20, GradientDescent(0.0075),
    rescale=1 / 255, init="small", sample=3,
)  # fmt: skip
FOUR_LAYERS = Run(
    "cats [12288, 20, 7, 5, 1]", cats, (12288, 20, 7, 5, 1), 20, GradientDescent(0.0075),
    rescale=1 / 255, init="xavier", sample=1,
)  # fmt: skip
PLANAR = Run("planar [2, 4, 1]", flower, (2, 4, 1), 2000, GradientDescent(1.2), hidden="tanh")
CIRCLES = Run("circles [2, 10, 5, 1]", circles, (2, 10, 5, 1), 2000, GradientDescent(0.01))
DIGITS = Run(
    "digits [64, 64, 10]", digits, (64, 64, 10), 1, Adam(), output="softmax", batch_size=64,
    rescale=1 / 16,
)  # fmt: skip
TABLE = Run(
    "table [3, 4, 1]", table, (3, 4, 1), 2, Adam(), batch_size=4096, sample=5000, dtype="float32",
)  # fmt: skip

RUNS = tuple(
    replace(run, dtype=dtype)
    for run in (LOGISTIC, TWO_LAYERS, FOUR_LAYERS, PLANAR, CIRCLES, DIGITS)
    for dtype in ("float32", "float64")
)
