"""Programs: what a described network is for one input width and dtype, as tables and vectors."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import SettingError, ShapeError
from fastnn.kernels.custom_activations import CUSTOM, FIRST
from fastnn.kernels.opcodes import OP, SETTINGS, Activation, Kind
from fastnn.kernels.views import aligned_zeros, biases, scales, statistics, weights

Array = np.ndarray[Any, Any]


def owned(vector: Array) -> Array:
    """Return a copy of a vector as kernels take it: native, on a cache line, nobody else's."""
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

    def __repr__(self) -> str:
        return "Parameters(" + ", ".join(f"{n} {v.shape}" for n, v in self._views.items()) + ")"


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
    decay : int
        Length of the part of theta that L2 and L1 act on: the weights.
    rows : tuple of int
        The op that holds the output A of each described layer.
    names : tuple of str
        What errors call each op.
    """

    ops: Array
    theta: Array
    grad: Array
    state: Array
    decay: int
    rows: tuple[int, ...]
    names: tuple[str, ...]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What carried it may have mapped its vectors read-only, in another byte order, and lost
        # that the rows of ops are aligned (files of .npy do): kernels are compiled for OP alone.
        self.__dict__.update(state)
        self.ops = np.asarray(self.ops).astype(OP)
        self.theta, self.grad = owned(self.theta), owned(self.grad)
        self.state = owned(self.state)

    @cached_property
    def inputs(self) -> int:
        """Number of features."""
        return int(self.ops[0]["n_in"])

    @cached_property
    def outputs(self) -> int:
        """Number of outputs K."""
        return int(self.ops[-1]["n_out"])

    @cached_property
    def entrance(self) -> str:
        """What errors call the first DENSE row, which the number of features belongs to."""
        return next(
            n for n, op in zip(self.names, self.ops, strict=False) if op["kind"] == Kind.DENSE
        )

    @cached_property
    def key(self) -> bytes:
        """The op table as bytes: by it kernels keep what single rows of such a network need."""
        return self.ops.tobytes()

    @cached_property
    def custom(self) -> bool:
        """Whether an activation is a user's own."""
        return bool((self.ops["code"][:-1] >= FIRST).any())

    def refuse_unregistered(self) -> None:
        """Refuse to run where this process has not registered an activation of a user."""
        for name, code in zip(self.names, self.ops["code"][:-1].tolist(), strict=False):
            if code >= FIRST and code not in CUSTOM:
                raise SettingError(
                    f"{name!r} has an activation that was registered where the network was made, "
                    "but not in this process; call fastnn.activations.register here too"
                )

    @cached_property
    def folds(self) -> list[int]:
        """Rows of BatchNorms that stand right behind a product without an activation of its own."""
        ops = self.ops
        return [
            i
            for i in range(2, len(ops) - 1)
            if ops[i]["kind"] == Kind.BATCHNORM
            and ops[i - 1]["kind"] == Kind.DENSE
            and ops[i - 1]["code"] == Activation.IDENTITY
        ]

    def views(self, vector: Array) -> dict[str, Array]:
        """Return W, b, γ, β (or their gradients) by name, views of theta (or grad)."""
        dense = [op for op in self.ops if op["kind"] == Kind.DENSE]
        found: dict[str, Array] = {}
        for number, op in enumerate(dense, start=1):
            found[f"W{number}"] = weights(vector, op)
            if op["b"] >= 0:
                found[f"b{number}"] = biases(vector, op)
        norms = [op for op in self.ops if op["kind"] == Kind.BATCHNORM]
        for number, op in enumerate(norms, start=1):
            found[f"gamma{number}"], found[f"beta{number}"] = scales(vector, op)
        return found

    @property
    def parameters(self) -> Parameters:
        """The parameters by name, views of theta."""
        return Parameters(self.views(self.theta))

    def settings(self, **values: float) -> Array:
        """Return one SETTINGS row of these values, zero elsewhere."""
        settings = np.zeros((), SETTINGS)
        settings["decay"] = self.decay
        for name, value in values.items():
            settings[name] = value
        return settings

    def scale_inputs(self, shift: Array, factor: Array) -> None:
        """Set the statistics of the INPUT row: A = (X − shift) factor + offset."""
        low, scale, rest = statistics(self.state, self.ops[0])
        low[...], scale[...] = shift, factor
        rest[...] = shift - low.astype(np.float64)
