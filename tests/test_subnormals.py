"""Subnormal numbers: zero while a network trains, and as before for whoever called."""

import numpy as np
import pytest
from fastnn.kernels import jitted

import fastnn
from fastnn import Network
from fastnn.errors import DivergenceError

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
def test_averages_of_dead_units_end_at_zero(dtype, threads):
    net, before = dead(dtype), fastnn.get_num_threads()
    fastnn.set_num_threads(threads)
    try:
        net.fit(X, y, epochs=ENOUGH[dtype], batch_size=None, optimizer=fastnn.Adam(),
                progress=False)  # fmt: skip
    finally:
        fastnn.set_num_threads(before)
    slots = np.abs(net._memory.slots)
    assert (slots[0] > 0).any()
    assert not ((slots > 0) & (slots < TINY[dtype])).any()
    assert counts_subnormals()


def test_learns_what_it_learns_with_them():
    """The other backend's arithmetic keeps them."""
    jitted_net, plain = dead("float64"), dead("float64")
    settings = {"epochs": 50, "batch_size": 16, "optimizer": fastnn.Adam(), "progress": False}
    jitted_net.fit(X, y, **settings)
    with fastnn.backend("vectorized"):
        plain.fit(X, y, **settings)
    np.testing.assert_allclose(jitted_net.program.theta, plain.program.theta, rtol=1e-9)


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
