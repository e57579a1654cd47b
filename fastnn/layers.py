"""Layers only describe: names and sizes, frozen, without arrays and without arithmetic."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, get_args

from . import activations, initializers
from ._display.short_repr import ShortRepr, frozen
from ._habits import answers
from ._validation import arguments
from .errors import SettingError

__all__ = [
    "Activation",
    "BatchNorm",
    "Dense",
    "Dropout",
    "GaussianNoise",
    "Layer",
    "Normalization",
    "Rescaling",
]


@frozen
class Dense(ShortRepr):
    """A fully connected layer: A = g(X W + b), with W (n_in, units) and b (units,).

    Parameters
    ----------
    units : int
        Number of outputs, at least 1.
    activation : str
        The function g, one of `activations.NAMES`; softmax in the last layer only.
    use_bias : bool
        Whether b is added.
    init : str or initializers.Initializer, optional
        How W is drawn; by default as the network says. b starts at 0.
    max_norm : float, optional
        Largest Euclidean norm of a unit's incoming weights; they are scaled down to it after
        every step (Srebro and Shraibman, COLT 2005).
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
    max_norm: float | None = field(default=None, kw_only=True)
    name: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        arguments.check_fields(self, units=arguments.positive_count, use_bias=arguments.flag)
        if self.name is not None and not isinstance(self.name, str):
            raise SettingError(f"name must be text, got {self.name!r}")
        object.__setattr__(self, "activation", activations.resolve(self.activation))
        if self.init is not None:
            object.__setattr__(self, "init", initializers.own_name(self.init))
        if self.max_norm is not None:
            arguments.check_fields(self, max_norm=arguments.positive)


@frozen
class Activation(ShortRepr):
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
        object.__setattr__(self, "function", activations.resolve(self.function))


@frozen
class Dropout(ShortRepr):
    """Inverted dropout: while training, each unit is kept with probability 1 − rate.

    Kept units are divided by 1 − rate, so that their mean stays; predictions use all units. Which
    units fall is a function of (seed, layer, epoch, example, unit) alone: Srivastava et al., JMLR
    15 (2014) 1929, with the inversion of the course.

    Parameters
    ----------
    rate : float
        Share of units that are dropped, in [0, 1).

    Raises
    ------
    SettingError
        If the rate lies outside [0, 1).
    """

    rate: float

    def __post_init__(self) -> None:
        arguments.check_fields(self, rate=arguments.fraction)


@frozen
class GaussianNoise(ShortRepr):
    """Normal noise that is added while training: A = X + stddev · N(0, 1).

    Parameters
    ----------
    stddev : float
        Deviation of the noise, not negative.

    Raises
    ------
    SettingError
        If stddev is negative or not finite.
    """

    stddev: float

    def __post_init__(self) -> None:
        arguments.check_fields(self, stddev=arguments.nonnegative)


@frozen
class BatchNorm(ShortRepr):
    """Batch normalisation: A = γ (X − μ) / √(σ² + ε) + β, feature by feature.

    While training μ and σ² (biased) are the batch's; predictions use running averages,
    running = momentum · running + (1 − momentum) · batch. Ioffe and Szegedy, arXiv:1502.03167.

    Parameters
    ----------
    momentum : float
        In [0, 1).
    epsilon : float
        Positive; keeps a constant feature from dividing by zero.

    Raises
    ------
    SettingError
        If a number lies outside its range.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        arguments.check_fields(self, momentum=arguments.fraction, epsilon=arguments.positive)


@frozen
class Rescaling(ShortRepr):
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
        arguments.check_fields(self, scale=arguments.real, offset=arguments.real)
        if self.scale == 0:
            raise SettingError("scale is 0, which would erase every input; give another factor")


@frozen
class Normalization(ShortRepr):
    """The first layer: z-scores (X − μ) / σ, with μ and σ of the training data of the first fit.

    Later fits and predictions use the same μ and σ. A constant feature is only shifted.

    Parameters
    ----------
    per_feature : bool
        One μ and σ for each feature; if False, one of each for the whole array.
    """

    per_feature: bool = True

    def __post_init__(self) -> None:
        arguments.check_fields(self, per_feature=arguments.flag)


Layer = Dense | Activation | Dropout | GaussianNoise | BatchNorm | Rescaling | Normalization
for _kind in get_args(Layer):
    answers.explain(_kind)

if not TYPE_CHECKING:
    __getattr__ = answers.lacks(__name__, __all__)
