"""The size of the team that trains beside a reader: all threads or one fewer, by what is faster."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Windows of a trial, half of them by each size; and from the begin of one trial to the next.
TRIAL, CYCLE = 6, 64


class TeamSize:
    """How many threads train on the next window; results do not depend on it.

    A reader that unpacks or copies rows needs a core. Where none is free, a team of one thread
    fewer may be the faster one, because none of its threads waits for another that has lost its
    core. Each is tried in windows that follow one another, and the faster one takes those up to
    the next trial. The first window of each does not count: the reader filled it beside the other
    size, ahead of a slower one or behind a faster one.

    Parameters
    ----------
    threads : int
        All that may train.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(self, threads: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._sizes = threads, max(1, threads - 1)
        self._clock, self._best, self._windows = clock, threads, 0
        self._paces: dict[int, float] = {}  # seconds of the counted rows of each size in a trial
        self._trial: tuple[int, int, float] | None = None  # size, rows and begin of a window

    def of_next(self, n_rows: int, ends_epoch: bool) -> int:
        """Return the size for a window of so many rows that begins now.

        A window that ends its epoch is no trial: scores may be taken behind it. Nor is one of no
        rows, as the last but one may be, whose rows are left over for the last.
        """
        now = self._clock()
        if self._trial is not None:
            size, rows, began = self._trial
            self._paces[size] = self._paces.get(size, 0.0) + (now - began) / rows
            self._trial = None
        if ends_epoch or not n_rows:
            return self._best
        place, self._windows = self._windows % CYCLE, self._windows + 1
        if place == 0:  # the first window of a fit may wait for kernels
            self._paces = {}
        elif place <= TRIAL:
            run, before = divmod(place - 1, TRIAL // 2)
            size = self._sizes[1 - run]
            if before:
                self._trial = size, n_rows, now
            return size
        elif place == TRIAL + 1:
            self._best = min(self._paces, key=self._paces.__getitem__)
        return self._best
