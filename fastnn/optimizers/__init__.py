"""Optimisers: frozen settings of how a gradient moves the parameters; slots lie in the network."""

from typing import TYPE_CHECKING, Any

from .._habits import answers
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

    def __getattr__(name: str) -> Any:
        """Import what registers optimisers when it is first used."""
        if name != "register":
            raise answers.missing_import(__name__, name, __all__)
        from .registration import register

        return register
