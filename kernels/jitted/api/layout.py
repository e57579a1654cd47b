"""Layout of arguments: kernels take C-contiguous arrays, matrices (m, n) as their transpose (n, m).

Arrays of another memory order are copied before a call, and results back after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...custom_methods import traits_of


def check_alike(first, *others):
    """Raise ValueError unless all arrays `others` have the shape and dtype of the array `first`."""
    for other in others:
        if other.shape != first.shape or other.dtype != first.dtype:
            raise ValueError(
                f"shapes and dtypes must agree: {first.shape} {first.dtype}, "
                f"{other.shape} {other.dtype}"
            )


def check_shape(array, *shape, like):
    """Raise ValueError unless array.shape is `shape` and array.dtype that of the array `like`."""
    if array.shape != shape or array.dtype != like.dtype:
        raise ValueError(
            f"expected shape {shape} of {like.dtype}, got {array.shape} of {array.dtype}"
        )


def check_examples(ops, theta, slots, examples, order=None):
    """Raise ValueError if arrays do not fit the network of an op table, which kernels do not check.

    ops (rows,): the op table; theta (p,): parameters; slots (s, p): the optimiser's memory, or None
    where none runs; examples: a list of (X (m, n), Y (m, K), w (m,)); order: an integer array,
    indices of rows of the first X, or None.
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
    """Return the transpose (n, m) of X (m, n) as a writable C-contiguous array.

    It has a row for each feature, and is a view of X if X is Fortran-contiguous and writable, else
    a copy.
    """
    Xt = np.ascontiguousarray(X.T)
    return Xt if Xt.flags.writeable else Xt.copy()


def contiguous(x):
    """Return the vector x (n,) itself if it is contiguous and writable, else a contiguous copy."""
    x = np.ascontiguousarray(x)
    return x if x.flags.writeable else x.copy()


class Outputs:
    """A context manager that lends kernels memory for results and copies it to them at exit.

    For a matrix (m, n) it lends an array (n, m), uninitialised; for a vector (n,), one (n,) with
    the vector's numbers, which the kernel may read and change. A result that lies so in memory
    already is lent itself.
    """

    def __init__(self, *arrays):
        """Note the results, writable arrays (m, n) or (n,); None for one that is not wanted."""
        self.arrays = arrays

    def __enter__(self):
        """Return a list with an array to write into for each result; None for a result None."""
        self.laid: list[Any] = [None if a is None else self._lay(a) for a in self.arrays]
        return self.laid

    @staticmethod
    def _lay(array):
        """Return an array to write into: (n, m) for a matrix (m, n); (n,) for a vector.

        It is a view of `array` if that is Fortran-contiguous or a contiguous vector, else new; a
        new vector holds the numbers of `array`.
        """
        if array.ndim == 1:
            return contiguous(array)
        return array.T if array.flags.f_contiguous else np.empty(array.shape[::-1], array.dtype)

    def __exit__(self, kind, error, trace):
        """Copy the temporary arrays into the results they stand for, matrices transposed back.

        kind, error, trace: the exception that ends the context, unused; it is not caught.
        """
        for array, laid in zip(self.arrays, self.laid, strict=True):
            if array is not None and not np.may_share_memory(array, laid):
                array[...] = laid.T


def as_one_row(*arrays):
    """Return a list of views (1, size) of arrays; None if one is not C-contiguous and writable.

    A function of single elements then treats a matrix (m, n) as one row of m · n elements.
    """
    if all(a.flags.c_contiguous and a.flags.writeable for a in arrays):
        return [a.reshape(1, -1) for a in arrays]
    return None


def check_fit(ops, arrays, train, validation, settings, log):
    """Raise an error if the arrays of a fit do not belong together; arguments as in its `run`."""
    X, Y, w, order, numbers = train
    check_examples(ops, arrays.theta, arrays.slots, ((X, Y, w), validation))
    check_shape(order, len(X) if settings["shuffle"] else len(order), like=log.counters)
    check_alike(order, numbers)
    if arrays.best is not None:
        check_shape(arrays.best.least, 1, like=log.epochs)
        check_alike(arrays.theta, arrays.best.theta)
        check_alike(arrays.state, arrays.best.state)
    method = int(settings["method"])
    if len(arrays.slots) < traits_of(method).slots:
        raise ValueError(f"{len(arrays.slots)} slots are too few for the optimiser {method}")
