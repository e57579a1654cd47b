"""Ctrl-C at any moment: a usable network, a whole history, and nothing that is held for ever."""

import contextlib
import copy
import os
import pickle
import signal
import threading

import numpy as np
import pytest
from fastnn.kernels.jitted.threads import team

from fastnn import LBFGS, Network, errors
from fastnn.history import History
from fastnn.network.description import state_of
from fastnn.training.exclusive_fit import _busy, exclusive_fit
from fastnn.training.interrupts import Interrupts
from fastnn.training.lbfgs import LBFGSTrainer

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


class TestHistory:
    def test_an_epoch_that_is_not_written_whole_is_not_there(self):
        history = History()
        history.extend({"cost": [1.0], "accuracy": [0.5]})
        with pytest.raises(ValueError, match="could not convert"):
            history.extend({"cost": [2.0], "accuracy": ["half"]})
        assert history.epochs == 1
        assert [len(history[name]) for name in history] == [1, 1]
        history.extend({"cost": [3.0], "accuracy": [0.7]})
        assert history["cost"].tolist() == [1.0, 3.0]

    def test_readers_cost_no_entry(self):
        """Another thread that looks while a fit writes; curves are read-only and stay as read."""
        history, stop = History(), threading.Event()

        def read():
            while not stop.is_set():
                for name in history:
                    assert len(history[name])
                repr(history)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            for epoch in range(5000):
                history.extend({"cost": [epoch], "accuracy": [-epoch]})
        finally:
            stop.set()
            thread.join()
        np.testing.assert_array_equal(history["cost"], np.arange(5000))
        np.testing.assert_array_equal(history["accuracy"], -np.arange(5000))
        with pytest.raises(ValueError, match="read-only"):
            history["cost"][0] = 1

    @pytest.mark.parametrize(
        "copied", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))]
    )
    def test_copies_grow_apart(self, copied):
        history = History()
        for cost in (1.0, 2.0):  # one by one, which leaves room for a third
            history.extend({"cost": [cost]})
        other = copied(history)
        history.extend({"cost": [3.0]})
        other.extend({"cost": [4.0]})
        assert history["cost"].tolist() == [1.0, 2.0, 3.0]
        assert other["cost"].tolist() == [1.0, 2.0, 4.0]


class TestLBFGS:
    @pytest.fixture
    def interrupted(self, monkeypatch):
        """Return a function: Ctrl-C comes, so often, as the gradient is taken the n-th time."""

        def at(n, times):
            objective, taken = LBFGSTrainer._objective, []

            def pressed(self, theta):
                taken.append(theta)
                found = objective(self, theta)
                for _ in range(times if len(taken) == n else 0):
                    signal.raise_signal(signal.SIGINT)
                return found

            monkeypatch.setattr(LBFGSTrainer, "_objective", pressed)

        return at

    def test_ctrl_c_returns_what_was_reached(self, interrupted):
        interrupted(4, times=1)
        net = Network.mlp([3, 8, 1], output="sigmoid")
        history = net.fit(X, Y, epochs=50, optimizer=LBFGS(), progress=False)
        assert history.interrupted
        assert 1 <= history.epochs < 50
        assert net.evaluate(X, Y)["cost"] == pytest.approx(history["cost"][-1], rel=1e-6)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        net.fit(X, Y, epochs=2, optimizer=LBFGS(), progress=False)

    def test_a_second_one_leaves_the_last_finished_iteration(self, interrupted):
        interrupted(6, times=2)
        net, costs = Network.mlp([3, 8, 1], output="sigmoid"), []

        def note(network, history):
            costs.append(network.evaluate(X, Y)["cost"])

        with pytest.raises(KeyboardInterrupt):
            net.fit(X, Y, epochs=50, optimizer=LBFGS(), callbacks=[note], progress=False)
        assert net.history.epochs == len(costs) > 0
        assert net.evaluate(X, Y)["cost"] == costs[-1]


def test_a_network_is_let_go_whatever_happens():
    net = Network.mlp([3, 1], output="sigmoid")
    with contextlib.suppress(KeyboardInterrupt), exclusive_fit(state_of(net)):
        with pytest.raises(errors.SettingError, match="being fitted already"):
            net.fit(X, Y, epochs=1, progress=False)
        raise KeyboardInterrupt
    assert not _busy


@pytest.mark.forks
def test_a_child_may_fit_what_its_parent_fits():
    net = Network.mlp([3, 1], output="sigmoid")
    with exclusive_fit(state_of(net)):
        child = os.fork()
        if child == 0:
            with exclusive_fit(state_of(net)):
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def test_a_handler_that_was_left_behind_is_replaced():
    ended = Interrupts()
    with ended:
        pass
    signal.signal(signal.SIGINT, ended._note)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert interrupts.seen
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_member_that_does_not_start_is_none(monkeypatch, error):
    start, refused = threading.Thread.start, []

    def refuse(thread):
        if not refused:
            refused.append(thread)
            raise error
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with team.keep_team() as members:
        with pytest.raises(error):
            members.gather(2)
        assert [member.thread.is_alive() for member in members.gather(2)] == [True, True]
