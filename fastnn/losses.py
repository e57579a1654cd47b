"""The losses: by name, as objects with parameters, and as partners of the output activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._validation import arguments
from .errors import SettingError
from .kernels.opcodes import Loss as Code

__all__ = [
    "NAMES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "CategoricalCrossEntropy",
    "Huber",
    "Loss",
    "Poisson",
    "Quantile",
    "SquaredError",
    "resolve",
]


@dataclass(frozen=True)
class Loss:
    """What every loss has: its code, and which output activations it works with; () for any."""

    code: ClassVar[Code]
    needs: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """The name that networks take, like ``squared_error``."""
        return self.code.name.lower()

    @property
    def rate(self) -> float:
        """The parameter that the kernels take."""
        return 0.0

    @property
    def smoothing(self) -> float:
        """Share of the targets that is spread over all classes."""
        return 0.0


@dataclass(frozen=True)
class SquaredError(Loss):
    """½(ŷ − y)², as in the notes."""

    code = Code.SQUARED_ERROR


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """|ŷ − y|, with derivative 0 at 0."""

    code = Code.ABSOLUTE_ERROR


@dataclass(frozen=True)
class Huber(Loss):
    """½e² up to |e| = delta, delta (|e| − delta/2) beyond, e = ŷ − y: Huber, 1964.

    Parameters
    ----------
    delta : float
        Positive.
    """

    delta: float = 1.0
    code = Code.HUBER

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", arguments.real(self.delta, "delta", above=0))

    @property
    def rate(self) -> float:
        """Delta."""
        return self.delta


@dataclass(frozen=True)
class Quantile(Loss):
    """max(q e, (q − 1) e) with e = y − ŷ: its minimum is the q-th quantile.

    Parameters
    ----------
    q : float
        In (0, 1); ½ gives the median.
    """

    q: float = 0.5
    code = Code.QUANTILE

    def __post_init__(self) -> None:
        if not 0 < arguments.real(self.q, "q") < 1:
            raise SettingError(f"q must lie in (0, 1), got {self.q!r}")

    @property
    def rate(self) -> float:
        """Q."""
        return self.q


@dataclass(frozen=True)
class Poisson(Loss):
    """ŷ − y ln ŷ for counts y ≥ 0 and a mean ŷ > 0, which a softplus or an exp output gives."""

    code = Code.POISSON
    needs = ("softplus", "exp")


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """−y ln a − (1−y) ln(1−a) for sigmoid outputs, computed from their logits.

    Parameters
    ----------
    label_smoothing : float
        In [0, 1): targets become y (1 − s) + s/2.
    """

    label_smoothing: float = 0.0
    code = Code.BINARY_CROSS_ENTROPY
    needs = ("sigmoid",)

    def __post_init__(self) -> None:
        arguments.share(self.label_smoothing, "label_smoothing")

    @property
    def smoothing(self) -> float:
        """Share of the targets that is spread over both classes."""
        return self.label_smoothing


@dataclass(frozen=True)
class CategoricalCrossEntropy(Loss):
    """−Σ yₖ ln aₖ for a softmax output, computed from its logits.

    Parameters
    ----------
    label_smoothing : float
        In [0, 1): targets become y (1 − s) + s/K (Szegedy et al., arXiv:1512.00567).
    """

    label_smoothing: float = 0.0
    code = Code.CATEGORICAL_CROSS_ENTROPY
    needs = ("softmax",)

    def __post_init__(self) -> None:
        arguments.share(self.label_smoothing, "label_smoothing")

    @property
    def smoothing(self) -> float:
        """Share of the targets that is spread over all classes."""
        return self.label_smoothing


#: The losses by the names that networks take.
KINDS: dict[str, type[Loss]] = {
    kind.code.name.lower(): kind
    for kind in (
        SquaredError,
        BinaryCrossEntropy,
        CategoricalCrossEntropy,
        AbsoluteError,
        Huber,
        Quantile,
        Poisson,
    )
}
NAMES: tuple[str, ...] = tuple(KINDS)


def resolve(loss: str | Loss | None, output: str) -> Loss:
    """Return the loss of that name, the given one, or the output activation's partner for None.

    Raises
    ------
    SettingError
        If the loss does not exist or does not fit the output activation.
    """
    if loss is None:
        partners = {"sigmoid": BinaryCrossEntropy, "softmax": CategoricalCrossEntropy}
        return partners.get(output, SquaredError)()
    if isinstance(loss, str) and loss in NAMES:
        loss = KINDS[loss]()
    if not isinstance(loss, Loss):
        raise SettingError(f"loss {loss!r} does not exist; choose one of {', '.join(NAMES)}")
    if loss.needs and output not in loss.needs:
        raise SettingError(
            f"loss {loss.name!r} needs a {' or '.join(loss.needs)} output, but the last layer's "
            f"activation is {output!r}; change one of the two"
        )
    return loss
