"""Learning rates of the steps of a fit, as its schedule says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.history import check_monitor

from .fit_config import FitConfig
from .state import NetworkState

if TYPE_CHECKING:
    from fastnn.schedules import Plateau

Array = np.ndarray[Any, Any]


class LearningRates:
    """The learning rates of one fit.

    Parameters
    ----------
    config : FitConfig
        Whose optimiser has the rate, and perhaps a schedule the factors.
    state : NetworkState
        Its training knows when the schedule began, its history what a Plateau looks at.
    steps : int
        Of an epoch.
    first_epoch : int
        The number of the fit's first epoch, over all fits.
    """

    def __init__(
        self, config: FitConfig, state: NetworkState, steps: int, first_epoch: int
    ) -> None:
        self.rate, self.schedule = config.optimizer.learning_rate, config.schedule
        self.state, self.steps, self.first_epoch = state, steps, first_epoch
        self._plateau: Plateau | None = None
        if self.schedule is not None:
            from fastnn.schedules import Plateau  # a fit without a schedule needs none

            self._plateau = self.schedule if isinstance(self.schedule, Plateau) else None

    @property
    def follow_history(self) -> bool:
        """Whether the schedule looks at the history after every epoch."""
        return self._plateau is not None

    def of(self, start: int, stop: int) -> Array:
        """Return the learning rates (stop − start,) of the steps start … stop − 1 of the fit."""
        schedule = self.schedule
        if schedule is None:
            return np.full(stop - start, self.rate)
        began, recorded = self.state.training.since
        if self._plateau is not None:
            curve = self._monitored(self._plateau, recorded)
            return np.full(stop - start, self.rate * self._plateau.follow(curve))
        from .schedule_factors import factors_at  # a fit without a schedule needs none

        every = 1 if schedule.by_step else self.steps
        first = start - start % every
        epochs, steps = np.divmod(np.arange(first, stop, every), self.steps)
        # Whole epochs first: 3 + 4/7 is the same sum in one fit and in four, 25/7 is not.
        times = (epochs + self.first_epoch - began).astype(np.float64)
        times += steps / self.steps
        factors = np.array(factors_at(schedule, times.tolist(), 1 / self.steps))
        return self.rate * factors[(np.arange(start, stop) - first) // every]

    def known(self, start: int, stop: int) -> Array:
        """Return the rates of these steps, or of the first ones if a later one has none.

        A step without a rate raises what its schedule raises once it is the next one.
        """
        while True:
            try:
                return self.of(start, stop)
            except Exception:  # a schedule of the user's own may raise anything
                if stop == start + 1:
                    raise
                stop -= (stop - start) // 2

    def _monitored(self, schedule: Plateau, recorded: int) -> Array:
        """Return the curve that a Plateau monitors, from entry `recorded` of the history on."""
        history = self.state.history
        if history.epochs <= recorded:
            return np.zeros(0)
        name = check_monitor("Plateau", schedule.monitor, history)
        return history[name][recorded:]
