"""The losses: by name, as objects with parameters, as partners of output activations, one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn._habits import answers

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

    def __getattr__(name: str) -> Any:
        """Import what registers losses when it is first used."""
        if name == "Registered":
            from .registered import Registered

            return Registered
        if name == "register":
            from .registration import register

            return register
        raise answers.missing_import(__name__, name, __all__)
