"""Training: a program's steps in chunks of about 50 ms, with what must happen between chunks."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._runtime.threads import get_num_threads
from fastnn.errors import DivergenceError
from fastnn.history import History, refuse_unknown
from fastnn.kernels.backend import Backend
from fastnn.kernels.opcodes import CLASSIFYING, Kind
from fastnn.kernels.records import Batch, Examples, FitArrays, FitLog
from fastnn.lowering.program import Program
from fastnn.schedules import Plateau

from .fit_config import Memory, Plan
from .progress import Line

if TYPE_CHECKING:
    from fastnn.network import Network

Array = np.ndarray[Any, Any]
Callback = Callable[["Network", History], Any]


CHUNK_SECONDS = 0.05  # how long the compiled run keeps progress, callbacks and Ctrl-C waiting


class Interrupts:
    """Holds Ctrl-C back until a chunk is over; a second one is let through at once."""

    over = False  # a Ctrl-C while a fit ends can leave the handler of that fit behind

    def __enter__(self) -> Interrupts:
        self.seen = self.raised = self._holds = False
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            left = getattr(getattr(handler, "__self__", None), "over", False)
            if handler is signal.default_int_handler or left:
                self._holds = True
                signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.seen:
            self.raised = True
            raise KeyboardInterrupt
        self.seen = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over = True
        if self._holds:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.raised and error is not None and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error  # a compiler in the middle turns it into its own


class Trainer:
    """One fit: it owns the chunk loop, the network owns everything that lasts."""

    def __init__(
        self,
        network: Network,
        program: Program,
        memory: Memory,
        kernels: Backend,
        plan: Plan,
        train: Examples,
        validation: Examples | None,
    ) -> None:
        self.network, self.program, self.memory = network, program, memory
        self.kernels, self.plan, self.train = kernels, plan, train
        if plan.epochs:
            memory.prepare(plan.optimizer, program)
            memory.follow(plan.schedule, network.history.epochs)
        self.batch = min(plan.batch_size, len(train.X))
        self.steps = -(-len(train.X) // self.batch)
        self.order = np.arange(len(train.X))  # the run puts it in the order of its last epoch
        nothing = Examples(train.X[:0], train.Y[:0], train.w[:0])
        self.validation = validation or nothing
        self.scores = np.zeros((plan.epochs if validation else 0, 2))
        self.threads = get_num_threads()  # once: the workspace has a part for each
        self.work = kernels.workspace(
            program.ops, self.batch, program.theta.dtype, self.threads, train.X
        )
        self.settings = self._settings()
        self.history = History()
        self._pending = np.zeros((0, 4))
        self.classifies = program.ops[-1]["code"] in CLASSIFYING

    def _settings(self) -> Array:
        """The run's settings: one SETTINGS row."""
        plan = self.plan
        return self.program.settings(
            l2=plan.l2, l1=plan.l1, clip_norm=plan.clip_norm, clip_value=plan.clip_value,
            batch_size=self.batch, shuffle=plan.shuffle, seed=self.network.seed,
            first_epoch=self.memory.epoch, threads=self.threads, average=self.memory.steepest,
            **plan.optimizer.settings,
        )  # fmt: skip

    def fit(self, callbacks: Sequence[Callback], line: Line) -> History:
        """Run all epochs; return early on Ctrl-C or when a callback says so."""
        self._tell(callbacks, "start")
        by_epoch = bool(callbacks) or isinstance(self.plan.schedule, Plateau)
        total, step, size = self.plan.epochs * self.steps, 0, 1
        with Interrupts() as interrupts, line, self.kernels.keep_team():
            while step < total:
                stop = min(step + size, total)
                if by_epoch:
                    stop = min(stop, (step // self.steps + 1) * self.steps)
                began = time.perf_counter()
                self._chunk(step, stop)
                seconds = time.perf_counter() - began
                taken, step = stop - step, stop
                size = max(1, min(8 * taken, int(taken * CHUNK_SECONDS / max(seconds, 1e-6))))
                self.memory.epoch = int(self.settings["first_epoch"]) + -(-step // self.steps)
                line.update(self.history)
                if step % self.steps == 0:
                    wishes = [callback(self.network, self.history) for callback in callbacks]
                    if any(isinstance(wish, bool | np.bool_) and wish for wish in wishes):
                        break
                if interrupts.seen:
                    self.history.interrupted = self.network.history.interrupted = True
                    break
        self._tell(callbacks, "finish")
        return self.history

    def _tell(self, callbacks: Sequence[Callback], event: str) -> None:
        """Call that method of every callback that has it."""
        for callback in callbacks:
            getattr(callback, event, lambda network: None)(self.network)

    def _rates(self, start: int, stop: int) -> Array:
        """Learning rates (stop − start,) of these steps."""
        schedule, rate = self.plan.schedule, self.plan.optimizer.learning_rate
        if schedule is None:
            return np.full(stop - start, rate)
        began, recorded = self.memory.since
        if isinstance(schedule, Plateau):
            return np.full(stop - start, rate * schedule.follow(self._curve(schedule, recorded)))
        every = 1 if schedule.by_step else self.steps
        first = start - start % every
        epochs, steps = np.divmod(np.arange(first, stop, every), self.steps)
        # Whole epochs first: 3 + 4/7 is the same sum in one fit and in four, 25/7 is not.
        times = (epochs + int(self.settings["first_epoch"]) - began).astype(np.float64)
        times += steps / self.steps
        factors = np.array(schedule.factors(times.tolist(), 1 / self.steps))
        return rate * factors[(np.arange(start, stop) - first) // every]

    def _curve(self, schedule: Plateau, recorded: int) -> Array:
        """What a Plateau follows, from entry `recorded` of the history on."""
        history = self.network.history
        if history.epochs <= recorded:
            return np.zeros(0)
        refuse_unknown("Plateau", schedule.monitor, history)
        return history[schedule.monitor][recorded:]

    def _run(self, start: int, stop: int, record: Array) -> int:
        """Take the steps start … stop−1 and return the next one."""
        memory, program, rates = self.memory, self.program, self._rates(start, stop)
        return int(
            self.kernels.run(
                program.ops,
                FitArrays(program.theta, program.grad, memory.slots, program.state), self.work,
                Batch(*self.train, self.order), self.validation, self.settings, rates,
                FitLog(record, self.scores, memory.counters), start, stop,
            )
        )  # fmt: skip

    def _chunk(self, start: int, stop: int) -> None:
        """Take a chunk of steps and note its epochs; a step that would diverge is not taken."""
        record = np.zeros((stop - start, 4))
        with np.errstate(all="ignore"):  # the run itself finds what is not finite
            done = self._run(start, stop, record)
            self._note(record[: done - start], start)
            self._refuse_score(done // self.steps)
            if done == stop:
                return
            epoch, k = divmod(done, self.steps)
            rows = self.order[k * self.batch : (k + 1) * self.batch]
            epoch += int(self.settings["first_epoch"])
            layer = self._blame(rows, epoch)
        self.memory.epoch = epoch
        raise DivergenceError(
            f"training diverged in step {done} of this fit (epoch {epoch}): numbers leave the "
            f"range of {self.program.theta.dtype} first in layer {layer!r}. The network keeps its "
            "parameters from before that step; lower learning_rate "
            f"({self.plan.optimizer.learning_rate:g}) or scale the inputs",
            layer=layer,
            history=self.history,
        )

    def _note(self, record: Array, start: int) -> None:
        """Turn the records (steps, 4) of finished epochs into history; keep the rest pending."""
        if len(record):
            self.settings["average"] = record[-1, 3]
        first = start // self.steps
        record = np.concatenate([self._pending, record]) if len(self._pending) else record
        epochs = len(record) // self.steps
        self._pending = record[epochs * self.steps :]
        if epochs == 0:
            return
        finished = record[: epochs * self.steps].reshape(epochs, self.steps, 4)
        hits, total = finished[:, :, 1:3].sum(axis=1).T
        shares = finished[:, :, 2] / total[:, None]  # before they are summed: costs may be huge
        curves = {"cost": (finished[:, :, 0] * shares).sum(axis=1)}
        if self.classifies:
            curves["accuracy"] = hits / total
        if len(self.scores):
            scores = self.scores[first : first + epochs]
            curves["validation_cost"] = scores[:, 0]
            if self.classifies:
                curves["validation_accuracy"] = scores[:, 1]
        self._record(curves)

    def _record(self, curves: Mapping[str, Any]) -> None:
        """Append finished epochs to the history of this fit and to the network's."""
        self.history.extend(curves)
        self.network.history.extend(curves)

    def _refuse_score(self, epochs: int) -> None:
        """Raise where the validation cost after that many epochs of this fit is not finite."""
        if epochs == 0 or not len(self.scores) or np.isfinite(self.scores[epochs - 1, 0]):
            return
        layer = self._overflowing(self.validation.X) or "loss"
        self.memory.epoch = epoch = int(self.settings["first_epoch"]) + epochs
        raise DivergenceError(
            f"the validation cost is not finite after {epoch} epochs: numbers leave the range of "
            f"{self.program.theta.dtype} first in layer {layer!r}. The network keeps its "
            "parameters from the end of that epoch; look at the largest numbers of the validation "
            f"data{self._slower()}",
            layer=layer,
            history=self.history,
        )

    def _slower(self) -> str:
        """Return the advice to take smaller steps, as the end of a sentence."""
        return f", or lower learning_rate ({self.plan.optimizer.learning_rate:g})"

    def _overflowing(self, X: Any) -> str | None:
        """Return the name of the first layer with an output that is not finite for X, if any."""
        program = self.program
        outputs = self.kernels.forward(program.ops, program.theta, program.state, self.work, X)
        for name, A in zip(program.names, outputs, strict=False):
            if not np.isfinite(A).all():
                return name
        return None

    def _blame(self, rows: Array, epoch: int) -> str:
        """Return the name of the first layer that holds a non-finite number in a step over rows."""
        program, kernels, train = self.program, self.kernels, self.train
        layer = self._overflowing(train.X[rows])
        if layer is not None:
            return layer
        grad = np.zeros_like(program.grad)
        cost, _, _ = kernels.gradient(
            program.ops, program.theta, grad, program.state, self.work, Batch(*train, rows),
            self.settings, epoch,
        )  # fmt: skip
        if not np.isfinite(cost):
            return "loss"
        # What is finite so far became infinite in the update: the largest slope tells where.
        dense = [i for i, op in enumerate(program.ops) if op["kind"] == Kind.DENSE]
        slopes = [np.abs(dW).max() for name, dW in program.views(grad).items() if name[0] == "W"]
        worst = int(np.argmax(np.nan_to_num(slopes, nan=np.inf)))
        return program.names[dense[worst]]
