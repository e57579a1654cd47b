"""The op table: what a lowered network is made of, one row per op, and the codes that rows hold."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """What a row of the op table does."""

    INPUT = 0  # A = (X - shift) factor + offset, read from the user's array
    DENSE = 1  # A = g(X W + b)
    ACTIVATION = 2  # A = g(X)
    LOSS = 3  # the cost and its derivative; `source` is the row whose output it reads


class Activation(IntEnum):
    """The function g of a row."""

    IDENTITY = 0
    SIGMOID = 1
    TANH = 2
    RELU = 3
    LEAKY_RELU = 4
    SOFTMAX = 5


class Loss(IntEnum):
    """What a LOSS row computes; the two cross-entropies start from logits."""

    SQUARED_ERROR = 0
    BINARY_CROSS_ENTROPY = 1
    CATEGORICAL_CROSS_ENTROPY = 2


class Method(IntEnum):
    """How `update` moves theta."""

    GRADIENT_DESCENT = 0
    ADAM = 1


class Purpose(IntEnum):
    """What random numbers are for: half of the key of the counter-based generator."""

    SHUFFLE = 1


#: One row of a program. Offsets count elements: W and b in theta (b = -1: no bias), `state` in
#: the state vector, where `stats` shifts are followed by `stats` factors (0: no scaling, 1: one
#: pair for the whole array, n_in: one pair a feature). A is the row's place in the workspace.
OP = np.dtype(
    [
        ("kind", np.int64),
        ("code", np.int64),
        ("n_in", np.int64),
        ("n_out", np.int64),
        ("W", np.int64),
        ("b", np.int64),
        ("state", np.int64),
        ("stats", np.int64),
        ("source", np.int64),
        ("A", np.int64),
        ("offset", np.float64),
    ],
    align=True,
)

#: What a run needs beside arrays. `decay` bounds the part of theta that L2 and L1 act on.
SETTINGS = np.dtype(
    [
        ("method", np.int64),
        ("beta1", np.float64),
        ("beta2", np.float64),
        ("epsilon", np.float64),
        ("l2", np.float64),
        ("l1", np.float64),
        ("decay", np.int64),
        ("batch_size", np.int64),
        ("shuffle", np.int64),
        ("seed", np.int64),
        ("first_epoch", np.int64),
        ("threads", np.int64),
    ],
    align=True,
)

#: Flat vectors of the optimiser's memory that each method needs.
SLOTS = {Method.GRADIENT_DESCENT: 0, Method.ADAM: 2}

LEAK = 0.01  # leaky_relu's slope below zero
