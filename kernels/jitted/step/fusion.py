"""Which rows of an op table are computed together: for Python and compiled code alike."""

from __future__ import annotations

from ...opcodes import Activation, Kind

DENSE, DROPOUT, RELU = int(Kind.DENSE), int(Kind.DROPOUT), int(Activation.RELU)


def relu_rows_below(ops, row):
    """Return how many rows below a DENSE row its product differentiates while it writes dA.

    One is a DENSE row with relu, two are a DROPOUT row over such a one, where A > 0 tells both.
    """
    below = row - 1
    if below > 1 and ops[below].kind == DROPOUT:
        below -= 1
    relu = below > 0 and ops[below].kind == DENSE and ops[below].code == RELU
    return row - below if relu else 0
