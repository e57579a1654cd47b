"""Schedules know their unit: an epoch or a step, nested ones too."""

import math

import numpy as np
import pytest

import fastnn
from fastnn import Dense, GradientDescent, Network
from fastnn.errors import DivergenceError
from fastnn.schedules import (
    Cosine,
    Exponential,
    InverseSqrt,
    InverseTime,
    OneCycle,
    Schedule,
    Staircase,
    Step,
    WarmUp,
)

STEPS = 4  # of an epoch


def factors(schedule, epochs, fits=1):
    """The factors (epochs, STEPS) that a fit applies.

    The cost is linear, and step k of an epoch moves weight k alone: by its learning rate, 1 times
    the factor.
    """
    net = Network([Dense(1, use_bias=False)], inputs=STEPS, loss="absolute_error", dtype="float64")
    net.parameters["W1"] = np.zeros((STEPS, 1))
    seen = [np.zeros(STEPS)]
    for _ in range(fits):
        net.fit(np.eye(STEPS), np.full(STEPS, 1e6), epochs=epochs // fits, batch_size=1,
                shuffle=False, schedule=schedule, optimizer=GradientDescent(1.0), progress=False,
                callbacks=[lambda n, h: seen.append(n.parameters["W1"][:, 0].copy())])  # fmt: skip
    return np.diff(seen, axis=0)


def assert_factors(schedule, expected):
    """Compare with factors (epochs, STEPS), or (epochs, 1) where an epoch has one."""
    expected = np.broadcast_to(expected, (len(expected), STEPS))
    np.testing.assert_allclose(factors(schedule, len(expected)), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("backend", ["vectorized", "jitted"])
class TestWarmUp:
    def test_by_the_step_within_one_epoch(self, backend):
        with fastnn.backend(backend):
            assert_factors(WarmUp(1, per="step"), [[0.25, 0.5, 0.75, 1], [1] * 4])

    def test_by_the_step_over_two_epochs(self, backend):
        with fastnn.backend(backend):
            assert_factors(WarmUp(2, per="step"), np.arange(1, 9).reshape(2, 4) / 8)

    def test_by_the_epoch(self, backend):
        with fastnn.backend(backend):
            assert_factors(WarmUp(2), [[0.5], [1], [1]])


class TestNested:
    def test_a_rise_by_the_step_before_a_decay_by_the_epoch(self):
        expected = [[0.25, 0.5, 0.75, 1], [1] * 4, [0.5] * 4, [0.25] * 4]
        assert_factors(WarmUp(1, Exponential(0.5), per="step"), expected)

    def test_a_rise_by_the_epoch_before_a_decay_by_the_step(self):
        then = InverseTime(1.0, per="step")
        expected = [[0.5] * 4, [1] * 4, 1 / (1 + np.arange(4) / 4), 1 / (2 + np.arange(4) / 4)]
        assert_factors(WarmUp(2, then), expected)

    def test_a_rise_within_a_rise(self):
        schedule = WarmUp(1, WarmUp(2, Step(1, 0.1), per="step"))
        expected = [[1] * 4, np.arange(1, 5) / 8, np.arange(5, 9) / 8, [1] * 4, [0.1] * 4]
        assert_factors(schedule, expected)


FORMULAS = {
    "inverse time": (InverseTime, (0.5,), lambda t: 1 / (1 + 0.5 * t)),
    "staircase": (Staircase, (0.5, 2), lambda t: 1 / (1 + 0.5 * (t // 2))),
    "exponential": (Exponential, (0.5,), lambda t: 0.5**t),
    "step": (Step, (2, 0.5), lambda t: 0.5 ** (t // 2)),
    "inverse root": (InverseSqrt, (), lambda t: 1 / math.sqrt(1 + t)),
    "cosine": (Cosine, (3,), lambda t: (1 + math.cos(math.pi * min(t / 3, 1))) / 2),
    "one cycle": (OneCycle, (4,), OneCycle(4).factor),
}


@pytest.mark.parametrize("name", FORMULAS)
class TestEverySchedule:
    def test_by_the_epoch_and_by_the_step(self, name):
        kind, arguments, formula = FORMULAS[name]
        times = np.arange(5 * STEPS).reshape(5, STEPS) / STEPS
        assert_factors(kind(*arguments), [[formula(float(e))] for e in range(5)])
        assert_factors(kind(*arguments, per="step"), np.vectorize(formula)(times))

    @pytest.mark.parametrize("per", ["epoch", "step"])
    def test_after_a_rise_it_begins_with_its_own_unit(self, name, per):
        kind, arguments, formula = FORMULAS[name]
        times = np.arange(3 * STEPS).reshape(3, STEPS) / STEPS
        times = times if per == "step" else np.floor(times)
        expected = [[0.25, 0.5, 0.75, 1], *np.vectorize(formula)(times)]
        assert_factors(WarmUp(1, kind(*arguments, per=per), per="step"), expected)

    def test_fits_of_one_epoch_are_one_fit(self, name):
        kind, arguments, _ = FORMULAS[name]
        schedule = WarmUp(1, kind(*arguments, per="step"), per="step")
        np.testing.assert_array_equal(factors(schedule, 4, fits=4), factors(schedule, 4))


class Noting(Schedule):
    """A schedule of somebody's own; it notes the times that it is asked for."""

    def __init__(self, per):
        super().__init__(per=per)
        object.__setattr__(self, "times", [])

    def factor(self, time):
        """Note the time."""
        self.times.append(time)
        return 1.0


@pytest.mark.parametrize(("per", "times"), [("epoch", [0, 1]), ("step", np.arange(8) / 4)])
def test_a_schedule_of_ones_own_is_asked_in_its_unit(per, times):
    schedule = Noting(per)
    factors(schedule, 2)
    assert sorted(set(schedule.times)) == list(times)


def test_a_factor_too_large_for_a_number_is_told_as_divergence():
    X = np.linspace(-1, 1, 8)[:, None]
    net = Network([Dense(1)], inputs=1)
    with pytest.raises(DivergenceError, match="lower learning_rate"):
        net.fit(X, X[:, 0], epochs=6, schedule=Step(1, 1e300), progress=False)
    assert np.isfinite(net.parameters["W1"]).all()
