"""Threads that train beside a reader: all or one fewer, whichever took less time a row."""

import numpy as np
import pytest
import streamed

from fastnn import Network
from fastnn.training.windows.team_size import CYCLE, TRIAL, TeamSize


class Clock:
    """Time that goes by as a window takes it."""

    now = 0.0

    def __call__(self):
        return self.now


def sizes_of(threads, seconds, windows, ends_epoch=lambda k: False):
    """The sizes for some windows of 10 rows, of which one takes seconds(k, size)."""
    clock = Clock()
    team, sizes = TeamSize(threads, clock), []
    for k in range(windows):
        sizes.append(team.of_next(10, ends_epoch(k)))
        clock.now += seconds(k, sizes[-1])
    return sizes


@pytest.mark.parametrize(("faster", "slower"), [(4, 3), (3, 4)])
def test_the_faster_one_stays(faster, slower):
    sizes = sizes_of(4, lambda k, size: 1.0 if size == faster else 1.5, 2 * CYCLE)
    assert sizes[: TRIAL + 1] == [4, 3, 3, 3, 4, 4, 4]
    assert sizes[TRIAL + 1 : CYCLE + 1] == [faster] * (CYCLE - TRIAL)
    assert set(sizes[CYCLE + 1 : CYCLE + 1 + TRIAL]) == {3, 4}
    assert sizes[CYCLE + 1 + TRIAL :] == [faster] * (CYCLE - TRIAL - 1)


def test_it_is_tried_again():
    """The machine may become busy while a fit goes on."""

    def seconds(k, size):
        if k < CYCLE:
            return 1.0 if size == 2 else 2.0
        return 6.0 if size == 2 else 3.0

    sizes = sizes_of(2, seconds, 2 * CYCLE)
    assert sizes[CYCLE - 1] == 2
    assert sizes[-1] == 1


def test_what_is_no_measurement():
    """The first window waits for kernels, and scores are taken behind the last of an epoch."""
    late = {0: 50.0, 1: 50.0} | dict.fromkeys(range(2, 100, 3), 0.001)
    sizes = sizes_of(
        3, lambda k, size: late.get(k, 1.0 if size == 3 else 0.9), 30, lambda k: k % 3 == 2
    )
    assert sizes[-1] == 2
    assert sizes_of(1, lambda k, size: 1.0, 10) == [1] * 10


def test_a_reader_that_runs_ahead_of_the_smaller_team_does_not_flatter_the_larger():
    """The first window of the larger one is there already; from the second on it must wait."""
    seconds = dict.fromkeys((4, CYCLE + 4), 0.1)
    sizes = sizes_of(2, lambda k, size: seconds.get(k, 1.0 if size == 1 else 1.2), CYCLE)
    assert sizes[4] == 2
    assert sizes[TRIAL + 1 :] == [1] * (CYCLE - TRIAL - 1)


def test_windows_are_trained_by_both(monkeypatch):
    """With the bits of either: the promise about threads holds for each window."""
    X, y = streamed.classes(6000, n=20)
    settings = {"epochs": 2, "batch_size": 64, "window": "30 KB", "progress": False}
    asked, nets = [], []

    def alternate(team, n_rows, ends_epoch):
        asked.append(1 + len(asked) % 2)
        return asked[-1]

    for size in (lambda *_: 1, lambda *_: 2, alternate):
        monkeypatch.setattr(TeamSize, "of_next", size)
        nets.append(Network.mlp([20, 64, 1], output="sigmoid"))
        nets[-1].fit(streamed.ArrayRows(X), y, **settings)
        np.testing.assert_array_equal(nets[-1].program.theta, nets[0].program.theta)
    assert len(asked) > 10
