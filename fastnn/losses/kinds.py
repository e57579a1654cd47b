"""The built-in losses, as objects with parameters, and the choice of a network's loss by name."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from fastnn._display.short_repr import ShortRepr, frozen
from fastnn._habits import answers
from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.kernels.opcodes import Loss as Code


class TargetCheck(Protocol):
    """A check of targets: a function that is held by a class, and no method."""

    def __call__(self, y: Any, m: int, K: int, /) -> np.ndarray[Any, Any]:
        """Return what `fit` was given as y as targets Y (m, K), or raise a sentence about it."""


@frozen
class Loss(ShortRepr):
    """What every loss states; built-in ones are subclasses, and members of the kernels' `Loss`.

    Losses of one's own are made by `register`.

    Attributes
    ----------
    code : kernels.opcodes.Loss
        The kernels' code of the loss.
    needs : tuple of str
        The output activations with which it works; () for any.
    check_targets : callable
        Returns what `fit` was given as y as targets Y (m, K), or raises a sentence about it.
    """

    code: ClassVar[Code]
    needs: ClassVar[tuple[str, ...]] = ()
    check_targets: ClassVar[TargetCheck] = staticmethod(arguments.real_targets)

    @property
    def name(self) -> str:
        """The name that networks take, like ``squared_error``."""
        return self.code.name.lower()

    @property
    def is_default(self) -> bool:
        """Whether its name alone stands for it: no parameter is set."""
        return self == type(self)()

    @property
    def rate(self) -> float:
        """The one number that the kernels take as a parameter of the loss."""
        return 0.0

    @property
    def smoothing(self) -> float:
        """Share of the targets that is spread over all classes."""
        return 0.0

    @property
    def labels(self) -> str:
        """What targets are: ``"binary"`` labels, ``"categorical"`` ones, or ``""``: values."""
        return ""

    @property
    def from_logits(self) -> bool:
        """Whether the kernels compute it from the argument of the output's activation."""
        return False


@frozen
class SquaredError(Loss):
    """½(ŷ − y)², as in the notes."""

    code = Code.SQUARED_ERROR


@frozen
class AbsoluteError(Loss):
    """|ŷ − y|, with derivative 0 at 0."""

    code = Code.ABSOLUTE_ERROR


@frozen
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
        arguments.check_fields(self, delta=arguments.positive)

    @property
    def rate(self) -> float:
        """The kernels' parameter δ."""
        return self.delta


@frozen
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
        """The kernels' parameter τ."""
        return self.q


@frozen
class Poisson(Loss):
    """ŷ − y ln ŷ for counts y ≥ 0 and a mean ŷ > 0, which a softplus or an exp output gives."""

    code = Code.POISSON
    needs = ("softplus", "exp")
    check_targets = staticmethod(arguments.count_targets)


@frozen
class _LabelSmoothing(ShortRepr):
    """The parameter that both cross-entropies have."""

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        arguments.fraction(self.label_smoothing, "label_smoothing")

    @property
    def smoothing(self) -> float:
        """Share of the targets that is spread over all classes."""
        return self.label_smoothing

    @property
    def from_logits(self) -> bool:
        """True: no logarithm of a number that rounds to 0 is taken."""
        return True


@frozen
class BinaryCrossEntropy(_LabelSmoothing, Loss):
    """−y ln a − (1−y) ln(1−a) for sigmoid outputs, computed from their logits.

    Parameters
    ----------
    label_smoothing : float
        In [0, 1): targets become y (1 − s) + s/2.
    """

    code = Code.BINARY_CROSS_ENTROPY
    needs = ("sigmoid",)
    check_targets = staticmethod(arguments.binary_targets)

    @property
    def labels(self) -> str:
        """Targets are 0 or 1, one or several an example."""
        return "binary"


@frozen
class CategoricalCrossEntropy(_LabelSmoothing, Loss):
    """−Σ yₖ ln aₖ for a softmax output, computed from its logits.

    Parameters
    ----------
    label_smoothing : float
        In [0, 1): targets become y (1 − s) + s/K (Szegedy et al., arXiv:1512.00567).
    """

    code = Code.CATEGORICAL_CROSS_ENTROPY
    needs = ("softmax",)
    check_targets = staticmethod(arguments.class_targets)

    @property
    def labels(self) -> str:
        """Targets are one class an example."""
        return "categorical"


#: The losses by the names that networks take, in the order of the kernels' codes.
KINDS: dict[str, type[Loss]] = {
    kind.code.name.lower(): kind
    for kind in sorted(Loss.__subclasses__(), key=lambda kind: kind.code)
}
NAMES: tuple[str, ...] = tuple(KINDS)
#: The losses that `None` and ``"cross_entropy"`` stand for, by the activation of the output.
PARTNERS: dict[str, type[Loss]] = {
    "sigmoid": BinaryCrossEntropy,
    "softmax": CategoricalCrossEntropy,
}
for _kind in KINDS.values():
    answers.explain(_kind, "loss")

#: The losses of users by the names that they were registered by in this process.
REGISTERED: dict[str, Loss] = {}
#: What an error about a name adds to those that there are.
MAKING = ", or make it by fastnn.losses.register"


def named(name: str) -> Loss:
    """Return the loss of one of our names, with its default parameters."""
    return REGISTERED[name] if name in REGISTERED else KINDS[name]()


def resolve(loss: str | Loss | None, output: str) -> Loss:
    """Return the loss of that name, the given one, or the output activation's partner for None.

    Raises
    ------
    SettingError
        If the loss does not exist or does not fit the output activation.
    """
    if loss is None:
        return PARTNERS.get(output, SquaredError)()
    known = (*NAMES, *REGISTERED)
    if isinstance(loss, str) and loss not in known and answers.means_cross_entropy(loss):
        if output not in PARTNERS:
            raise SettingError(
                f"loss {loss!r} needs a sigmoid or softmax output, but the last layer's activation "
                f"is {output!r}; change one of the two"
            )
        loss = PARTNERS[output]()
    if not isinstance(loss, Loss):
        loss = named(answers.resolve("loss", loss, known, MAKING))
    if loss.needs and output not in loss.needs:
        raise SettingError(
            f"loss {loss.name!r} needs a {' or '.join(loss.needs)} output, but the last layer's "
            f"activation is {output!r}; change one of the two"
        )
    return loss
