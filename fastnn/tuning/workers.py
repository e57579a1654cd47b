"""Who trains the trials: this process, a pool of processes, or an executor of the user's."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any, NamedTuple

from fastnn._runtime import backend
from fastnn._runtime.threads import get_num_threads, limited
from fastnn._validation import arguments
from fastnn.errors import SettingError

from .parcel import open_parcel, opened_here
from .trial import Outcome, run_trial

#: Attributes by which executors say how many workers they have: mpi4py's, the standard library's.
WORKER_COUNTS = "num_workers", "_max_workers"


class Task(NamedTuple):
    """A trial on its way to a worker; numbers, names and the place of what all trials share."""

    number: int
    numbers: Mapping[str, float]
    bars: Mapping[int, float]
    key: str
    carried: str | bytes | None
    backend: str | None
    threads: int
    owner: int


def run_task(task: Task) -> Outcome | None:
    """Run a trial where this is called; return None if its objective has to be sent first."""
    objective = open_parcel(task.key, task.carried)
    if objective is None:
        return None
    with contextlib.ExitStack() as stack:
        if not opened_here(task.key, task.owner):
            stack.enter_context(limited(task.threads))
            stack.enter_context(_ctrl_c_ignored())
        if task.backend is not None:
            stack.enter_context(backend.backend(task.backend))
        return run_trial(objective, task.numbers, task.bars)


class ThisProcess(Executor):
    """An executor of one worker: the caller."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function, and return what it came to."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # Ctrl-C as well: the caller asks the future
            future.set_exception(error)
        return future


@contextlib.contextmanager
def workers(
    executor: Executor | None, processes: int | None, missing: int
) -> Iterator[tuple[Executor, int]]:
    """Give an executor and the number of its workers; end it where it is not the user's."""
    if executor is not None:
        yield executor, count_workers(executor, processes)
        return
    n = min(processes or 1, missing)
    if n <= 1:
        yield ThisProcess(), 1
        return
    context = multiprocessing.get_context("spawn")  # a fork would inherit running threads' locks
    with ProcessPoolExecutor(n, context, _end_with_parent) as pool:
        yield pool, n


def check_executor(executor: Any) -> None:
    """Refuse what is no executor."""
    if executor is not None and not isinstance(executor, Executor):
        raise SettingError(
            f"executor must be one of concurrent.futures, like ProcessPoolExecutor(4), got "
            f"{executor!r}; processes=4 makes one"
        )


def count_workers(executor: Executor, processes: int | None) -> int:
    """Return how many trials an executor trains at a time, as it says or the user."""
    told = (getattr(executor, name, None) for name in WORKER_COUNTS)
    found = next((n for n in told if isinstance(n, int) and n > 0), None)
    if found is None and processes is None:
        raise SettingError(
            f"{type(executor).__name__} does not tell how many workers it has; give the number of "
            "trials that it shall train at a time as processes="
        )
    return min(n for n in (found, processes) if n is not None)


def count_processes(processes: Any) -> int | None:
    """Return the number of processes; None: as many as there are workers."""
    if processes is None:
        return None
    n = arguments.count(processes, "processes")
    if n < 1:
        raise SettingError(f"processes must be at least 1, got {processes!r}")
    return n


def threads_each(n: int) -> int:
    """Return the threads of each of n workers, so that together they have those of this process."""
    return max(1, get_num_threads() // n)


def _end_with_parent() -> None:
    """Prepare a worker process: Ctrl-C is its parent's to hear, whose end is its own.

    A parent that is killed closes nothing, and a pool's worker would wait for it for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    """Finish what runs: Ctrl-C reaches all processes of a terminal, and one of them answers it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
