"""What the learning-rate range test found: curves, trial fits, and the rate to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._display.report import Report
from fastnn._display.table import Table
from fastnn._runtime.text import plural

from ..errors import DataError

Array = np.ndarray[Any, Any]
SHARE = 1 / 3  # without trial fits: the suggestion as a share of the rate with the lowest cost


@dataclass(frozen=True, eq=False, repr=False)
class RangeTest(Report):
    """Costs over learning rates; it prints the suggestion, `plot.range_test` draws the band.

    Attributes
    ----------
    rates : ndarray (R,)
        Ascending.
    costs : ndarray (seeds, R)
        Mean cost of the steps at each rate; infinite from where a seed's training diverged.
    optimizer : str
        Name of the optimiser; empty where nothing tells.
    batch_size : int or None
        Examples of a step.
    epochs : int
        Of the trial fits; 0 where there are none.
    trial_rates : ndarray (T,) or None
        Ascending rates of the trial fits that were not stopped early.
    trial_costs : ndarray (seeds, T) or None
        Final cost of each: the mean of the training cost over the last fifth of its epochs. One
        row where a network was given.
    """

    rates: Array
    costs: Array
    optimizer: str = ""
    batch_size: int | None = None
    epochs: int = 0
    trial_rates: Array | None = None
    trial_costs: Array | None = None

    @property
    def median(self) -> Array:
        """Median cost (R,) over the seeds."""
        middle: Array = np.quantile(self.costs, 0.5, axis=0, method="higher")
        return middle

    @property
    def band(self) -> tuple[Array, Array]:
        """Lowest and highest cost (R,) over the seeds."""
        return self.costs.min(axis=0), self.costs.max(axis=0)

    @property
    def final_costs(self) -> Array | None:
        """Mean final cost (T,) of the trial fits over the seeds, or None."""
        return None if self.trial_costs is None else self.trial_costs.mean(axis=0)

    @property
    def suggestion(self) -> float:
        """The rate whose trial fits have the lowest final cost.

        Without trial fits a third of the rate at which the median cost is lowest, but no less than
        the first.

        Raises
        ------
        DataError
            If training diverged at every rate.
        """
        if not self.has_suggestion:
            raise DataError(
                f"no learning rate can be suggested: training diverged from the smallest one on, "
                f"{self.rates[0]:g}; try smaller rates, or scale the inputs"
            )
        if self.trial_rates is not None and self.final_costs is not None:
            return float(self.trial_rates[int(np.argmin(self.final_costs))])
        best = float(self.rates[int(np.argmin(self.median))])
        return max(best * SHARE, float(self.rates[0]))

    @property
    def has_suggestion(self) -> bool:
        """Whether a rate can be suggested at all."""
        if self.trial_rates is not None:
            return len(self.trial_rates) > 0
        return bool(np.isfinite(self.median).any())

    @property
    def setting(self) -> str:
        """Optimiser and batch size, as "Adam, batches of 128"; empty where nothing tells."""
        return f"{self.optimizer}, batches of {self.batch_size}" if self.optimizer else ""

    def _parts(self) -> list[Table | str]:
        low, high = self.band
        rows = [
            (f"{rate:.2e}", *(f"{cost:.4g}" for cost in costs))
            for rate, *costs in zip(self.rates, low, self.median, high, strict=True)
        ]
        advice = "No learning rate can be suggested: training diverged at all of them."
        if self.has_suggestion:
            advice = f"Begin with a learning rate of about {self.suggestion:.1e}: "
            advice += (
                "the trial fits with the lowest final cost."
                if self.epochs
                else "a third of where the median cost is lowest."
            )
        header = "learning rate", "lowest cost", "median cost", "highest cost"
        costs_by_rate = Table(header, rows, align="rrrr")
        return [costs_by_rate, *self._trials(), f"{self._format_setting()}. {advice}"]

    def _format_setting(self) -> str:
        """Return what was trained; results of version 0.1.0 know of their seeds alone."""
        n = len(self.costs)
        if not self.setting:
            return f"Over {n} seeds"
        return f"{self.setting}, over {plural(n, 'seed')}"

    def _trials(self) -> list[Table | str]:
        """Return the table of the trial fits that were not stopped early."""
        if self.trial_rates is None or self.final_costs is None:
            return []
        count = plural(self.epochs, "epoch")
        rows = [
            (f"{rate:>13.2e}", f"{cost:>11.4g}")
            for rate, cost in zip(self.trial_rates, self.final_costs, strict=True)
        ]
        table = Table(("learning rate", f"final cost of a fit of {count}"), rows, align="rl")
        return ["", table, ""]
