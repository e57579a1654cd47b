"""What is done with a network, an estimator or a model of the course, and what it yields."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

import fastnn
from fastnn import Dense, Network
from fastnn.callbacks import Checkpoint

Array = np.ndarray[Any, Any]
Results = Iterator[tuple[str, Any]]
Options = dict[str, Any]

FLOATS = ("float32", "float64")
CHECKED = 3000  # multiplications of a forward pass up to which gradients are checked


class Task(Protocol):
    """Something with results, and how many multiplications its forward pass takes."""

    @property
    def size(self) -> int:
        """Multiplications of a forward pass."""

    def results(self) -> Results:
        """Yield (name, value) of everything that must stay as it is."""


#: How X (m, n) may lie in memory.
ORDERS: dict[str, Callable[[Array], Array]] = {
    "C": lambda X: X,
    "F": np.asfortranarray,
    "rows": lambda X: np.repeat(X, 2, axis=0)[::2],
    "part": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "columns": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "back": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
}

#: Targets of m examples and K outputs.
TARGETS: dict[str, Callable[[np.random.Generator, int, int], Array]] = {
    "binary": lambda rng, m, K: rng.integers(0, 2, m),
    "classes": lambda rng, m, K: np.arange(m) % K,
    "one hot": lambda rng, m, K: np.eye(K)[rng.integers(0, K, m)],
    "soft": lambda rng, m, K: rng.dirichlet(np.ones(K), m),
    "labels": lambda rng, m, K: rng.integers(0, 2, (m, K)),
    "values": lambda rng, m, K: rng.normal(size=(m, K)),
    "counts": lambda rng, m, K: rng.poisson(2, (m, K)),
}


@dataclass(frozen=True)
class Net:
    """A network, its random data, and how it is trained: `calls` times by `fit`.

    `held`: examples that are scored after every epoch; `weighted`: whether examples have weights.
    """

    layers: Sequence[Any]
    shape: tuple[int, int] = (40, 5)
    y: str = "classes"
    kind: str = "float32"
    order: str = "C"
    fit: Options = field(default_factory=dict)
    network: Options = field(default_factory=dict)
    calls: int = 1
    held: int = 0
    weighted: bool = False

    @property
    def _units(self) -> list[int]:
        """Widths, from the input on."""
        return [self.shape[1], *(part.units for part in self.layers if isinstance(part, Dense))]

    @property
    def size(self) -> int:
        """Multiplications of a forward pass."""
        units = self._units
        return self.shape[0] * sum(a * b for a, b in pairwise(units))

    def data(self) -> tuple[Array, Array]:
        """Return X and y."""
        rng, whole = np.random.default_rng(self.shape), np.dtype(self.kind).kind in "iu"
        top = 256 if self.kind == "uint8" else 100
        X = rng.integers(0, top, self.shape) if whole else rng.normal(size=self.shape)
        y = TARGETS[self.y](rng, self.shape[0], self._units[-1])
        return ORDERS[self.order](X.astype(self.kind)), y

    def results(self) -> Results:
        """Yield what training, questions, files and further training give."""
        X, y = self.data()
        network = Network(self.layers, **self.network)
        fit = {"epochs": 2, "batch_size": 16, "progress": False} | self.fit
        if self.weighted:
            fit["sample_weight"] = np.arange(len(X)) % 3 + 0.5
        if self.held:
            fit["validation_data"] = X[: self.held], y[: self.held]
        yield "first parameters", dict(network.build(X.shape[1]).parameters)
        yield "history", [dict(network.fit(X, y, **fit)) for _ in range(self.calls)]
        yield "parameters", dict(network.parameters)
        yield from _answers(network, X)
        yield "evaluate", network.evaluate(X, y)
        weights = fit.get("sample_weight")
        yield "gradients", network.cost_and_gradients(X, y, l2=0.1, l1=0.01, sample_weight=weights)
        if self.size <= CHECKED:
            yield "check", fastnn.check_gradients(network, X, y).difference
        with TemporaryDirectory() as folder:
            yield from _kept(network, Path(folder), X, y, fit | {"epochs": 1})


def _answers(network: Network, X: Array) -> Results:
    """Yield what a network says of rows: of all, of a few, and of one after the other."""
    few, single = range(1, min(len(X), 17)), range(min(len(X), 60))
    yield "predict", network.predict(X)
    yield "predict few", [network.predict(X[:count]) for count in few]
    yield "predict one", [network.predict(X[row : row + 1]) for row in single]
    yield "activations", network.activations(X)
    if getattr(network.layers[-1], "activation", "") in ("sigmoid", "softmax"):
        yield "predict_proba", network.predict_proba(X)


def _kept(network: Network, folder: Path, X: Array, y: Array, fit: Options) -> Results:
    """Yield what a file holds after one more epoch, and where training goes from there."""
    paths = [folder / f"network.{ending}" for ending in ("safetensors", "h5")]
    callbacks = [*fit.get("callbacks", ()), *map(Checkpoint, paths)]
    network.fit(X, y, **fit | {"callbacks": callbacks})
    data = paths[0].read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    yield "file", repr(sorted(header.items()))
    yield "numbers in the file", data[start:]
    for path in paths:
        other = fastnn.load(path)
        other.fit(X, y, **fit)
        yield "resumed", dict(other.parameters)


@dataclass(frozen=True)
class Model:
    """An estimator on rows of which a share is not zero, sparse ones unless all are held."""

    make: Callable[[], Any]
    shape: tuple[int, int] = (60, 12)
    share: float = 1.0
    kind: str = "float32"

    @property
    def size(self) -> int:
        """Multiplications of a forward pass into 20 units."""
        return self.shape[0] * self.shape[1] * 20

    def results(self) -> Results:
        """Yield what fits and predictions give."""
        model, rng = self.make(), np.random.default_rng(self.shape)
        X = rng.normal(size=self.shape) * (rng.random(self.shape) < self.share)
        y, X = (X.sum(axis=1) > 0).astype(int), X.astype(self.kind)
        if self.share < 1:
            from scipy.sparse import csr_array

            X = csr_array(X)
        model.fit(X, y)
        yield "parameters", dict(model.network_.parameters)
        yield "history", dict(model.network_.history)
        yield "predict", model.predict(X)
        yield "predict one", model.predict(X[:1])
        yield "score", model.score(X, y)
        model.set_params(warm_start=True).fit(X, y)
        yield "warm start", dict(model.network_.parameters)


@dataclass(frozen=True)
class Lesson:
    """A model of the course, and how many multiplications loops would take."""

    model: Callable[[], Any]
    size: int = 4000

    def results(self) -> Results:
        """Yield what the model returns."""
        yield "returned", self.model()
