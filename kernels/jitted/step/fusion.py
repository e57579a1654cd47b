"""Which op rows the backward pass computes together; for Python and compiled code alike."""

from __future__ import annotations

from ...opcodes import Activation, Kind

DENSE, DROPOUT, RELU = int(Kind.DENSE), int(Kind.DROPOUT), int(Activation.RELU)


def relu_rows_below(ops, row):
    """Return how many op rows below DENSE op row `row` its product dA = Wᵀ dZ also computes (0–2).

    ops (rows,): the op table. 1: op row row − 1 is DENSE with relu. 2: op row row − 1 is DROPOUT
    and op row row − 2 is DENSE with relu. The product then stores the dZ of that relu instead of
    dA: scale · dA where A of op row row − 1 is positive, and 0 elsewhere; scale is 1 / (1 − rate)
    if DROPOUT lies between and has dropped units, else 1. A positive A means that relu and dropout
    both let the unit through.
    """
    below = row - 1
    if below > 1 and ops[below].kind == DROPOUT:
        below -= 1
    relu = below > 0 and ops[below].kind == DENSE and ops[below].code == RELU
    return row - below if relu else 0
