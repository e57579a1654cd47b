"""What tests of many rooms build: the smallest network with a hidden layer, sparse rows, a path."""

import os
from pathlib import Path

import numpy as np
from fastnn.kernels.csr import SparseRows

import fastnn
from fastnn import Dense, Network


def network(units=4, hidden="tanh", output="sigmoid", **settings):
    """Return a network of one hidden layer and one output; `settings` are those of `Network`."""
    return Network([Dense(units, hidden), Dense(1, output)], **settings)


def sparse(X, index=np.int32):
    """Return the rows of an array (m, n), sparse; `index` is the dtype of columns and starts."""
    rows, columns = np.nonzero(X)
    starts = np.searchsorted(rows, np.arange(len(X) + 1))
    return SparseRows(X[rows, columns], columns.astype(index), starts.astype(index), X.shape)


def environment_of_bench():
    """Return the environment of processes that run `bench`, on the fastnn that is installed."""
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(Path(fastnn.__file__).parents[1]), str(root)])
    return os.environ | {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
