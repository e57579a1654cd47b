"""A companion: a thread that computes half of single rows which follow each other closely.

A row reads every weight once, and one core's bandwidth is all that it waits for. Two cores read
half each, which may then stay in each one's own cache. To wake a thread takes as long as a row of
half a million weights; so a companion stays awake between rows, and ends when none has come for
about a millisecond.
"""

from __future__ import annotations

import atexit
import os
import threading
import time

import numba
import numpy as np

from ..codegen.atomics import atomic_load, exchange, pause, yield_core
from ..compiler.jit import kernel
from .team import BARRIER_STRIDE, is_busy

#: Multiplications of a row from which on half of it takes longer than the meetings.
WORTH = 100_000
#: Seconds between rows that follow each other; how many of them are timed; the share of the time
#: alone that they may take together; and up to how many times ROWS none is called after it did not
#: help: where another process had the second core, rows took 2.5 times as long together.
QUICK, ROWS, SHARE, LONGEST = 5e-4, 20, 0.9, 1024
PAUSES, YIELDS = 2000, 1000  # with which it waits: about 0.1 ms, then nearly 1 where it is alone
#: Where the state stands in the meeting's array, and what it is: none waits; one does; it computes.
STATE = 3 * BARRIER_STRIDE
GONE, WAITING, COMPUTING = 0, 1, 2
OWNER = STATE + 1  # where the parameters lie that it reads; 0: it is let go
END = STATE + 2  # 1: it must not wait any longer

_current = []  # (thread, where it meets) of this process's companion, for there are never two
_starting = threading.Lock()  # in a child forked meanwhile for ever, which then does without
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_current.clear)


@atexit.register
def _end():
    """Let no companion run code that the end of the process takes away, and none begin."""
    _starting.acquire(blocking=False)
    for thread, meeting in _current:
        meeting[OWNER], meeting[END] = 0, 1
        if thread.ident is not None:
            thread.join()


@kernel
def asked(meeting, owner):
    """Take the companion for a row, if one waits that reads those parameters."""
    return meeting[OWNER] == owner and exchange(meeting, STATE, WAITING, COMPUTING)


@kernel
def begin(meeting):
    """Wait for the first row."""
    exchange(meeting, STATE, GONE, WAITING)


@kernel
def wait(meeting):
    """Return True once there is a row to compute half of, False when none has come for long."""
    idle = 0
    while True:
        if atomic_load(meeting, STATE) == COMPUTING:
            return True
        idle = PAUSES + YIELDS if atomic_load(meeting, END) != 0 else idle + 1
        if idle < PAUSES:
            pause()
        elif idle < PAUSES + YIELDS:
            yield_core()
        elif exchange(meeting, STATE, WAITING, GONE):
            return False


@kernel
def release(meeting):
    """Wait for the next row; before the last meeting of this one, so that none comes too early."""
    exchange(meeting, STATE, COMPUTING, WAITING)


class Company:
    """What the rows of a network on one thread need of a companion: where they meet, and for what.

    A companion that does not help is let go, and called again after a while that doubles each time.
    """

    def __init__(self, function):
        """function(*args, meeting, 1, 2) waits, computes and releases."""
        self.function, self.meeting = function, np.zeros(4 * BARRIER_STRIDE, np.int64)
        self.ready = False
        self.ended, self.rows, self.first = 0.0, 0, 0.0  # the last row; rows since the first one
        self.alone, self.fresh = 0.0, False  # seconds that ROWS took alone; it has just been called
        self.rest, self.resting = 1, 0  # how often it is not called after a failure; still to go

    def prepare(self, args):
        """Compile what a companion runs."""
        self.function.compile(tuple(map(numba.typeof, (*args, self.meeting, 1, 2))))
        self.ready = True

    def is_due(self, began):
        """Tell, after a row, whether ROWS have followed each other closely by now."""
        now = time.perf_counter()
        if began - self.ended > QUICK:
            self.rows, self.first = 0, began
        self.rows, self.ended = self.rows + 1, now
        return self.rows >= ROWS

    def judge(self, args, theta, threads):
        """Call a companion, which reads theta, after rows alone; let go of one that is no help."""
        took, self.rows, self.first = self.ended - self.first, 0, self.ended
        free = threads() > 1 and not is_busy()
        if self.meeting[OWNER] != 0 and self.meeting[STATE] != GONE:
            helps = self.fresh or took < SHARE * self.alone
            self.fresh = False
            if not (free and helps):
                self.meeting[OWNER] = 0
                self.resting, self.rest = self.rest, min(2 * self.rest, LONGEST)
            elif took < SHARE * self.alone:
                self.rest = 1
            return
        self.alone = took
        if self.resting > 0:
            self.resting -= 1
        elif free:
            self._call(args, theta)

    def _call(self, args, theta):
        """Start one, unless there is one already or the system has no thread."""
        if any(thread.is_alive() for thread, _ in _current) or not _starting.acquire(False):
            return
        try:
            if not self.ready:
                self.prepare(args)
            meeting = self.meeting = np.zeros_like(self.meeting)
            meeting[OWNER], self.fresh = theta.ctypes.data, True
            thread = threading.Thread(
                target=self.function, args=(*args, meeting, 1, 2), daemon=True, name="fastnn"
            )
            _current[:] = [(thread, meeting)]
            thread.start()
        except RuntimeError:
            _current.clear()
            self.resting = LONGEST
        finally:
            _starting.release()
