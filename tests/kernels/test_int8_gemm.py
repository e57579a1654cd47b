"""Products of bytes with numbers in digits: what is rounded, what is exact, and where they end."""

import ctypes
import functools
import mmap
import sys

import numpy as np
import pytest
from fastnn.kernels.jitted.codegen.vnni import INT8_NR, VECTOR_BYTES, WORD_LANES
from fastnn.kernels.jitted.compiler.jit import runnable
from fastnn.kernels.jitted.execution import entry, input_mode
from fastnn.kernels.jitted.first_layer import quantize, strategy
from fastnn.kernels.jitted.first_layer.input_descriptor import describe_input
from fastnn.kernels.jitted.first_layer.int8_gemm import int8_backward, int8_forward
from fastnn.kernels.jitted.first_layer.int8_narrow_gemm import (
    int8_narrow_backward,
    int8_narrow_forward,
)
from fastnn.kernels.jitted.first_layer.sizes import INT8_SCRATCH
from fastnn.kernels.jitted.loader import tables
from fastnn.kernels.jitted.loader.source import detect_cpu, manifest
from fastnn.kernels.jitted.records import Features, Matrix, Scaling
from fastnn.kernels.jitted.requirements import in_training

import fastnn
from fastnn import Dense, GradientDescent, Network, Rescaling, kernels

jitted = kernels.get("jitted")

pytestmark = pytest.mark.skipif(
    not jitted.available or not detect_cpu().vnni, reason="no instruction adds bytes' products up"
)


@functools.cache
def called(function):
    """A kernel's function as one that Python can call."""
    return runnable(function)


def in_digits(y):
    """(whole numbers, their unit) of a row, put together again from its words."""
    words = -(-len(y) // VECTOR_BYTES) * WORD_LANES
    room = np.full(quantize.limbs_ld_by_number.py_func(words) + 1, np.nan, np.float32)
    called(quantize.quantize_rows_by_number.py_func)(1, len(y), words, y, 0, len(y), room, 0)
    assert np.isnan(room[-1])
    fours = room[: 4 * words].view(np.int8).reshape(-1, 4, 4)[:, :3]
    return fours.transpose(0, 2, 1).reshape(-1, 3) @ np.array([1, 256, 65536]), room[4 * words]


@pytest.mark.parametrize("n", [1, 3, 4, 15, 16, 17, 63, 64, 65, 130])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_digits_make_a_row_again_up_to_a_step(n, size):
    y = (np.random.default_rng(n).normal(size=n) * size).astype(np.float32)
    whole, unit = in_digits(y)
    assert np.log2(unit) % 1 == 0
    assert np.abs(y).max() * 2.0**-23 < unit <= np.abs(y).max() * 2.0**-21
    assert np.abs(whole[:n] * np.float64(unit) - y).max() <= unit / 2
    assert not whole[n:].any()


def test_digits_hold_every_largest_number():
    """Of those next to a power of two, and of those that three digits hold just and no more."""
    for top in (quantize.LIMBS_MAX, 2**23 - 1, 2**23 - 2):
        for offset in range(-3, 4):
            largest = np.ldexp(np.float32(min(top + offset, 2**23 - 1)), -22)
            for sign in (1, -1):
                y = np.array([sign * largest, np.float32(2.0**-23)], np.float32)
                whole, unit = in_digits(y)
                assert np.abs(whole[:2] * np.float64(unit) - y).max() <= unit / 2


def test_whole_numbers_and_zero_are_exact_in_digits():
    y = np.random.default_rng(0).integers(-(2**22), 2**22, 100).astype(np.float32)
    whole, unit = in_digits(y)
    assert (whole[:100] * unit == y).all()
    assert not in_digits(np.zeros(70, np.float32))[0].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 16, 68])
def test_the_unit_of_a_row_that_is_not_finite_is_nan(bad, place):
    y = np.ones(69, np.float32)
    y[place] = bad
    assert np.isnan(in_digits(y)[1])


GUARD = np.float32(-77)
KERNELS = {
    "forward": int8_forward, "narrow forward": int8_narrow_forward,
    "backward": int8_backward, "backward for one": int8_narrow_backward,
}  # fmt: skip


def products(n, m, N, way, offset=0.0, start=0.0, extent=0):
    """(what a kernel computes, the exact result, what digits round, what NumPy computes)."""
    rng = np.random.default_rng([n, m, N])
    images = rng.integers(0, 256, (m + 5, N + extent)).astype(np.uint8)
    order = rng.permutation(m + 5)[:m]
    work = np.full(3 + INT8_SCRATCH + 64, GUARD, np.float32)
    back, one = way.startswith("backward"), way.endswith("one")
    n = 1 if one else n
    wide, long = (N, m) if back else (m, N)
    Y = rng.normal(size=(n, long + 3)).astype(np.float32)
    C = np.full((n + 1, wide + 4), GUARD)
    C[:n, :wide] = start
    called(KERNELS[way].function)(
        n, describe_input(images)[0], order, Features(extent, N), Scaling(0.5, offset),
        Matrix(Y.reshape(-1), 0, long + 3), Matrix(C.reshape(-1), 0, wide + 4),
        work[3 : 3 + INT8_SCRATCH],
    )  # fmt: skip
    assert (work[:3] == GUARD).all()
    assert (work[3 + INT8_SCRATCH :] == GUARD).all()
    assert (C[n:] == GUARD).all()
    assert (C[:, wide:] == GUARD).all()
    X = 0.5 * images[order, extent:].astype(np.float64) + offset
    X = X if back else X.T
    rounded = (np.abs(Y[:, :long]).max(axis=1) * 2.0**-23)[:, None] * np.abs(X).sum(axis=0)
    begin = 0.0 if back else start
    exact, usual = Y[:, :long].astype(np.float64) @ X, Y[:, :long] @ X.astype(np.float32)
    return C[:n, :wide], begin + exact, rounded, begin + usual


EDGES = [
    1,
    2,
    3,
    5,
    15,
    16,
    17,
    INT8_NR - 1,
    INT8_NR,
    INT8_NR + 1,
    VECTOR_BYTES - 1,
    VECTOR_BYTES,
    VECTOR_BYTES + 1,
    131,
]


@pytest.mark.medium
@pytest.mark.parametrize("way", KERNELS)
@pytest.mark.parametrize("N", [*EDGES, 256, 1000])
def test_any_size_is_within_the_rounding_of_digits(way, N):
    for m in EDGES:
        for n in (1, 2, 3, 4, 5, 8, 11):
            extent = (
                N % 7 if n % 2 else -N % VECTOR_BYTES
            )  # rows begin cache lines alike, or do not
            found, exact, rounded, _ = products(n, m, N, way, extent=extent)
            assert (np.abs(found - exact) <= rounded + 2.0**-22 * np.abs(exact)).all()


@pytest.mark.parametrize("way", KERNELS)
@pytest.mark.parametrize(
    ("n", "m", "N"), [(300, 40, 700), (90, 600, 70), (600, 300, 130), (31, 9, 6100), (1, 5000, 300)]
)
def test_products_that_go_in_pieces_are_whole(way, n, m, N):
    """More outputs than digits have room for, more examples than panels or the way back take."""
    found, exact, rounded, _ = products(n, m, N, way)
    assert (np.abs(found - exact) <= rounded + 2.0**-22 * np.abs(exact)).all()


@pytest.mark.parametrize("way", KERNELS)
def test_an_offset_and_what_stands_there_are_added(way):
    found, exact, _, _ = products(6, 37, 90, way, offset=-3.5, start=2.0)
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("offset", [0.0, -3.5])
@pytest.mark.parametrize("way", KERNELS)
def test_long_sums_are_nearer_to_the_exact_ones_than_those_of_float32(way, offset):
    n, m, N = (8, 1500, 40) if way.startswith("backward") else (8, 40, 1500)
    found, exact, _, usual = products(n, m, N, way, offset)
    assert np.abs(found - exact).mean() < np.abs(usual - exact).mean()


def fitted(features, units, batch, threads=1, dtype="float32"):
    """Parameters, costs and predictions after three epochs on bytes."""
    rng = np.random.default_rng(features)
    X = rng.integers(0, 256, (101, features)).astype(np.uint8)
    net = Network.mlp(
        [features, *units], output="softmax", hidden="tanh", rescale=1 / 255, dtype=dtype
    )
    before = fastnn._runtime.threads._wanted
    fastnn.set_num_threads(threads)
    try:
        history = net.fit(
            X, rng.integers(0, units[-1], 101), epochs=3, batch_size=batch, progress=False,
            optimizer=GradientDescent(min(0.1, 30 / features)),
            validation_data=(X[:30], np.arange(30) % units[-1]),
        )  # fmt: skip
        return net.program.theta, history["cost"], history["validation_cost"], net.predict_proba(X)
    finally:
        fastnn._runtime.threads._wanted = before


@pytest.fixture
def summed(monkeypatch):
    """The names that programs hand to the table from here on."""
    names, kernel_ptrs_of = set(), entry.kernel_ptrs_of

    def watched(ops, dtype, purpose, required_kernels=(), settings=None):
        names.update(required_kernels)
        return kernel_ptrs_of(ops, dtype, purpose, required_kernels, settings)

    monkeypatch.setattr(entry, "kernel_ptrs_of", watched)
    return names


@pytest.mark.medium
@pytest.mark.parametrize("features", [256, 300, 2050, 4096, 6200, 12288, 16390, 49300])
@pytest.mark.parametrize("units", [(1, 3), (2, 3), (7, 3), (40, 5), (131, 70, 3)])
@pytest.mark.parametrize("batch", [None, 50])
def test_networks_give_what_numpy_gives(features, units, batch, summed):
    found = fitted(features, units, batch)
    rows, one = (
        prefers(features, units[0])
        for prefers in (strategy.prefers_narrow_forward, strategy.prefers_narrow_backward)
    )
    many = units[0] >= strategy.INT8_MIN_OUTPUTS
    assert (strategy.INT8_NARROW_FORWARD in summed) == (one or (rows and many))
    assert (strategy.INT8_NARROW_BACKWARD in summed) == one
    assert (strategy.INT8_FORWARD in summed) == (many and not rows)
    assert (strategy.INT8_BACKWARD in summed) == many
    with fastnn.backend("vectorized"):
        expected = fitted(features, units, batch)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


@pytest.mark.medium
@pytest.mark.parametrize("threads", [2, 3, 9])
@pytest.mark.parametrize("features", [256, 300, 2050, 6200, 12288, 16390])
@pytest.mark.parametrize("units", [(1, 2), (3, 2), (7, 3), (41, 5)])
def test_any_number_of_members_gives_the_same_bits(features, units, threads, monkeypatch):
    monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", 0)
    alone, together = (fitted(features, units, 50, count) for count in (1, threads))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def walled():
    """Bytes (60, 2112) behind which no byte may be read."""
    pages = 32 * mmap.PAGESIZE
    room = mmap.mmap(-1, pages + mmap.PAGESIZE)
    array = np.frombuffer(room, np.uint8)
    libc, wall = ctypes.CDLL(None), ctypes.c_void_p(array.ctypes.data + pages)
    assert libc.mprotect(wall, ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    X = array[pages - 60 * 2112 : pages].reshape(60, 2112)
    X[...] = np.random.default_rng(0).integers(0, 256, X.shape)
    yield X
    libc.mprotect(wall, ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.mark.medium
@pytest.mark.skipif(sys.platform != "linux", reason="mprotect is called as on Linux")
@pytest.mark.parametrize("threads", [1, 2, 40])  # more members than vectors of bytes too
@pytest.mark.parametrize("units", [1, 7, 40])
@pytest.mark.parametrize("features", [300, 2048, 2100])
def test_nothing_behind_the_user_s_array_is_read(walled, features, units, threads, monkeypatch):
    monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", 0)
    before = fastnn._runtime.threads._wanted
    fastnn.set_num_threads(threads)
    try:
        X, y = walled[:, -features:], np.arange(60) % 2
        net = Network([Rescaling(1 / 255), Dense(units, "tanh"), Dense(2, "softmax")])
        net.fit(X, y, epochs=2, batch_size=None, progress=False)
        np.testing.assert_array_equal(net.predict_proba(X), net.predict_proba(X.copy()))
    finally:
        fastnn._runtime.threads._wanted = before


@pytest.mark.medium
def test_small_batches_float64_and_few_outputs_are_read_otherwise(summed):
    fitted(300, (7, 3), strategy.INT8_MIN_BATCH - 1)
    fitted(300, (40, 3), strategy.INT8_DIRECT_MIN_BATCH - 1)
    assert strategy.INT8_BACKWARD in summed  # as they predict more rows
    summed.clear()
    fitted(300, (7, 3), None, dtype="float64")
    fitted(300, (40, 3), None, dtype="float64")
    fitted(300, (strategy.INT8_MIN_OUTPUTS - 1, 3), None)
    assert strategy.INT8_BACKWARD not in summed
    fitted(300, (strategy.INT8_MIN_OUTPUTS, 3), None)
    assert strategy.INT8_BACKWARD in summed


@pytest.mark.parametrize("features", [300, 2100])
def test_a_row_does_not_depend_on_its_neighbours_among_many(features):
    X = np.random.default_rng(0).integers(0, 256, (300, features)).astype(np.uint8)
    for units in (9, 50):
        net = Network([Rescaling(1 / 255), Dense(units, "tanh"), Dense(2)], inputs=features)
        whole = net.build(features).predict(X)
        for begin, end in ((0, strategy.INT8_DIRECT_MIN_BATCH), (17, 133), (200, 300)):
            np.testing.assert_array_equal(net.predict(X[begin:end]), whole[begin:end])
        few = net.predict(X[: strategy.INT8_MIN_BATCH - 1])
        np.testing.assert_array_equal(net.predict(X[3:20]), few[3:20])
        np.testing.assert_allclose(few, whole[: len(few)], rtol=1e-5, atol=1e-5)


@pytest.mark.medium
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("units", [1, 3, 9, 50])
@pytest.mark.parametrize("features", [300, 2100])
def test_a_weight_that_is_not_finite_is_seen(bad, units, features):
    X = np.zeros((60, features), np.uint8)  # even where nothing is multiplied with it
    net = Network([Rescaling(1 / 255), Dense(units), Dense(2, "softmax")], inputs=features)
    net.build(features).parameters["W1"][5, -1] = bad
    assert np.isnan(net.cost_and_gradients(X, np.arange(60) % 2)[0])


def test_float64_and_other_cpus_have_no_such_kernels():
    assert set(strategy.int8_dtypes()) == {np.dtype(np.float32)}
    back = map(in_training, (strategy.INT8_BACKWARD, strategy.INT8_NARROW_BACKWARD))
    names = frozenset({strategy.INT8_FORWARD, strategy.INT8_NARROW_FORWARD, *back})
    places = [i for i, kernel in enumerate(manifest().kernels) if kernel.requires in names]
    assert len(places) == 8  # two of each: for a group or a member, and for a tile
    for dtype, exist in ((np.dtype(np.float64), False), (np.dtype(np.float32), True)):
        tables.kernel_pointers(dtype, names)
        assert {tables.is_linked(dtype, place) for place in places} == {exist}


@pytest.mark.parametrize("scaler", [fastnn.Normalization(), Rescaling(1 / 16, offset=-1)])
def test_what_is_scaled_by_feature_or_shifted_far_is_not_summed_so(scaler, summed):
    X = np.random.default_rng(0).integers(0, 256, (60, 300)).astype(np.uint8)
    for units in (9, 50):
        net = Network([scaler, Dense(units, "relu"), Dense(2, "softmax")])
        net.fit(X, np.arange(60) % 2, epochs=1, progress=False)
        net.predict(X)
    assert strategy.INT8_BACKWARD not in summed


@pytest.mark.parametrize("kind", ["plain", "normalized", "shifted far", "by columns"])
def test_a_workspace_serves_whichever_way_a_run_takes(kind):
    X = np.random.default_rng(0).integers(0, 256, (60, 4000)).astype(np.uint8)
    scalers = {"normalized": fastnn.Normalization(), "shifted far": Rescaling(1 / 16, offset=-1)}
    net = Network([scalers.get(kind, Rescaling(1 / 255)), Dense(50), Dense(2, "softmax")])
    net.fit(X, np.arange(60) % 2, epochs=1, progress=False)
    X = np.asfortranarray(X) if kind == "by columns" else X
    ops, state, dtype = net.program.ops, net.program.state, np.dtype(np.float32)
    work = entry.workspace(ops, 60, dtype, 2, X)
    selected = input_mode.select_ops(ops, X, state, dtype, 60)
    assert (selected["A"][0] < 0) == (kind == "plain")
    layout = entry.layout(selected, 60, dtype, X, 2, work)
    assert layout.workspace.buffer is work
    assert layout.capacity >= 2
