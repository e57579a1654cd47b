"""The op table: what a lowered network is made of, one row per op, and the codes that rows hold."""

from __future__ import annotations

from collections.abc import Container
from enum import IntEnum
from typing import NamedTuple

import numpy as np


class Kind(IntEnum):
    """What a row of the op table does."""

    INPUT = 0  # A = (X - shift) factor + offset, read from the user's array
    DENSE = 1  # A = g(X W + b)
    ACTIVATION = 2  # A = g(X)
    LOSS = 3  # the cost and its derivative; `source` is the row whose output it reads
    DROPOUT = 4  # A = X / (1 − rate) where a unit is kept, else 0
    NOISE = 5  # A = X + rate · normal numbers
    BATCHNORM = 6  # A = γ (X − μ) / √(σ² + ε) + β


class Activation(IntEnum):
    """The function g of a row."""

    IDENTITY = 0
    SIGMOID = 1
    TANH = 2
    RELU = 3
    LEAKY_RELU = 4
    SOFTMAX = 5
    ELU = 6
    SELU = 7
    SOFTPLUS = 8
    SILU = 9
    GELU = 10
    MISH = 11
    EXP = 12


#: Activations whose derivative cannot be had from A: their Z is kept.
NEEDS_Z = (Activation.SOFTPLUS, Activation.SILU, Activation.GELU, Activation.MISH)


class Loss(IntEnum):
    """What a LOSS row computes; the two cross-entropies start from logits."""

    SQUARED_ERROR = 0
    BINARY_CROSS_ENTROPY = 1
    CATEGORICAL_CROSS_ENTROPY = 2
    ABSOLUTE_ERROR = 3
    HUBER = 4  # rate: δ
    QUANTILE = 5  # rate: τ
    POISSON = 6


class Method(IntEnum):
    """How `update` moves theta."""

    GRADIENT_DESCENT = 0
    ADAM = 1
    MOMENTUM = 2
    NESTEROV = 3
    RMSPROP = 4
    ADAMW = 5


class Precision(IntEnum):
    """Of what numbers the products of a DENSE row are: Z = X W + b, dW = Xᵀ dZ and dX = dZ Wᵀ."""

    FULL = 0  # of X, W and dZ as they are
    MIXED = 1  # of X, W and dZ rounded to bfloat16, nearest even; sums and results are float32


#: Losses of classes: an example is right or wrong.
CLASSIFYING = (Loss.BINARY_CROSS_ENTROPY, Loss.CATEGORICAL_CROSS_ENTROPY)


class MethodTraits(NamedTuple):
    """What an optimiser remembers, and what bounds its steps."""

    slots: int  # flat vectors of memory, each as long as theta
    averages_gradient: bool = False  # slot 0 holds an average or a velocity of gradients
    squares: int | None = None  # the slot of averages of squared gradients, if there is one
    corrects_bias: bool = False  # averages are divided by 1 − βᵗ
    decays_weights: bool = False  # weights shrink by rate · weight_decay before a step


METHODS = {
    Method.GRADIENT_DESCENT: MethodTraits(slots=0),
    Method.ADAM: MethodTraits(2, averages_gradient=True, squares=1, corrects_bias=True),
    Method.MOMENTUM: MethodTraits(1, averages_gradient=True),
    Method.NESTEROV: MethodTraits(1, averages_gradient=True),
    Method.RMSPROP: MethodTraits(1, squares=0),
    Method.ADAMW: MethodTraits(
        2, averages_gradient=True, squares=1, corrects_bias=True, decays_weights=True
    ),
}


def require_all(codes: type[IntEnum], table: Container[IntEnum], owner: str) -> None:
    """Refuse a table that lacks an entry for a member of `codes`: a half-added op.

    Raises
    ------
    NotImplementedError
        Naming the owner of the table and the members that it lacks.
    """
    missing = [f"{codes.__name__}.{code.name}" for code in codes if code not in table]
    if missing:
        raise NotImplementedError(
            f"{owner} has nothing for {', '.join(missing)}; "
            "kernels/README.md lists the places that a new op needs"
        )


require_all(Method, METHODS, "opcodes.METHODS")


#: The order of up to so many rows is one permutation. That of more is a permutation of pieces of
#: SHUFFLE_PIECE rows and one of the rows in each window of up to SHUFFLE_WINDOW pieces, whose rows,
#: if they are short, stay near a second-level cache: an epoch of 10⁷ × 3 float32 took 4.3 times as
#: long as in order with one permutation (EPYC, busy), and 1.84 times with these (the same, quiet).
#: That rows sorted by class train as well was measured where windows of a file hold 64 pieces.
MAX_WHOLE_SHUFFLE, SHUFFLE_PIECE, SHUFFLE_WINDOW = 2**20, 256, 128


class Purpose(IntEnum):
    """What random numbers are for: half of the key of the counter-based generator."""

    SHUFFLE = 1
    DROPOUT = 2
    NOISE = 3
    WINDOW = 4


class Mode(IntEnum):
    """What a forward pass is for, where no epoch (from 0) says that it trains."""

    INFERENCE = -2  # no dropout, no noise; BatchNorm by its running averages
    FROZEN = -1  # no dropout, no noise; BatchNorm by the batch


#: One row of a program. Offsets count elements of the vector that is named.
OP = np.dtype(
    [
        ("kind", np.int64),  # a `Kind`
        ("code", np.int64),  # an `Activation` or a `Loss`, or that of a custom activation
        ("n_in", np.int64),
        ("n_out", np.int64),
        ("W", np.int64),  # offset in theta; BATCHNORM: of γ
        ("b", np.int64),  # offset in theta, −1: no bias; BATCHNORM: of β
        # Offset in the state vector. INPUT: `stats` shifts, factors, and what the shifts lost to
        # rounding; BATCHNORM: running mean and variance, then those of the last batch.
        ("state", np.int64),
        ("stats", np.int64),  # INPUT: 0 no scaling, 1 one for the whole array, n_in one a feature
        ("source", np.int64),  # LOSS: the row whose output it reads
        # Offset of A in the workspace, in features. Negative: an INPUT that is read block by block
        # and never held whole, or AS_IT_IS.
        ("A", np.int64),
        ("Z", np.int64),  # offset of g's argument, where the derivative needs it
        ("layer", np.int64),  # which of the layers that draw random numbers
        # DROPOUT, NOISE, LOSS: the parameter; BATCHNORM: momentum; DENSE: largest norm of a unit's
        # weights, 0: none.
        ("rate", np.float64),
        ("offset", np.float64),  # INPUT: what is added at the end; BATCHNORM: ε
        ("precision", np.int64),  # DENSE: a `Precision`
    ],
    align=True,
)

#: The A of an INPUT row whose X the DENSE row behind it multiplies where X lies.
AS_IT_IS = -2

#: What a run needs beside arrays.
SETTINGS = np.dtype(
    [
        ("method", np.int64),  # a `Method`, or the code of a custom one
        ("beta1", np.float64),
        ("beta2", np.float64),
        ("epsilon", np.float64),
        ("uncorrected", np.int64),  # 1: Adam's ε stands beside √s, not beside √ŝ
        ("velocity", np.int64),  # 1: momentum's v is a velocity, which holds the learning rates
        ("average", np.float64),  # the largest |v| in the slots when a run begins, or more
        ("weight_decay", np.float64),
        *((f"setting{place}", np.float64) for place in range(8)),  # of a custom method
        ("clip_norm", np.float64),
        ("clip_value", np.float64),
        ("l2", np.float64),
        ("l1", np.float64),
        ("decay", np.int64),  # parameters, the first ones of theta, that L2 and L1 act on
        ("batch_size", np.int64),
        ("shuffle", np.int64),  # 1: each epoch has an order of its own
        ("seed", np.int64),
        ("first_epoch", np.int64),  # how many epochs earlier fits have taken
        ("threads", np.int64),  # at most
    ],
    align=True,
)

#: dtypes of X that kernels read where it lies, some rows at a time; the place is the code in
#: their description of X.
READ = tuple(
    np.dtype(name)
    for name in (
        "float32", "float64", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64",
        "uint64", "float16",
    )
)  # fmt: skip
#: Those of them that float32 does not hold exactly: they are scaled in float64, others in the
#: network's dtype. NumPy's own arithmetic of them and float32 does the same.
WIDE = frozenset(dtype for dtype in READ if np.result_type(dtype, np.float32) == np.float64)

LEAK = 0.01  # leaky_relu's slope below zero
#: selu's constants: Klambauer et al., arXiv:1706.02515, equation 14.
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
