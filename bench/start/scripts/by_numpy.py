"""The floor: Python's start, NumPy's import, and the rows; its prediction is a column of them."""

from work import PREDICTED, Clock, rows

clock = Clock()
import numpy  # noqa: E402, F401

clock.lap("import")
X, y = rows()
clock.lap("data")
clock.report(X[:PREDICTED, 0])
