"""Settings of one fit: how it goes over its examples, and the examples themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnn import optimizers
from fastnn._habits import answers
from fastnn._validation import arguments
from fastnn.kernels.records import Batch, Examples
from fastnn.optimizers import Adam, Optimizer

if TYPE_CHECKING:
    from fastnn.schedules import Schedule

Array = np.ndarray[Any, Any]


#: The built-in optimisers that a text may name.
NAMES = ("GradientDescent", "Momentum", "Nesterov", "RMSprop", "Adam", "AdamW", "LBFGS")


def find_optimizer(given: str | Optimizer | None) -> Optimizer:
    """Return the optimiser of a name with its defaults, the given one, or `Adam()` for None.

    Raises
    ------
    SettingError
        If there is no optimiser of that name, or what was given is none.
    """
    if isinstance(given, str):
        name = answers.resolve("optimizer", given, (*NAMES, *optimizers.REGISTERED))
        kinds: dict[str, type[Optimizer]] = {**optimizers.KINDS, **optimizers.REGISTERED}
        return kinds[name]()
    optimizer = Adam() if given is None else given
    arguments.instance(optimizer, Optimizer, "optimizer", "fastnn.Adam(learning_rate=0.001)")
    return optimizer


def _check_schedule(schedule: Any) -> None:
    """Refuse a schedule that a fit cannot follow."""
    from fastnn._validation.factors import check_schedule  # a fit without a schedule needs none
    from fastnn.schedules import Schedule

    check_schedule(schedule, Schedule)


#: The batch size that stands for all examples: larger than any number of them.
ALL = 2**62


class FitConfig(NamedTuple):
    """How a fit goes over its examples: the arguments of `Network.fit`, checked.

    `batch_size` is `ALL` where all examples are to be taken at once;
    `clip_norm` and `clip_value` are 0 where nothing is clipped.
    """

    epochs: int
    batch_size: int
    optimizer: Optimizer
    l2: float
    l1: float
    shuffle: bool
    schedule: Schedule | None = None
    clip_norm: float = 0.0
    clip_value: float = 0.0

    @classmethod
    def checked(
        cls, epochs: Any, batch_size: Any, optimizer: Any, l2: Any, l1: Any, shuffle: Any,
        schedule: Any, clip_norm: Any, clip_value: Any,
    ) -> FitConfig:  # fmt: skip
        """Return the settings of the arguments that `Network.fit` takes."""
        optimizer = find_optimizer(optimizer)
        if schedule is not None:
            _check_schedule(schedule)
        return cls(
            arguments.count(epochs, "epochs"),
            ALL if batch_size is None else arguments.count(batch_size, "batch_size", least=1),
            optimizer,
            arguments.real(l2, "l2", least=0),
            arguments.real(l1, "l1", least=0),
            arguments.flag(shuffle, "shuffle") and batch_size is not None,
            schedule,
            0.0 if clip_norm is None else arguments.real(clip_norm, "clip_norm", above=0),
            0.0 if clip_value is None else arguments.real(clip_value, "clip_value", above=0),
        )


class Steps(NamedTuple):
    """What a run takes its steps over."""

    train: Batch  # their examples, in the order of an epoch or of a part of one
    validation: Examples  # scored at the end of an epoch; perhaps none
    settings: Array  # one SETTINGS row
    scores: Array  # (epochs, 2): costs and shares of right examples, written
    first: int  # the step of the fit that begins with the first example
