"""The row worker: a thread that computes half of the units in predictions of single examples.

"Row" means one example in this module. Predicting a row reads every weight once, and the bandwidth
of one core limits it; two cores read half of the weights each, and each half may stay in its core's
cache. Waking a thread takes as long as a row of half a million weights, so the worker polls between
rows, and ends when no row has come for about a millisecond. Trials of a few rows measure whether it
helps.
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

#: Multiplications of one example's prediction from which on a worker is tried: in smaller networks
#: the barriers take longer than half of the prediction.
MIN_ROW_FLOPS = 100_000
MAX_GAP = 5e-4  # seconds from a prediction to the next of one trial, at most
ROWS_PER_TRIAL = 20  # predictions of one example in one trial, whose time is measured as a whole
#: A worker is kept if a trial takes less than this share of the time of the last trial without one.
MAX_TIME_SHARE = 0.9
#: A worker that does not help is dismissed; then some trials run without one before the next is
#: started: 1 after the first failure, twice as many after each further one, at most this many.
#: Trying costs time: where another process used the second core, predictions took 2.5 times as
#: long with a worker.
MAX_REST = 1024
#: Index in the barrier vector of the worker's state, behind the counters of a team of two threads.
STATE = 3 * BARRIER_STRIDE
GONE, WAITING, COMPUTING = 0, 1, 2  # states: no worker; it polls for an example; it computes one
OWNER = STATE + 1  # index of the address of theta that the worker reads; 0: it is dismissed
END = STATE + 2  # index of a flag; 1: the worker must end without waiting any longer
EXAMPLES = STATE + 3  # index of the number of examples that caller and worker compute

_current: list[Any] = []  # [(thread, barrier)] of the one worker of this process, or []
#: Held while a worker is started. A child that is forked meanwhile never gets it and has no worker.
_starting = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_current.clear)


@atexit.register
def _end():
    """At the end of the process, wait until the row worker has ended, and let no other one start.

    Otherwise it could still run compiled code when the interpreter frees that code.
    """
    _starting.acquire(blocking=False)
    for thread, barrier in _current:
        barrier[OWNER], barrier[END] = 0, 1
        if thread.ident is not None:
            thread.join()


class RowWorker:
    """Starts and dismisses the row worker for one network and one calling thread.

    A trial is ROWS_PER_TRIAL predictions of one example each; it measures their time, with or
    without a worker. A worker that does not help is dismissed. Then follow trials without a worker
    until the next one starts; their number doubles with each failure.
    """

    def __init__(self, function):
        """Note the function of the worker's thread, and make its barrier.

        function: the entry point of `step.few_rows.serve_rows`. The thread calls
        function(*args, Team(barrier, 1, 2)), which computes its half of one example after another
        until the worker ends.
        """
        self.function, self.barrier = function, np.zeros(4 * BARRIER_STRIDE, np.int64)
        # Time at which the last row ended, rows of this trial, time at which the trial began.
        self.ended, self.rows, self.first = 0.0, 0, 0.0
        self.examples = 1  # examples of each prediction of this trial
        self.alone = 0.0  # seconds of the last trial without a worker, for each example
        self.just_started = False  # whether the worker started at the end of the last trial
        # Trials without a worker after the next failure, and how many of the current ones remain.
        self.rest, self.resting = 1, 0

    def is_due(self, began, examples=1):
        """Count a prediction that has just ended; return a bool: whether it completes a trial.

        began: the time at which the prediction began, by time.perf_counter, in seconds; examples:
        how many it was of. A gap of more than MAX_GAP seconds before it, or another number of
        examples, begins the trial anew. A trial has ROWS_PER_TRIAL predictions.
        """
        now = time.perf_counter()
        if began - self.ended > MAX_GAP or examples != self.examples:
            self.rows, self.first, self.examples = 0, began, examples
        self.rows, self.ended = self.rows + 1, now
        return self.rows >= ROWS_PER_TRIAL

    def judge(self, args, theta, threads):
        """End a trial: start a worker, keep the running one, or dismiss it.

        args: a tuple of the arguments of the worker's function without the Team; theta (p,): the
        parameters among args, whose address tells the worker's network; threads(): returns how many
        threads the caller may use, an int.
        """
        took = (self.ended - self.first) / self.examples
        self.rows, self.first = 0, self.ended
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
        """Start the worker's thread; do nothing if the process has a row worker already.

        args: a tuple of the arguments of the worker's function without the Team; theta (p,): the
        parameters among args. If the system has no thread left, MAX_REST trials without a worker
        follow.
        """
        if any(thread.is_alive() for thread, _ in _current) or not _starting.acquire(False):
            return
        try:
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
