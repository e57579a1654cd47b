"""A row worker: a thread that computes half of single rows which follow each other closely.

A row reads every weight once, and one core's bandwidth is all that it waits for. Two cores read
half each, which may then stay in each one's own cache. Waking a thread takes as long as a row of
half a million weights; so a row worker stays awake between rows, and ends when none has come for
about a millisecond.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from typing import Any

import numpy as np

from ..records import BARRIER_STRIDE, Team
from .team import is_busy

#: Multiplications of a row from which on half of it takes longer than the barriers.
MIN_ROW_FLOPS = 100_000
MAX_GAP = 5e-4  # seconds between rows that follow each other closely
ROWS_PER_TRIAL = 20  # rows that are timed together
MAX_TIME_SHARE = 0.9  # of the time alone, which rows with a worker may take at most
#: Trials without a worker after several that did not help, at most: where another process had the
#: second core, rows took 2.5 times as long with one.
MAX_REST = 1024
#: Where the handoff of rows begins in the barrier of two threads, and its states: no worker waits;
#: one waits; it computes.
STATE = 3 * BARRIER_STRIDE
GONE, WAITING, COMPUTING = 0, 1, 2
OWNER = STATE + 1  # address of the parameters that the worker reads; 0: it is dismissed
END = STATE + 2  # 1: it must not wait any longer

_current: list[Any] = []  # (thread, barrier) of this process's row worker, for there are never two
_starting = threading.Lock()  # in a child forked meanwhile for ever, which then does without
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_current.clear)


@atexit.register
def _end():
    """Let no worker run code that the end of the process takes away, and none begin."""
    _starting.acquire(blocking=False)
    for thread, barrier in _current:
        barrier[OWNER], barrier[END] = 0, 1
        if thread.ident is not None:
            thread.join()


class RowWorker:
    """The row worker of a network's rows on one thread: its barrier, and whether it is worth it.

    A worker that does not help is dismissed, and started again after a while that doubles each
    time.
    """

    def __init__(self, function):
        """function(*args, Team(barrier, 1, 2)) waits for rows, computes and releases."""
        self.function, self.barrier = function, np.zeros(4 * BARRIER_STRIDE, np.int64)
        self.ready = False  # whether the function is compiled
        self.ended, self.rows, self.first = 0.0, 0, 0.0  # the last row; rows since the first one
        self.alone = 0.0  # seconds that the rows of the last trial without a worker took
        self.just_started = False
        self.rest, self.resting = 1, 0  # trials without a worker after a failure; still to go

    def prepare(self, args):
        """Compile what the worker runs."""
        self.function.prepare(*args, Team(self.barrier, 1, 2))
        self.ready = True

    def is_due(self, began):
        """Tell, after a row that began at that time, whether a trial's rows followed closely."""
        now = time.perf_counter()
        if began - self.ended > MAX_GAP:
            self.rows, self.first = 0, began
        self.rows, self.ended = self.rows + 1, now
        return self.rows >= ROWS_PER_TRIAL

    def judge(self, args, theta, threads):
        """After a trial, start a worker that reads theta, or dismiss one that is no help.

        threads() tells how many threads may be used.
        """
        took, self.rows, self.first = self.ended - self.first, 0, self.ended
        free = threads() > 1 and not is_busy()
        if self.barrier[OWNER] != 0 and self.barrier[STATE] != GONE:
            helps = self.just_started or took < MAX_TIME_SHARE * self.alone
            self.just_started = False
            if not (free and helps):
                self.barrier[OWNER] = 0
                self.resting, self.rest = self.rest, min(2 * self.rest, MAX_REST)
            elif took < MAX_TIME_SHARE * self.alone:
                self.rest = 1
            return
        self.alone = took
        if self.resting > 0:
            self.resting -= 1
        elif free:
            self._start(args, theta)

    def _start(self, args, theta):
        """Start a worker, unless there is one already or the system has no thread."""
        if any(thread.is_alive() for thread, _ in _current) or not _starting.acquire(False):
            return
        try:
            if not self.ready:
                self.prepare(args)
            barrier = self.barrier = np.zeros_like(self.barrier)
            barrier[OWNER], self.just_started = theta.ctypes.data, True
            thread = threading.Thread(
                target=self.function, args=(*args, Team(barrier, 1, 2)), daemon=True, name="fastnn"
            )
            _current[:] = [(thread, barrier)]
            thread.start()
        except RuntimeError:
            _current.clear()
            self.resting = MAX_REST
        finally:
            _starting.release()
