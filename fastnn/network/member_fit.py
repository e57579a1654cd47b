"""The fit of one of many networks: checked first, then trained beside the others."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from fastnn.errors import DivergenceError, SettingError
from fastnn.history import History
from fastnn.kernels.backend import Backend
from fastnn.lowering.lower import output_activation
from fastnn.lowering.program import backend_for
from fastnn.optimizers import LBFGS
from fastnn.training.callback_list import CallbackList
from fastnn.training.choose_trainer import trainer_for
from fastnn.training.fit_config import FitConfig, backend_of
from fastnn.training.interrupts import Interrupts
from fastnn.training.loop import Trainer
from fastnn.training.metric_recorder import MetricRecorder, check_metric_names
from fastnn.training.prepare_data import FitData
from fastnn.training.shared_data import DataSettings, SharedData
from fastnn.training.shared_progress import ProgressShare, SharedProgress
from fastnn.training.subset import Subset, copied
from fastnn.training.subset_trainer import SubsetTrainer
from fastnn.training.target_scaling import TargetScaling

from .network import Callback, Network

__all__ = ["MemberFit"]

AnyTrainer = TypeVar("AnyTrainer", bound=Trainer)
#: A fit is short if it takes at most so many times what a run of unknown pace begins with: some
#: milliseconds each, for which Ctrl-C waits.
MOST_RUNS = 4
#: And if it takes about so many bytes at most: each thread holds several short ones at a time.
MOST_BYTES = 2**20


class SerialCallbacks(CallbackList):
    """The callbacks of one of several fits; those of all fits are called one at a time.

    So are metrics, if one of them is the user's.
    """

    def __init__(
        self, callbacks: Sequence[Any], network: Network, recorder: Any, lock: threading.Lock
    ) -> None:
        super().__init__(callbacks, network)
        self.recorder, self.lock = recorder, lock

    def __len__(self) -> int:
        return len(self.callbacks) + (self.recorder is not None)

    def _tell(self, event: str) -> None:
        if self.callbacks:
            with self.lock:
                super()._tell(event)

    def after_epoch(self, history: History) -> bool:
        """Record the metrics; then call every callback and return whether one returned True."""
        if self.recorder is not None:
            with self.lock if self.recorder.calls_users else nullcontext():
                self.recorder(self.network, history)
        if not self.callbacks:
            return False
        with self.lock:
            return super().after_epoch(history)


@dataclass(eq=False)
class MemberFit:
    """The fit of one network, its arguments checked."""

    network: Network
    config: FitConfig
    data: SharedData
    part: FitData
    metrics: tuple[str, ...]
    callbacks: tuple[Callback, ...]
    history: History = field(default_factory=History)
    error: DivergenceError | None = None
    ended: bool = False
    scaling: TargetScaling | None = field(init=False)  # known once targets are scaled
    kernels: Backend = field(init=False)  # known once the network is built

    @classmethod
    def checked(
        cls, network: Network, config: FitConfig, data: SharedData, given: DataSettings,
        metrics: Sequence[str], callbacks: tuple[Callback, ...],
    ) -> MemberFit:  # fmt: skip
        """Return a fit that breaks no rule; the network is as it was."""
        state = network._state
        names = check_metric_names(metrics, output_activation(state.layers), state.outputs)
        if given.fold is None:
            share = config.held_out(given.validation_data, given.validation_split)
            given = given._replace(validation_split=share)
        part = data.part(state, given)
        if config.until_best and part.validation is None:
            raise SettingError(
                "epochs='auto' ends by the cost of the rows that a fold scores, and this one names "
                "none; name some, or give epochs a number"
            )
        config = config.sized(part.shape[0])
        callbacks = (*callbacks, *config.stops(part.shape[0]))
        network._check_fit(config, callbacks, names, part)
        if isinstance(config.optimizer, LBFGS):
            from fastnn.training.lbfgs import check_supported  # only this optimiser needs it

            check_supported(config, state.layers)
        return cls(network, config, data, part, names, callbacks)

    def scale_targets(self) -> None:
        """Scale the targets, where the network learns how; the network is as it was."""
        state = self.network._state
        self.scaling = state.target_scaling
        if state.learns_target_scaling:
            self.scaling, self.part = self.data.target_scaling(self.part, state.dtype)

    def begin(self) -> None:
        """Build the network, if it is not, and give it the scaling of inputs and targets."""
        state = self.network._state
        self.network.build(self.data.X.shape[1])
        if not state.scaled:
            state.scale_inputs(*self.data.scaling(state, self.part))
        state.target_scaling = self.scaling
        if self.metrics:
            state.metrics = self.metrics
        self.kernels = backend_of(self.config.optimizer, backend_for(state.program, loss=True))

    @property
    def work(self) -> float:
        """How long it takes, in an unknown unit."""
        return float(self.network.program.theta.size * len(self.part.train.X) * self.config.epochs)

    @cached_property
    def large(self) -> bool:
        """Whether its steps are work enough for several threads."""
        m = len(self.part.train.X)
        batch = m if isinstance(self.config.optimizer, LBFGS) else min(self.config.batch_size, m)
        return self.kernels.shares_steps(self.network.program.ops, batch)

    def interrupt(self) -> None:
        """Note that Ctrl-C came before the end, or before the begin."""
        self.history.interrupted = self.network.history.interrupted = True

    @cached_property
    def short(self) -> bool:
        """Whether it is one compiled run of milliseconds, with nothing to do before its end."""
        config, (m, _) = self.config, self.part.shape
        watched = self.callbacks or self.metrics or config.schedule is not None
        if watched or isinstance(config.optimizer, LBFGS) or not self.kernels.threaded:
            return False
        batch, program = min(config.batch_size, m), self.network.program
        numbers = batch * int(program.ops["n_out"].sum())
        taken = 8 * m + numbers * program.theta.itemsize  # its order, and its steps
        if isinstance(self.part.train.X, Subset):
            taken += self.part.train.X.nbytes
        if taken > MOST_BYTES:
            return False
        most = MOST_RUNS * self.kernels.first_steps(program.ops, batch)
        return not self.large and 0 < config.epochs * -(-m // batch) <= most

    @property
    def _kind(self) -> type[Trainer]:
        """The class of its trainer: by the optimiser, and by whether its rows are read in place."""
        kind, X = trainer_for(self.config.optimizer), self.part.train.X
        shuffled = kind is Trainer and self.config.shuffle
        return SubsetTrainer if shuffled and isinstance(X, Subset) and X.is_read_in_place else kind

    def trainer(self, kind: type[AnyTrainer]) -> AnyTrainer:
        """Return a new trainer of that class, whose history is that of this fit."""
        train, validation, *_ = self.part
        train = train if kind is SubsetTrainer else copied(train)
        scored = None if validation is None else copied(validation)
        made = kind(self.network._state, self.kernels, self.config, train, scored)
        self.history = made.history
        return made

    def run(self, interrupts: Interrupts, reporter: SharedProgress, lock: threading.Lock) -> None:
        """Train the network to its end, or up to where it diverges."""
        self.finish(self.trainer(self._kind), interrupts, reporter, lock)

    def finish(
        self, trainer: Trainer, interrupts: Interrupts, reporter: SharedProgress,
        lock: threading.Lock,
    ) -> None:  # fmt: skip
        """Fit by a trainer of this fit, and note how that ended."""
        state, recorder = self.network._state, None
        if self.metrics:
            parts = (None if part is None else copied(part) for part in self.part[:2])
            recorder = MetricRecorder(state, self.metrics, *parts)
        trainer.interrupts, before = nullcontext(interrupts), state.history.interrupted
        share = ProgressShare(reporter, self.config.epochs)
        try:
            trainer.fit(SerialCallbacks(self.callbacks, self.network, recorder, lock), share)
        except DivergenceError as error:
            self.error = error
            self.history.converged, self.history.message = False, str(error)
        self.ended = not self.history.interrupted
        if interrupts.failed:  # nobody pressed Ctrl-C
            self.history.interrupted, state.history.interrupted = False, before
        share.end()
