"""Cycles: the learning rate within them, which of them is kept, and when there are no more."""

import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

from fastnn import Dense, Network
from fastnn.optimizers import GradientDescent
from fastnn.tabular.cycles import BestCycle, Restarts, ends_of

X = np.random.default_rng(0).normal(size=(40, 3))


def fit(callback, epochs=21, **settings):
    """Return a network that was trained with a callback, and its history."""
    network = Network([Dense(2, "tanh"), Dense(1)], seed=0)
    history = network.fit(
        X, X[:, :1], epochs=epochs, batch_size=20, callbacks=[callback], progress=False, **settings
    )
    return network, history


def test_each_cycle_has_twice_the_epochs_of_the_last():
    assert ends_of(6, 4) == [6, 18, 42, 90]


def test_within_a_cycle_the_rate_falls_along_a_cosine():
    schedule = Restarts(3, per="step")
    for start, length in ((0, 3), (3, 6), (9, 12)):
        for share in (0.0, 0.25, 0.5, 0.99):
            found = schedule.factor(start + share * length)
            np.testing.assert_allclose(found, np.cos(np.pi * share / 2) ** 2, atol=1e-12)


@pytest.mark.parametrize("costs", [[3.0, 2, 1], [1.0, 2], [3.0, 1, 1], [2.0, float("nan")]])
def test_a_fit_ends_after_a_cycle_that_was_no_better(costs):
    left, seen = list(costs), []

    def score(network):
        seen.append(network.program.theta.copy())
        return left.pop(0)

    best = BestCycle(ends_of(3, 3), score)
    network, history = fit(best, schedule=Restarts(3, per="step"))
    assert best.epochs == ends_of(3, 3)[: len(costs)]
    assert history.epochs == best.epochs[-1]
    assert best.costs == [cost if cost < 4 else sys.float_info.max for cost in costs]
    place = int(np.nanargmin(costs))
    assert best.best_epoch == best.epochs[place]
    np.testing.assert_array_equal(network.program.theta, seen[place])


def test_a_fit_that_ends_within_a_cycle_is_scored_there():
    left = [1.0, 0.5]
    best = BestCycle(ends_of(4, 3), lambda network: left.pop(0))
    fit(best, epochs=6)
    assert (best.epochs, best.best_epoch) == ([4, 6], 6)


def test_the_weights_are_those_of_a_fit_of_so_many_epochs():
    left = [1.0, 2.0]
    settings = {"schedule": Restarts(2, per="step"), "optimizer": GradientDescent(0.1)}
    network, _ = fit(BestCycle([2, 6], lambda network: left.pop(0)), epochs=6, **settings)
    other, _ = fit(lambda *_: False, epochs=2, **settings)
    np.testing.assert_array_equal(network.program.theta, other.program.theta)
