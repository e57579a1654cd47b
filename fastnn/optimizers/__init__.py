"""Optimisers: frozen settings of how a gradient moves the parameters; slots lie in the network."""

from typing import TYPE_CHECKING

from .._lazy import attach
from .kinds import KINDS as KINDS
from .kinds import (
    LBFGS,
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
)
from .kinds import UncorrectedAdam as UncorrectedAdam
from .kinds import VelocityMomentum as VelocityMomentum
from .registered import REGISTERED as REGISTERED
from .registered import Registered

if TYPE_CHECKING:
    from .registration import register

__all__ = [
    "LBFGS",
    "Adam",
    "AdamW",
    "GradientDescent",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Registered",
    "register",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(__name__, {"registration": "register"})
