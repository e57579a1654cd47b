"""The readable specification: every op as explicit loops over single numbers.

Nothing here is fast. The other backends are tested against these loops, number by number.
"""

from __future__ import annotations

from ..int8_interpreter import Int8Ops
from ..interpreter import KINDS, Interpreter
from . import activations, batchnorm, dense, int8, losses, optimizers, random

BACKEND = Interpreter(
    name="loops",
    activations=activations.ACTIVATIONS,
    losses=losses.LOSSES,
    methods=optimizers.METHODS,
    kinds=KINDS,
    int8=Int8Ops(int8.quantize, int8.int8_product, int8.requantize),
    dot=dense.dot,
    standardize=dense.standardize,
    product=dense.product,
    dense_forward=dense.dense_forward,
    dense_backward=dense.dense_backward,
    mixed_forward=dense.mixed_forward,
    mixed_backward=dense.mixed_backward,
    batch_moments=batchnorm.batch_moments,
    batchnorm_forward=batchnorm.batchnorm_forward,
    batchnorm_backward=batchnorm.batchnorm_backward,
    dropout=random.dropout,
    noise=random.noise,
    shuffle=random.shuffle,
    philox=random.philox,
    penalty=optimizers.penalty,
    norm=optimizers.norm,
    largest=optimizers.largest,
    clip=optimizers.clip,
    bound_norms=optimizers.bound_norms,
)
