"""Fits on ranks, by one process: what ranks compare, and which callbacks each one calls."""

from dataclasses import dataclass

import numpy as np
import pytest
from fastnn.kernels.records import Examples

from fastnn import Adam, Dense, Momentum, Network
from fastnn.callbacks import CSVLogger, EarlyStopping
from fastnn.initializers import Random
from fastnn.network.description import state_of
from fastnn.schedules import Schedule
from fastnn.training.fit_config import FitConfig
from fastnn.training.on_ranks import fit_on_ranks
from fastnn.training.sharded import facts_of

X, Y = np.eye(4, 3, dtype=np.float32), np.ones((4, 1), np.float32)


class Formula:
    """A function of a user's own, whose repr holds an address."""

    def __call__(self, time):
        return 1.0

    def draw(self, rng, n_in, n_out):
        return np.ones((n_in, n_out))


@dataclass(frozen=True)
class Own(Schedule):
    formula: Formula

    def factor(self, time):
        return self.formula(time)


def make(**settings):
    return Network([Dense(2, "tanh"), Dense(1, "sigmoid")], **{"inputs": 3} | settings)


def facts(net, schedule=None):
    config = FitConfig.checked(1, None, "Adam", 0, 0, True, schedule, None, None)
    return facts_of(state_of(net), config, Examples(X, Y, np.ones(4, np.float32)), None, 8)


def test_equal_functions_of_two_processes_are_no_difference():
    one, other = (facts(make(init=Formula()), Own(Formula())) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(("settings", "name"), [
    ({"init": Random(0.5)}, "the network"),
    ({"init": Random(0.5), "inputs": None}, "the network"),
    ({"seed": 1}, "the network"),
    ({"dtype": "float64"}, "the network"),
    ({"precision": "mixed"}, "the network"),
])  # fmt: skip
def test_what_a_network_is_made_with_is_compared(settings, name):
    inputs = {"inputs": settings.get("inputs", 3)}
    assert facts(make(**settings))[name] != facts(make(**inputs))[name]


def test_the_optimisers_averages_and_counts_are_compared():
    nets = [make() for _ in range(3)]
    for net, optimizer in zip(nets, (Adam(), Adam(), Momentum()), strict=True):
        net.fit(X, Y, epochs=1, optimizer=optimizer, progress=False)
        net.program.theta[...] = 0
    assert facts(nets[0]) == facts(nets[1])
    assert facts(nets[0])["its parameters"] != facts(nets[2])["its parameters"]
    state_of(nets[1]).training.counters[0] += 1
    assert facts(nets[0])["its parameters"] != facts(nets[1])["its parameters"]


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_callbacks_that_write_are_left_to_rank_0(monkeypatch, tmp_path, kind):
    """Of any iterable, as `fit` takes them."""
    from fastnn.ranks.group import Alone

    stop = EarlyStopping(patience=1)
    found = []
    for rank in (0, 1):
        monkeypatch.setattr(Alone, "rank", rank)
        fit_on_ranks(
            lambda network, **settings: found.append(list(settings["callbacks"])),
            make(), callbacks=kind([stop, CSVLogger(tmp_path / "log.csv")]), comm=Alone(),
        )  # fmt: skip
    assert [len(each) for each in found] == [2, 1]
    assert found[1] == [stop]
