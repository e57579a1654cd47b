"""Custom ops: what users register beside the built-in activations, losses and optimisers.

A row of the op table, or the settings, hold the code of a custom op, a function of its name alone.
`functions` of numbers are compiled by the `jitted` backend, in memory: another function of that
name never finds their code. Functions of arrays serve the other backends.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

import numpy as np

FIRST = 1000  # the least code of a custom op, far beyond the built-in ones

#: The families of custom ops: requirements of the places that tables of kernels keep for them.
FAMILIES = LOSS_FAMILY, OPTIMIZER_FAMILY = "custom loss", "custom optimizer"

_serial = itertools.count()


def code_of(name: str) -> int:
    """Return the code of a custom op: op tables carry it into processes that register others."""
    from hashlib import sha256  # only custom ops need it

    return FIRST + int.from_bytes(sha256(name.encode()).digest()[:6], "big")


@dataclass(frozen=True, eq=False, kw_only=True)
class CustomOp:
    """A custom op, equal to itself alone: another one of its name is compiled anew.

    Attributes
    ----------
    name : str
        What users call it.
    functions : tuple of callable
        Functions of numbers that Numba can compile; () where the `jitted` backend cannot run it.
    requirement : str
        Names its kernel in the requirements of a call.
    """

    family: ClassVar[str]  # the requirement of the place that tables keep for ops of this kind
    roles: ClassVar[tuple[str, ...]]  # what users call each of `functions`
    name: str
    functions: tuple[Callable[..., Any], ...] = ()
    requirement: str = field(init=False)

    def __post_init__(self) -> None:
        requirement = f"{self.family} {self.name} {next(_serial)}"
        object.__setattr__(self, "requirement", requirement)


@dataclass(frozen=True, eq=False, kw_only=True)
class CustomLoss(CustomOp):
    """A custom loss: ℓ and ∂ℓ/∂a of each output a, or logit, and its target y.

    Attributes
    ----------
    cost, slope : callable
        ℓ and ∂ℓ/∂a, float64 (m, K), of float64 arrays A and Y (m, K) and of the parameter, if the
        loss has one.
    functions : tuple of callable
        ℓ and ∂ℓ/∂a of numbers.
    has_parameter : bool
        Whether all these take a third number, the `rate` of the op table.
    labels : str
        ``"binary"``: an example is right if each of its outputs lies on the same side as its
        target; ``"categorical"``: if its largest output stands where its largest target does;
        ``""``: no example is right or wrong.
    from_logits : bool
        Whether a is the argument of the output's activation.
    """

    family = LOSS_FAMILY
    roles = ("cost", "slope")
    cost: Callable[..., Any]
    slope: Callable[..., Any]
    has_parameter: bool = False
    labels: str = ""
    from_logits: bool = False


#: The custom losses by their codes.
LOSSES: dict[int, CustomLoss] = {}
#: All custom ops by their requirements.
OPS: dict[str, CustomOp] = {}

Op = TypeVar("Op", bound=CustomOp)


def add(op: Op, table: dict[int, Op]) -> None:
    """Put a custom op into the table of its kind, in place of an earlier one of its name."""
    earlier = table.get(code_of(op.name))
    OPS[op.requirement] = table[code_of(op.name)] = op
    if earlier:
        OPS.pop(earlier.requirement, None)


def not_compiled(op: Op) -> Op:
    """Return a custom op that the `jitted` backend cannot run."""
    return replace(op, functions=())


def loss_pair(code: int) -> tuple[Callable[..., float], Callable[..., float]]:
    """Return cost(A, Y, w, rate, dA) and hits(A, Y, w) of a registered loss, in NumPy."""
    loss = LOSSES[code]

    def cost(A: Any, Y: Any, w: Any, rate: float, dA: Any) -> float:
        """Return Σ w ℓ / Σ w and write its gradient.   dA (m, K) out; A, Y (m, K); w (m,)."""
        total = w.sum(dtype=np.float64)
        share = (w / total if total > 0 else np.zeros_like(w)).astype(w.dtype)[:, None]
        numbers = (A.astype(np.float64), Y.astype(np.float64), *[rate] * loss.has_parameter)
        with np.errstate(all="ignore"):  # what is not finite ends the fit, as in compiled code
            dA[...] = share * np.asarray(loss.slope(*numbers)).astype(A.dtype)
            return float(np.sum(share * loss.cost(*numbers), dtype=np.float64))

    def hits(A: Any, Y: Any, w: Any) -> float:
        """Return Σ w over the rows that are right.   A, Y (m, K); w (m,)."""
        if not loss.labels:
            return 0.0
        if loss.labels == "binary":
            chosen = (0.0 if loss.from_logits else 0.5) < A
            right = np.all(chosen == (Y > 0.5), axis=1)
        else:
            right = A.argmax(axis=1) == Y.argmax(axis=1)
        return float(w[right].sum(dtype=np.float64))

    return cost, hits
