"""Subnormal numbers: zero while a network trains, and as before for whoever called."""

import numpy as np
import pytest
from fastnn.kernels.jitted.execution import entry

import fastnn
from fastnn import Dense, Network, Rescaling, kernels
from fastnn.errors import DivergenceError
from fastnn.network.description import state_of

jitted = kernels.get("jitted")

pytestmark = pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3)).astype("float32")
y = (X[:, 0] > 0).astype(int)
TINY = {dtype: np.finfo(dtype).smallest_normal for dtype in ("float32", "float64")}
ENOUGH = {"float32": 1200, "float64": 8000}  # steps after which 0.9 to that power is subnormal


def dead(dtype):
    """A network half of whose hidden units had slopes once and will not be active again."""
    net = Network.mlp([3, 8, 1], output="sigmoid", dtype=dtype)
    net.fit(X, y, epochs=1, batch_size=None, optimizer=fastnn.Adam(), progress=False)
    net.parameters["b1"][:4] = -1000
    return net


def counts_subnormals():
    """Tell whether this thread's arithmetic knows subnormal numbers."""
    return all((np.full(64, tiny) / tiny.dtype.type(2) > 0).all() for tiny in TINY.values())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_averages_of_dead_units_end_at_zero(monkeypatch, dtype, threads):
    """On every member of a team, made of two for a network for which one would do."""
    monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
    net, before, teams = dead(dtype), fastnn.get_num_threads(), []
    run_parallel = entry.run_parallel
    monkeypatch.setattr(
        entry,
        "run_parallel",
        lambda run, args, team: (teams.append(team), run_parallel(run, args, team))[1],
    )
    fastnn.set_num_threads(threads)
    try:
        net.fit(X, y, epochs=ENOUGH[dtype], batch_size=None, optimizer=fastnn.Adam(),
                progress=False)  # fmt: skip
    finally:
        fastnn.set_num_threads(before)
    slots = np.abs(state_of(net).training.slots)
    assert set(teams) == {threads}
    assert (slots[0] > 0).any()
    assert not ((slots > 0) & (slots < TINY[dtype])).any()
    assert counts_subnormals()


def test_learns_what_it_learns_with_them():
    """The other backend's arithmetic keeps them."""
    compiled, plain = dead("float64"), dead("float64")
    settings = {"epochs": 50, "batch_size": 16, "optimizer": fastnn.Adam(), "progress": False}
    for net in (compiled, plain):
        net.fit(X, y, **settings | {"epochs": 1})
        state_of(net).training.slots[:, net.program.theta == net.program.theta[0]] = 1e-310
        with fastnn.backend("jitted" if net is compiled else "vectorized"):
            net.fit(X, y, **settings)
    assert (
        np.abs(state_of(compiled).training.slots) < np.abs(state_of(plain).training.slots)
    ).any()
    np.testing.assert_allclose(compiled.program.theta, plain.program.theta, rtol=1e-9)


@pytest.mark.parametrize("size", [5e-5, 6e-8])
def test_small_numbers_of_float16_are_read_as_they_are(size):
    small = (np.abs(X) * size).astype("float16")
    nets = [Network([Rescaling(1 / size), Dense(1, "sigmoid")], seed=0) for _ in range(2)]
    for net, data in zip(nets, (small, small.astype("float32")), strict=True):
        net.fit(data, y, epochs=3, progress=False)
    np.testing.assert_allclose(nets[0].program.theta, nets[1].program.theta, rtol=1e-5)
    assert (
        nets[0].parameters["W1"] != Network(nets[0].layers, seed=0).build(3).parameters["W1"]
    ).all()


def test_weights_below_the_normal_numbers_count():
    nets = [Network.mlp([3, 4, 1], output="sigmoid", seed=0) for _ in range(2)]
    for net, weight in zip(nets, (1, 1e-40), strict=True):
        net.fit(X, y, epochs=3, sample_weight=np.full(40, weight), progress=False)
    np.testing.assert_allclose(nets[0].program.theta, nets[1].program.theta, rtol=1e-4)


@pytest.mark.parametrize("backend", ["jitted", "vectorized", "loops"])
def test_a_mean_of_zero_is_right_where_nothing_was_counted(backend):
    """Softplus of −95 is subnormal in float32, and of −200 zero."""
    net = Network([Dense(1, "softplus", init="zeros")], loss="poisson").build(3)
    for bias in (-95, -200):
        net.parameters["b1"] = [bias]
        with fastnn.backend(backend):
            net.fit(X, np.zeros(40), epochs=2, progress=False)
        assert net.history["cost"][-1] < 1e-37


def test_arithmetic_is_as_before_after_a_fit_that_diverged():
    net = Network.mlp([3, 4, 1], hidden="relu", output="identity", loss="squared_error")
    with pytest.raises(DivergenceError):
        net.fit(X * 1e6, X[:, 0], epochs=300, optimizer=fastnn.GradientDescent(1e6), progress=False)
    assert counts_subnormals()


def test_callbacks_find_arithmetic_as_it_was():
    seen = []
    dead("float32").fit(
        X, y, epochs=3, callbacks=[lambda *_: seen.append(counts_subnormals())], progress=False
    )
    assert seen == [True] * 3


def test_predictions_keep_them():
    net = Network([fastnn.Dense(1, use_bias=False)], loss="squared_error")
    net.build(1)
    net.parameters["W1"][...] = 0.25
    tiny = np.array([[TINY["float32"]]], "float32")
    assert net.predict(tiny) == TINY["float32"] / 4
