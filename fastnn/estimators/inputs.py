"""Inputs X (m, n) as scikit-learn can check them, and then as networks take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from fastnn._validation.arrays import array, numpy_convertible
from fastnn._validation.iterables import check_no_iterable
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.opcodes import READ

from .outside import OutsideRows

#: Of sparse X; what has another dtype becomes the first.
SPARSE_DTYPES = (np.float64, np.float32)
#: Of dense X, which stays as it lies: kernels convert it some rows at a time.
DENSE_DTYPES = (np.float64, np.bool_, *READ)


def dtypes_of(X: Any) -> Any:
    """Return the dtypes that X may keep, for scikit-learn's check; others become float64."""
    return SPARSE_DTYPES if issparse(X) else DENSE_DTYPES


def network_dtype(X: Any) -> str:
    """Return the dtype of a network for X: float32 where that is X's, else float64."""
    return "float32" if X.dtype == np.float32 else "float64"


def are_checked_rows(model: Any, X: Any) -> bool:
    """Return whether scikit-learn's check would return X (m, n) as it is, for a fitted model.

    It does for an array of finite float32 or float64 where no feature has a name. The check takes
    200 µs, many times as long as a small network's prediction.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype not in SPARSE_DTYPES or not len(X):
        return False
    attributes = vars(model)
    if "network_" not in attributes or "feature_names_in_" in attributes:
        return False
    if X.shape[1] != attributes["n_features_in_"]:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def to_sklearn_input(values: Any, name: str = "X", verb: str = "fit") -> Any:
    """Return what scikit-learn's checks can read, where tensors or data sets need a hand.

    verb: the method that takes the values, for messages.

    Frames stay frames, for scikit-learn reads the names of features off them. Tensors become
    arrays, for it does not see that one holds float32 and would widen it to float64.
    """
    check_no_iterable(values, name, verb)
    values = numpy_convertible(values, name, "torch", "h5py")
    return array(values, name) if hasattr(values, "detach") else values


def to_network_input(X: Any) -> Any:
    """Return X (m, n), an array or a CSR matrix of finite floats, as `Network.fit` takes it.

    Rows outside memory are what the caller gave.
    Numbers and columns of a matrix are used as they lie; where columns are not in order, or one
    stands twice in a row, a copy of them is put in order.
    """
    if not issparse(X):
        return X.given if isinstance(X, OutsideRows) else X
    # A matrix of our own: asked for its order, the user's would note the answer.
    rows = csr_array((X.data, X.indices, X.indptr), shape=X.shape)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return SparseRows(rows.data, rows.indices, rows.indptr, rows.shape)
