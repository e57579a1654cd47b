"""Schedules: how the learning rate changes while a network trains.

A schedule is a factor that multiplies the optimiser's rate, once an epoch or, with
``per="step"``, once a step; a schedule within another goes by its own ``per``. Time is counted in
epochs from the network's first fit with that schedule (another schedule, or `reset`, starts anew);
per step it has fractions. Each schedule carries its own horizon, so that two fits of one epoch are
one fit of two.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ._display.short_repr import ShortRepr
from ._habits import answers
from ._validation import arguments
from ._validation.factors import check_factors, check_schedule
from .errors import SettingError
from .history import higher_is_better

__all__ = [
    "Cosine", "Exponential", "InverseSqrt", "InverseTime", "OneCycle",
    "Plateau", "Schedule", "Staircase", "Step", "WarmUp",
]  # fmt: skip


@dataclass(frozen=True)
class Schedule(ShortRepr):
    """What every schedule has: `per`, "epoch" or "step", and `factor` of the time in epochs.

    A schedule of your own is a frozen dataclass with this base and one method, `factor`. It goes
    wherever a built-in one does: into `fit`, inside `WarmUp`, with ``per="step"``, into pickles and
    checkpoints. A checkpoint holds the name of its class and its fields, so a process that goes on
    with one must have defined the class. A factor that is no finite number, or negative, ends the
    fit by a SettingError; the steps before it have been taken.

    Parameters
    ----------
    per : {"epoch", "step"}
        How often the factor changes.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Halving(fastnn.schedules.Schedule):
    ...     every: float
    ...
    ...     def factor(self, time):
    ...         return 0.5 ** (time / self.every)
    >>> net.fit(X, y, schedule=Halving(every=10, per="step"))
    """

    per: str = field(default="epoch", kw_only=True)

    def __post_init__(self) -> None:
        if self.per not in ("epoch", "step"):
            raise SettingError(f"per must be 'epoch' or 'step', got {self.per!r}")

    def __eq__(self, other: object) -> bool:
        # Of classes that are no dataclass of their own, too: a network keeps the clock of a
        # schedule while its fits name an equal one.
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), self.per))

    def factor(self, time: float) -> float:
        """Return what the learning rate is multiplied with, `time` epochs after the start.

        Per epoch, `time` is a whole number, from 0 on; per step it has fractions.
        """
        raise SettingError(
            f"schedule {type(self).__name__} has no formula: write factor(self, time)"
        )

    @property
    def by_step(self) -> bool:
        """Whether the factor may change within an epoch."""
        return self.per == "step"

    def at(self, time: float, step: float) -> float:
        """Return the factor of the step that begins at a time and takes `step` epochs.

        Per epoch it is the factor of the epoch in which that step lies.
        """
        time = math.floor(time) if self.per == "epoch" else time
        return check_factors(self, [time], [self.factor(time)])[0]


@dataclass(frozen=True)
class InverseTime(Schedule):
    """1 / (1 + decay · epoch), the course's learning-rate decay."""

    decay: float

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.real(self.decay, "decay", least=0)

    def factor(self, time: float) -> float:
        """Return 1 / (1 + decay · time)."""
        return 1 / (1 + self.decay * time)


@dataclass(frozen=True)
class Staircase(Schedule):
    """1 / (1 + decay · ⌊epoch / interval⌋), the course's decay at fixed intervals."""

    decay: float
    interval: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.real(self.decay, "decay", least=0)
        arguments.count(self.interval, "interval", least=1)

    def factor(self, time: float) -> float:
        """Return 1 / (1 + decay · ⌊time / interval⌋)."""
        return 1 / (1 + self.decay * (time // self.interval))


@dataclass(frozen=True)
class Exponential(Schedule):
    """rate^epoch, as 0.95^epoch in the course."""

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if arguments.real(self.rate, "rate", above=0) > 1:
            raise SettingError(f"rate must be at most 1, got {self.rate!r}")

    def factor(self, time: float) -> float:
        """Return rate^time."""
        return float(self.rate**time)


@dataclass(frozen=True)
class Step(Schedule):
    """factor^⌊epoch / every⌋: the rate is multiplied by `multiplier` every so many epochs."""

    every: int
    multiplier: float = 0.1
    _arguments = {"multiplier": "factor"}  # noqa: RUF012

    def __init__(self, every: int, factor: float = 0.1, *, per: str = "epoch") -> None:
        object.__setattr__(self, "every", arguments.count(every, "every", least=1))
        object.__setattr__(self, "multiplier", arguments.real(factor, "factor", above=0))
        object.__setattr__(self, "per", per)
        super().__post_init__()

    def factor(self, time: float) -> float:
        """Return multiplier^⌊time / every⌋, or the largest number where that is too large."""
        try:
            return float(self.multiplier ** (time // self.every))
        except OverflowError:  # the fit tells then that it diverged
            return sys.float_info.max


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """1 / √(1 + epoch), the course's k/√epoch with its first epoch at the full rate."""

    def factor(self, time: float) -> float:
        """Return 1 / √(1 + time)."""
        return 1 / math.sqrt(1 + time)


@dataclass(frozen=True)
class Cosine(Schedule):
    """½ (1 + cos(π epoch / epochs)), 0 from then on: Loshchilov and Hutter, arXiv:1608.03983."""

    epochs: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.count(self.epochs, "epochs", least=1)

    def factor(self, time: float) -> float:
        """Return ½ (1 + cos(π time / epochs))."""
        return (1 + math.cos(math.pi * min(time / self.epochs, 1))) / 2


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A rise from (almost) 0 to 1 over some epochs, then another schedule from its beginning.

    The first of n epochs has the factor 1/n, the last one 1. Per step, the first of N steps has
    1/N: ``WarmUp(1, per="step")`` rises through 1/4, 1/2, 3/4, 1 where an epoch has four steps.
    """

    epochs: int
    then: Schedule | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.count(self.epochs, "epochs", least=1)
        if self.then is not None:
            check_schedule(self.then, Schedule, "then")
        if isinstance(self.then, Plateau):
            raise SettingError("then cannot be Plateau, which follows the history and no clock")

    @property
    def by_step(self) -> bool:
        """Whether the factor may change within an epoch."""
        return self.per == "step" or (self.then is not None and self.then.by_step)

    def factor(self, time: float) -> float:
        """Return the factor of the epoch that begins at a time; per step that of an instant."""
        return self.at(time, 0.0)

    def at(self, time: float, step: float) -> float:
        """Return what is reached at the end of the step, or the epoch, that begins at a time."""
        if time >= self.epochs:
            return 1.0 if self.then is None else self.then.at(time - self.epochs, step)
        end = time + step if self.per == "step" else math.floor(time) + 1
        return min(end / self.epochs, 1.0)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from 1/25 to 1 over 30 % of the epochs, then down to almost 0, both along a cosine.

    Smith and Topin, arXiv:1708.07120; meant for ``per="step"`` with a high learning rate.
    """

    epochs: int

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments.count(self.epochs, "epochs", least=1)

    def factor(self, time: float) -> float:
        """Return the cycle's height at that time."""
        share = min(time / self.epochs, 1)
        low, end, top = 1 / 25, 1e-4 / 25, 0.3
        start, stop, way = (low, 1, share / top) if share < top else (1, end, (share - top) / 0.7)
        return stop + (start - stop) * (1 + math.cos(math.pi * way)) / 2


@dataclass(frozen=True)
class Plateau(Schedule):
    """The rate is multiplied by `factor` when a quantity has not improved for some epochs.

    Parameters
    ----------
    monitor : str
        A name of the history, like ``validation_cost``; those that `EarlyStopping` takes to rise
        should.
    factor : float
        In (0, 1).
    patience : int
        Epochs without a new best before the rate is lowered.
    """

    monitor: str = "validation_cost"
    multiplier: float = 0.1
    patience: int = 10

    def __init__(
        self, monitor: str = "validation_cost", factor: float = 0.1, patience: int = 10
    ) -> None:
        if not 0 < arguments.real(factor, "factor") < 1:
            raise SettingError(f"factor must lie in (0, 1), got {factor!r}")
        object.__setattr__(self, "monitor", monitor)
        object.__setattr__(self, "multiplier", float(factor))
        object.__setattr__(self, "patience", arguments.count(patience, "patience", least=1))
        object.__setattr__(self, "per", "epoch")

    def __repr__(self) -> str:
        return f"Plateau({self.monitor!r}, factor={self.multiplier}, patience={self.patience})"

    def follow(self, curve: Any) -> float:
        """Return the factor after the epochs of a curve (epochs,); NaN counts as no epoch."""
        sign = -1 if higher_is_better(self.monitor) else 1
        best, waited, factor = math.inf, 0, 1.0
        measured = np.asarray(curve, np.float64)
        for value in measured[~np.isnan(measured)]:
            if sign * value < best:
                best, waited = sign * value, 0
            else:
                waited += 1
            if waited >= self.patience:
                factor, waited = factor * self.multiplier, 0
        return factor


for _kind in Schedule.__subclasses__():
    answers.explain(_kind, "schedule")
if not TYPE_CHECKING:
    __getattr__ = answers.lacks(__name__, __all__)
