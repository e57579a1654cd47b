"""Training: a program's steps in chunks of about 50 ms, with what must happen between chunks."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from fastnn._runtime.text import plural
from fastnn._runtime.threads import get_num_threads
from fastnn.errors import DivergenceError
from fastnn.history import History
from fastnn.kernels.backend import Backend
from fastnn.kernels.records import Batch, BestEpoch, Examples, FitArrays, FitLog

from .callback_list import CallbackList
from .fit_config import FitConfig, Steps, backend_of
from .interrupts import Interrupts
from .learning_rates import LearningRates
from .progress import ProgressReporter
from .state import NetworkState

Array = np.ndarray[Any, Any]

CHUNK_SECONDS = 0.05  # how long the compiled run keeps progress, callbacks and Ctrl-C waiting


class Trainer:
    """One fit: it owns the loop over chunks, and the state owns what lasts."""

    ended_early = False  # whether the last chunk ended before its last step, as the ranks agreed
    defers_callbacks = True  # whether runs score, so that they can go on over several epochs

    def __init__(
        self,
        state: NetworkState,
        kernels: Backend,
        config: FitConfig,
        train: Examples,
        validation: Examples | None,
    ) -> None:
        self.state, self.program, self.training = state, state.program, state.training
        self.kernels, self.config, self.train = backend_of(config.optimizer, kernels), config, train
        program = self.program
        if config.epochs:
            self.training.keep_slots_for(config.optimizer, program)
            self.training.keep_clock_of(config.schedule, state.history.epochs, config.restarts)
        self.batch = min(config.batch_size, len(train.X))
        self.steps = -(-len(train.X) // self.batch)
        self.order = np.arange(len(train.X))  # the run puts it in the order of its last epoch
        nothing = Examples(train.X[:0], train.Y[:0], train.w[:0])
        self.validation = validation or nothing
        self.scores = np.zeros((config.epochs if validation else 0, 2))
        self.threads = get_num_threads()  # once: the workspace has a part for each
        self.work = self.kernels.workspace(
            program.ops, self.batch, program.theta.dtype, self.threads, train.X
        )
        self.settings = self._settings()
        self.history = History()
        self._rates = np.zeros(0)  # of the steps of a chunk
        self._pending = np.zeros((0, 5))  # steps of an unfinished epoch: their log, their rate
        self._best: BestEpoch | None = None  # what the run keeps for a callback
        self.interrupts: AbstractContextManager[Interrupts] = Interrupts()

    def _settings(self) -> Array:
        """Return the settings of the kernels' run: one SETTINGS row."""
        config = self.config
        return self.program.settings(
            l2=config.l2, l1=config.l1, clip_norm=config.clip_norm,
            clip_value=config.clip_value,
            batch_size=self.batch, shuffle=config.shuffle, seed=self.state.seed,
            first_epoch=self.training.epoch, threads=self.threads,
            average=self.training.max_abs_momentum,
            **config.optimizer.settings,
        )  # fmt: skip

    def fit(self, callbacks: CallbackList, reporter: ProgressReporter) -> History:
        """Run all epochs; return early on Ctrl-C or when a callback says so."""
        callbacks.start()
        self._best = callbacks.defer(self.history) if self.defers_callbacks else None
        total, step, told = self.config.epochs * self.steps, 0, 0
        size, rates = self._first_size(), self._learning_rates()
        with self.interrupts as self._held, reporter, self.kernels.keep_team():
            self._prepare()
            while step < total:
                free = 1 if rates.follow_history else callbacks.free_epochs()
                whole = (step // self.steps + free) * self.steps
                stop = min(step + size, self._boundary(step), whole)
                began = time.perf_counter()
                self._rates = rates.known(step, stop)
                try:
                    done = self._chunk(step, step + len(self._rates))
                except DivergenceError:  # in a later epoch than those that callbacks know
                    if free > 1 and self.history.epochs > told:
                        callbacks.after_epoch(self.history)
                    raise
                seconds, taken, step = time.perf_counter() - began, done - step, done
                size = max(1, min(8 * taken, int(taken * CHUNK_SECONDS / max(seconds, 1e-6))))
                self.training.epoch = int(self.settings["first_epoch"]) + -(-step // self.steps)
                stopped = False
                try:  # first what callbacks measure, for progress shows that, too
                    stopped = self.history.epochs > told and callbacks.after_epoch(self.history)
                    told = self.history.epochs
                finally:
                    reporter.update(self.history)
                if stopped:
                    break
                if self._is_interrupted():
                    self.history.interrupted = self.state.history.interrupted = True
                    break
        callbacks.finish()
        return self.history

    def _learning_rates(self) -> LearningRates:
        """Return the learning rates of all steps."""
        return LearningRates(self.config, self.state, self.steps, int(self.settings["first_epoch"]))

    def _first_size(self) -> int:
        """Return how many steps the first chunk has at most."""
        return self.kernels.first_steps(self.program.ops, self.batch)

    def _prepare(self) -> None:
        """Do what must be done before the first step: nothing."""

    def _is_interrupted(self) -> bool:
        """Return whether Ctrl-C ends the fit."""
        return self._held.seen

    def _boundary(self, step: int) -> int:
        """Return a step, beyond this one, that no chunk of this one may cross: here the last."""
        return self.config.epochs * self.steps

    def _batch_at(self, step: int) -> Batch:
        """Return the examples of a step of the last epoch."""
        first = step % self.steps * self.batch
        return Batch.of(self.train, self.order[first : first + self.batch])

    def _score(self, done: int) -> None:
        """Score validation examples that the run has not: here it has scored all."""

    def _steps(self, start: int, stop: int) -> Steps:
        """Return what the steps start … stop−1 are taken over: here all examples."""
        train = Batch.of(self.train, self.order)
        return Steps(train, self.validation, self.settings, self.scores, 0)

    def _arguments(self, over: Steps, start: int, stop: int, record: Array) -> tuple[Any, ...]:
        """Return the arguments of the backend's `run` for the steps start … stop−1."""
        training, program = self.training, self.program
        return (
            program.ops,
            FitArrays(program.theta, program.grad, training.slots, program.state, self._best),
            self.work, over.train, over.validation, over.settings, self._rates,
            FitLog(record, over.scores, training.counters), start - over.first, stop - over.first,
        )  # fmt: skip

    def _run(self, start: int, stop: int, record: Array) -> int:
        """Take the steps start … stop−1 and return the next one."""
        over = self._steps(start, stop)
        return int(self.kernels.run(*self._arguments(over, start, stop, record))) + over.first

    def _chunk(self, start: int, stop: int) -> int:
        """Take a chunk of steps, up to one that would diverge, note its epochs; return the next."""
        record = np.zeros((stop - start, 4))
        with np.errstate(all="ignore"):  # the run itself finds what is not finite
            done = self._run(start, stop, record)
            self._score(done)
            self._record_steps(np.column_stack([record, self._rates])[: done - start], start)
            self._check_validation_cost(done // self.steps)
            if done == stop or self.ended_early:
                return done
            epoch = int(self.settings["first_epoch"]) + done // self.steps
            layer = self._first_nonfinite_layer(self._batch_at(done), epoch)
        self.training.epoch = epoch
        raise DivergenceError(
            f"training diverged in step {done} of this fit (epoch {epoch}): numbers leave the "
            f"range of {self.program.theta.dtype} first in layer {layer!r}. The network keeps its "
            "parameters from before that step; lower learning_rate "
            f"({self.config.optimizer.learning_rate:g}) or scale the inputs",
            layer=layer,
            history=self.history,
        )

    def _record_steps(self, record: Array, start: int) -> None:
        """Append the epochs that these steps (steps, 5) finish to the history; keep the others."""
        if len(record):
            self.settings["average"] = record[-1, 3]
        first = start // self.steps
        record = np.concatenate([self._pending, record]) if len(self._pending) else record
        epochs = len(record) // self.steps
        self._pending = record[epochs * self.steps :]
        if epochs == 0:
            return
        finished = record[: epochs * self.steps].reshape(epochs, self.steps, 5)
        hits, total = finished[:, :, 1:3].sum(axis=1).T
        shares = finished[:, :, 2] / total[:, None]  # before they are summed: costs may be huge
        curves = {"cost": (finished[:, :, 0] * shares).sum(axis=1)}
        if self.state.classifies:
            curves["accuracy"] = hits / total
        if len(self.scores):
            scores = self.scores[first : first + epochs]
            curves["validation_cost"] = scores[:, 0]
            if self.state.classifies:
                curves["validation_accuracy"] = scores[:, 1]
        self._record(curves | {"learning_rate": finished[:, -1, 4]})

    def _record(self, curves: Mapping[str, Any]) -> None:
        """Append finished epochs to the history of this fit and to the network's."""
        self.history.extend(curves)
        self.state.history.extend(curves)

    def _check_validation_cost(self, epochs: int) -> None:
        """Raise where the validation cost after that many epochs of this fit is not finite."""
        if epochs == 0 or not len(self.scores) or np.isfinite(self.scores[epochs - 1, 0]):
            return
        layer = self._validation_layer() or "loss"
        self.training.epoch = epoch = int(self.settings["first_epoch"]) + epochs
        raise DivergenceError(
            f"the validation cost is not finite after {plural(epoch, 'epoch')}: numbers leave the "
            f"range of {self.program.theta.dtype} first in layer {layer!r}. The network keeps its "
            "parameters from the end of that epoch; look at the largest numbers of the validation "
            f"data{self._advice()}",
            layer=layer,
            history=self.history,
        )

    def _validation_layer(self) -> str | None:
        """Return the first layer with an output that is not finite for a validation example."""
        return self._first_nonfinite_output(self.validation.X)

    def _advice(self) -> str:
        """Return the advice to take smaller steps, as the end of a sentence."""
        return f", or lower learning_rate ({self.config.optimizer.learning_rate:g})"

    def _first_nonfinite_output(self, X: Any) -> str | None:
        """Return the name of the first layer with an output that is not finite for X, if any."""
        program = self.program
        outputs = self.kernels.forward(program.ops, program.theta, program.state, self.work, X)
        for name, A in zip(program.names, outputs, strict=False):
            if not np.isfinite(A).all():
                return name
        return None

    def _first_nonfinite_layer(self, batch: Batch, epoch: int) -> str:
        """Return the name of the first layer with numbers that are not finite in a step."""
        layer = self._first_nonfinite_output(batch.X[batch.row_indices])
        if layer is not None:
            return layer
        from .divergence import first_steep_layer  # only a fit that diverges needs it

        return first_steep_layer(self.kernels, self.program, self.work, batch, self.settings, epoch)
