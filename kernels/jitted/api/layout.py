"""Layout of arguments: kernels take C-contiguous arrays, matrices (m, n) as their transpose (n, m).

Arrays of another memory order are copied before a call, and results back after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def check_alike(first, *others):
    """Refuse `others` unless each has the shape and the dtype of the array `first`."""
    for other in others:
        if other.shape != first.shape or other.dtype != first.dtype:
            raise ValueError(
                f"shapes and dtypes must agree: {first.shape} {first.dtype}, "
                f"{other.shape} {other.dtype}"
            )


def check_shape(array, *shape, like):
    """Refuse an array whose shape is not `shape` or whose dtype differs from like.dtype."""
    if array.shape != shape or array.dtype != like.dtype:
        raise ValueError(
            f"expected shape {shape} of {like.dtype}, got {array.shape} of {array.dtype}"
        )


def check_examples(ops, theta, slots, examples, order=None):
    """Refuse arrays that do not fit the network of an op table; later calls check nothing.

    theta (p,); slots (s, p), or None where no optimiser runs; examples: a list of (X (m, n),
    Y (m, K), w (m,)); order: indices of rows of the first X, or None.
    """
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
    """Return the transpose of X (m, n) as a writable C-contiguous array (n, m).

    It is a view if X is Fortran-contiguous and writable, else a copy.
    """
    Xt = np.ascontiguousarray(X.T)
    return Xt if Xt.flags.writeable else Xt.copy()


def contiguous(x):
    """Return x (n,) itself if it is contiguous and writable, else a contiguous copy."""
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy()


class Outputs:
    """A context that lends kernels memory for their results, and copies results back at its end.

    A matrix (m, n) is lent as (n, m), uninitialised; a vector is lent with its numbers, which the
    kernel may read and change. If an array already has the layout, its own memory is lent.
    """

    def __init__(self, *arrays):
        """arrays: the results, matrices (m, n) or vectors (n,); None for one that is not wanted."""
        self.arrays = arrays

    def __enter__(self):
        """Return the memory to write into, an array for each result; None for a result None."""
        self.laid: list[Any] = [None if a is None else self._lay(a) for a in self.arrays]
        return self.laid

    @staticmethod
    def _lay(array):
        """Return memory for a result: (n, m) for a matrix (m, n), (n,) for a vector (n,)."""
        if array.ndim == 1:
            return contiguous(array)
        return array.T if array.flags.f_contiguous else np.empty(array.shape[::-1], array.dtype)

    def __exit__(self, kind, error, trace):
        """Copy each result out of lent memory, transposed if it is a matrix."""
        for array, laid in zip(self.arrays, self.laid, strict=True):
            if array is not None and not np.may_share_memory(array, laid):
                array[...] = laid.T


def as_one_row(*arrays):
    """Return a view (1, size) of each array, or None if one is not C-contiguous and writable.

    A function of single elements then treats a matrix (m, n) as one row of m n elements.
    """
    if all(a.flags.c_contiguous and a.flags.writeable for a in arrays):
        return [a.reshape(1, -1) for a in arrays]
    return None
