"""The losses: by name, as objects with parameters, as partners of output activations, one's own."""

from __future__ import annotations

from .kinds import KINDS as KINDS
from .kinds import (
    NAMES,
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Huber,
    Loss,
    Poisson,
    Quantile,
    SquaredError,
    resolve,
)
from .kinds import REGISTERED as REGISTERED
from .registered import Registered
from .registration import register

__all__ = [
    "NAMES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CategoricalCrossEntropy",
    "Huber",
    "Loss",
    "Poisson",
    "Quantile",
    "Registered",
    "SquaredError",
    "register",
    "resolve",
]
