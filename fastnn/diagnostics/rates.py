"""The learning-rate range test: the cost while the rate grows, and the rate to begin with.

L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.network import Network

from ..errors import DataError, DivergenceError, SettingError
from ..optimizers import GradientDescent
from ._fits import made, weights_of_rows

__all__ = ["RangeTest", "range_test"]

Array = np.ndarray[Any, Any]
RATES = np.geomspace(1e-5, 10, 31)
SHARE = 1 / 3  # the suggestion as a share of the rate with the lowest cost


@dataclass(frozen=True, eq=False)
class RangeTest:
    """Costs over learning rates; it prints the suggestion, `plot.range_test` draws the band.

    Attributes
    ----------
    rates : ndarray (R,)
        Ascending.
    costs : ndarray (seeds, R)
        Mean cost of the steps at each rate; infinite from where a seed's training diverged.
    """

    rates: Array
    costs: Array

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
    def suggestion(self) -> float:
        """A third of the rate at which the median cost is lowest, but no less than the first.

        Raises
        ------
        DataError
            If training diverged at every rate.
        """
        if not np.isfinite(self.median).any():
            raise DataError(
                f"no learning rate can be suggested: training diverged from the smallest one on, "
                f"{self.rates[0]:g}; try smaller rates, or scale the inputs"
            )
        best = float(self.rates[int(np.argmin(self.median))])
        return max(best * SHARE, float(self.rates[0]))

    def __repr__(self) -> str:
        low, high = self.band
        lines = ["learning rate  lowest cost  median cost  highest cost"]
        for row in zip(self.rates, low, self.median, high, strict=True):
            lines.append("{:>13.2e}  {:>11.4g}  {:>11.4g}  {:>12.4g}".format(*row))
        advice = "No learning rate can be suggested: training diverged at all of them."
        if np.isfinite(self.median).any():
            advice = (
                f"Begin with a learning rate of about {self.suggestion:.1e}: a third of where the "
                "median cost is lowest."
            )
        lines.append(f"Over {len(self.costs)} seeds. {advice}")
        return "\n".join(lines)


def range_test(
    make_network: Callable[[int], Network],
    X: Any,
    y: Any,
    *,
    rates: Sequence[float] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 10,
    batch_size: int = 64,
    optimizer: Callable[[float], Any] = GradientDescent,
    **fit: Any,
) -> RangeTest:
    """Train a few steps at each of growing learning rates, with several seeds.

    For each seed one fresh network goes from the smallest rate to the largest, through the
    examples in an order of its own; an optimiser with memory starts it anew at each rate. What a
    rate can do shows against its neighbours, where the cost falls, levels out and shoots up.

    Parameters
    ----------
    make_network : callable
        Takes a seed and returns a new network: ``lambda seed: Network.mlp([…], …, seed=seed)``.
    X, y : arrays (m, n) and (m, …)
        Examples to train on.
    rates : sequence of float, optional
        Ascending; by default 31 from 1e-5 to 10, five to a power of ten.
    seeds : sequence of int
        At least one.
    steps : int
        Mini-batches at each rate.
    batch_size : int
        Examples of each.
    optimizer : callable
        Makes an optimiser from a learning rate: `GradientDescent`, `Adam`, a lambda.
    **fit
        Other settings of `Network.fit`, as l2; a sample_weight (m,) goes with its rows.

    Returns
    -------
    RangeTest
        `.rates`, `.costs` (seeds, rates), `.median`, `.band`, `.suggestion`; it prints.

    Raises
    ------
    SettingError
        If rates do not ascend, there are no seeds, or `fit` names what the test sets itself.
    """
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or not len(X):
        raise DataError(f"X must have shape (m, n) with at least one row, got {X.shape}")
    arguments.check_same_length(X, y)
    weights = weights_of_rows(fit, len(X))
    tried = _rates(RATES if rates is None else rates)
    batch = min(arguments.count(batch_size, "batch_size", least=1), len(X))
    size = arguments.count(steps, "steps", least=1) * batch
    own = sorted(set(fit) & {"epochs", "shuffle", "callbacks", "schedule"})
    if own or not len(seeds):
        what = f"{own[0]} is set by the test itself" if own else "seeds is empty"
        raise SettingError(f"{what}; leave it away" if own else f"{what}; give at least one")
    costs = np.full((len(seeds), len(tried)), np.inf)
    for i, seed in enumerate(seeds):
        net = made(make_network, seed)
        order = np.random.default_rng(arguments.seed(seed)).permutation(len(X))
        for j, rate in enumerate(tried):
            rows = order[(j * size + np.arange(size)) % len(X)]
            settings = {"progress": False, **fit, "batch_size": batch, "shuffle": False}
            settings |= weights(rows)
            try:
                history = net.fit(
                    X[rows], y[rows], epochs=1, optimizer=optimizer(float(rate)), **settings
                )
            except DivergenceError:
                break
            costs[i, j] = history["cost"][0]
    return RangeTest(tried, costs)


def _rates(given: Any) -> Array:
    """Return ascending positive rates (R,)."""
    rates = np.array([arguments.real(float(rate), "a rate", above=0) for rate in given])
    if len(rates) < 2 or (np.diff(rates) <= 0).any():
        raise SettingError(f"rates must be at least two, ascending, got {list(given)!r}")
    return rates
