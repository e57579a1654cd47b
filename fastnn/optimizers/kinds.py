"""The built-in optimisers: frozen settings of how a gradient moves the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from .._display.short_repr import ShortRepr, frozen
from .._habits import answers
from .._validation import arguments
from ..kernels.opcodes import Method

__all__ = [
    "LBFGS", "Adam", "AdamW", "GradientDescent", "Momentum", "Nesterov", "Optimizer", "RMSprop"
]  # fmt: skip

#: The check of each setting, by its name, which means the same in all optimisers.
CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "learning_rate": arguments.positive,
    "beta": arguments.fraction,
    "beta1": arguments.fraction,
    "beta2": arguments.fraction,
    "epsilon": arguments.positive,
    "nesterov": arguments.flag,
    "weight_decay": arguments.nonnegative,
    "memory": arguments.positive_count,
    "tolerance": arguments.nonnegative,
    "max_evaluations": lambda value, name: (
        None if value is None else arguments.positive_count(value, name)
    ),
    "cost_tolerance": arguments.nonnegative,
}


@frozen
class Optimizer(ShortRepr):
    """What every optimiser is: a frozen dataclass whose settings are checked by their names."""

    def __post_init__(self) -> None:
        mine = {field.name for field in fields(self)}
        checks = {name: check for name, check in CHECKS.items() if name in mine}
        arguments.check_fields(self, **checks)

    @property
    def learning_rate(self) -> float:
        """The factor of a step; 1 where no setting of that name says otherwise."""
        return 1.0

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        raise TypeError(f"{type(self).__name__} does not say which kernel updates the parameters")


@frozen
class GradientDescent(Optimizer):
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

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        return {"method": Method.GRADIENT_DESCENT}


@frozen
class Adam(Optimizer):
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

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        return {
            "method": Method.ADAM,
            "beta1": self.beta1,
            "beta2": self.beta2,
            "epsilon": self.epsilon,
        }


@frozen
class UncorrectedAdam(Adam):
    """Adam whose ε is not corrected, as in scikit-learn: ε / √(1−β₂ᵗ) in the formula of `Adam`.

    Kingma and Ba, arXiv:1412.6980, end of section 2.
    """

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        return super().settings | {"uncorrected": True}


@frozen
class Momentum(Optimizer):
    """The step is (1−β) times the other convention's: v ← βv + (1−β)g, θ ← θ − learning_rate · v.

    The course's average of slopes, all of which takes the rate of today: where a schedule changes
    the rate, PyTorch's v ← βv + g makes the same steps by learning_rate / (1 − β). scikit-learn
    and Keras keep rates in v, and make these steps at a constant rate only.

    Parameters
    ----------
    learning_rate : float
        Positive.
    beta : float
        In [0, 1).
    """

    learning_rate: float = 0.01
    beta: float = 0.9

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        return {"method": Method.MOMENTUM, "beta1": self.beta}


@frozen
class Nesterov(Optimizer):
    """Momentum that looks ahead: v ← βv + (1−β)g, θ ← θ − learning_rate · (βv + (1−β)g).

    Sutskever et al., ICML 2013, in the course's average; what `Momentum` says of rates that change
    holds here.

    Parameters
    ----------
    learning_rate, beta : float
        As in `Momentum`.
    """

    learning_rate: float = 0.01
    beta: float = 0.9

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        return {"method": Method.NESTEROV, "beta1": self.beta}


@frozen
class VelocityMomentum(Momentum):
    """v ← βv − learning_rate · g, θ ← θ + v, or with Nesterov's look ahead θ ← θ + βv − rate · g.

    The velocity holds each slope times the rate of its own step, so a rate that changes acts on
    later slopes alone: Sutskever et al., ICML 2013, equations 1 and 2, and scikit-learn's "sgd".

    Parameters
    ----------
    learning_rate, beta : float
        As in `Momentum`.
    nesterov : bool
        Whether the step looks ahead.
    """

    nesterov: bool = True

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        method = Method.NESTEROV if self.nesterov else Method.MOMENTUM
        return super().settings | {"method": method, "velocity": True}


@frozen
class RMSprop(Optimizer):
    """s ← βs + (1−β)g², θ ← θ − learning_rate · g / (√s + ε): Tieleman and Hinton, 2012.

    Parameters
    ----------
    learning_rate : float
        Positive.
    beta : float
        In [0, 1).
    epsilon : float
        Positive; stands outside the root.
    """

    learning_rate: float = 1e-3
    beta: float = 0.9
    epsilon: float = 1e-8

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        return {"method": Method.RMSPROP, "beta1": self.beta, "epsilon": self.epsilon}


@frozen
class AdamW(Adam):
    """Adam after W ← W (1 − learning_rate · weight_decay); b, γ and β are spared.

    Loshchilov and Hutter, arXiv:1711.05101.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon : float
        As in `Adam`.
    weight_decay : float
        Not negative.
    """

    weight_decay: float = 0.01

    @property
    def settings(self) -> dict[str, float]:
        """The `method` of the kernels' update and its parameters."""
        return super().settings | {"method": Method.ADAMW, "weight_decay": self.weight_decay}


@frozen
class LBFGS(Optimizer):
    """Limited-memory BFGS of SciPy: an epoch is one of its iterations over all examples.

    The history holds the costs after each iteration, not before it; ``history.converged`` and
    ``history.message`` say how the fit ended. It has no learning rate, ignores batch_size and
    shuffle, and takes no schedule, no clipping and no layers that draw random numbers. Every `fit`
    begins its memory of steps and gradients anew: ten fits of one epoch are ten first iterations,
    not one fit of ten. Liu and Nocedal, Math. Programming 45 (1989) 503.

    A line search compares costs. Where it finds no lower one the fit ends, though the tolerance is
    not met, and ``history.converged`` is False: in float32, which rounds costs to 7 digits, or at
    a kink of relu. Raise the tolerance, give the network ``dtype="float64"``, or take tanh.

    Parameters
    ----------
    memory : int
        Pairs of steps and gradients that are remembered.
    tolerance : float
        The fit ends when no number of the gradient is larger.
    max_evaluations : int, optional
        Costs and gradients after which no iteration begins; None allows 20 an epoch and 20 more.
    cost_tolerance : float
        If not 0, the fit ends also when an iteration lowers the cost by no more than this share of
        it, or of 1 where the cost is less.
    """

    memory: int = 10
    tolerance: float = 1e-6
    max_evaluations: int | None = None
    cost_tolerance: float = 0.0

    @property
    def settings(self) -> dict[str, float]:
        """A `method` that is not called, for SciPy moves the parameters."""
        return {"method": Method.GRADIENT_DESCENT}


def _all_kinds(family: type[Optimizer]) -> Iterator[type[Optimizer]]:
    """Yield all subclasses of a class, each before its own subclasses."""
    for kind in family.__subclasses__():
        yield kind
        yield from _all_kinds(kind)


#: The optimisers by the names of their classes, as files have them.
KINDS: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in _all_kinds(Optimizer)}
for _kind in KINDS.values():
    answers.explain(_kind, "optimizer")
