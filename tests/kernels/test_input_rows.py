"""Rows of every dtype: read where they lie, with the numbers that a whole conversion would give."""

import tracemalloc

import numpy as np
import pytest
from fastnn.kernels.opcodes import READ, WIDE

import fastnn
from fastnn import Dense, Network, Normalization, Rescaling, kernels
from fastnn.errors import DataError

DTYPES = [dtype.name for dtype in READ]
SCALINGS = {
    "unscaled": [],
    "rescaled": [Rescaling(1 / 128, offset=-0.5)],
    "per feature": [Normalization()],
    "whole array": [Normalization(per_feature=False)],
}
rng = np.random.default_rng(5)
y = rng.integers(0, 2, 40)


def rows(dtype, n=70, m=40):
    """Numbers that fill what 16 bits and less can hold, halves among them where they can be."""
    kind = np.dtype(dtype)
    info = np.iinfo(kind) if kind.kind in "iu" else None
    low, high = (max(info.min, -30000), min(info.max, 60000)) if info else (-2000, 2000)
    return (rng.uniform(low, high, (m, n)) / (1 if info else 8)).astype(kind)


def converted(X):
    """X as float32 where that holds its numbers, else as float64."""
    return X.astype(np.float64 if X.dtype in WIDE else np.float32)


def results(X, scaling, units, dtype, epochs=2):
    """Parameters, history and answers of a net that reads X, shuffled and with validation."""
    net = Network([*SCALINGS[scaling], Dense(units, "tanh"), Dense(1, "sigmoid")], dtype=dtype)
    settings = {"batch_size": 16, "validation_data": (X[:7], y[:7]), "progress": False}
    history = net.fit(X, y, epochs=epochs, optimizer=fastnn.GradientDescent(1e-3), **settings)
    alone = net.predict_proba(X[3:4])
    return net.program.theta, *history.values(), net.predict_proba(X), alone


@pytest.mark.medium
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [kind for kind in DTYPES if kind != "uint8"])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_every_dtype_gives_the_bits_of_its_conversion(kind, scaling, dtype):
    X = rows(kind)
    for units in (3, 40):  # a first layer that reads blocks, and one before which they are laid out
        for found, expected in zip(
            results(X, scaling, units, dtype), results(converted(X), scaling, units, dtype),
            strict=True,
        ):  # fmt: skip
            assert np.array_equal(found, expected)


@pytest.mark.medium
@pytest.mark.parametrize("backend", ["loops", "vectorized"])
@pytest.mark.parametrize("kind", DTYPES)
def test_the_other_backends_read_the_same(kind, backend):
    X = rows(kind, n=66, m=12)
    with fastnn.backend(backend):
        for scaling in SCALINGS:
            net = Network([*SCALINGS[scaling], Dense(2, "tanh"), Dense(1, "sigmoid")])
            net.fit(X, y[:12], epochs=1, batch_size=5, progress=False)
            other = Network([*SCALINGS[scaling], Dense(2, "tanh"), Dense(1, "sigmoid")])
            other.fit(converted(X), y[:12], epochs=1, batch_size=5, progress=False)
            assert np.array_equal(net.program.theta, other.program.theta)
            found = net.predict_proba(X)
            assert np.array_equal(found, other.predict_proba(converted(X)))
            with fastnn.backend("jitted"):
                np.testing.assert_allclose(net.predict_proba(X), found, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("lay", ["F", "strided", "reversed", "unaligned", "swapped"])
@pytest.mark.parametrize("kind", DTYPES)
def test_rows_may_lie_in_any_way(kind, lay):
    X = rows(kind)
    raw = np.zeros(X.nbytes + 1, np.uint8)[1:].view(X.dtype).reshape(X.shape)
    raw[...] = X
    laid = {
        "F": np.asfortranarray(X), "strided": np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3],
        "reversed": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1], "unaligned": raw,
        "swapped": X.astype(X.dtype.newbyteorder("S")),
    }[lay]  # fmt: skip
    laid.flags.writeable = False
    found, expected = (results(Z, "per feature", 3, "float32", epochs=1) for Z in (laid, X))
    # All but the row alone: what is converted takes the way of many, which sums in another order.
    assert all(map(np.array_equal, found[:-1], expected[:-1]))


def test_truth_values_are_bytes():
    X = rng.integers(0, 2, (40, 70)).astype(bool)
    for scaling in SCALINGS:
        found, expected = (results(Z, scaling, 3, "float32") for Z in (X, X.view(np.uint8)))
        assert all(map(np.array_equal, found[:-1], expected[:-1]))


def echo(dtype):
    """A network that gives back its input."""
    net = Network([Dense(1)], inputs=1, dtype=dtype)
    net.parameters["W1"] = [[1]]
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_float16_is_widened_exactly(dtype):
    X = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 1)
    X = X[np.isfinite(X).ravel()]  # zeros of both signs and subnormal numbers among them
    found = echo(dtype).predict(X)
    assert np.array_equal(found, X[:, 0].astype(dtype))
    assert np.array_equal(echo(dtype).predict(X[700:701]), found[700:701])  # subnormal


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("m", [1, 3])
def test_float16_that_is_not_finite_is_refused(m, value):
    X = np.ones((m, 1), np.float16)
    X[-1] = value
    with pytest.raises(DataError, match=f"row {m - 1}"):
        echo("float32").predict(X)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sizes", [[5, 3, 1], [100, 1]])  # laid out, and read in place
def test_prediction_finds_what_is_not_finite(sizes, threads, backend, monkeypatch):
    monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
    monkeypatch.setattr("fastnn._runtime.threads._wanted", threads)
    net = Network.mlp(sizes, output="sigmoid")
    net.build(sizes[0])
    X = rng.normal(size=(600 if backend != "loops" else 20, sizes[0]))
    with fastnn.backend(backend):
        assert len(net.predict(X)) == len(X)
        for row in (0, len(X) // 2, len(X) - 1):
            for column, value in ((0, np.nan), (-1, np.inf), (1, -np.inf), (2, 1e39)):
                bad = X.copy()
                bad[row, column] = value
                told = "too large for float32" if value == 1e39 else f"{value} in row {row} "
                with pytest.raises(DataError, match=told), np.errstate(all="raise"):
                    net.predict(bad)
        bad[0, :2] = np.inf, -np.inf
        with pytest.raises(DataError, match="inf in row 0"), np.errstate(all="raise"):
            net.predict(bad)


def test_a_sum_beyond_float16_is_no_infinity():
    assert len(echo("float32").predict(np.full((50, 1), 60000, np.float16))) == 50


def test_numbers_too_long_for_float64_are_refused():
    if np.finfo(np.longdouble).max <= np.finfo(np.float64).max:
        pytest.skip("this machine's longdouble is float64")
    with pytest.raises(DataError, match="inf in row 0"):
        echo("float64").predict(np.full((2, 1), np.finfo(np.longdouble).max))


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_a_large_mean_does_not_cancel(kind, backend):
    small = rng.integers(0, 100, (30, 4))
    X = (small + 2**40).astype(kind)
    layers = [Normalization(), Dense(3, "tanh"), Dense(1)]
    net, near = Network(layers), Network(layers)
    with fastnn.backend(backend):
        for twin, numbers in ((net, X), (near, small.astype(np.float64))):
            twin.fit(numbers, y[:30], epochs=1, progress=False)
        np.testing.assert_allclose(net.predict(X), near.predict(small), atol=1e-4)


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["int16", "int64", "float16", "bool"])
@pytest.mark.parametrize("units", [4, 40])
@pytest.mark.parametrize("scaling", ["unscaled", "per feature"])
def test_nothing_of_the_size_of_the_data_is_allocated(kind, units, scaling):
    """20,000 × 600 numbers: 12 MB as the shortest copy would be, 48 MB in float32.

    Beside them stand a batch's workspace, 24,000 parameters and their memory, and the 2²⁰ numbers
    in float64, three times, with which the scaling is learnt.
    """
    X = rng.integers(0, 2, (20000, 600), np.uint8).astype(kind)
    labels = X[:, 0].astype(np.int64)
    net = Network([*SCALINGS[scaling], Dense(units), Dense(1, "sigmoid")])
    net.fit(X[:300], labels[:300], epochs=1, progress=False)  # compiles, and learns the scaling
    if scaling == "per feature":
        net.reset()
    tracemalloc.start()
    try:
        net.fit(X, labels, epochs=1, progress=False, validation_data=(X, labels))
        net.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (35e6 if scaling == "per feature" else 10e6)
