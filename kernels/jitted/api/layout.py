"""Laying out: arrays of any order as the one layout that kernels know, and results back."""

from __future__ import annotations

import numpy as np


def agree(*arrays, dtype=True):
    """Refuse arrays of different shapes or dtypes: compiled code looks at no bound."""
    first = arrays[0]
    for other in arrays[1:]:
        if other.shape != first.shape or (dtype and other.dtype != first.dtype):
            raise ValueError(
                f"shapes and dtypes must agree: {first.shape} {first.dtype}, "
                f"{other.shape} {other.dtype}"
            )


def fit(array, *shape, like):
    """Refuse an array of another shape than this, or of another dtype than `like`."""
    if array.shape != shape or array.dtype != like.dtype:
        raise ValueError(
            f"expected shape {shape} of {like.dtype}, got {array.shape} of {array.dtype}"
        )


def verify(ops, theta, slots, examples, order=None):
    """Refuse arrays that do not fit the program: compiled code looks at no bound."""
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


def features(X):
    """X (m, n) as a writable C-contiguous (n, m): a view where its layout allows."""
    Xt = np.ascontiguousarray(X.T)
    return Xt if Xt.flags.writeable else Xt.copy()


def flat(x):
    """X (n,) contiguous and writable."""
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy()


class Out:
    """Arrays to be written, laid out as kernels want them; copied back at the end.

    Matrices are results, so their old numbers are not laid out; vectors may be worked on in place.
    """

    def __init__(self, *arrays):
        self.arrays = arrays

    def __enter__(self):
        self.laid = [None if a is None else self._lay(a) for a in self.arrays]
        return self.laid

    @staticmethod
    def _lay(array):
        if array.ndim == 1:
            return flat(array)
        return array.T if array.flags.f_contiguous else np.empty(array.shape[::-1], array.dtype)

    def __exit__(self, kind, error, trace):
        for array, laid in zip(self.arrays, self.laid, strict=True):
            if array is not None and not np.may_share_memory(array, laid):
                array[...] = laid.T


def rows(*arrays):
    """The same numbers as (1, size) each, or None where not all lie C-contiguous and writable."""
    if all(a.flags.c_contiguous and a.flags.writeable for a in arrays):
        return [a.reshape(1, -1) for a in arrays]
    return None
