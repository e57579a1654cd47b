"""Sparse rows: read and multiplied where they lie, with the results of an array."""

import tracemalloc

import numpy as np
import pytest
from builders import sparse
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.jitted.execution import entry
from fastnn.kernels.jitted.first_layer import strategy
from fastnn.kernels.jitted.threads import team

import fastnn
from fastnn import BatchNorm, Dense, Dropout, Network, Normalization, Rescaling, kernels

#: Largest difference of results that are about 1, after two epochs.
BOUND = {"float32": 1e-5, "float64": 1e-12}
FIRST = {
    "dense": [],
    "rescaled": [Rescaling(0.5, offset=0.1)],
    "normalised": [Normalization()],
    "dropout": [Dropout(0.3)],
    "batchnorm": [BatchNorm()],
}
M = 60
y = np.random.default_rng(1).integers(0, 2, M)


def array(n, dtype="float64", filled=0.1, m=M):
    """Rows of which some are empty and one is full, columns of which some are empty."""
    rng = np.random.default_rng(n)
    X = rng.normal(size=(m, n)) * (rng.random((m, n)) < filled)
    X[3 % m] = rng.normal(size=n)
    X[m // 2 :: 7] = 0
    X[:, n // 3 :: 11] = 0
    return X.astype(dtype)


@pytest.fixture(params=["multiplied", "laid out"])
def way(request, monkeypatch):
    """Whichever way sparse rows take into a first dense layer."""
    monkeypatch.setattr(strategy, "CSR_MAX_DENSITY", 1 if request.param == "multiplied" else 0)
    return request.param


def results(X, first, units, dtype, **settings):
    """What a net that reads X learns and answers: shuffled mini-batches, validation, l2."""
    net = Network([*FIRST[first], Dense(units, "tanh"), Dense(1, "sigmoid")], dtype=dtype)
    settings = {"epochs": 2, "batch_size": 16, "l2": 0.1, "progress": False} | settings
    history = net.fit(X, y, validation_data=(X.take(np.arange(20), axis=0), y[:20]), **settings)
    cost, slopes = net.cost_and_gradients(X, y)
    asked = net.predict_proba(X), *net.activations(X), np.array([*net.evaluate(X, y).values()])
    return net.program.theta, *history.values(), cost, *slopes.values(), *asked


@pytest.mark.medium
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("kind", "dtype"), [("float32", "float32"), ("float64", "float64"), ("float64", "float32")]
)
@pytest.mark.parametrize(
    ("n", "first"), [(n, first) for n in (30, 70, 1200) for first in FIRST] + [(7000, "dense")]
)
def test_results_are_those_of_an_array(n, first, kind, dtype):
    X = array(n, kind)
    # Tiles, narrow first layers that read blocks, wide ones; weights that are turned, and too many.
    for units in (1, 3, 4, 5, 9, 40) if first == "dense" else (3, 9, 40):
        found, expected = (results(Z, first, units, dtype) for Z in (sparse(X), X))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=10 * BOUND[dtype], atol=BOUND[dtype])


@pytest.mark.medium
@pytest.mark.parametrize("backend", ["loops", "vectorized"])
@pytest.mark.parametrize("first", FIRST)
def test_the_other_backends_index_them(first, backend):
    X = array(20)
    with fastnn.backend(backend):
        found, expected = (results(Z, first, 3, "float64", epochs=1) for Z in (sparse(X), X))
    assert all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("m", [1, 2, 17])
def test_products_equal_the_looped_specification(m, units, dtype, monkeypatch):
    monkeypatch.setattr(strategy, "CSR_MAX_DENSITY", 1)
    X = array(13, m=m)
    net = Network([Dense(units, "tanh"), Dense(1, "sigmoid")], inputs=13, dtype=dtype)
    cost, slopes = net.cost_and_gradients(sparse(X), y[:m])
    found = net.predict_proba(sparse(X))
    with fastnn.backend("loops"):
        expected, looped = net.cost_and_gradients(X, y[:m])
        np.testing.assert_allclose(found, net.predict_proba(X), atol=BOUND[dtype])
    assert cost == pytest.approx(expected, rel=BOUND[dtype])
    for name, slope in looped.items():
        np.testing.assert_allclose(slopes[name], slope, atol=BOUND[dtype])


def test_rows_of_one_number_and_of_none(monkeypatch):
    monkeypatch.setattr(strategy, "CSR_MAX_DENSITY", 1)
    for X in (np.eye(6), np.zeros((6, 6)), np.eye(6)[::-1] * [0, 0, 0, 0, 0, 2]):
        net = Network([Dense(5, "relu"), Dense(1)], inputs=6, dtype="float64")
        net.parameters["b1"] = np.arange(5)
        np.testing.assert_allclose(net.predict(sparse(X)), net.predict(X), rtol=1e-14)
        cost, slopes = net.cost_and_gradients(sparse(X), y[:6])
        expected, dense = net.cost_and_gradients(X, y[:6])
        assert cost == pytest.approx(expected)
        np.testing.assert_allclose(slopes["W1"], dense["W1"], atol=1e-14)


@pytest.mark.medium
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", [1, 5, 40])
@pytest.mark.parametrize(("n", "first"), [*((300, first) for first in FIRST), (7000, "dense")])
def test_a_team_gives_the_same_bits(n, first, units, dtype, monkeypatch):
    X, seen, fork_join = sparse(array(n, dtype)), [], team._fork_join
    monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", 0)
    monkeypatch.setattr(
        team,
        "_fork_join",
        lambda f, args, *who: (seen.append(who[-1]), fork_join(f, args, *who))[1],
    )
    before, found = fastnn._runtime.threads._wanted, []
    try:
        for threads in (1, 2, 3):
            fastnn.set_num_threads(threads)
            found.append(results(X, first, units, dtype, batch_size=50))
    finally:
        fastnn._runtime.threads._wanted = before
    assert {2, 3} <= set(seen)
    for others in found[1:]:
        assert all(map(np.array_equal, others, found[0]))


@pytest.mark.medium
@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("features", [40, 100])  # from 64 on, rows before 3 units are read in place
def test_arrays_and_sparse_rows_may_meet_in_a_fit(backend, features, monkeypatch):
    monkeypatch.setattr(strategy, "CSR_MAX_DENSITY", 1)
    X = array(features)
    for units in (3, 40):
        curves = []
        for train in (X, sparse(X)):
            for held in (X, sparse(X)):
                net = Network([Dense(units), Dense(1, "sigmoid")], dtype="float64")
                with fastnn.backend(backend):
                    history = net.fit(train, y, epochs=1, validation_data=(held, y), progress=False)
                curves.append(np.ravel([*history.values()]))
        np.testing.assert_allclose(curves, np.tile(curves[0], (4, 1)), rtol=1e-12)


@pytest.mark.usefixtures("way")
def test_a_share_may_be_held_out():
    X, curves = array(30), []
    for Z in (sparse(X), X):
        net = Network([Dense(3), Dense(1, "sigmoid")], dtype="float64")
        curves.append(net.fit(Z, y, epochs=2, validation_split=0.3, progress=False))
    for name, curve in curves[0].items():
        np.testing.assert_allclose(curve, curves[1][name], rtol=1e-12)


@pytest.mark.medium
@pytest.mark.usefixtures("way")
def test_gradients_are_right():
    X = array(12)
    net = Network([Dense(5, "tanh"), Dense(1, "sigmoid")], dtype="float64", inputs=12)
    assert fastnn.check_gradients(net, sparse(X), y).passed


def test_divergence_names_the_step_and_the_layer_of_an_array(monkeypatch):
    monkeypatch.setattr(strategy, "CSR_MAX_DENSITY", 1)
    said = []
    for Z in (array(30), sparse(array(30))):
        net = Network([Dense(8, "relu"), Dense(1)], dtype="float64")
        with pytest.raises(fastnn.errors.DivergenceError) as error:
            net.fit(Z, y, optimizer=fastnn.GradientDescent(1e3), epochs=99, progress=False)
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.medium
@pytest.mark.parametrize("units", [4, 40])
def test_no_batch_is_laid_out(units):
    """A batch of 500 × 10,000 numbers is 20 MB in float32; parameters and their memory 5 times W.

    W of 40 units is 1.6 MB.
    """
    X = sparse(array(10000, m=1000, filled=0.001))
    net = Network([Dense(units), Dense(1)])
    labels = np.arange(1000) % 2
    net.fit(X, labels, epochs=1, batch_size=500, progress=False)  # compiles
    tracemalloc.start()
    try:
        settings = {"epochs": 2, "batch_size": 500, "progress": False}
        net.fit(X, labels, validation_data=(X, labels), **settings)
        net.predict(X)
        net.evaluate(X, labels)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6


class TestSparseRows:
    def test_indexing(self):
        X = array(9)
        rows = sparse(X)
        for chosen in (slice(None), slice(5, 20, 3), slice(0), [3, 3, 0], np.array([], int)):
            assert np.array_equal(rows[chosen], X[chosen])
            taken = rows.take(np.arange(M)[chosen])
            assert np.array_equal(taken[:], X[chosen])
        assert (rows.max(), rows.min(), len(rows)) == (X.max(), X.min(), M)
        assert (rows.shape, rows.size, rows.ndim, rows.dtype) == (X.shape, X.size, 2, X.dtype)

    def test_vectors_are_kept(self):
        data, indices, indptr = np.ones(2, "f4"), np.array([0, 1], "i4"), np.array([0, 1, 2])
        rows = SparseRows(data, indices, indptr, (2, 2))
        assert np.shares_memory(rows.data, data)
        assert np.shares_memory(rows.indices, indices)
        assert np.shares_memory(rows.indptr, indptr)

    def test_vectors_of_other_types_are_converted_and_may_be_longer(self):
        indices = np.array([5, 1, 0, 7], "i8")[1:]
        rows = SparseRows(np.arange(1.0, 7)[::2], indices, np.array([0, 1, 2], "u2"), (2, 2))
        assert np.array_equal(rows[:], [[0, 1], [3, 0]])

    @pytest.mark.parametrize(("data", "indices", "indptr", "shape"), [
        ([1.0, 2.0], [1, 0], [0, 2], (1, 3)),  # falls
        ([1.0, 2.0], [1, 1], [0, 2], (1, 3)),  # twice
        ([1.0, 2.0], [1, 3], [0, 2], (1, 3)),  # beyond
        ([1.0, 2.0], [-1, 0], [0, 2], (1, 3)),
        ([1.0, 2.0], [0], [0, 2], (1, 3)),
        ([1.0], [0, 1], [0, 2], (1, 3)),
        ([1.0, 2.0], [0, 1], [1, 2], (1, 3)),
        ([1.0, 2.0], [0, 1], [0, 2, 1], (2, 3)),
        ([1.0, 2.0], [0, 1], [0, 2], (2, 3)),
        ([1, 2], [0, 1], [0, 2], (1, 3)),
    ])  # fmt: skip
    def test_what_are_no_rows_is_refused(self, data, indices, indptr, shape):
        for kind in (np.int64, np.uint8):
            with pytest.raises(ValueError, match="must"):
                SparseRows(np.array(data), np.array(indices).astype(kind), np.array(indptr), shape)

    def test_rows_may_begin_where_columns_fall(self):
        rows = SparseRows(np.ones(3), np.array([1, 0, 1]), np.array([0, 1, 1, 3, 3]), (4, 2))
        assert np.array_equal(rows[:], [[0, 1], [0, 0], [1, 1], [0, 0]])
