"""Fits with shards on rows that are read in windows, by one process."""

import numpy as np
import pytest
from streamed import ArrayRows, classes

import fastnn
from fastnn import Dense, Dropout, GradientDescent, Network, kernels
from fastnn.errors import DivergenceError
from fastnn.ranks.group import Alone


def fitted(X, y, w=None, **settings):
    net = Network([Dense(8, "tanh"), Dropout(0.3), Dense(3, "softmax")])
    settings = {"epochs": 2, "batch_size": 33, "shards": 4, "progress": False} | settings
    net.fit(X, y, sample_weight=w, **settings)
    return net


def same(one, other):
    return np.array_equal(one.program.theta, other.program.theta) and one.history == other.history


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("piece_rows", [1, 15])
def test_in_order_they_are_those_in_memory(backend, piece_rows, class_weight):
    X, y = classes(110, K=3)
    w = np.random.default_rng(2).uniform(0.2, 3, len(X))
    settings = {"shuffle": False, "validation_split": 0.2, "class_weight": class_weight}
    whole = fitted(X, y, w, **settings)
    assert same(whole, fitted(ArrayRows(X, piece_rows), y, w, window=2500, **settings))


def test_calls_of_one_epoch_equal_one_call():
    X, y = classes(200, K=3)
    whole, parts = (fitted(ArrayRows(X), y, window=3000, epochs=n) for n in (3, 1))
    for _ in range(2):
        parts.fit(ArrayRows(X), y, window=3000, epochs=1, batch_size=33, shards=4, progress=False)
    assert same(whole, parts)


def test_validation_rows_may_be_read():
    X, y = classes(200, K=3)
    nets = [
        fitted(X, y, validation_data=(rows, y), shuffle=False, window=window)
        for rows, window in ((X, "1 MB"), (ArrayRows(X, 7), 3000))
    ]
    np.testing.assert_array_equal(nets[0].program.theta, nets[1].program.theta)
    for name, curve in nets[0].history.items():
        np.testing.assert_allclose(nets[1].history[name], curve, rtol=1e-6)


def test_what_diverges_is_said_as_in_memory():
    """The examples of that step are those of all shards, which are read again."""
    X, y = classes(200, K=3)
    X[150] = 1e30
    said = []
    for rows, window in ((X, "1 MB"), (ArrayRows(X), 3000)):
        with pytest.raises(DivergenceError) as found:
            fitted(rows, y, window=window, shuffle=False, l2=1e-3, optimizer=GradientDescent(1e9))
        said.append(str(found.value))
    assert said[0] == said[1]


def test_a_rank_trains_by_its_share_of_the_threads(monkeypatch):
    """Not by those of the process, of which other ranks have theirs."""
    monkeypatch.setattr(Alone, "threads", 1)
    monkeypatch.setattr("fastnn.training.loop.get_num_threads", lambda: 3)
    X, y = classes(200, K=3)
    given = []
    vectorized = kernels.get("vectorized")
    run = vectorized.run_sharded

    def noted(*args):
        given.append(int(args[4]["threads"]))
        return run(*args)

    monkeypatch.setattr(vectorized, "run_sharded", noted)
    with fastnn.backend("vectorized"):
        fitted(ArrayRows(X), y, window=3000)
    assert set(given) == {1}
