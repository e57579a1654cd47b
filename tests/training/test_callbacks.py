"""Callbacks begin afresh with every fit, however the fit before it or this one ends."""

import functools
import signal

import builders
import numpy as np
import pytest

from fastnn import callbacks, kernels
from fastnn.errors import SettingError
from fastnn.training.loop import Trainer

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 3)), RNG.integers(0, 2, 40)


net = functools.partial(builders.network, hidden="relu", inputs=3)


def settings(*watchers, epochs=2):
    return {
        "epochs": epochs, "batch_size": 8, "progress": False, "validation_data": (X, Y),
        "callbacks": watchers,
    }  # fmt: skip


@pytest.fixture
def used():
    """An EarlyStopping that an earlier fit has left with weights of its own."""
    stop = callbacks.EarlyStopping(patience=50)
    net(units=5).fit(X, Y, **settings(stop))
    assert stop.best_epoch >= 0
    return stop


def interrupt(monkeypatch):
    """Let Ctrl-C come in the middle of the first epoch, after its first step."""
    monkeypatch.setattr(kernels.get("jitted"), "first_steps", lambda ops, m: 1)
    chunk = Trainer._chunk

    def interrupted(self, start, stop):
        done = chunk(self, start, stop)
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(Trainer, "_chunk", interrupted)


class TestEarlyStoppingThatWasUsedBefore:
    @pytest.mark.parametrize("units", [4, 5])
    def test_brings_nothing_back_after_no_epoch(self, used, units):
        other = net(units, seed=1)
        before = other.program.theta.copy()
        other.fit(X, Y, **settings(used, epochs=0))
        np.testing.assert_array_equal(other.program.theta, before)
        assert used.best_epoch == -1

    @pytest.mark.parametrize("units", [4, 5])
    def test_brings_nothing_back_after_ctrl_c_in_the_first_epoch(self, used, units, monkeypatch):
        interrupt(monkeypatch)
        other, twin = net(units, seed=1), net(units, seed=1)
        for network, watchers in ((other, (used,)), (twin, ())):
            assert network.fit(X, Y, **settings(*watchers)).interrupted
        np.testing.assert_array_equal(other.program.theta, twin.program.theta)

    def test_decides_as_a_new_one_does(self, used):
        found = []
        for stop in (used, callbacks.EarlyStopping(patience=50)):
            network = net(seed=2)
            network.fit(X, Y, **settings(stop, epochs=4))
            found.append((network.program.theta.copy(), stop.best, stop.best_epoch))
        np.testing.assert_array_equal(found[0][0], found[1][0])
        assert found[0][1:] == found[1][1:]

    def test_begins_afresh_within_a_callback_that_passes_no_start_on(self, used):
        stop = callbacks.EarlyStopping(patience=50)
        for early in (used, stop):
            net(seed=2).fit(X, Y, **settings(lambda n, h, e=early: e(n, h), epochs=3))
        assert (used.best, used.best_epoch) == (stop.best, stop.best_epoch)


def test_a_time_limit_that_is_over_is_whole_again_for_the_next_fit():
    limit = callbacks.TimeLimit(60)
    net().fit(X, Y, **settings(limit))
    limit._began -= 120  # as if that fit had begun two minutes ago
    assert net().fit(X, Y, **settings(limit)).epochs == 2


def test_a_checkpoint_saves_each_network_that_it_is_given(tmp_path):
    import fastnn

    keep = callbacks.Checkpoint(tmp_path / "a.safetensors")
    for units in (5, 4):
        network = net(units)
        network.fit(X, Y, **settings(keep))
        found = fastnn.load(tmp_path / "a.safetensors")
        np.testing.assert_array_equal(found.program.theta, network.program.theta)


@pytest.mark.parametrize("given", [callbacks.EarlyStopping, callbacks.TimeLimit, dict])
def test_a_class_is_no_callback(given):
    fresh = net()
    before = fresh.program.theta.copy()
    with pytest.raises(SettingError, match=f"the class {given.__name__}; write {given.__name__}"):
        fresh.fit(X, Y, **settings(given))
    np.testing.assert_array_equal(fresh.program.theta, before)
