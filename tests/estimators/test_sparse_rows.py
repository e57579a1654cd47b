"""Sparse rows of scikit-learn's users: the same fit as dense ones, which no matrix makes dense."""

import tracemalloc

import numpy as np
import pytest
from fastnn.kernels.jitted.first_layer import strategy

import fastnn

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy import sparse  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
S = sparse.csr_array(X)


@pytest.fixture
def multiplied(monkeypatch):
    """Sparse rows are multiplied as they are, although half of their numbers are held."""
    monkeypatch.setattr(strategy, "CSR_MAX_DENSITY", 1)


def assert_same(found, expected):
    for name, values in expected.network_.parameters.items():
        assert np.array_equal(found.network_.parameters[name], values)
    assert found.loss_curve_ == expected.loss_curve_


def assert_close(found, expected):
    """Assert that fits of a few epochs agree to the rounding of the first layer's sums."""
    bound = 1e-10 if expected.network_.dtype == np.float64 else 2e-4
    for name, values in expected.network_.parameters.items():
        np.testing.assert_allclose(found.network_.parameters[name], values, atol=bound)
    np.testing.assert_allclose(found.loss_curve_, expected.loss_curve_, rtol=bound)


SETTINGS = [
    {}, {"shuffle": False}, {"batch_size": 77}, {"batch_size": 1797}, {"dtype": "float32"},
    {"solver": "sgd", "learning_rate": "invscaling"}, {"batch_norm": True},
    {"dropout": 0.2}, {"early_stopping": True},
    {"early_stopping": True, "monitor": "validation_cost"},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_steps_are_those_of_dense_rows(settings):
    net = fastnn.MLPClassifier((20,), random_state=0, max_iter=4, **settings)
    assert_same(clone(net).fit(S, Y), net.fit(X, Y))


@pytest.mark.usefixtures("multiplied")
@pytest.mark.parametrize("settings", SETTINGS)
def test_the_steps_are_those_of_dense_rows_to_rounding(settings):
    net = fastnn.MLPClassifier((20,), random_state=0, max_iter=4, **settings)
    assert_close(clone(net).fit(S, Y), net.fit(X, Y))


@pytest.mark.usefixtures("multiplied")
@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array", "coo_array"])
def test_regressors_and_partial_fits_take_the_same_steps(kind):
    rows, targets = getattr(sparse, kind)(X), np.stack([Y, -Y], axis=1)
    for model, y in [(fastnn.MLPRegressor(random_state=0), targets),
                     (fastnn.MLPClassifier(random_state=0), Y)]:  # fmt: skip
        dense = clone(model)
        for _ in range(2):
            named = {"classes": range(10)} if y is Y else {}
            model.partial_fit(rows, y, **named)
            dense.partial_fit(X, y, **named)
        assert_close(model, dense)
        np.testing.assert_allclose(model.predict(rows), dense.predict(X), rtol=1e-9)


@pytest.mark.usefixtures("multiplied")
def test_lbfgs_takes_the_same_steps():
    w = np.linspace(0, 1, len(X))
    w[:500] = 0
    net = fastnn.MLPClassifier((20,), solver="lbfgs", alpha=1.0, max_iter=10, random_state=0)
    rows = {"X_val": X[:300], "y_val": Y[:300]}
    net.set_params(monitor="validation_cost")
    dense = clone(net).fit(X, Y, w, **rows)
    net.fit(S, Y, w, X_val=sparse.csc_array(X[:300]), y_val=Y[:300])
    np.testing.assert_allclose(net.loss_curve_, dense.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(net.validation_scores_, dense.validation_scores_, rtol=1e-9)


@pytest.mark.usefixtures("multiplied")
@pytest.mark.parametrize("labels", [Y, Y % 2])
def test_logistic_regression_finds_the_same_weights(labels):
    found = [fastnn.LogisticRegression(max_iter=10).fit(rows, labels) for rows in (X, S)]
    np.testing.assert_allclose(found[0].coef_, found[1].coef_, rtol=1e-5, atol=1e-9)
    proba = [model.predict_proba(rows) for model, rows in zip(found, (X, S), strict=True)]
    np.testing.assert_allclose(*proba, atol=1e-6)


def disordered():
    """The digits as a matrix out of order, with doubles and zeros that are held, and as arrays."""
    matrix = S.copy()
    for i in range(matrix.shape[0]):
        part = slice(matrix.indptr[i], matrix.indptr[i + 1])
        for vector in (matrix.indices, matrix.data):
            vector[part] = vector[part][::-1]
    row, column = np.repeat(np.arange(len(X)), 2), np.tile([5, 5], len(X))
    twice = sparse.coo_array((np.tile([2.0, -1.0], len(X)), (row, column)), shape=X.shape)
    parts = [part.tocoo() for part in (matrix, twice)]
    data = np.concatenate([part.data for part in parts] + [np.zeros(9)])
    rows = np.concatenate([part.row for part in parts] + [np.full(9, 7)])
    columns = np.concatenate([part.col for part in parts] + [np.arange(9)])
    order = np.argsort(rows, kind="stable")
    indptr = np.searchsorted(rows[order], np.arange(len(X) + 1))
    vectors = data[order], columns[order], indptr
    dense = X.copy()
    dense[:, 5] += 1
    return sparse.csr_array(vectors, shape=X.shape), dense


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("multiplied")
def test_matrices_out_of_order_are_read_and_never_changed(dtype, index):
    rows, dense = disordered()
    rows = rows.astype(dtype)
    rows.indices, rows.indptr = rows.indices.astype(index), rows.indptr.astype(index)
    before = [vector.copy() for vector in (rows.data, rows.indices, rows.indptr)]
    net = fastnn.MLPClassifier((20,), random_state=0, max_iter=2, dtype="float64")
    assert_close(clone(net).fit(rows, Y), net.fit(dense.astype(dtype), Y))
    assert all(map(np.array_equal, before, (rows.data, rows.indices, rows.indptr)))


def test_a_matrix_whose_order_has_changed_unnoticed_is_read_rightly():
    rows = sparse.csr_array(np.array([[1.0, 2.0], [0.0, 3.0]] * 10))
    assert rows.has_canonical_format  # which SciPy remembers
    rows.data[:2], rows.indices[:2] = rows.data[1::-1].copy(), rows.indices[1::-1].copy()
    net = fastnn.MLPRegressor(max_iter=2, random_state=0)
    assert_same(clone(net).fit(rows, range(20)), net.fit(rows.toarray(), range(20)))


@pytest.mark.usefixtures("multiplied")
def test_divergence_names_its_layer_and_step():
    net = fastnn.MLPRegressor(
        hidden_layer_sizes=(20,), solver="sgd", learning_rate_init=50.0, random_state=0
    )
    said = []
    for rows in (X, S):
        with pytest.raises(fastnn.errors.DivergenceError) as error:
            clone(net).fit(rows, Y)
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.medium
@pytest.mark.parametrize(
    ("model", "held"),
    [("MLPClassifier", False), ("MLPClassifier", True), ("MLPRegressor", True),
     ("LogisticRegression", False)],
)  # fmt: skip
def test_no_batch_is_made_dense(model, held):
    """3000 × 4000 numbers are 96 MB in float64, a batch of 200 rows is 6.4 MB.

    Beside the batch's workspace stand two copies of 16,000 parameters and their memory.
    """
    rows = sparse.random(3000, 4000, density=0.001, format="csr", random_state=0)
    y = np.arange(3000) % 2
    net = getattr(fastnn, model)(max_iter=2)
    if model != "LogisticRegression":
        net.set_params(hidden_layer_sizes=(4,), early_stopping=held)
    net.fit(rows[:300], y[:300])  # compiles
    tracemalloc.start()
    try:
        net.fit(rows, y).score(rows, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6e6


@pytest.mark.parametrize("scale", ["standard", "robust"])
def test_scaling_says_that_it_cannot_centre_sparse_rows(scale):
    with pytest.raises(ValueError, match="would not stay sparse; leave scale out"):
        fastnn.MLPClassifier(scale=scale).fit(S, Y)


def test_a_network_says_who_takes_sparse_rows():
    net = fastnn.Network.mlp([64, 10], output="softmax")
    for use in (lambda: net.fit(S, Y, progress=False), lambda: net.build(64).predict(S)):
        with pytest.raises(fastnn.errors.DataError, match=r"X is sparse; give X\.toarray\(\), or"):
            use()
