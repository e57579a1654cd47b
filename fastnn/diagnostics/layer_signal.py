"""The signal in one layer of a network, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerSignal:
    """What one layer gives: its A over all examples, and its dW where gradients were taken.

    Attributes
    ----------
    name : str
        As errors call the layer.
    mean, spread : float
        Mean and standard deviation of all numbers of A.
    dead : float
        Share of relu units that give 0 for every example; 0 for other activations.
    saturated : float
        Share of the numbers with |tanh| > 0.99, or sigmoid below 0.01 or above 0.99; else 0.
    gradient : float or None
        ‖dW‖; None for layers without weights, and where no gradient was asked for.
    ratio : float or None
        learning_rate · ‖dW‖ / ‖W‖, what one step of gradient descent changes; about 1e-3 is usual.
    hidden : bool
        Whether it is a Dense or Activation layer before the output.
    """

    name: str
    mean: float
    spread: float
    dead: float
    saturated: float
    gradient: float | None = None
    ratio: float | None = None
    hidden: bool = True
