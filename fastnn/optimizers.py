"""Optimisers: frozen settings of how a gradient moves the parameters; memory is the network's."""

from __future__ import annotations

from dataclasses import dataclass

from . import _check
from .kernels.opcodes import Method

__all__ = ["Adam", "GradientDescent", "Optimizer"]


@dataclass(frozen=True)
class GradientDescent:
    """θ ← θ − learning_rate · gradient.

    Parameters
    ----------
    learning_rate : float
        Positive.

    Raises
    ------
    SettingError
        If the learning rate is not a positive number.
    """

    learning_rate: float = 0.01

    def __post_init__(self) -> None:
        _check.real(self.learning_rate, "learning_rate", above=0)

    @property
    def settings(self) -> dict[str, float]:
        """What the kernels' update needs."""
        return {"method": Method.GRADIENT_DESCENT}


@dataclass(frozen=True)
class Adam:
    """θ ← θ − learning_rate · v̂ / (√ŝ + ε), with averages of the gradient and of its square.

    v ← β₁v + (1−β₁)g, s ← β₂s + (1−β₂)g², v̂ = v/(1−β₁ᵗ), ŝ = s/(1−β₂ᵗ): Kingma and Ba,
    arXiv:1412.6980, algorithm 1, as in the course.

    Parameters
    ----------
    learning_rate : float
        Positive.
    beta1, beta2 : float
        In [0, 1).
    epsilon : float
        Positive; stands outside the root.

    Raises
    ------
    SettingError
        If a number lies outside its range.
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check.real(self.learning_rate, "learning_rate", above=0)
        _check.share(self.beta1, "beta1")
        _check.share(self.beta2, "beta2")
        _check.real(self.epsilon, "epsilon", above=0)

    @property
    def settings(self) -> dict[str, float]:
        """What the kernels' update needs."""
        return {
            "method": Method.ADAM,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
        }


Optimizer = GradientDescent | Adam
