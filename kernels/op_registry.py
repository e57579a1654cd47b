"""The table of ops: each op's name with example arguments, for tests, benchmarks and warm-up.

A new row is everywhere at once: compared on all backends, checked by finite differences, timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .opcodes import Activation

Array = np.ndarray[Any, Any]


@dataclass
class Sample:
    """Draws example arrays for m examples, n_in inputs and n_out outputs of a dtype."""

    m: int = 7
    n_in: int = 5
    n_out: int = 3
    dtype: str = "float64"
    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def real(self, *shape: int) -> Array:
        """Normal numbers."""
        return self.rng.standard_normal(shape).astype(self.dtype)

    def positive(self, *shape: int) -> Array:
        """Numbers in (½, 1½)."""
        return (self.rng.random(shape) + 0.5).astype(self.dtype)

    def out(self, *shape: int) -> Array:
        """Room for a result."""
        return np.zeros(shape, self.dtype)

    def bits(self, *shape: int) -> Array:
        """0 and 1."""
        return self.rng.integers(0, 2, shape).astype(self.dtype)

    def one_hot(self, m: int, K: int) -> Array:
        """Rows with a single 1."""
        return np.eye(K, dtype=self.dtype)[self.rng.integers(0, K, m)]

    def weights(self) -> Array:
        """Weights of the examples, one of them zero where there are several."""
        w = self.positive(self.m)
        w[1::5] = 0
        return w


@dataclass(frozen=True)
class Row:
    """One op: its name, arguments from a `Sample`, and which of them it writes.

    For finite differences: `slope` = (argument, gradient) are the places of an input and of the
    output that holds the derivative of the returned cost by it; `backward` names the op that turns
    dA into dZ.
    """

    name: str
    arguments: Callable[[Sample], tuple[Any, ...]]
    outputs: tuple[int, ...] = ()
    slope: tuple[int, int] | None = None
    backward: str | None = None


def _square(s: Sample) -> tuple[Any, ...]:
    return s.real(s.m, s.n_out), s.out(s.m, s.n_out)


def _slopes(s: Sample) -> tuple[Any, ...]:
    return (
        *(s.real(s.m, s.n_out) for _ in range(2)),
        s.positive(s.m, s.n_out),
        s.out(s.m, s.n_out),
    )


def _loss(targets: str) -> Callable[[Sample], tuple[Any, ...]]:
    def arguments(s: Sample) -> tuple[Any, ...]:
        Y = getattr(s, targets)(s.m, s.n_out)
        return s.real(s.m, s.n_out), Y, s.weights(), s.out(s.m, s.n_out)

    return arguments


def _hits(targets: str) -> Callable[[Sample], tuple[Any, ...]]:
    return lambda s: (s.real(s.m, s.n_out), getattr(s, targets)(s.m, s.n_out), s.weights())


_ACTIVATIONS = tuple(activation.name.lower() for activation in Activation)


def _robust(rate: float, targets: str = "real") -> Callable[[Sample], tuple[Any, ...]]:
    def arguments(s: Sample) -> tuple[Any, ...]:
        A, Y = s.real(s.m, s.n_out), getattr(s, targets)(s.m, s.n_out)
        if targets == "positive":
            A = s.positive(s.m, s.n_out)
        return A, Y, s.weights(), rate, s.out(s.m, s.n_out)

    return arguments


def _drawn(s: Sample) -> tuple[Any, ...]:
    rows = s.rng.integers(0, 2**40, s.m)
    return s.real(s.m, s.n_in), rows, 0.3, 2**32 - 1, 2, 5, s.out(s.m, s.n_in)


def _normed(s: Sample) -> tuple[Any, ...]:
    vectors = s.real(s.n_in), s.positive(s.n_in), s.positive(s.n_in), s.real(s.n_in)
    return s.real(s.m, s.n_in), *vectors, 1e-5, s.out(s.m, s.n_in)


def _normed_back(s: Sample) -> tuple[Any, ...]:
    vectors = s.real(s.n_in), s.positive(s.n_in), s.positive(s.n_in)
    outs = s.out(s.m, s.n_in), s.out(s.n_in), s.out(s.n_in)
    return s.real(s.m, s.n_in), *vectors, 1e-5, s.real(s.m, s.n_in), *outs


TABLE: tuple[Row, ...] = (
    Row("dot", lambda s: (s.real(s.m), s.real(s.m))),
    Row(
        "standardize",
        lambda s: (
            s.real(s.m, s.n_in), s.real(s.n_in), s.positive(s.n_in), 0.5, s.out(s.m, s.n_in)
        ),
        outputs=(4,),
    ),
    Row(
        "product",
        lambda s: (s.real(s.n_in, s.m), s.real(s.n_out, s.n_in), s.out(s.m, s.n_out), True, True),
        outputs=(2,),
    ),
    Row(
        "dense_forward",
        lambda s: (
            s.real(s.m, s.n_in), s.real(s.n_in, s.n_out), s.real(s.n_out), s.out(s.m, s.n_out)
        ),
        outputs=(3,),
    ),
    Row(
        "dense_backward",
        lambda s: (
            s.real(s.m, s.n_in), s.real(s.n_in, s.n_out), s.real(s.m, s.n_out),
            s.out(s.m, s.n_in), s.out(s.n_in, s.n_out), s.out(s.n_out),
        ),
        outputs=(3, 4, 5),
    ),
    *(Row(g, _square, outputs=(1,), backward=f"{g}_backward") for g in _ACTIVATIONS),
    *(Row(f"{g}_backward", _slopes, outputs=(3,)) for g in _ACTIVATIONS),
    Row("squared_error", _loss("real"), outputs=(3,), slope=(0, 3)),
    Row("binary_cross_entropy", _loss("bits"), outputs=(3,), slope=(0, 3)),
    Row("categorical_cross_entropy", _loss("one_hot"), outputs=(3,), slope=(0, 3)),
    Row("absolute_error", _robust(0.0), outputs=(4,), slope=(0, 4)),
    Row("huber", _robust(0.8), outputs=(4,), slope=(0, 4)),
    Row("quantile", _robust(0.3), outputs=(4,), slope=(0, 4)),
    Row("poisson", _robust(0.0, "positive"), outputs=(4,), slope=(0, 4)),
    Row("dropout", _drawn, outputs=(6,)),
    Row("noise", _drawn, outputs=(6,)),
    Row("batch_moments", lambda s: (s.real(s.m, s.n_in), s.out(s.n_in), s.out(s.n_in)), (1, 2)),
    Row("batchnorm_forward", _normed, outputs=(6,)),
    Row("batchnorm_backward", _normed_back, outputs=(6, 7, 8)),
    Row("binary_hits", _hits("bits")),
    Row("categorical_hits", _hits("one_hot")),
    Row("penalty", lambda s: (s.real(s.m), s.out(s.m), 0.7, 0.2), outputs=(1,), slope=(0, 1)),
    Row("gradient_descent", lambda s: (s.real(s.m), s.real(s.m), 0.1), outputs=(0,)),
    Row(
        "adam",
        lambda s: (
            s.real(s.m), s.real(s.m), s.real(s.m), s.positive(s.m), 0.01, 0.9, 0.999, 1e-8, 3
        ),
        outputs=(0, 2, 3),
    ),
    Row(
        "momentum",
        lambda s: (s.real(s.m), s.real(s.m), s.real(s.m), 0.1, 0.9, 0.2),
        outputs=(0, 2),
    ),
    Row(
        "nesterov",
        lambda s: (s.real(s.m), s.real(s.m), s.real(s.m), 0.1, 0.9, 0.2),
        outputs=(0, 2),
    ),
    Row(
        "rmsprop",
        lambda s: (s.real(s.m), s.real(s.m), s.positive(s.m), 0.1, 0.9, 1e-8),
        outputs=(0, 2),
    ),
    Row("decay_weights", lambda s: (s.real(s.m), 0.1), outputs=(0,)),
    Row("norm", lambda s: (s.real(s.m),)),
    Row("clip", lambda s: (s.real(s.m), 1.5, 0.9), outputs=(0,)),
    Row("bound_norms", lambda s: (s.real(s.n_in, s.n_out), 1.2), outputs=(0,)),
    Row("shuffle", lambda s: (np.zeros(s.m, np.int64), 5, 2), outputs=(0,)),
    Row("largest", lambda s: (s.real(s.m),)),
)  # fmt: skip
