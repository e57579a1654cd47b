"""The run of a search: trials claimed, handed to workers, and written down as they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fastnn._runtime import backend

from .claims import POLL, Claims
from .parcel import Parcel
from .plan import Plan
from .study import add_trial, ended_trials
from .trial import Draw, Outcome, parameter_values, trial_record
from .workers import Task, run_task, threads_each

TrialCallback = Callable[[dict[str, Any]], Any]
#: A trial that workers have: its task, what was drawn for it, and when.
Out = tuple[Task, Draw, datetime]


@dataclass
class Run:
    """The trials of a plan on their way from a study to workers and back.

    The study is read and written here alone: workers are told what a trial is, and return what it
    came to. At most as many trials are out as there are workers, so a search claims what it can
    train and leaves the rest to others.
    """

    plan: Plan
    study: Any
    claims: Claims
    parcel: Parcel
    executor: Executor
    n_workers: int
    callbacks: Sequence[TrialCallback]
    owner: int
    _out: dict[Future[Any], Out] = field(default_factory=dict)

    def to_the_end(self) -> None:
        """Run what is missing, and wait for what other searches run of it.

        What ends this early, an error or Ctrl-C, cancels what no worker has begun, waits for the
        rest and keeps what that comes to.
        """
        try:
            while self._hand_out() or self._out:
                self._wait()
        except BaseException:
            self._finish()
            raise

    def _hand_out(self) -> bool:
        """Give free workers what is ready and claimed by nobody; return whether any is missing."""
        ended = ended_trials(self.study)
        mine = {task.number for task, _, _ in self._out.values()}
        missing = [k for k in range(self.plan.total) if k not in ended and k not in mine]
        for number in missing:
            if len(self._out) == self.n_workers:
                break
            if self.plan.is_ready(number, ended) and self._claim(number):
                self._submit(number, ended)
        return bool(missing)

    def _claim(self, number: int) -> bool:
        """Claim a trial, unless another search has it or has just ended it."""
        if not self.claims.take(number):
            return False
        if self.claims.path is not None and number in ended_trials(self.study):
            self.claims.release(number)
            return False
        return True

    def _submit(self, number: int, ended: dict[int, Any]) -> None:
        drawn = self.plan.draw(number, ended)
        task = Task(
            number, drawn.numbers, self.plan.bars(number, ended), self.parcel.key,
            self.parcel.carried, backend.selected(), threads_each(self.n_workers), self.owner,
        )  # fmt: skip
        self._send(task, drawn, datetime.now(UTC))

    def _send(self, task: Task, drawn: Draw, begun: datetime) -> None:
        self._out[self.executor.submit(run_task, task)] = task, drawn, begun

    def _wait(self) -> None:
        """Wait until a trial is over or another search may have left something to do."""
        shared = self.claims.path is not None and len(self._out) < self.n_workers
        if not self._out:
            time.sleep(POLL)
            return
        done = wait(self._out, POLL if shared else None, return_when=FIRST_COMPLETED).done
        for future in sorted(done, key=lambda f: self._out[f][0].number):
            task, drawn, begun = self._out.pop(future)
            outcome = self._result(future, task)
            if outcome is None:
                carried = self.parcel.pack(task.carried)
                self._send(task._replace(carried=carried), drawn, begun)
                continue
            record = self._keep(task, drawn, begun, outcome)
            for callback in self.callbacks:
                callback(record)

    def _result(self, future: Future[Any], task: Task) -> Outcome | None:
        """Return what a worker returned, or raise what it raised, with the trial's name."""
        try:
            result: Outcome | None = future.result()
        except BrokenExecutor as error:
            error.add_note(
                "A worker of fastnn.tune was ended from outside, perhaps for want of memory. A "
                "study file keeps the trials that ended before; call tune with it again."
            )
            raise
        except Exception as error:
            values = parameter_values(self.plan.objective.space, task.numbers)
            error.add_note(
                f"This was trial {task.number} of fastnn.tune, with {values}. A study file keeps "
                "the trials before it; catch= lets the search go on."
            )
            raise
        return result

    def _keep(self, task: Task, drawn: Draw, begun: datetime, outcome: Outcome) -> dict[str, Any]:
        """Write down what a trial came to, and return it as a Search holds it."""
        trial = add_trial(self.study, task.number, drawn, outcome, begun)
        self.claims.release(task.number)
        return trial_record(self.plan.objective.space, trial)

    def _finish(self) -> None:
        """Cancel what no worker has begun; wait for the rest, and keep what comes to an end."""
        running = {future: out for future, out in self._out.items() if not future.cancel()}
        wait(running)
        for future, out in running.items():
            if not future.cancelled() and future.exception() is None:
                outcome = future.result()
                if outcome is not None:
                    self._keep(*out, outcome)
        self._out.clear()
