"""Settings of one fit: how it goes over its examples, and the examples themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnn import optimizers
from fastnn._habits import answers
from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.kernels import get
from fastnn.kernels.backend import Backend
from fastnn.kernels.records import Batch, Examples
from fastnn.optimizers import Adam, Optimizer, Registered

if TYPE_CHECKING:
    from fastnn.schedules import Schedule

    from .early_stopping import EarlyStopping

Array = np.ndarray[Any, Any]


#: The default of `window`: of rows that are read, in memory at a time.
WINDOW = "256 MB"
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


def backend_of(optimizer: Optimizer, chosen: Backend) -> Backend:
    """Return the backend that runs a fit: not all rules of users are compiled."""
    compiled = not isinstance(optimizer, Registered) or optimizer.compiled
    return chosen if compiled or chosen is not get("jitted") else get("vectorized")


def _find_schedule(schedule: Schedule | str, epochs: int) -> Schedule:
    """Return the given schedule, or that of a name with the epochs of the fit as its horizon."""
    from fastnn._validation.factors import check_schedule  # a fit without a schedule needs none
    from fastnn.schedules import Cosine, Schedule

    if not isinstance(schedule, str):
        check_schedule(schedule, Schedule)
        return schedule
    more = ", or give one of fastnn.schedules with its own settings"
    answers.resolve("schedule", schedule, ("cosine",), more)
    return Cosine(max(epochs, 1), per="step")


def _count_epochs(epochs: int | str, optimizer: Optimizer, schedule: Any) -> int:
    """Return the number of epochs, of "auto" the largest that there can be."""
    if not isinstance(epochs, str) or epochs != "auto":
        return arguments.count(epochs, "epochs")
    if isinstance(optimizer, optimizers.LBFGS) or isinstance(schedule, str):
        who = "LBFGS ends" if isinstance(optimizer, optimizers.LBFGS) else f"{schedule!r} has ended"
        raise SettingError(f"{who} after a number of epochs; give epochs a number, not 'auto'")
    return MOST_EPOCHS


#: The batch size that stands for all examples: larger than any number of them.
ALL = 2**62
#: The batch size that stands for "auto", before the number of examples is known.
AUTO = 0
#: Epochs of "auto" at most.
MOST_EPOCHS = 1000
#: Of "auto": epochs and steps without a better validation cost before the end.
PATIENCE = {"epochs": 10, "steps": 500}
#: Of "auto": the share of the examples that is held out where nothing is given to score.
HELD_OUT = 0.1
#: Batch sizes of "auto" above 32, and how many such steps an epoch must have at least.
STEPS = {64: 100, 128: 100, 256: 1000, 512: 1000}


def auto_batch_size(m: int) -> int:
    """Return the batch size that "auto" stands for with m examples.

    32, as Keras has it; 64 or 128 where they leave 100 steps an epoch, 256 or 512 where they leave
    1000: so ten epochs are 500 steps or more from 1600 examples on. One more, or a few, where the
    last batch would be a single example.
    """
    size = max([32, *(size for size, steps in STEPS.items() if m >= size * steps)])
    while m > size and m % size == 1:
        size += 1
    return size


def parse_batch_size(batch_size: Any) -> int:
    """Return a batch size: `AUTO` for "auto", `ALL` for None."""
    if isinstance(batch_size, str) and batch_size == "auto":
        return AUTO
    if isinstance(batch_size, str):
        raise SettingError(f"batch_size must be a number, 'auto' or None, got {batch_size!r}")
    return ALL if batch_size is None else arguments.count(batch_size, "batch_size", least=1)


class FitConfig(NamedTuple):
    """How a fit goes over its examples: the arguments of `Network.fit`, checked.

    `batch_size` is `ALL` where all examples are to be taken at once, and `AUTO` before `sized`;
    `clip_norm` and `clip_value` are 0 where nothing is clipped; `until_best` of epochs="auto";
    `restarts` where the schedule was named, and begins with the fit; `auto_sized` where "auto" has
    become a batch size.
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
    until_best: bool = False
    restarts: bool = False
    auto_sized: bool = False

    @classmethod
    def checked(
        cls, epochs: Any, batch_size: Any, optimizer: Any, l2: Any = 0.0, l1: Any = 0.0,
        shuffle: Any = True, schedule: Any = None, clip_norm: Any = None, clip_value: Any = None,
    ) -> FitConfig:  # fmt: skip
        """Return the settings of the arguments that `Network.fit` takes."""
        optimizer = find_optimizer(optimizer)
        count, named = _count_epochs(epochs, optimizer, schedule), isinstance(schedule, str)
        return cls(
            count,
            parse_batch_size(batch_size),
            optimizer,
            arguments.real(l2, "l2", least=0),
            arguments.real(l1, "l1", least=0),
            arguments.flag(shuffle, "shuffle") and batch_size is not None,
            None if schedule is None else _find_schedule(schedule, count),
            0.0 if clip_norm is None else arguments.real(clip_norm, "clip_norm", above=0),
            0.0 if clip_value is None else arguments.real(clip_value, "clip_value", above=0),
            isinstance(epochs, str),
            named,
        )

    def sized(self, m: int) -> FitConfig:
        """Return these settings with the batch size that they have for m examples."""
        if self.batch_size:
            return self
        return self._replace(batch_size=auto_batch_size(m), auto_sized=True)

    def held_out(self, validation_data: Any, share: Any) -> Any:
        """Return the share of the examples to hold out, where a share was given."""
        alone = self.until_best and validation_data is None and not share
        return HELD_OUT if alone else share

    def stops(self, m: int) -> tuple[EarlyStopping, ...]:
        """Return what ends a fit to m examples before its last epoch."""
        if not self.until_best:
            return ()
        from .early_stopping import EarlyStopping  # only these fits need it

        steps = -(-m // min(self.batch_size, m))
        return (EarlyStopping(patience=max(PATIENCE["epochs"], -(-PATIENCE["steps"] // steps))),)


class Steps(NamedTuple):
    """What a run takes its steps over."""

    train: Batch  # their examples, in the order of an epoch or of a part of one
    validation: Examples  # scored at the end of an epoch; perhaps none
    settings: Array  # one SETTINGS row
    scores: Array  # (epochs, 2): costs and shares of right examples, written
    first: int  # the step of the fit that begins with the first example
