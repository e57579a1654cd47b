"""Trial fits at several learning rates: whole fits of the best, short ones of the others.

Successive halving: K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and
Hyperparameter Optimization", arXiv:1502.07943. All rates begin; after a sixteenth of the epochs
the twelve of the lowest costs go on, after an eighth eight of them, and so on. Then the rates
around the two best are tried too, for costs of whole fits may differ much between neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import DivergenceError

Array = np.ndarray[Any, Any]

#: After which part of the epochs (a sixteenth …) how many trials go on.
RUNGS = ((16, 12), (8, 8), (4, 6), (2, 4))
#: Steps before which no trial is given up: the first ones tell little of a whole fit.
MIN_STEPS = 50
#: The final cost is the mean over this part of the epochs at the end (at least one).
FINAL_SHARE = 5


class Trial:
    """Fits at one rate, of one network for each seed, that can go on where they stopped."""

    def __init__(self, rate: float, networks: Iterable[Any], fit: Mapping[str, Any]) -> None:
        self.rate, self._networks, self._fit = rate, list(networks), fit
        self._curves = [np.zeros(0) for _ in self._networks]
        self.costs = np.full(len(self._networks), np.inf)

    def train_until(self, epochs: int) -> None:
        """Go on to a number of epochs; then `costs` (seeds,) are the final ones, or infinite."""
        more = epochs - len(self._curves[0])
        if not more:
            return
        for k, network in enumerate(self._networks):
            try:
                history = network.fit(epochs=more, **self._fit)
            except DivergenceError:
                self.costs = np.full(len(self._networks), np.inf)
                return
            raise_if_interrupted(history)
            self._curves[k] = np.concatenate([self._curves[k], history["cost"]])
        last = max(1, epochs // FINAL_SHARE)
        self.costs = np.array([curve[-last:].mean() for curve in self._curves])


def raise_if_interrupted(history: Any) -> None:
    """Raise KeyboardInterrupt where Ctrl-C has ended a fit: what made the fit must end too."""
    if getattr(history, "interrupted", False):
        raise KeyboardInterrupt


def run_trials(
    make_trial: Callable[[float], Trial], rates: Array, epochs: int, steps: int
) -> tuple[Array, Array]:
    """Return the rates (T,) that were trained for all epochs, ascending, and costs (seeds, T).

    Parameters
    ----------
    make_trial : callable
        Takes a rate.
    rates : array (R,)
        Ascending; where training began to diverge at all of them, T is 0.
    epochs : int
        Of a whole trial.
    steps : int
        Of an epoch.
    """
    trials: Iterable[Trial] = map(make_trial, rates.tolist())
    for part, count in RUNGS:
        stop = -(-epochs // part)
        if stop < epochs and stop * steps >= MIN_STEPS:
            trials = _best_after(trials, stop, count)
    whole = _best_after(trials, epochs, len(rates))
    tried = {trial.rate for trial in whole}
    more = sorted({near for trial in whole[:2] for near in _neighbours(rates, trial.rate)} - tried)
    whole += _best_after(map(make_trial, more), epochs, len(more))
    whole.sort(key=lambda trial: trial.rate)
    costs = np.stack([trial.costs for trial in whole], axis=1) if whole else np.zeros((1, 0))
    return np.array([trial.rate for trial in whole]), costs


def _best_after(trials: Iterable[Trial], epochs: int, count: int) -> list[Trial]:
    """Train each for so many epochs; return the best, none that diverged, the best one first.

    Trials come one by one and those that are beaten go at once, so that few networks are held.
    """
    best: list[Trial] = []
    for trial in trials:
        trial.train_until(epochs)
        if np.isfinite(trial.costs).all():
            best = sorted([*best, trial], key=lambda one: float(one.costs.mean()))[:count]
    return best


def _neighbours(rates: Array, rate: float) -> list[float]:
    """Return the rates halfway, on a logarithmic scale, to the neighbours of one of them."""
    k = int(np.searchsorted(rates, rate))
    return [float(np.sqrt(rate * rates[j])) for j in (k - 1, k + 1) if 0 <= j < len(rates)]
