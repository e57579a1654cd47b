"""No step leads out of the range of its dtype: what could is not taken, and nothing is copied."""

import tracemalloc

import numpy as np
import pytest
from fastnn.kernels import overflow_guard
from fastnn.kernels.opcodes import METHODS, OP, SETTINGS, Method
from fastnn.kernels.records import FitArrays

import fastnn
from fastnn import Dense, Network, kernels
from fastnn.errors import DivergenceError, SettingError
from fastnn.network.description import state_of


def settings_of(method, generator):
    """Settings of a method, some of them extreme."""
    settings = np.zeros((), SETTINGS)
    settings["method"] = method
    settings["beta1"], settings["beta2"] = generator.choice([0, 0.5, 0.9, 0.999], 2)
    settings["epsilon"] = 10.0 ** generator.uniform(-40, 2)
    settings["weight_decay"] = generator.choice([0, 0.1, 100.0])
    settings["clip_value"] = generator.choice([0, 0, 1.0, 1e30])
    settings["clip_norm"] = generator.choice([0, 0, 1.0, 1e30])
    settings["velocity"] = method in (Method.MOMENTUM, Method.NESTEROV) and generator.choice(2)
    return settings


def vector(generator, size, top, dtype):
    """Numbers of both signs up to `top`, which one of them is."""
    x = generator.choice([-1.0, 1.0], size) * generator.uniform(0, 1, size)
    x[0] = np.sign(x[0])
    return (x * top).astype(dtype)


@pytest.mark.medium
@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_called_safe_stays_finite(backend, method, dtype):
    """The largest parameters that there are, moved by steps of every size."""
    generator, taken = np.random.default_rng(int(method)), 0
    info = np.finfo(dtype)
    for _ in range(200):
        settings, size, t = settings_of(method, generator), 9, int(generator.integers(1, 20))
        tops = generator.uniform(-20, np.log10(float(info.max)), 2)
        peak, average, rate = (10.0**x for x in (*tops.tolist(), generator.uniform(-5, 5)))
        with np.errstate(all="ignore"):
            safe = overflow_guard.safe(settings, dtype == np.float32, rate, 1.0, peak, average)
        if not safe:
            continue
        taken += 1
        after = overflow_guard.bound(settings, rate, peak, average)
        theta = vector(generator, size, float(info.max), dtype)
        grad = vector(generator, size, peak * (1 - 1e-6), dtype)
        slots = np.zeros((METHODS[method].slots, size), dtype)
        if METHODS[method].averages_gradient:
            slots[0] = vector(generator, size, average * (1 - 1e-6), dtype)
        settings["decay"] = size
        ops, state = np.zeros(2, OP), np.zeros(0, dtype)
        with np.errstate(all="ignore"):
            arrays = FitArrays(theta, grad, slots, state)
            kernels.get(backend).update(ops, arrays, settings, rate, t)
        assert np.isfinite(theta).all()
        assert np.isfinite(slots).all()
        if method in (Method.MOMENTUM, Method.NESTEROV):
            assert np.abs(slots).max() <= after
    assert taken > 30


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_not_safe(wrong):
    settings = np.zeros((), SETTINGS)
    settings["clip_value"] = settings["clip_norm"] = 1.0
    assert overflow_guard.safe(settings, True, 0.1, 1.0, 1.0, 0.0)
    assert not overflow_guard.safe(settings, True, 0.1, wrong, 1.0, 0.0)
    assert not overflow_guard.safe(settings, True, 0.1, 1.0, wrong, 0.0)
    assert not overflow_guard.safe(settings, True, wrong, 1.0, 1.0, 0.0)


@pytest.mark.parametrize("backend", ["loops", "vectorized", "jitted"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "optimizer",
    [fastnn.GradientDescent(1e6), fastnn.Momentum(1e9), fastnn.RMSprop(1e36), fastnn.Adam(1e36)],
    ids=repr,
)
def test_the_network_is_as_if_stopped_before(optimizer, threads, backend, monkeypatch):
    """Parameters, slots and the count of updates."""
    monkeypatch.setattr("fastnn.training.loop.CHUNK_SECONDS", 1e9)
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(60, 3)), generator.normal(size=60)
    fastnn.set_num_threads(threads)
    settings = {"batch_size": 20, "progress": False, "optimizer": optimizer}
    with fastnn.backend(backend):
        net, other = (Network([Dense(3), Dense(1)], inputs=3, seed=1) for _ in range(2))
        with pytest.raises(DivergenceError) as caught:
            net.fit(X, y, epochs=200, **settings)
        if caught.value.history.epochs:
            other.fit(X, y, epochs=caught.value.history.epochs, **settings)
        assert np.isfinite(net.program.theta).all()
        assert np.isfinite(state_of(net).training.slots).all()
        assert state_of(net).training.counters[0] - state_of(other).training.counters[0] < 3
        if state_of(net).training.counters[0] == state_of(other).training.counters[0]:
            np.testing.assert_array_equal(net.program.theta, other.program.theta)


def test_a_larger_rate_later_counts_the_average_it_finds():
    """Slots of large steps at a small rate are not moved along at a large one."""
    X, y = np.ones((4, 1)), np.full(4, 1e15)
    net = Network([Dense(1, init="zeros")], seed=0)
    rates = fastnn.schedules.Step(1, 1e12)
    optimizer = fastnn.Momentum(1e-20, beta=0.9)
    with pytest.raises(DivergenceError):
        net.fit(X, y, epochs=60, optimizer=optimizer, schedule=rates, progress=False)
    assert np.isfinite(net.program.theta).all()


@pytest.mark.parametrize("backend", ["loops", "vectorized", "jitted"])
def test_examples_without_weight_tell_nothing_of_the_slopes(backend):
    """What stands in the gradient then is left from a fit before, which may have diverged."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(40, 3)), generator.normal(size=40)
    net = Network([Dense(1)], inputs=3, seed=1)
    with fastnn.backend(backend):
        weights = np.repeat([0.0, 1.0], 20)
        settings = {"batch_size": 20, "shuffle": False, "progress": False}
        for optimizer in (fastnn.Momentum(0.01), fastnn.Adam()):
            for slopes in net.program.views(net.program.grad).values():
                slopes[...] = np.inf
            net.fit(X, y, epochs=2, sample_weight=weights, optimizer=optimizer, **settings)
            assert state_of(net).training.counters[0] == 2


def test_an_epsilon_that_vanishes_is_refused():
    X, y = np.ones((4, 1)), np.ones(4)
    for optimizer in (fastnn.Adam(epsilon=1e-60), fastnn.RMSprop(epsilon=9e-39)):
        net = Network([Dense(1)])
        with pytest.raises(SettingError, match=r"epsilon .* is too small for float32.*1.2e-38"):
            net.fit(X, y, optimizer=optimizer)
        assert net.history.epochs == 0
        Network([Dense(1)], dtype="float64").fit(X, y, epochs=1, optimizer=optimizer)


def test_a_fit_holds_one_copy_of_its_parameters():
    """The gradient, beside parameters and slots: 4 of 4 MB each, and a workspace."""
    X, y = np.zeros((8, 1000), np.float32), np.zeros((8, 1000), np.float32)
    layers = [Dense(1000), Dense(1000)]
    Network(layers).fit(X, y, epochs=1, progress=False)  # compiles
    net = Network(layers, inputs=1000)
    size = net.program.theta.nbytes
    tracemalloc.start()
    try:
        net.fit(X, y, epochs=2, progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size  # two slots; parameters and gradient were there
