"""What every backend has: one typed record of its ops, and the calls that run a program.

A backend that lacks a kernel for an activation, a loss, an optimiser or a kind of row says so when
it is made, which is when it is first used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .custom_methods import CustomMethod
from .custom_ops import CustomOp
from .opcodes import Activation, Kind, Loss, Method, require_all
from .records import Batch, Examples, FitArrays, FitLog, Shards, StepNumbers

if TYPE_CHECKING:
    from .int8_model import Int8Model

Array = np.ndarray[Any, Any]


class ActivationOps(NamedTuple):
    """The two kernels of an activation g."""

    forward: Callable[[Array, Array], None]  # A = g(Z).   A (m, n) out; Z (m, n)
    backward: Callable[[Array, Array, Array, Array], None]  # (dA, Z, A, dZ): dZ = dA g'(Z), out


def _no_hits(A: Array, Y: Array, w: Array) -> float:
    """Return 0: a loss of values tells no right example from a wrong one."""
    return 0.0


class LossOps(NamedTuple):
    """The kernels of a loss.   A (m, K), logits for the cross-entropies; Y (m, K); w (m,).

    cost(A, Y, w, rate, dA) returns Σ w ℓ / Σ w and writes its gradient into dA (m, K); `rate` is
    the loss's parameter, if it has one. hits(A, Y, w) returns Σ w over the right examples.
    """

    cost: Callable[[Array, Array, Array, float, Array], float]
    hits: Callable[[Array, Array, Array], float] = _no_hits


#: One step of an optimiser, in place: (theta (p,), grad (p,), slots (s, p), numbers).
StepOp = Callable[[Array, Array, Array, StepNumbers], None]


#: Predicts by an int8 model: (X, out, threads, check), as `Backend.predict` has them.
Int8Predictor = Callable[[Any, Array, Callable[[], int], Callable[[], Any]], None]


def one_thread() -> int:
    """Return the number of threads that a call uses at most where its caller does not say."""
    return 1


def accept_input() -> None:
    """Refuse nothing: the caller has looked at X before."""


@dataclass(eq=False, kw_only=True)
class Backend(ABC):
    """The ops of a backend by name, and the calls that run a program.

    Shapes stand in the docstrings of `kernels/loops`, the specification.
    """

    name: str
    available: bool = True
    threaded: bool = False  # whether other threads of Python go on while it runs steps
    activations: Mapping[Activation, ActivationOps]
    losses: Mapping[Loss, LossOps]
    methods: Mapping[Method, StepOp]
    kinds: frozenset[Kind]  # the rows that its calls run

    dot: Callable[[Array, Array], float]
    standardize: Callable[[Array, Array, Array, float, Array], None]
    product: Callable[..., None]
    dense_forward: Callable[[Array, Array, Array, Array], None]
    dense_backward: Callable[[Array, Array, Array, Array | None, Array, Array], None]
    mixed_forward: Callable[[Array, Array, Array, Array], None]
    mixed_backward: Callable[[Array, Array, Array, Array | None, Array, Array], None]
    batch_moments: Callable[[Array, Array, Array], None]
    batchnorm_forward: Callable[[Array, Array, Array, Array, Array, float, Array], None]
    batchnorm_backward: Callable[
        [Array, Array, Array, Array, float, Array, Array, Array, Array], None
    ]
    dropout: Callable[[Array, Array, float, int, int, int, Array], None]
    noise: Callable[[Array, Array, float, int, int, int, Array], None]
    shuffle: Callable[[Array, int, int], None]
    philox: Callable[[Any, Any], tuple[int, ...]]
    penalty: Callable[[Array, Array, float, float], float]
    norm: Callable[[Array], float]
    largest: Callable[[Array], float]
    clip: Callable[[Array, float, float], None]
    bound_norms: Callable[[Array, float], None]

    def __post_init__(self) -> None:
        for codes, table in (
            (Activation, self.activations),
            (Loss, self.losses),
            (Method, self.methods),
            (Kind, self.kinds),
        ):
            require_all(codes, table, f"backend {self.name!r}")

    def keep_team(self) -> AbstractContextManager[Any]:
        """Keep threads waiting between the calls in a `with` block, where a backend starts any."""
        return nullcontext()

    def shares_steps(self, ops: Array, m: int) -> bool:
        """Return whether a step over m examples is work enough for several threads."""
        return False

    def first_steps(self, ops: Array, m: int) -> int:
        """Return how many steps over m examples a run may begin with, whose pace is not known."""
        return 1

    def compile_all(self, dtype: Any, processes: int = 1) -> None:
        """Compile ahead all kernels for networks of a dtype; `processes` may work at once."""
        return None

    def count_kept(self, dtype: Any) -> tuple[int, int]:
        """Return how many of the kernels of `compile_all` the cache on disk holds, of how many."""
        return 0, 0

    def rule_error(
        self, method: CustomMethod, samples: Sequence[Array], values: Sequence[Array]
    ) -> str | None:
        """Return why a custom method's rule of numbers cannot be compiled, or None.

        samples: an array (n,) for each argument; values: 1 + slots arrays (n,) that it gives.
        """
        return f"backend {self.name!r} compiles nothing"

    def compile_error(
        self, op: CustomOp, samples: Sequence[Array], values: Sequence[Array]
    ) -> str | None:
        """Return why a custom op's functions of numbers cannot be compiled, or None.

        samples: an array (n,) for each argument; values: for each function its numbers (n,).
        """
        return f"backend {self.name!r} compiles nothing"

    @abstractmethod
    def workspace(self, ops: Array, m: int, dtype: Any, threads: int = 1, X: Any = None) -> Array:
        """Return memory for steps over up to m examples, of X, by up to `threads` threads."""

    @abstractmethod
    def forward(self, ops: Array, theta: Array, state: Array, work: Any, X: Any) -> list[Array]:
        """Return [A (m, n_out) of each row but LOSS]; X (m, n_in)."""

    @abstractmethod
    def predict(
        self, ops: Array, theta: Array, state: Array, X: Any, out: Array,
        threads: Callable[[], int] = one_thread, check: Callable[[], Any] = accept_input,
    ) -> None:  # fmt: skip
        """Write A (m, K) of the last layer for X (m, n_in), which check() may refuse.

        out (m, 2) takes σ(−z), which is no rounded 1 − σ(z), and σ(z) of one sigmoid in a last row.
        """

    @abstractmethod
    def predict_rows(
        self, ops: Array, key: bytes, theta: Array, state: Array, X: Array, out: Array,
        threads: Callable[[], int] = one_thread,
    ) -> bool:  # fmt: skip
        """Predict rows X (m, n) by arguments that are kept, and return True; False if it cannot.

        key: the op table as bytes; X: an array of a dtype in `opcodes.READ`. False stands for a
        backend without such a call, for rows that `predict` must read, and for numbers that are not
        finite; what out holds does not matter then.
        """

    @abstractmethod
    def int8_predictor(self, model: Int8Model) -> Int8Predictor:
        """Return the function that predicts by an int8 model; it keeps what calls have in common.

        Its arguments are (X, out, threads, check), as `predict` has them. A row's bytes do not
        depend on its neighbours, and are the same by every backend whose activations are.
        """

    @abstractmethod
    def evaluate(
        self, ops: Array, theta: Array, state: Array, X: Any, Y: Array, w: Array,
        threads: Callable[[], int] = one_thread,
    ) -> tuple[float, float]:  # fmt: skip
        """Return (cost, share of right rows), means over examples by weight.   Y (m, K); w (m,)."""

    @abstractmethod
    def gradient(
        self, ops: Array, theta: Array, grad: Array, state: Array, work: Any, batch: Batch,
        settings: Any, epoch: int,
    ) -> tuple[float, float, float]:  # fmt: skip
        """Write the gradient of one step and return (cost, Σ w of right rows, Σ w).

        grad (p,) out. epoch: whose masks and noise, or Mode.FROZEN for none. The cost holds
        l2/(2 Σw) Σ W² + l1/Σw Σ |W|, and the gradient its derivative. theta is not moved.
        """

    @abstractmethod
    def update(self, ops: Array, arrays: FitArrays, settings: Any, rate: float, t: int) -> bool:
        """Move theta along grad by the settings' method, the t-th time (from 1).

        Clips the gradient before, bounds the norms of weights and takes the batch into BatchNorm's
        running averages after. Returns False, and moves nothing, if a custom method gives numbers
        that are not finite; for others the overflow guard is asked before.
        """

    @abstractmethod
    def run(
        self, ops: Array, arrays: FitArrays, work: Any, train: Batch, validation: Examples,
        settings: Any, rates: Array, log: FitLog, start: int, stop: int,
    ) -> int:  # fmt: skip
        """Take the steps start … stop−1 of a fit and return the next one: stop, unless it diverged.

        train.row_indices (k,) holds the rows of X in the order of the epoch of step `start`, and
        from the first step of an epoch on, where the settings shuffle, that epoch's: it lasts over
        calls, names every row of X and is its own `numbers`. Where they do not shuffle it may name
        some rows alone. An empty validation.X is not scored. rates (stop−start,); log, out. A step
        that could leave the dtype's range is not taken and ends the run; a validation cost that is
        not finite ends it after its epoch. arrays.best, where there is one, gets the parameters of
        the best epoch.
        """

    def run_all(self, runs: Iterable[tuple[Any, ...]]) -> Iterator[int]:
        """Take the steps of several fits, one fit after the other; yield what `run` returns.

        runs: tuples of the arguments of `run`. A backend may prepare all of them before the first.
        """
        for arguments in runs:
            yield self.run(*arguments)

    @abstractmethod
    def run_sharded(
        self, ops: Array, arrays: FitArrays, work: Any, train: Batch, settings: Any, rates: Array,
        log: FitLog, start: int, stop: int, shards: Shards,
    ) -> int:  # fmt: skip
        """Take the steps start … stop−1 of a fit whose batches are cut into shards.

        Like `run`, without validation examples; `work` is memory for steps over one shard. Gradient
        and cost of a batch are sums over its shards, by the tree of `sharding.tree`, whoever
        computes them: this process adds up its own and calls `shards.reduce`, which adds the
        others'. The run ends early where that wants it to, a `sharding.Wish`. arrays.grad is not
        used: the gradient stands in shards.sums[0].
        """

    @abstractmethod
    def gradient_check(
        self, ops: Array, theta: Array, state: Array, examples: Examples, settings: Any,
        epsilon: float, indices: Array, out: Array,
    ) -> None:  # fmt: skip
        """Write out = (J(θ + εe) − J(θ − εe)) / 2ε for θ[indices].   out, indices (k,)."""
