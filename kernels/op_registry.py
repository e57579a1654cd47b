"""The registry of ops: each op with example arguments, for tests and benchmarks.

Activations, losses and optimisers have a row for each member of their enum; a row is everywhere at
once: compared on all backends in every layout, checked by finite differences, timed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from .backend import Backend
from .opcodes import CLASSIFYING, METHODS, Activation, Loss, Method
from .records import StepNumbers

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
        """Zeros, for a result."""
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
    """One op: its name, where a backend has it, example arguments, and which of them it writes.

    For finite differences: `slope` = (argument, gradient) are the places of an input and of the
    output that holds the derivative of the returned cost by it; `backward` is where a backend has
    the op that turns dA into dZ.
    """

    name: str
    arguments: Callable[[Sample], tuple[Any, ...]]
    outputs: tuple[int, ...] = ()
    slope: tuple[int, int] | None = None
    on: Callable[[Backend], Callable[..., Any]] | None = None
    backward: Callable[[Backend], Callable[..., Any]] | None = None

    def function(self, backend: Backend) -> Callable[..., Any]:
        """Return a backend's function of this op: its attribute of that name unless `on` says."""
        return (self.on or attrgetter(self.name))(backend)


class LossExample(NamedTuple):
    """Which numbers a loss takes: names of methods of `Sample`, and its parameter."""

    outputs: str = "real"
    targets: str = "real"
    rate: float = 0.0


#: Losses whose examples are not any real numbers.
LOSS_EXAMPLES = {
    Loss.BINARY_CROSS_ENTROPY: LossExample(targets="bits"),
    Loss.CATEGORICAL_CROSS_ENTROPY: LossExample(targets="one_hot"),
    Loss.HUBER: LossExample(rate=0.8),
    Loss.QUANTILE: LossExample(rate=0.3),
    Loss.POISSON: LossExample(outputs="positive", targets="positive"),
}

#: The numbers of an example step, which each method reads as it needs them.
STEP = StepNumbers(
    t=3, rate=0.01, gain=0.2, beta1=0.9, beta2=0.99, epsilon=1e-8, weight_decay=0.1, n_decayed=1
)


def _activation_rows(code: Activation) -> tuple[Row, Row]:
    """Return the rows of an activation and of its derivative."""

    def forward(backend: Backend) -> Callable[..., Any]:
        return backend.activations[code].forward

    def backward(backend: Backend) -> Callable[..., Any]:
        return backend.activations[code].backward

    def pair(s: Sample) -> tuple[Any, ...]:
        return s.real(s.m, s.n_out), s.out(s.m, s.n_out)

    def four(s: Sample) -> tuple[Any, ...]:
        shape = s.m, s.n_out
        return s.real(*shape), s.real(*shape), s.positive(*shape), s.out(*shape)

    name = code.name.lower()
    return (
        Row(name, pair, outputs=(1,), on=forward, backward=backward),
        Row(f"{name}_backward", four, outputs=(3,), on=backward),
    )


def _loss_rows(code: Loss) -> tuple[Row, ...]:
    """Return the rows of a loss and, for one of classes, of its count of right examples."""
    example = LOSS_EXAMPLES.get(code, LossExample())

    def hits(s: Sample) -> tuple[Any, ...]:
        outputs, targets = getattr(s, example.outputs), getattr(s, example.targets)
        A, Y = outputs(s.m, s.n_out), targets(s.m, s.n_out)
        return A, Y, s.weights()

    def cost(s: Sample) -> tuple[Any, ...]:
        return *hits(s), example.rate, s.out(s.m, s.n_out)

    name = code.name.lower()
    rows = [Row(name, cost, (4,), slope=(0, 4), on=lambda backend: backend.losses[code].cost)]
    if code in CLASSIFYING:
        rows.append(Row(f"{name}_hits", hits, on=lambda backend: backend.losses[code].hits))
    return tuple(rows)


def _method_row(code: Method) -> Row:
    """Return the row of an optimiser's step; averages of squares are positive."""
    squares = METHODS[code].squares

    def arguments(s: Sample) -> tuple[Any, ...]:
        theta, grad = s.real(s.m), s.real(s.m)
        slots = s.real(METHODS[code].slots, s.m)
        if squares is not None:
            slots[squares] = s.positive(s.m)
        return theta, grad, slots, STEP._replace(n_decayed=s.m // 2)

    name = code.name.lower()
    return Row(name, arguments, outputs=(0, 2), on=lambda backend: backend.methods[code])


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


def _dense(s: Sample) -> tuple[Any, ...]:
    X, W = s.real(s.m, s.n_in), s.real(s.n_in, s.n_out)
    return X, W, s.real(s.n_out), s.out(s.m, s.n_out)


def _dense_back(s: Sample) -> tuple[Any, ...]:
    read = s.real(s.m, s.n_in), s.real(s.n_in, s.n_out), s.real(s.m, s.n_out)
    return *read, s.out(s.m, s.n_in), s.out(s.n_in, s.n_out), s.out(s.n_out)


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
    Row("dense_forward", _dense, outputs=(3,)),
    Row("dense_backward", _dense_back, outputs=(3, 4, 5)),
    Row("mixed_forward", _dense, outputs=(3,)),
    Row("mixed_backward", _dense_back, outputs=(3, 4, 5)),
    *(row for code in Activation for row in _activation_rows(code)),
    *(row for code in Loss for row in _loss_rows(code)),
    Row("dropout", _drawn, outputs=(6,)),
    Row("noise", _drawn, outputs=(6,)),
    Row("batch_moments", lambda s: (s.real(s.m, s.n_in), s.out(s.n_in), s.out(s.n_in)), (1, 2)),
    Row("batchnorm_forward", _normed, outputs=(6,)),
    Row("batchnorm_backward", _normed_back, outputs=(6, 7, 8)),
    Row("penalty", lambda s: (s.real(s.m), s.out(s.m), 0.7, 0.2), outputs=(1,), slope=(0, 1)),
    *map(_method_row, Method),
    Row("norm", lambda s: (s.real(s.m),)),
    Row("clip", lambda s: (s.real(s.m), 1.5, 0.9), outputs=(0,)),
    Row("bound_norms", lambda s: (s.real(s.n_in, s.n_out), 1.2), outputs=(0,)),
    Row("shuffle", lambda s: (np.zeros(s.m, np.int64), 5, 2), outputs=(0,)),
    Row("largest", lambda s: (s.real(s.m),)),
)  # fmt: skip
