"""The losses: by name, as objects with parameters, as partners of output activations, one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn._lazy import attach

from .kinds import KINDS as KINDS
from .kinds import MAKING as MAKING
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
from .kinds import named as named

if TYPE_CHECKING:
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__, {"registered": "Registered", "registration": "register"}
    )
