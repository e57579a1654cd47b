"""Layout: arrays of any order in the one layout that kernels know, and results copied back."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_alike(first, *others):
    """Refuse arrays of different shapes or dtypes."""
    for other in others:
        if other.shape != first.shape or other.dtype != first.dtype:
            raise ValueError(
                f"shapes and dtypes must agree: {first.shape} {first.dtype}, "
                f"{other.shape} {other.dtype}"
            )


def check_shape(array, *shape, like):
    """Refuse an array of another shape than this, or of another dtype than `like`."""
    if array.shape != shape or array.dtype != like.dtype:
        raise ValueError(
            f"expected shape {shape} of {like.dtype}, got {array.shape} of {array.dtype}"
        )


def check_examples(ops, theta, slots, examples, order=None):
    """Refuse arrays that do not fit the program, whose calls check nothing else."""
    n, K = int(ops["n_in"][0]), int(ops["n_out"][-1])
    for X, Y, w in examples:
        if X.shape[1] != n or Y.shape != (len(X), K) or w.shape != (len(X),):
            raise ValueError(f"X {X.shape}, Y {Y.shape}, w {w.shape} do not fit ({n}, {K})")
        if not theta.dtype == Y.dtype == w.dtype or not Y.flags.c_contiguous:
            raise ValueError(f"Y {Y.dtype} and w {w.dtype} must be C-contiguous {theta.dtype}")
    if slots is not None and len(slots) and slots.shape[1] != theta.size:
        raise ValueError(f"slots {slots.shape} do not fit {theta.size} parameters")
    if (
        order is not None
        and len(order)
        and not 0 <= order.min() <= order.max() < len(examples[0][0])
    ):
        raise ValueError("rows lie outside of X")


def feature_major(X):
    """Return X (m, n) as a writable C-contiguous (n, m): a view where its layout allows."""
    Xt = np.ascontiguousarray(X.T)
    return Xt if Xt.flags.writeable else Xt.copy()


def contiguous(x):
    """Return x (n,) contiguous and writable: itself, or a copy."""
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy()


class Outputs:
    """A context that gives kernels the memory to write arrays into, and copies it back at its end.

    A matrix (m, n) is given as (n, m), and its old numbers are not copied in; a vector is given
    with its numbers, to be worked on in place. Arrays that have the layout are given themselves.
    """

    def __init__(self, *arrays):
        self.arrays = arrays

    def __enter__(self):
        self.laid: list[Any] = [None if a is None else self._lay(a) for a in self.arrays]
        return self.laid

    @staticmethod
    def _lay(array):
        if array.ndim == 1:
            return contiguous(array)
        return array.T if array.flags.f_contiguous else np.empty(array.shape[::-1], array.dtype)

    def __exit__(self, kind, error, trace):
        for array, laid in zip(self.arrays, self.laid, strict=True):
            if array is not None and not np.may_share_memory(array, laid):
                array[...] = laid.T


def as_one_row(*arrays):
    """Return the arrays as (1, size) each; None unless all are C-contiguous and writable."""
    if all(a.flags.c_contiguous and a.flags.writeable for a in arrays):
        return [a.reshape(1, -1) for a in arrays]
    return None
