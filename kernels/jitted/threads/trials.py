"""Trials: whether helpers save time, judged by calls with and without them.

Where another process has the second core, a helper that has begun a piece may lose its core in the
middle, and the caller waits for it: batches of 100 examples then took 1.7 times as long.
"""

from __future__ import annotations

CALLS_PER_TRIAL = 8  # whose time is measured as a whole
#: Helpers go on if a trial takes less than this share of the time of the last one without them.
MAX_TIME_SHARE = 0.9
#: Helpers that do not pay are left out for some trials: 1 after the first failure, twice as many
#: after each further one, at most this many.
MAX_TRIALS_LEFT_OUT = 128


class Trials:
    """The trials of one network's batches in one thread.   deals: whether the next call deals."""

    def __init__(self):
        """Begin with a trial without helpers."""
        self.deals, self.alone, self.rest = False, 0.0, 1
        self._begin(1)

    def _begin(self, trials):
        """Begin as many trials of one kind, which are judged as one."""
        self.calls, self.seconds, self.work = trials * CALLS_PER_TRIAL, 0.0, 0

    def note(self, seconds, work):
        """Note a call that took `seconds` for `work` multiplications; judge if it ends a trial."""
        self.calls, self.seconds, self.work = (
            self.calls - 1,
            self.seconds + seconds,
            self.work + work,
        )
        if self.calls > 0:
            return
        pace, rest = self.seconds / self.work, 1
        if not self.deals:
            self.deals, self.alone = True, pace
        elif pace < MAX_TIME_SHARE * self.alone:
            self.rest = 1
        else:
            self.deals, rest, self.rest = False, self.rest, min(2 * self.rest, MAX_TRIALS_LEFT_OUT)
        self._begin(rest)
