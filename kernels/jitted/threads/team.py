"""The fork-join team: Python threads that execute one compiled function (nogil) at the same time.

Numba's own threading layers cost 1.6 to 27 µs for each parallel region, and some abort when two
threads enter one, or after a fork. Inside the compiled function the threads allocate nothing, raise
nothing and touch no Python object. The flag ABORTED of the barrier makes all threads leave; it is
set before a thread begins or after it has ended, never between two barriers: therefore either all
threads leave before the first update, or none does.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import Any

import numpy as np

from ..loader.unrequested import raise_if_called
from ..records import ABORTED, BARRIER_STRIDE, Team

#: The team of one thread. All such teams share this barrier, because nobody writes to it.
ALONE = Team(np.zeros(2 * BARRIER_STRIDE, np.int64), 0, 1)


class _Worker:
    """A thread that takes jobs (function, args) from a queue, and sleeps while it is empty."""

    def __init__(self):
        """Make the queues and the thread, which the caller starts."""
        self.jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.replies: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, daemon=True, name="fastnn")

    def end(self):
        """Make the thread end after its job, and wait for it; one never started needs no wait."""
        self.jobs.put(None)
        if self.thread.ident is not None:
            self.thread.join()

    def _serve(self):
        """Run the queue's jobs until one is None; reply to each with None or its exception."""
        while (job := self.jobs.get()) is not None:
            reply = _run_job(*job)
            job = None  # the arrays of the job may be freed while the thread is idle
            self.replies.put(reply)


def _run_job(function, args):
    """Run function(*args), where args[-1] is a Team; return None, or the exception that it raised.

    An exception first sets ABORTED in the team's barrier, which releases the other threads.
    """
    try:
        function(*args)
    except BaseException as error:
        args[-1].barrier[ABORTED] = 1
        return error
    return None


class _Pool:
    """The workers that one calling thread keeps, and a count of its calls' multiplications."""

    def __init__(self):
        """Begin with an empty list of workers and 0 multiplications."""
        self.workers, self.multiplications = [], 0

    def gather(self, n):
        """Return a list of n `_Worker`s, of which the missing ones are started.

        The list is shorter if the system can start no more threads.
        """
        while len(self.workers) < n:
            worker = _Worker()
            try:
                worker.thread.start()
            except RuntimeError:
                break
            except BaseException:
                worker.end()  # a signal can interrupt `start` after the thread has begun
                raise
            self.workers.append(worker)
        return self.workers[:n]

    def dismiss(self):
        """End all workers and wait for them.

        If a signal's handler raises an exception meanwhile, it is raised again at the end, when no
        thread uses the caller's arrays any more.
        """
        raised = None
        while self.workers:
            try:
                self.workers[-1].end()
                self.workers.pop()
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised


_own: threading.local  # its attribute `pool` is the calling thread's _Pool, or None
_lock: threading.Lock  # held while a call decides how many threads it uses


def _forget():
    """Reset this module: in a forked child no thread of the parent exists."""
    global _own, _lock
    _own, _lock = threading.local(), threading.Lock()
    _claims.clear()


#: How many threads each thread in `run_parallel` holds, itself included, by its ident.
_claims: dict[int, int] = {}
_forget()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def keep_team():
    """Keep the threads that calls in a `with` block start, until the block ends; yield a _Pool.

    Waking a thread takes 30 µs, starting one 300 µs. A block within a block uses the outer block's
    threads.
    """
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
    """Add `multiplications`, a count, to those of this thread's `keep_team` block; return the sum.

    Outside a block the sum is `multiplications`. Callers start no threads while the sum is small.
    """
    pool = getattr(_own, "pool", None) or _Pool()
    pool.multiplications += multiplications
    return pool.multiplications


def is_busy():
    """Return a bool: whether a thread of this process is in `run_parallel`, even alone."""
    return bool(_claims)


def claim(n_threads):
    """Claim up to n_threads threads for the calling thread, itself included; return how many.

    Those that other callers hold are subtracted, but the caller always has its own.
    """
    caller = threading.get_ident()
    with _lock:
        others = sum(held for thread, held in list(_claims.items()) if thread != caller)
        _claims[caller] = max(1, n_threads - others)
        return _claims[caller]


def unclaim():
    """Give back what the calling thread has claimed."""
    _claims.pop(threading.get_ident(), None)  # no signal handler runs in the middle of this call


def run_parallel(function, args, n_threads):
    """Run function(*args, Team) on n_threads threads at the same time; return thread 0's result.

    function: an entry point of `loader.tables`; args: a tuple. The calling thread is
    thread 0. Threads that other callers of this function hold are subtracted from n_threads; it
    becomes smaller, too, if the system can start no more threads, but never less than 1.
    """
    try:
        n_threads = claim(n_threads)
        if n_threads == 1:
            result = function(*args, ALONE)
        else:
            with keep_team() as pool:
                result = _fork_join(function, args, pool, n_threads)
        raise_if_called()
        return result
    finally:
        unclaim()


def _fork_join(function, args, pool, n_threads):
    """Run function(*args, Team) on this thread and up to n_threads − 1 workers of a _Pool.

    function: an entry point of `loader.tables`; args: a tuple. Returns this thread's result.
    An error of any thread sets ABORTED in the barrier, ends all workers, and is raised here.
    """
    workers = pool.gather(n_threads - 1)
    n_threads = 1 + len(workers)
    barrier = np.zeros(BARRIER_STRIDE * (n_threads + 1), np.int64)
    try:
        for tid, worker in enumerate(workers, 1):
            worker.jobs.put((function, (*args, Team(barrier, tid, n_threads))))
        result = function(*args, Team(barrier, 0, n_threads))
        for error in [worker.replies.get() for worker in workers]:
            if error is not None:
                raise error
    except BaseException:  # a signal handler can raise any exception at any line
        barrier[ABORTED] = 1
        pool.dismiss()
        raise
    return result
