"""Shards: the tree that adds them up, whoever computes them, and fits on every backend."""

import numpy as np
import pytest
from fastnn.kernels import sharding
from fastnn.kernels.partition import static_partition

import fastnn
from fastnn import Network, kernels
from fastnn.errors import SettingError

CALLS = [(count, processes) for count in (1, 2, 5, 8, 13) for processes in range(1, count + 1)]


class Terms(str):
    """A sum as text, which tells in which order it was taken."""

    def __add__(self, other):
        return Terms(f"({self}+{other})")


def own_sums(count, first, stop):
    """The stack that one process is left with, by the rules of `Shards.merges`."""
    stack = []
    for shard, following in enumerate(sharding.own_merges(count, first, stop), first):
        stack.append(Terms(shard))
        for _ in range(following):
            right = stack.pop()
            stack[-1] += right
    return stack


@pytest.mark.parametrize(("count", "processes"), CALLS)
def test_any_number_of_processes_takes_the_same_sum(count, processes):
    parts = {}
    for rank in range(processes):
        own = static_partition(count, rank, processes)
        parts |= zip(sharding.roots(count, *own), own_sums(count, *own), strict=True)
    for left, right in sharding.crossing_merges(count, processes):
        parts[left] += parts[right]
    assert parts[0] == own_sums(count, 0, count)[0]
    assert len(own_sums(count, 0, count)) == 1


def test_the_tree_of_eight_is_balanced():
    assert own_sums(8, 0, 8) == ["(((0+1)+(2+3))+((4+5)+(6+7)))"]
    assert own_sums(5, 0, 5) == ["(((0+1)+(2+3))+4)"]


def examples(m=150):
    """Rows, labels and weights, of which a whole shard and single rows weigh nothing."""
    r = np.random.default_rng(3)
    w = r.random(m)
    w[::7] = w[30:40] = 0
    return r.normal(size=(m, 6)), r.integers(0, 3, m), w


def fitted(dtype="float64", **settings):
    """A network after some steps, and its history."""
    X, y, w = examples()
    net = Network.mlp([6, 8, 3], output="softmax", hidden="tanh", dropout=0.2, seed=1, dtype=dtype)
    history = net.fit(X, y, epochs=3, batch_size=64, sample_weight=w, **settings)
    return net.program.theta, history


HARD = {"l2": 0.3, "l1": 0.01, "clip_norm": 0.5, "validation_split": 0.2}


@pytest.mark.medium
@pytest.mark.parametrize("shards", [3, 8, 100])
def test_steps_are_those_of_whole_batches(backend, shards):
    """Sums in another order: equal but for rounding; some shards of a short batch are empty."""
    expected, curves = fitted(**HARD)
    theta, history = fitted(**HARD, shards=shards)
    np.testing.assert_allclose(theta, expected, rtol=1e-9, atol=1e-12)
    for name, curve in curves.items():
        np.testing.assert_allclose(history[name], curve, rtol=1e-9)


@pytest.mark.medium
def test_one_shard_is_the_whole_batch_bit_for_bit(backend):
    expected, curves = fitted("float32", l2=0.3, clip_value=0.1)
    theta, history = fitted("float32", l2=0.3, clip_value=0.1, shards=1)
    assert (theta == expected).all()
    assert (history["cost"] == curves["cost"]).all()


@pytest.mark.medium
def test_lbfgs_adds_up_shards():
    X, y, w = examples()
    settings = {"optimizer": "lbfgs", "epochs": 5, "sample_weight": w, "l2": 0.5}
    nets = [Network.mlp([6, 5, 3], output="softmax", dtype="float64") for _ in range(2)]
    costs = [
        net.fit(X, y, **settings, **more)["cost"]
        for net, more in zip(nets, ({}, {"shards": 8}), strict=True)
    ]
    np.testing.assert_allclose(*costs, rtol=1e-7)


@pytest.mark.medium
def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    r = np.random.default_rng(0)
    X, y = r.integers(0, 256, (2048, 784), dtype=np.uint8), r.integers(0, 10, 2048)
    monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_STEPS_TO_START", 0)
    monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 1)
    found, before = [], fastnn.get_num_threads()
    try:
        for threads in (1, 2, 3):
            fastnn.set_num_threads(threads)
            net = Network.mlp([784, 64, 10], output="softmax", rescale=1 / 255)
            net.fit(X, y, epochs=1, batch_size=512, shards=3)
            found.append(net.program.theta)
    finally:
        fastnn.set_num_threads(before)
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_what_the_others_want_ends_a_run(backend):
    """LAST takes the step, HALT does not; an exception of the reduction comes out."""
    program = Network.mlp([2, 3, 1], output="sigmoid").program
    X, Y = np.ones((4, 2)), np.ones((4, 1), np.float32)
    own, wishes = kernels.get(backend), []

    def run(reduce):
        shards = sharding.make_shards(2, 0, 2, program.theta, reduce)
        settings = program.settings(batch_size=4, threads=1, **fastnn.Momentum(0.1).settings)
        slots = np.zeros((1, program.theta.size), np.float32)
        arrays = kernels.records.FitArrays(program.theta, program.grad, slots, program.state)
        counters = np.zeros(2, np.int64)
        log = kernels.records.FitLog(np.zeros((5, 4)), np.zeros((0, 2)), counters)
        train = kernels.records.Batch.of((X, Y, np.ones(4, np.float32)), np.arange(4))
        work = own.workspace(program.ops, 2, program.theta.dtype, 1, X)
        done = own.run_sharded(
            program.ops, arrays, work, train, settings, np.full(5, 0.1), log, 0, 5, shards
        )
        return done, int(counters[0])

    def failing():
        raise KeyError("nobody there")

    for wish, expected in ((sharding.Wish.LAST, (3, 3)), (sharding.Wish.HALT, (2, 2))):
        wishes[:] = [0, 0, wish]
        assert run(lambda: wishes.pop(0)) == expected
    with pytest.raises(KeyError, match="nobody there"):
        run(failing)


def test_what_cannot_be_cut_is_refused():
    X, y, _ = examples()
    layers = [fastnn.Dense(4), fastnn.BatchNorm(), fastnn.Dense(3, "softmax")]
    with pytest.raises(SettingError, match=r"BatchNorm \(layer 1\) takes the moments of a whole"):
        Network(layers).fit(X, y, shards=2)
    for shards in (0, 2000):
        with pytest.raises(SettingError, match="shards must be"):
            fitted(shards=shards)
    with pytest.raises(SettingError, match="comm must be a communicator of mpi4py"):
        fitted(comm=3)
