"""A companion: a thread that computes half of single rows which follow each other closely.

A row reads every weight once, and one core's bandwidth is all that it waits for. Two cores read
half each, which may then stay in each one's own cache. To wake a thread takes as long as a row of
half a million weights; so a companion stays awake between rows, and ends when none has come for
about a millisecond.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time

import numba
import numpy as np

from ._atomic import give_way, pause, read, swap
from ._jit import kernel
from .team import ABORT, LINE, aborted, busy

#: Multiplications of a row from which on half of it takes longer than the meetings.
WORTH = 100_000
QUICK, ROWS = 5e-4, 20  # seconds between rows, and how many in a row call for a companion
PAUSES, YIELDS = 2000, 1000  # with which it waits: about 0.1 ms, then nearly 1 where it is alone
#: Where the state stands in the meeting's array, and what it is: none waits; one does; it computes.
STATE = 3 * LINE
GONE, WAITING, COMPUTING = 0, 1, 2
OWNER = STATE + 1  # where the parameters lie that it reads

_current = []  # (thread, where it meets) of this process's companion, for there are never two
_starting = threading.Lock()  # in a child forked meanwhile for ever, which then does without
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_current.clear)


@atexit.register
def _end():
    """Let no companion run code that the end of the process takes away."""
    for thread, meeting in _current:
        meeting[ABORT] = 1
        thread.join()


@kernel
def asked(meeting, owner):
    """Take the companion for a row, if one waits that reads those parameters."""
    return meeting[OWNER] == owner and swap(meeting, STATE, WAITING, COMPUTING)


@kernel
def begin(meeting):
    """Wait for the first row."""
    swap(meeting, STATE, GONE, WAITING)


@kernel
def wait(meeting):
    """Return True once there is a row to compute half of, False when none has come for long."""
    idle = 0
    while not aborted(meeting):
        if read(meeting, STATE) == COMPUTING:
            return True
        idle += 1
        if idle < PAUSES:
            pause()
        elif idle < PAUSES + YIELDS:
            give_way()
        elif swap(meeting, STATE, WAITING, GONE):
            break
    return False


@kernel
def release(meeting):
    """Wait for the next row; before the last meeting of this one, so that none comes too early."""
    swap(meeting, STATE, COMPUTING, WAITING)


class Company:
    """What the rows of a network on one thread need of a companion: where they meet, how often."""

    def __init__(self, function):
        """function(*args, meeting, 1, 2) waits, computes and releases."""
        self.function, self.meeting = function, np.zeros(4 * LINE, np.int64)
        self.ended, self.rows = 0.0, 0

    def prepare(self, args):
        """Compile what a companion runs."""
        self.function.compile(tuple(map(numba.typeof, (*args, self.meeting, 1, 2))))

    def is_called(self):
        """Tell, after each row, whether by now so many have followed each other closely."""
        before, self.ended = self.ended, time.perf_counter()
        self.rows = self.rows + 1 if self.ended - before < QUICK else 0
        return self.rows >= ROWS

    def call(self, args, theta, threads):
        """Start one, which reads theta, where a thread is free for it; or let it go."""
        self.rows = 0
        if threads() < 2 or busy():
            self.meeting[OWNER] = 0
        elif self.meeting[STATE] == GONE:
            self.prepare(args)
            self._start(args, theta.ctypes.data)

    def _start(self, args, owner):
        """Start a companion, unless there is one already or the system has no thread."""
        if not _starting.acquire(blocking=False):
            return
        try:
            if any(thread.is_alive() for thread, _ in _current):
                return
            meeting = self.meeting = np.zeros_like(self.meeting)
            meeting[OWNER] = owner
            thread = threading.Thread(
                target=self.function, args=(*args, meeting, 1, 2), daemon=True, name="fastnn"
            )
            with contextlib.suppress(RuntimeError):
                thread.start()
                _current[:] = [(thread, meeting)]
        finally:
            _starting.release()
