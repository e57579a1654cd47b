"""Layers only describe: names and sizes, frozen, without arrays and without arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field

from . import _check, activations, initializers
from .errors import SettingError

__all__ = ["Activation", "Dense", "Layer", "Normalization", "Rescaling"]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer: A = g(X W + b), with W (n_in, units) and b (units,).

    Parameters
    ----------
    units : int
        Number of outputs, at least 1.
    activation : str
        The function g: identity, sigmoid, tanh, relu, leaky_relu, or softmax (last layer only).
    use_bias : bool
        Whether b is added.
    init : str or initializers.Initializer, optional
        How W is drawn; by default as the network says. b starts at 0.
    name : str, optional
        How errors and the summary call the layer; by default ``dense1``, ``dense2``, …

    Raises
    ------
    SettingError
        If units is not a positive integer, or the activation or initialiser is unknown.
    """

    units: int
    activation: str = "identity"
    use_bias: bool = field(default=True, kw_only=True)
    init: str | initializers.Initializer | None = field(default=None, kw_only=True)
    name: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", _check.count(self.units, "units", least=1))
        activations.code(self.activation)
        if self.init is not None:
            initializers.resolve(self.init)


@dataclass(frozen=True)
class Activation:
    """An activation on its own: A = g(X), of the shape of X.

    Parameters
    ----------
    function : str
        The name of g, as in `Dense`.

    Raises
    ------
    SettingError
        If the activation is unknown.
    """

    function: str

    def __post_init__(self) -> None:
        activations.code(self.function)


@dataclass(frozen=True)
class Rescaling:
    """The first layer: A = X · scale + offset, applied while X is read; X itself stays as it is.

    Parameters
    ----------
    scale : float
        ``1/255`` for images of type uint8.
    offset : float
        Added after scaling.

    Raises
    ------
    SettingError
        If scale is zero or not finite, or offset is not finite.
    """

    scale: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _check.real(self.scale, "scale"))
        object.__setattr__(self, "offset", _check.real(self.offset, "offset"))
        if self.scale == 0:
            raise SettingError("scale is 0, which would erase every input; give another factor")


@dataclass(frozen=True)
class Normalization:
    """The first layer: z-scores (X − μ) / σ, with μ and σ of the training data of the first fit.

    Later fits and predictions use the same μ and σ. A constant feature is only shifted.

    Parameters
    ----------
    per_feature : bool
        One μ and σ for each feature; if False, one of each for the whole array.
    """

    per_feature: bool = True


Layer = Dense | Activation | Rescaling | Normalization
