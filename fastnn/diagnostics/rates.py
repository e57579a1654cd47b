"""The learning-rate range test: the cost while the rate grows, and the rate to begin with.

L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186, section 3.3,
for the growing rate. What it shows is where the first steps learn and where they diverge; which
rate ends lowest after many epochs it does not show, so that trial fits decide.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.network import Network
from fastnn.training.fit_config import auto_batch_size, find_optimizer, parse_batch_size

from ..errors import DataError, DivergenceError, SettingError
from ..optimizers import LBFGS, Adam, Optimizer
from ._fits import made, weights_of_rows
from ._trials import Trial, raise_if_interrupted, run_trials
from .range_result import RangeTest

__all__ = ["RangeTest", "range_test"]

Array = np.ndarray[Any, Any]
RATES = np.geomspace(1e-5, 10, 31)


def range_test(
    make_network: Network | Callable[[int], Network],
    X: Any,
    y: Any,
    *,
    rates: Sequence[float] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 10,
    batch_size: int | str | None = "auto",
    optimizer: Optimizer | Callable[[float], Any] | None = None,
    epochs: int = 10,
    **fit: Any,
) -> RangeTest:
    """Find a learning rate: a few steps at each of growing rates, then trial fits.

    For each seed one network goes from the smallest rate to the largest, through the examples in
    an order of its own; an optimiser with memory starts it anew at each rate. What a rate can do
    shows against its neighbours, where the cost falls, levels out and shoots up: the curve.

    Which rate ends lowest depends on how long the fit is to be, so the suggestion comes from trial
    fits that begin afresh at each rate; the worse ones are stopped early (successive halving). They
    take about as long as ten to fifteen fits of `epochs`, for each seed of a builder, or some 35
    where a fit has less than 50 steps.

    Parameters
    ----------
    make_network : Network or callable
        A network, which stays as it is, for copies of it are trained; the trial fits are then the
        fits that it would make itself. Or what takes a seed and returns a new network:
        ``lambda seed: Network.mlp([…], …, seed=seed)``; the trials are then made with every seed,
        and the suggestion hangs less on the luck of one.
    X, y : arrays (m, n) and (m, …)
        Examples to train on.
    rates : sequence of float, optional
        Ascending; by default 31 from 1e-5 to 10, five to a power of ten.
    seeds : sequence of int
        At least one.
    steps : int
        Mini-batches at each rate of the curve.
    batch_size : int, "auto" or None
        Examples of each, as in `Network.fit`; None takes all.
    optimizer : Optimizer or callable, optional
        By default `Adam`, as in `Network.fit`. Settings, whose learning rate is replaced, or what
        makes an optimiser from a learning rate: `GradientDescent`, a lambda.
    epochs : int
        Of the fit that you plan, and of the whole trial fits; 0 makes none of them, and a third of
        the rate at which the curve is lowest is suggested, which can be wrong by a factor of 100.
    **fit
        Other settings of `Network.fit`, as l2; a sample_weight (m,) goes with its rows.

    Returns
    -------
    RangeTest
        `.rates`, `.costs` (seeds, rates), `.median`, `.band`, `.trial_rates`, `.trial_costs`,
        `.suggestion`; it prints.

    Raises
    ------
    SettingError
        If rates do not ascend, there are no seeds, or `fit` names what the test sets itself.

    Examples
    --------
    >>> from fastnn import Network, data
    >>> X, y = data.moons(200, seed=1)
    >>> net = Network.mlp([2, 8, 1], output="sigmoid")
    >>> found = range_test(net, X, y, epochs=5)
    >>> found.setting, found.trial_costs.shape[0], 1e-5 <= found.suggestion <= 10
    ('Adam, batches of 32', 1, True)
    """
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or not len(X):
        raise DataError(f"X must have shape (m, n) with at least one row, got {X.shape}")
    arguments.check_same_length(X, y)
    weights = weights_of_rows(fit, len(X))
    tried = _check_rates(RATES if rates is None else rates)
    size = parse_batch_size(batch_size) or auto_batch_size(len(X))
    batch, steps = min(size, len(X)), arguments.count(steps, "steps", least=1)
    epochs = arguments.count(epochs, "epochs")
    own = sorted(set(fit) & {"shuffle", "callbacks", "schedule"})
    if own or not len(seeds):
        what = f"{own[0]} is set by the test itself" if own else "seeds is empty"
        raise SettingError(f"{what}; leave it away" if own else f"{what}; give at least one")
    seeds = [arguments.seed(seed) for seed in seeds]
    settings = {"progress": False, **fit, "batch_size": batch}
    make = _optimizer_maker(optimizer)

    def make_trial(rate: float) -> Trial:
        nets = [_network(make_network, s) for s in (seeds[:1] if _is_net(make_network) else seeds)]
        return Trial(rate, nets, {"X": X, "y": y, "optimizer": make(rate), **settings})

    costs = np.full((len(seeds), len(tried)), np.inf)
    for row, seed in zip(costs, seeds, strict=True):
        net = _network(make_network, seed)
        order = np.random.default_rng(seed).permutation(len(X))
        for j, rate in enumerate(tried.tolist()):
            rows = order[(j * steps * batch + np.arange(steps * batch)) % len(X)]
            given = {**settings, **weights(rows), "shuffle": False}
            try:
                history = net.fit(X[rows], y[rows], epochs=1, optimizer=make(rate), **given)
            except DivergenceError:
                break
            raise_if_interrupted(history)
            row[j] = history["cost"][0]
    trials: tuple[Any, Any] = (None, None)
    if epochs:
        trials = run_trials(make_trial, tried, epochs, -(-len(X) // batch))
    name = type(make(float(tried[0]))).__name__
    return RangeTest(tried, costs, name, batch, epochs, *trials)


def _network(given: Any, seed: int) -> Any:
    """Return a network to train: a copy of the one that was given, or a new one of this seed."""
    return given.copy() if _is_net(given) else made(given, seed)


def _is_net(given: Any) -> bool:
    """Return whether a network was given, not what makes one."""
    return isinstance(given, Network)


def _optimizer_maker(given: Any) -> Callable[[float], Any]:
    """Return what makes the optimiser from a learning rate."""
    if given is None:
        return Adam
    if given is LBFGS or isinstance(given, LBFGS):
        raise SettingError("LBFGS has no learning rate to look for: its line search finds a step")
    given = find_optimizer(given) if isinstance(given, str) else given
    if isinstance(given, Optimizer):
        settings: Any = given  # each optimiser with a rate has it as a field
        return lambda rate: dataclasses.replace(settings, learning_rate=rate)
    if not callable(given):
        raise SettingError(
            "optimizer must be an optimiser, or what makes one from a learning rate, as "
            f"fastnn.Adam; got {given!r}"
        )
    make: Callable[[float], Any] = given
    return make


def _check_rates(given: Any) -> Array:
    """Return ascending positive rates (R,)."""
    rates = np.array([arguments.real(float(rate), "a rate", above=0) for rate in given])
    if len(rates) < 2 or (np.diff(rates) <= 0).any():
        raise SettingError(f"rates must be at least two, ascending, got {list(given)!r}")
    return rates
