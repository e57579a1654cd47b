"""Dealing: tasks of one thread each, taken by several threads one after the other."""

from __future__ import annotations

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from fastnn._runtime.threads import limited

from .interrupts import Interrupts

Task = TypeVar("Task")


def deal(
    tasks: Iterable[Task], run: Callable[[Task], None], n_threads: int, interrupts: Interrupts
) -> None:
    """Call run(task) for each task, on this thread and n_threads − 1 others.

    A thread takes the next task when it is done with one. None is begun after Ctrl-C, nor after an
    error, which ends the tasks that are under way as Ctrl-C does; the first error is raised once no
    thread works any more.
    """
    rest, errors = deque(tasks), list[BaseException]()

    def work() -> None:
        with limited(1):
            while not interrupts.seen:
                try:
                    task = rest.popleft()
                except IndexError:
                    return
                try:
                    run(task)
                except BaseException as error:
                    errors.append(error)
                    if isinstance(error, Exception) and not interrupts.seen:
                        interrupts.failed = True
                    interrupts.seen = True

    threads = _start(work, n_threads - 1)
    try:
        work()
    except BaseException:  # a second Ctrl-C can come at any line
        interrupts.seen = True
        raise
    finally:
        _join(threads, interrupts)
    if errors:
        raise errors[0]


def _start(work: Callable[[], None], n: int) -> list[threading.Thread]:
    """Return n threads that run `work` in this context, or as many as the system can start."""
    threads: list[threading.Thread] = []
    for _ in range(n):
        run = contextvars.copy_context().run
        thread = threading.Thread(target=run, args=(work,), name="fastnn", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            break
        threads.append(thread)
    return threads


def _join(threads: Iterable[threading.Thread], interrupts: Interrupts) -> None:
    """Wait for all threads; a second Ctrl-C meanwhile is raised at the end."""
    raised = None
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except BaseException as error:
                interrupts.seen, raised = True, error
    if raised is not None:
        raise raised
