"""Trials: whether helpers save time, judged by calls with and without them.

Where another process has the second core, a helper that has begun a piece may lose its core in the
middle, and the caller waits for it: batches of 100 examples then took 1.7 times as long.
"""

from __future__ import annotations

import math

#: Calls of a trial, whose time is measured as a whole; MIN_CALLS if they take TRIAL_SECONDS.
CALLS_PER_TRIAL, MIN_CALLS, TRIAL_SECONDS = 8, 3, 0.01
#: Seconds of calls with helpers, after some without them, that are not judged: a core that was idle
#: took 2 ms until it was as fast as the other one.
WARM_UP = 0.003
#: Helpers go on if a trial takes less than this share of the time that it would take at the pace of
#: the fastest call of the last one without them: what disturbs a call then argues against helpers.
MAX_TIME_SHARE = 0.9
#: Helpers that do not pay are left out for some trials: 1 after the first failure, twice as many
#: after each further one, at most this many.
MAX_TRIALS_LEFT_OUT = 128


class Trials:
    """The trials of like batches of one network in one thread.   deals: does the next call deal?"""

    def __init__(self, deals=False):
        """Begin with a trial without helpers, or with them; the second one is of the other kind."""
        self.deals, self.alone, self.rest, self.warming = deals, math.inf, 1, 0.0
        self._begin(1)

    def _begin(self, trials):
        """Begin as many trials of one kind, which are judged as one."""
        self.trials, self.calls, self.seconds, self.work, self.best = trials, 0, 0.0, 0, math.inf

    def _goes_on(self):
        """Return a bool: has the trial, or what is judged as one, calls to come?"""
        calls, seconds = self.calls / self.trials, self.seconds / self.trials
        return calls < MIN_CALLS or (calls < CALLS_PER_TRIAL and seconds < TRIAL_SECONDS)

    def note(self, seconds, work):
        """Note a call that took `seconds` for `work` multiplications; judge if it ends a trial."""
        if self.deals and self.warming > 0:
            self.warming -= seconds
            return
        self.calls += 1
        self.seconds += seconds
        self.work += work
        self.best = min(self.best, seconds / work)
        if self._goes_on():
            return
        rest = 1
        if not self.deals:
            self.deals, self.alone, self.warming = True, self.best, WARM_UP
        elif math.isinf(self.alone):
            self.deals = False
        elif self.seconds < MAX_TIME_SHARE * self.alone * self.work:
            self.rest = 1
        else:
            self.deals, rest, self.rest = False, self.rest, min(2 * self.rest, MAX_TRIALS_LEFT_OUT)
        self._begin(rest)
