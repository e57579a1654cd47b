"""Pruning: trials that end early, for they are worse than the median of earlier ones.

The rule is that of Optuna's MedianPruner (Golovin et al. 2017, "Google Vizier", §3.2.2 has one
like it): a trial ends at the step where its best value so far is worse than the median of others'
values at that step. Which others is decided by numbers, not by who was faster: a trial of the
whole space is compared with the first half of those before it, a refined one with all that are
not. So any number of processes prunes the same, and the values to reach are known when a trial
begins and travel with it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping

from fastnn.errors import SettingError
from fastnn.history import History, higher_is_better
from fastnn.network import Network

#: Finished trials before one may be pruned.
N_STARTUP_TRIALS = 5


class PruningCallback:
    """Keeps the monitored curve, and stops a fit that stays below its bars.

    `pruned` tells whether that happened, `curve` the value of each step.
    """

    def __init__(self, monitor: str, bars: Mapping[int, float]) -> None:
        self._monitor, self._bars = monitor, bars
        self._sign = 1 if higher_is_better(monitor) else -1
        self.curve: dict[int, float] = {}
        self.pruned = False

    def __call__(self, network: Network, history: History) -> bool:
        """Note the epoch; return True if the trial is pruned."""
        if self._monitor not in history:
            raise SettingError(
                f"monitor is {self._monitor!r}, but the history holds {', '.join(history)}; choose "
                "one of those, or give validation examples"
            )
        step = history.epochs - 1
        self.curve[step] = float(history[self._monitor][-1])
        if step in self._bars:
            known = [self._sign * v for v in self.curve.values() if not math.isnan(v)]
            best = max(known, default=-math.inf)
            self.pruned = not best >= self._sign * self._bars[step]
        return self.pruned


def bars(curves: Iterable[Mapping[int, float]], epochs: int) -> dict[int, float]:
    """Return what a trial must reach at each step, of the curves of finished trials.

    The first fifth of the epochs is free, and so is everything before there are enough trials.
    """
    finished = list(curves)
    if len(finished) < N_STARTUP_TRIALS:
        return {}
    reached: dict[int, list[float]] = {}
    for curve in finished:
        for step, value in curve.items():
            if step >= epochs // 5 and not math.isnan(value):
                reached.setdefault(step, []).append(value)
    return {step: statistics.median(values) for step, values in reached.items()}
