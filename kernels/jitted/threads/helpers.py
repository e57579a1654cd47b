"""Helpers: threads of the process that take pieces of a prediction, and stay awake for the next.

Work that is dealt out piece by piece needs no certain number of threads. The calling thread begins
at once; a helper that comes in time takes the next piece, and one that has not begun when none is
left is let go. Where another process has the second core, a call therefore waits for nobody.

To wake a sleeping thread takes 30 to 100 µs, about as long as a prediction of 100 examples. So a
helper polls a mailbox, without Python's lock, for about as long as the last call took, 0.3 ms at
most; then it sleeps until the next call wakes it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from typing import Any

import numpy as np

from ..loader.tables import entry_point
from ..records import BARRIER_STRIDE
from .team import is_busy

#: Indices into a mailbox, a vector of int64, besides records.NEXT_CHUNK: each in cache lines of its
#: own, but for those that only the caller writes before it posts a job. SEATS: how many helpers may
#: still join the job; ENDED: how many have joined and ended; TAKEN: 1 while a call has the mailbox;
#: AWAKE: helpers that poll or work; MUST_END: 1 once helpers must end; IDLE_POLLS: after how many
#: polls without a job a helper sleeps; N_THREADS: threads of the job; JOB: its arguments.
SEATS, ENDED, TAKEN, AWAKE = (BARRIER_STRIDE * i for i in range(1, 5))
MUST_END, IDLE_POLLS, N_THREADS = (BARRIER_STRIDE * 5 + i for i in range(3))
JOB, SIZE = BARRIER_STRIDE * 6, BARRIER_STRIDE * 16
MIN_PIECE = 8  # examples of a piece, at least, or a vector's lanes
#: Polls of a waiting helper, each with a pause of some 30 ns: at least, at most, and how many
#: multiplications of the last call there are for each of them. After a call whose numbers have
#: driven Python's code out of the caches, Python takes 0.1 to 0.2 ms until the next one begins.
MIN_IDLE_POLLS, MAX_IDLE_POLLS, FLOPS_PER_POLL = 1500, 10_000, 1000


class _Helper:
    """A thread that serves a mailbox each time it is woken, and sleeps in between."""

    def __init__(self, serve, mailbox, numbers):
        """Start the thread, asleep; serve: the entry point of `step.prediction.serve_pieces`."""
        self.bell = threading.Lock()  # released to wake the thread
        self.bell.acquire()
        self.thread = threading.Thread(
            target=self._serve, args=(serve, mailbox, numbers), daemon=True, name="fastnn helper"
        )
        self.thread.start()

    def _serve(self, serve, mailbox, numbers):
        """Serve the mailbox whenever the bell rings, until helpers must end."""
        while not mailbox[MUST_END]:
            self.bell.acquire()
            serve(mailbox, numbers)

    def wake(self):
        """Ring the bell, unless it has rung already and the thread has not come yet."""
        if self.bell.locked():
            with contextlib.suppress(RuntimeError):  # another caller has rung it meanwhile
                self.bell.release()


class _Crew:
    """The helpers for networks of one dtype, and their mailbox."""

    def __init__(self, dtype):
        """Make the mailbox; threads are started when a call first wants them."""
        self.mailbox = np.zeros(SIZE, np.int64)
        self.helpers: list[_Helper] = []
        self.dtype = dtype

    def wake(self, n, flops):
        """Wake n helpers for a call of `flops` multiplications; return how many there are, ≤ n."""
        mailbox = self.mailbox
        mailbox[IDLE_POLLS] = max(MIN_IDLE_POLLS, min(flops // FLOPS_PER_POLL, MAX_IDLE_POLLS))
        while len(self.helpers) < n:
            try:
                serve = entry_point("step.prediction.serve_pieces", self.dtype)
                self.helpers.append(_Helper(serve, mailbox, np.empty(0, self.dtype)))
            except RuntimeError:  # the system has no thread left
                break
        if mailbox[AWAKE] < n:
            for helper in self.helpers[:n]:
                helper.wake()
        return min(n, len(self.helpers))


_crews: dict[Any, _Crew] = {}  # by dtype
_ending: list[bool] = []  # [True] once the process ends


def _forget():
    """Reset this module: in a forked child no thread of the parent exists."""
    _crews.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@atexit.register
def _end():
    """At the end of the process, wait until all helpers have ended; none is started any more.

    Otherwise one could still run compiled code when the interpreter frees that code.
    """
    _ending.append(True)
    for crew in _crews.values():
        crew.mailbox[MUST_END] = 1
        for helper in crew.helpers:
            helper.wake()
            helper.thread.join()


def run_dealt(function, args, dtype, n_threads, flops):
    """Call function(*args, mailbox, n) here, and let helpers that begin in time take pieces of it.

    function: the entry point of `step.prediction.predict_dealt`, for networks of a NumPy dtype;
    args: a tuple of its other arguments; n_threads: how many threads may take pieces, at most: this
    one is alone while a team of the process works. flops: multiplications of the call.
    """
    crew = _crews.get(dtype)
    if crew is None:
        crew = _crews.setdefault(dtype, _Crew(dtype))
    n = 1 if _ending or is_busy() else 1 + crew.wake(n_threads - 1, flops)
    function(*args, crew.mailbox, n)
