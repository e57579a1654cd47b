"""Which op rows the backward pass computes together; for Python and compiled code alike."""

from __future__ import annotations

from ...opcodes import Activation, Kind

DENSE, DROPOUT, RELU = int(Kind.DENSE), int(Kind.DROPOUT), int(Activation.RELU)


def relu_rows_below(ops, row):
    """Return how many op rows below DENSE op row `row` are fused into its product dA = Wᵀ dZ.

    0: none. 1: a DENSE op row with relu. 2: a DROPOUT op row above a DENSE op row with relu. The
    product then writes dZ of the relu: dA, times 1 / (1 − rate) of dropout, where the A of op row
    row − 1 is positive, else 0: A > 0 means that relu and dropout both let the unit pass.
    """
    below = row - 1
    if below > 1 and ops[below].kind == DROPOUT:
        below -= 1
    relu = below > 0 and ops[below].kind == DENSE and ops[below].code == RELU
    return row - below if relu else 0
