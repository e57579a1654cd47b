"""Schedules of the user's own: subclasses of Schedule with one method."""

import pickle
import subprocess
import sys
from dataclasses import dataclass

import builders
import numpy as np
import pytest

import fastnn
from fastnn import Adam, callbacks, schedules
from fastnn.errors import ModelFileError, SettingError
from fastnn.network.description import state_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 3)), RNG.integers(0, 2, 24)


@dataclass(frozen=True)
class Decay(schedules.Schedule):
    """InverseTime, written again."""

    decay: float
    marks: tuple = ()

    def factor(self, time):
        return 1 / (1 + self.decay * time)


@dataclass(frozen=True)
class Spoilt(schedules.Schedule):
    """1 up to a time, from then on what is no factor."""

    time: float
    value: object

    def factor(self, time):
        if time >= self.time and isinstance(self.value, Exception):
            raise self.value
        return self.value if time >= self.time else 1.0


def fitted(schedule, network=None, epochs=4, **settings):
    """A network after epochs of four steps each."""
    network = network or builders.network(3, inputs=3)
    with fastnn.backend("vectorized"):
        network.fit(
            X, Y, epochs=epochs, batch_size=7, progress=False, schedule=schedule, **settings
        )
    return network


@pytest.mark.parametrize(
    "wrap",
    [
        lambda kind: kind(0.5),
        lambda kind: kind(0.5, per="step"),
        lambda kind: schedules.WarmUp(1, then=kind(0.5)),
        lambda kind: schedules.WarmUp(1, then=kind(0.5, per="step"), per="step"),
    ],
)
def test_it_is_followed_wherever_a_built_in_one_is(wrap, tmp_path):
    own, built_in = fitted(wrap(Decay)), fitted(wrap(schedules.InverseTime))
    np.testing.assert_array_equal(own.program.theta, built_in.program.theta)
    assert own.history == built_in.history
    checkpoint = callbacks.Checkpoint(tmp_path / "net.safetensors")
    fitted(wrap(Decay), epochs=2, callbacks=[checkpoint])
    for copy in (fastnn.load(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(own))):
        state = state_of(copy).training
        assert state.schedule == wrap(Decay)
        fitted(wrap(Decay), copy, epochs=4 - len(copy.history["cost"]))
        np.testing.assert_array_equal(copy.program.theta, own.program.theta)


@pytest.mark.parametrize("value", [np.nan, -0.1, np.inf, "fast", None, True])
@pytest.mark.parametrize("per", ["epoch", "step"])
def test_a_factor_that_is_none_ends_the_fit_before_its_step(value, per):
    spoilt = Spoilt(2.0, value, per=per)
    for schedule, epoch in ((spoilt, 2), (schedules.WarmUp(1, then=spoilt, per=per), 3)):
        network = builders.network(3, inputs=3)
        with pytest.raises(SettingError, match=r"schedule Spoilt\(.* at epoch 2 of its time; fac"):
            fitted(schedule, network)
        assert network.history.epochs == epoch  # no step before it is lost
        same = schedules.WarmUp(1, per=per) if epoch == 3 else None
        np.testing.assert_array_equal(
            network.program.theta, fitted(same, epochs=epoch).program.theta
        )


def test_what_it_raises_ends_the_fit_before_the_step_that_asks_for_it():
    network = builders.network(3, inputs=3)
    with pytest.raises(ZeroDivisionError, match="mine"):
        fitted(Spoilt(1.5, ZeroDivisionError("mine"), per="step"), network)
    assert network.history.epochs == 1
    assert state_of(network).training.counters[0] == 6


def test_a_factor_too_large_for_any_step_is_a_divergence():
    with pytest.raises(fastnn.errors.DivergenceError):
        fitted(schedules.Step(1, 1e300))


class Undecorated(schedules.Schedule):
    def __init__(self, factors):
        self.factors = factors

    def factor(self, time):
        return self.factors[int(time)]


@dataclass(frozen=True)
class Unchecked(schedules.Schedule):
    def __post_init__(self):
        pass  # does not call the one of Schedule


class Plain(schedules.Schedule):
    def factor(self, time):
        return 0.5


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda epoch: 0.5, r"an object like .* a function may mean a rate or a factor"),
        (schedules.InverseSqrt, r"an object: write InverseSqrt\(…\)"),
        (0.5, "an object like"),
        (Unchecked(per="day"), "per must be 'epoch' or 'step'"),
        (schedules.Schedule(), r"Schedule has no formula: write factor"),
    ],
)
def test_what_is_no_schedule_is_refused_by_a_sentence(schedule, message):
    network = builders.network(3, inputs=3)
    before = network.program.theta.copy()
    with pytest.raises(SettingError, match=message):
        fitted(schedule, network)
    np.testing.assert_array_equal(network.program.theta, before)


def test_a_class_that_is_no_dataclass_is_followed_and_told_apart():
    network = fitted(Undecorated([1, 1, 1, 0.5]))
    fitted(Undecorated([0.3, 1]), network, epochs=1)  # another one: its clock begins anew
    np.testing.assert_allclose(
        network.history["learning_rate"], 1e-3 * np.array([1, 1, 1, 0.5, 0.3])
    )
    fitted(Undecorated([0.3, 0.7]), network, epochs=1)
    fitted(Undecorated([0.3, 0.7]), network, epochs=1)
    np.testing.assert_allclose(network.history["learning_rate"][-2:], [3e-4, 7e-4])


def test_a_class_without_settings_needs_no_dataclass(tmp_path):
    fitted(Plain(), callbacks=[callbacks.Checkpoint(tmp_path / "net.h5")])
    assert state_of(fastnn.load(tmp_path / "net.h5")).training.schedule == Plain()


@dataclass(frozen=True)
class Cosine(schedules.Schedule):
    """Has the name of a built-in one."""

    def factor(self, time):
        return 1.0


@dataclass(frozen=True, init=False)
class Rescaled(schedules.Schedule):
    """Its constructor takes what is no field."""

    decay: float

    def __init__(self, percent):
        object.__setattr__(self, "decay", percent / 100)

    def factor(self, time):
        return 1.0


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Decay(1.0, marks=[1, 2]), r"Decay cannot be saved .* field marks is \[1, 2\]"),
        (Decay(1.0, marks=(len,)), "Decay cannot be saved .* field marks is"),
        (Cosine(), "of a class that a file cannot hold"),
        (Rescaled(5), "Rescaled cannot be saved .* does not take all that it keeps"),
        (
            Undecorated([1, 1, 1, 1]),
            "Undecorated cannot be saved .* keeps; write @data",
        ),
    ],
)
def test_what_a_file_could_not_give_back_is_said_before_the_first_step(schedule, message, tmp_path):
    for each in (schedule, schedules.WarmUp(1, then=schedule)):
        network = builders.network(3, inputs=3)
        with pytest.raises(SettingError, match=message):
            fitted(each, network, callbacks=[callbacks.Checkpoint(tmp_path / "net.h5")])
        assert fitted(each, network).history.epochs == 4  # without a file it trains


def test_a_process_without_the_class_says_so(tmp_path):
    path = tmp_path / "net.safetensors"
    schedule = schedules.WarmUp(1, then=Decay(0.5, (1, 2)))
    fitted(schedule, callbacks=[callbacks.Checkpoint(path)], optimizer=Adam(0.01))
    assert state_of(fastnn.load(path)).training.schedule == schedule
    code = f"import fastnn; fastnn.load({str(path)!r})"
    child = subprocess.run(
        [sys.executable, "-P", "-c", code], check=False, capture_output=True, text=True
    )
    assert "'Decay'" in child.stderr
    assert "define a class of your own before you load" in child.stderr
    assert ModelFileError.__name__ in child.stderr


@dataclass(frozen=True)
class Listed(schedules.Schedule):
    """A factor for each epoch, and the last one from then on."""

    factors: np.ndarray

    def factor(self, time):
        return self.factors[min(int(time), len(self.factors) - 1)]


def test_one_with_an_array_goes_on_in_the_next_fit_and_another_one_starts_anew():
    net = fastnn.Network([fastnn.Dense(1, "sigmoid")], seed=0)
    factors = np.array([1, 0.5, 0.25, 0.125])
    rates = []
    for given in (factors, factors.copy(), factors / 2):
        plan = schedules.WarmUp(1, then=Listed(given))
        history = net.fit(X, Y, epochs=2, optimizer=Adam(0.1), schedule=plan)
        rates.append(history["learning_rate"].tolist())
    assert rates == [[0.1, 0.1], [0.05, 0.025], [0.1, 0.05]]
