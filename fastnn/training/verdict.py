"""Verdict: what to say of a fit that ended no better than one answer for all examples."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from fastnn._runtime.text import plural
from fastnn.errors import FitWarning
from fastnn.history import History
from fastnn.losses import Loss
from fastnn.optimizers import LBFGS

from .fit_config import FitConfig
from .state import NetworkState

PACKAGE = __name__.partition(".")[0]

__all__ = ["constant_cost", "judge"]

Array = np.ndarray[Any, Any]
FEW_STEPS = 500  # less of them rarely train a network from its first weights
LEAST_STEPS = 20  # less of them are a trial, of which nobody expects anything
BLOCK_NUMBERS = 2**17  # of targets that are summed up at a time: 1 MiB of float64


def constant_cost(parts: Iterable[tuple[Array, Array]], loss: Loss) -> float | None:
    """Return the cost of answering the mean of the targets, for classes their shares, always.

    None for losses whose cost is not known here.

    Parameters
    ----------
    parts : iterable
        Pairs of targets Y (m, K) and weights w (m,), some rows at a time.
    """
    total, first, second = 0.0, 0.0, 0.0
    near: Any = None  # squares of distances from a target cancel less than its own
    for Y, w in _blocks(parts):
        near = Y[0].astype(np.float64) if near is None else near
        D, v = Y - near, w.astype(np.float64)
        total, first, second = total + v.sum(), first + v @ D, second + v @ D**2
    if loss.name == "squared_error":
        return float(np.sum(second / total - (first / total) ** 2) / 2)
    mean = near + first / total
    if loss.name == "categorical_cross_entropy":
        return _entropy(mean)
    if loss.name == "binary_cross_entropy":
        return _entropy(mean) + _entropy(1 - mean)
    return None


def _blocks(parts: Iterable[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    """Yield targets and weights, `BLOCK_NUMBERS` numbers of targets at a time."""
    for Y, w in parts:
        step = max(1, BLOCK_NUMBERS // Y.shape[1])
        for k in range(0, len(Y), step):
            yield Y[k : k + step], w[k : k + step]


def _entropy(p: Array) -> float:
    """Return −Σ p ln p, in which 0 ln 0 is 0."""
    return float(-(p * np.log(np.where(p > 0, p, 1))).sum())


def judge(
    history: History, config: FitConfig, data: Any, state: NetworkState, cost: Callable[[], float]
) -> None:
    """Say of a fit, in its history, that it was short, and warn where it learnt nothing.

    Where all targets are the same there is nothing to learn, and no warning.

    Parameters
    ----------
    data : FitData or StreamedData
    state : NetworkState
        After the fit.
    cost : callable
        Returns the cost of the training examples as the network is now.
    """
    if not history.epochs or history.interrupted or isinstance(config.optimizer, LBFGS):
        return
    taken = int(state.training.counters[0])  # in all fits by this optimiser
    steps, loss = plural(taken, "step"), state.loss
    if config.auto_sized and taken < FEW_STEPS:
        history.message = f"{steps} are few; give more epochs, or epochs='auto'"
    if taken < LEAST_STEPS:
        return
    parts = data.train.parts() if hasattr(data.train, "parts") else [data.train[1:]]
    constant = constant_cost(parts, loss)
    if not constant or history["cost"][-1] <= constant or (found := cost()) <= constant:
        return
    what = "the shares of the classes" if loss.labels else "the mean of y"
    warnings.warn(
        f"the fit has learnt nothing yet: its cost is {found:.4g}, and always answering {what} "
        f"would cost {constant:.4g}. Likely causes: inputs or targets of very different sizes "
        "(put Normalization() first; for values, scale_target=True), a learning rate that is too "
        f"high or too low ({config.optimizer.learning_rate:g}), or too few epochs ({steps} so far)",
        FitWarning,
        stacklevel=_levels(),
    )


def _levels() -> int:
    """Return how many calls lie between the caller and the code that has called this package."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(f"{PACKAGE}."):
        frame, levels = frame.f_back, levels + 1
    return levels
