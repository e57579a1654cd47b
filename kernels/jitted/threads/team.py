"""A fork-join team: plain threads that execute one nogil compiled function at the same time.

Numba's own threading layers cost 1.6 to 27 µs a region, and some abort on concurrent entry or die
after a fork. Threads of a team allocate nothing, raise nothing and touch no Python object while
they compute. An abort is set before a thread begins or after it has ended, never between two
barriers: so all threads leave before the first update, or none.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import Any

import numpy as np

from ..compiler.unrequested import raise_if_called
from ..records import ABORTED, BARRIER_STRIDE, Team

#: The team of one thread, whose barrier nobody writes to.
_ALONE = Team(np.zeros(2 * BARRIER_STRIDE, np.int64), 0, 1)


class _Worker:
    """A thread that runs what it is given and sleeps in between."""

    def __init__(self):
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, daemon=True, name="fastnn")

    def end(self):
        """Return once the thread has ended, or never began."""
        self.jobs.put(None)
        if self.thread.ident is not None:
            self.thread.join()

    def _serve(self):
        while (job := self.jobs.get()) is not None:
            reply = _run_job(*job)
            job = None  # an idle thread keeps no array alive
            self.replies.put(reply)


def _run_job(function, args):
    """Run function(*args); return the error that kept it from it, once the others are released."""
    try:
        function(*args)
    except BaseException as error:
        args[-1].barrier[ABORTED] = 1
        return error
    return None


class _Pool:
    """The workers that a caller keeps beside its own thread, and its multiplications so far."""

    def __init__(self):
        self.workers, self.multiplications = [], 0

    def gather(self, n):
        """Return n workers, started where too few run: fewer if the system has no more threads."""
        while len(self.workers) < n:
            worker = _Worker()
            try:
                worker.thread.start()
            except RuntimeError:
                break
            except BaseException:
                worker.end()  # if it has begun after all
                raise
            self.workers.append(worker)
        return self.workers[:n]

    def dismiss(self):
        """End all workers; what a signal raises waits until no thread uses an array any more."""
        raised = None
        while self.workers:
            try:
                self.workers[-1].end()
                self.workers.pop()
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised


_own: threading.local  # its `team` is the one of the thread that asks
_lock: threading.Lock  # held while a team's size is settled


def _forget():
    """Begin without workers: a forked child has none of its parent's threads."""
    global _own, _lock
    _own, _lock = threading.local(), threading.Lock()  # _own.pool: of the thread that asks
    _claims.clear()


_claims: dict[int, int] = {}  # how many threads every thread that computes uses, itself included
#: Functions, each with the types of its arguments, that need no compiler any more.
_ready: set[Any] = set()
_forget()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def keep_team():
    """Keep the threads that calls within this block start: waking costs 30 µs, starting 300."""
    pool = getattr(_own, "pool", None)
    if pool is not None:
        yield pool
        return
    pool = _own.pool = _Pool()
    try:
        yield pool
    finally:
        _own.pool = None
        pool.dismiss()


def accumulate_flops(multiplications):
    """Return all that this block has multiplied, with these: no thread is started for little."""
    pool = getattr(_own, "pool", None) or _Pool()
    pool.multiplications += multiplications
    return pool.multiplications


def is_busy():
    """Tell whether any thread computes with a team, or alone what a team might."""
    return bool(_claims)


def run_parallel(function, args, n_threads):
    """Run function(*args, Team) on `n_threads` threads, this one being thread 0.

    The threads that other callers hold are taken off, and it runs on fewer where the system has no
    thread left. Returns what the function returns here.
    """
    caller = threading.get_ident()
    try:
        with _lock:
            others = sum(held for thread, held in list(_claims.items()) if thread != caller)
            n_threads = _claims[caller] = max(1, n_threads - others)
        if n_threads == 1:
            result = function(*args, _ALONE)
        else:
            with keep_team() as pool:
                result = _fork_join(function, args, pool, n_threads)
        raise_if_called()
        return result
    finally:
        _claims.pop(caller, None)  # one call, which no signal divides


def _types(args):
    """Yield what tells the types of arguments apart: dtypes, those of records' fields too."""
    for arg in args:
        if isinstance(arg, tuple):
            yield from _types(arg)
        else:
            yield getattr(arg, "dtype", type(arg))


def _fork_join(function, args, pool, n_threads):
    """Run function on this thread and up to n_threads − 1 others; return what it returns here."""
    workers = pool.gather(n_threads - 1)
    n_threads = 1 + len(workers)
    barrier = np.zeros(BARRIER_STRIDE * (n_threads + 1), np.int64)
    types = (function, *_types(args))
    if types not in _ready:  # here, for Ctrl-C stops this thread only, not one that compiles
        function.prepare(*args, Team(barrier, 0, n_threads))
        _ready.add(types)
    try:
        for tid, worker in enumerate(workers, 1):
            worker.jobs.put((function, (*args, Team(barrier, tid, n_threads))))
        result = function(*args, Team(barrier, 0, n_threads))
        for error in [worker.replies.get() for worker in workers]:
            if error is not None:
                raise error
    except BaseException:  # a signal's handler may raise anything, anywhere
        barrier[ABORTED] = 1
        pool.dismiss()
        raise
    return result
