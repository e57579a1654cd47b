"""Helpers: threads of the process that sleep between predictions and take pieces of the next one.

Work that is dealt out piece by piece needs no certain number of threads. The calling thread begins
at once; a helper that wakes in time takes the next piece, and one that has not begun when none is
left is let go. Where another process has the second core, a call therefore waits for nobody.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import Any

import numpy as np

from ..loader.unrequested import raise_if_called
from ..records import BARRIER_STRIDE, Team
from .team import ALONE, claim, unclaim


class _Job:
    """One call for one helper, which the caller may withdraw until the helper begins it."""

    def __init__(self, function, args):
        """Note the call function(*args)."""
        self.calls = [(function, args)]  # empty once it is begun or withdrawn
        self.ended = threading.Event()
        self.error: BaseException | None = None

    def run(self):
        """Make the call, unless it was withdrawn; keep the exception that it raises."""
        try:
            function, args = self.calls.pop()
            function(*args)
        except IndexError:  # it was withdrawn: compiled code raises none
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()

    def let_go(self):
        """Withdraw the call, or wait for its end if it has begun; this may be called again."""
        try:
            self.calls.pop()
        except IndexError:
            self.ended.wait()


class _Helper:
    """A thread that runs the jobs of a queue, and sleeps while it is empty."""

    def __init__(self):
        """Start the thread; it ends with the process."""
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True, name="fastnn helper").start()

    def _serve(self):
        """Run job after job."""
        while True:
            self.jobs.get().run()


_helpers: list[_Helper] = []
_asking: threading.Lock  # held by the one call whose pieces helpers take


def _forget():
    """Reset this module: in a forked child no thread of the parent exists."""
    global _asking  # noqa: PLW0603 - the lock of the process
    _asking = threading.Lock()
    _helpers.clear()


_forget()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _gather(n):
    """Return a list of n helpers, fewer if the system can start no more threads."""
    while len(_helpers) < n:
        try:
            _helpers.append(_Helper())
        except RuntimeError:
            break
    return _helpers[:n]


def _let_go(jobs):
    """Withdraw jobs or wait for their ends; return their errors. jobs is emptied.

    If a signal's handler raises an exception meanwhile, it is raised again at the end, when no
    helper uses the caller's arrays any more.
    """
    raised, errors = None, []
    while jobs:
        try:
            jobs[-1].let_go()
            errors.append(jobs.pop().error)
        except BaseException as error:
            raised = error
    if raised is not None:
        raise raised
    return [error for error in errors if error is not None]


def run_dealt(function, args, n_threads):
    """Run function(*args, Team) here and on helpers that begin before this thread has ended.

    function: an entry point of `loader.tables` that claims its pieces by `barrier.next_chunk` and
    waits at no barrier; args: a tuple. The calling thread is thread 0 of n_threads at most; it is
    alone while helpers serve another caller.
    """
    if not _asking.acquire(blocking=False):
        function(*args, ALONE)
        return
    jobs: list[_Job] = []
    try:
        n_threads = claim(n_threads)
        helpers = _gather(n_threads - 1)
        n_threads = len(helpers) + 1
        team = Team(np.zeros(BARRIER_STRIDE * (n_threads + 1), np.int64), 0, n_threads)
        for tid, helper in enumerate(helpers, 1):
            jobs.append(_Job(function, (*args, team._replace(tid=tid))))
            helper.jobs.put(jobs[-1])
        function(*args, team)
    finally:
        errors = _let_go(jobs)
        unclaim()
        _asking.release()
    raise_if_called()
    for error in errors:
        raise error
