"""Programs: what a described network is for one input width and dtype, as tables and vectors."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import kernels
from fastnn._habits import answers
from fastnn._runtime.backend import active
from fastnn._validation import arguments
from fastnn.errors import SettingError, ShapeError
from fastnn.kernels.backend import Backend, LossOps
from fastnn.kernels.custom_activations import CUSTOM, FIRST
from fastnn.kernels.custom_ops import LOSSES, CustomLoss, loss_pair
from fastnn.kernels.opcodes import OP, SETTINGS, Activation, Kind, Loss, Precision
from fastnn.kernels.views import aligned_zeros, biases, scales, statistics, weights

if TYPE_CHECKING:
    from fastnn import losses

Array = np.ndarray[Any, Any]
#: Members as plain numbers: looking one up in its enumeration takes longer than comparing it.
DENSE, BATCHNORM = int(Kind.DENSE), int(Kind.BATCHNORM)
SETTING_NAMES = SETTINGS.names or ()


def aligned_copy(vector: Array) -> Array:
    """Return a copy of a vector as kernels take it: native byte order, on a cache line."""
    copy = aligned_zeros(vector.size, vector.dtype.newbyteorder("="))
    copy[...] = vector
    return copy


class Parameters(MutableMapping[str, Array]):
    """The parameters by name: ``"W1"`` (n_in, n_out), ``"b1"`` (n_out,), …

    Entries are writable views of the network's memory; assignment copies into the view and
    checks the shape. Numbers count the Dense layers, those of γ and β the BatchNorm layers.
    """

    def __init__(self, views: dict[str, Array]) -> None:
        self._views = views

    def __getitem__(self, name: str) -> Array:
        if name not in self._views:
            raise KeyError(f"there is no parameter {name!r}; there are {', '.join(self._views)}")
        return self._views[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self[name][...] = self.checked(name, value)

    def checked(self, name: str, value: Any) -> Array:
        """Return the value as an array of the parameter's shape, or say what is wrong with it."""
        array, shape = arguments.numeric(value, name), self[name].shape
        if array.shape != shape:
            hint = "; is it transposed?" if array.shape == shape[::-1] else ""
            raise ShapeError(f"parameter {name!r} has shape {shape}, got {array.shape}{hint}")
        with np.errstate(over="ignore"):  # which the check then finds
            array = array.astype(self[name].dtype)
        arguments.check_finite(np.atleast_1d(array), name)
        return array

    def __delitem__(self, name: str) -> None:
        raise TypeError("the parameters of a network cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    if not TYPE_CHECKING:  # PyTorch's parameters are asked for by a call

        def __call__(self, *_: Any, **__: Any) -> None:
            """Say what to call instead."""
            raise answers.not_callable("Parameters")

    def __repr__(self) -> str:
        return "Parameters(" + ", ".join(f"{n} {v.shape}" for n, v in self._views.items()) + ")"


#: What pickles of fastnn 0.1 call fields of `Program`; they are read until 0.3.
EARLIER = {"decay": "n_decayed", "rows": "output_rows"}


@dataclass
class Program:
    """A lowered network: the op table and the flat vectors that its rows point into.

    Attributes
    ----------
    ops : ndarray of kernels.opcodes.OP
        One row per op: INPUT first, LOSS last.
    theta, grad : ndarray (p,)
        All W first, then b; each part on a cache line of its own, the padding zero.
    state : ndarray (s,)
        Statistics of the inputs and of BatchNorm: saved, never optimised.
    n_decayed : int
        Length of the part of theta that L2 and L1 act on: the weights.
    output_rows : tuple of int
        For each described layer, the row of `ops` whose output A is the layer's.
    names : tuple of str
        What errors call each op.
    """

    ops: Array
    theta: Array
    grad: Array
    state: Array
    n_decayed: int
    output_rows: tuple[int, ...]
    names: tuple[str, ...]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What carried it may have mapped its vectors read-only, in another byte order, and lost
        # that the rows of ops are aligned (files of .npy do): kernels are compiled for OP alone.
        state = {EARLIER.get(name, name): value for name, value in state.items()}
        self.__dict__.update({field.name: state[field.name] for field in fields(self)})
        ops, self.ops = np.asarray(self.ops), np.zeros(len(self.ops), OP)
        for name in ops.dtype.names or ():  # fewer ones in pickles of fastnn 0.1
            self.ops[name] = ops[name]
        self.theta, self.grad = aligned_copy(self.theta), aligned_copy(self.grad)
        self.state = aligned_copy(self.state)

    @cached_property
    def inputs(self) -> int:
        """Number of features."""
        return int(self.ops[0]["n_in"])

    @cached_property
    def outputs(self) -> int:
        """Number of outputs K."""
        return int(self.ops[-1]["n_out"])

    @cached_property
    def first_dense_name(self) -> str:
        """What errors call the first DENSE row, whose n_in is the number of features."""
        return next(
            n for n, op in zip(self.names, self.ops, strict=False) if op["kind"] == Kind.DENSE
        )

    @cached_property
    def key(self) -> bytes:
        """The op table as bytes: by it kernels keep what predictions of such a network need."""
        return self.ops.tobytes()

    @cached_property
    def custom(self) -> bool:
        """Whether an activation is a user's own."""
        return bool((self.ops["code"][:-1] >= FIRST).any())

    def check_registered(self) -> None:
        """Refuse to run where this process has not registered an activation of a user."""
        for name, code in zip(self.names, self.ops["code"][:-1].tolist(), strict=False):
            if code >= FIRST and code not in CUSTOM:
                raise SettingError(
                    f"{name!r} has an activation that was registered where the network was made, "
                    "but not in this process; call fastnn.activations.register here too"
                )

    def custom_loss(self) -> CustomLoss | None:
        """Return the user's loss that the program has, if it has one, as registered here."""
        code, source = int(self.ops[-1]["code"]), int(self.ops[-1]["source"])
        if code < FIRST:
            return None
        loss, from_logits = LOSSES.get(code), source < len(self.ops) - 2
        if loss is None:
            raise SettingError(
                f"loss {self.names[-1]!r} was registered where the network was made, but not in "
                "this process; call fastnn.losses.register here too"
            )
        if loss.from_logits != from_logits:
            raise SettingError(
                f"loss {self.names[-1]!r} was registered with from_logits={from_logits} where the "
                f"network was made, but with {loss.from_logits} here; register it alike"
            )
        return loss

    @cached_property
    def foldable_batchnorms(self) -> list[int]:
        """Rows of BATCHNORM right behind a DENSE row without an activation: its W can take them.

        Not where products round W: of a folded W they would be others.
        """
        ops = self.ops
        return [
            i
            for i in range(2, len(ops) - 1)
            if ops[i]["kind"] == Kind.BATCHNORM
            and ops[i - 1]["kind"] == Kind.DENSE
            and ops[i - 1]["code"] == Activation.IDENTITY
            and ops[i - 1]["precision"] == Precision.FULL
        ]

    def views(self, vector: Array) -> dict[str, Array]:
        """Return W, b, γ, β (or their gradients) by name, views of theta (or grad)."""
        kinds = self.ops["kind"].tolist()
        dense = [op for op, kind in zip(self.ops, kinds, strict=True) if kind == DENSE]
        found: dict[str, Array] = {}
        for number, op in enumerate(dense, start=1):
            found[f"W{number}"] = weights(vector, op)
            if op["b"] >= 0:
                found[f"b{number}"] = biases(vector, op)
        norms = [op for op, kind in zip(self.ops, kinds, strict=True) if kind == BATCHNORM]
        for number, op in enumerate(norms, start=1):
            found[f"gamma{number}"], found[f"beta{number}"] = scales(vector, op)
        return found

    @property
    def parameters(self) -> Parameters:
        """The parameters by name, views of theta."""
        return Parameters(self.views(self.theta))

    def settings(self, **values: float) -> Array:
        """Return one SETTINGS row of these values, zero elsewhere."""
        values = {"decay": self.n_decayed, **values}
        row = tuple([values.pop(name, 0) for name in SETTING_NAMES])
        if values:
            raise KeyError(f"no setting is called {', '.join(values)}")
        return np.array(row, SETTINGS)

    def scale_inputs(self, shift: Array, factor: Array) -> None:
        """Set the statistics of the INPUT row: A = (X − shift) factor + offset."""
        low, scale, rest = statistics(self.state, self.ops[0])
        low[...], scale[...] = shift, factor
        rest[...] = shift - low.astype(np.float64)


def backend_for(program: Program, *, loss: bool = False) -> Backend:
    """Return the backend that runs a program: not all functions of users are compiled.

    loss: whether the cost is computed.
    """
    chosen = active()
    compiled = not program.custom
    if program.custom:
        program.check_registered()
    custom_loss = program.custom_loss() if loss else None
    if custom_loss and not custom_loss.functions:
        compiled = False
    if not compiled and chosen is kernels.get("jitted"):
        return kernels.get("vectorized")
    return chosen


def scores_of_outputs(loss: losses.Loss, A: Array, Y: Array, w: Array) -> tuple[float, float]:
    """Return (cost, share of right rows), means by weight, of outputs that lie in memory.

    A (m, K): what the loss is taken of, logits where it starts from those; Y (m, K); w (m,).
    """
    code = int(loss.code)
    built_in = kernels.get("vectorized").losses
    ops = LossOps(*loss_pair(code)) if code >= FIRST else built_in[Loss(code)]
    cost = float(ops.cost(A, Y, w, loss.rate, np.empty_like(A)))
    return cost, float(ops.hits(A, Y, w)) / float(w.sum(dtype=np.float64))
