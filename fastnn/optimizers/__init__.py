"""Optimisers: frozen settings of how a gradient moves the parameters; slots lie in the network."""

from .kinds import (
    KINDS,
    LBFGS,
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    UncorrectedAdam,
    VelocityMomentum,
)
from .registered import REGISTERED, Registered
from .registration import register

__all__ = [
    "KINDS",
    "LBFGS",
    "REGISTERED",
    "Adam",
    "AdamW",
    "GradientDescent",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSprop",
    "Registered",
    "UncorrectedAdam",
    "VelocityMomentum",
    "register",
]
