"""Rows for tests of windows: a source over an array, which counts and may fail."""

import threading

import numpy as np

from fastnn.row_sources import RowSource


class ArrayRows(RowSource):
    """The rows of an array, read like those of a file.

    Attributes
    ----------
    spans : list of (int, int)
        What was read, in order.
    threads : set of str
        The names of the threads that read.
    """

    def __init__(self, X, piece_rows=1, piece_starts=None):
        super().__init__("X", X.shape, X.dtype, piece_rows, piece_starts)
        self.X, self.spans, self.threads = X, [], set()

    def _fill(self, start, stop, out):
        self.spans.append((start, stop))
        self.threads.add(threading.current_thread().name)
        out[...] = self.X[start:stop]


class FailingRows(ArrayRows):
    """Rows of which a later read raises an error."""

    def __init__(self, X, error, after, piece_rows=1):
        super().__init__(X, piece_rows)
        self.failure, self.after = error, after

    def read_pieces(self, pieces, out):
        for number, (start, stop) in enumerate(pieces, start=len(self.spans)):
            if number >= self.after:
                raise self.failure
            assert start < stop
        super().read_pieces(pieces, out)


def readers():
    """The threads of readers that live."""
    return [thread for thread in threading.enumerate() if thread.name == "fastnn reader"]


def classes(m=600, n=5, K=1, seed=0, dtype=np.float32):
    """X (m, n) and labels of two classes, or of K."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n)).astype(dtype)
    score = X @ rng.normal(size=(n, max(K, 2)))
    return X, score.argmax(axis=1)
