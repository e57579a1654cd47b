"""Sparse rows: the same fit as dense ones, and never more than some rows dense at a time."""

import tracemalloc

import numpy as np
import pytest

import fastnn

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy import sparse  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
S = sparse.csr_array(X)


@pytest.fixture(params=[100, 450, 1000])
def blocks(request, monkeypatch):
    """Blocks of that many of the 1797 rows: less than a batch of 200, two batches, five."""
    monkeypatch.setattr("fastnn._sparse.BLOCK", request.param * X.shape[1])


def assert_same(found, expected):
    for name, values in expected.network_.parameters.items():
        assert np.array_equal(found.network_.parameters[name], values)
    assert found.loss_curve_ == expected.loss_curve_


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    "settings",
    [{}, {"shuffle": False}, {"batch_size": 77}, {"batch_size": 1797}, {"dtype": "float32"},
     {"solver": "sgd", "learning_rate": "invscaling"}, {"batch_norm": True},
     {"early_stopping": True}, {"early_stopping": True, "monitor": "validation_cost"}],
)  # fmt: skip
def test_the_steps_are_those_of_dense_rows(settings):
    net = fastnn.MLPClassifier((20,), random_state=0, max_iter=4, **settings)
    assert_same(clone(net).fit(S, Y), net.fit(X, Y))


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("kind", ["csr_matrix", "csc_array"])
def test_regressors_and_partial_fits_take_the_same_steps(kind):
    rows, targets = getattr(sparse, kind)(X), np.stack([Y, -Y], axis=1)
    for model, y in [(fastnn.MLPRegressor(random_state=0), targets),
                     (fastnn.MLPClassifier(random_state=0), Y)]:  # fmt: skip
        dense = clone(model)
        for _ in range(2):
            model.partial_fit(rows, y, *([range(10)] if y is Y else []))
            dense.partial_fit(X, y, *([range(10)] if y is Y else []))
        assert_same(model, dense)
        np.testing.assert_allclose(model.predict(rows), dense.predict(X), rtol=1e-12)


@pytest.mark.usefixtures("blocks")
def test_lbfgs_adds_up_over_blocks():
    w = np.linspace(0, 1, len(X))
    w[:500] = 0  # a block that counts for nothing
    net = fastnn.MLPClassifier((20,), solver="lbfgs", alpha=1.0, max_iter=10, random_state=0)
    rows = {"X_val": X[:300], "y_val": Y[:300]}
    net.set_params(monitor="validation_cost")
    dense = clone(net).fit(X, Y, w, **rows)
    net.fit(S, Y, w, X_val=sparse.csc_array(X[:300]), y_val=Y[:300])
    np.testing.assert_allclose(net.loss_curve_, dense.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(net.validation_scores_, dense.validation_scores_, rtol=1e-9)
    logistic = [fastnn.LogisticRegression(max_iter=10).fit(rows, Y) for rows in (X, S)]
    np.testing.assert_allclose(logistic[0].coef_, logistic[1].coef_, rtol=1e-6, atol=1e-9)


@pytest.mark.usefixtures("blocks")
def test_masks_depend_on_nothing_but_the_seed(monkeypatch):
    net = fastnn.MLPClassifier((20,), dropout=0.2, random_state=0, max_iter=60)
    first = clone(net).fit(S, Y)
    monkeypatch.setattr("fastnn.training.CHUNK_SECONDS", 1e-5)  # a step at a time
    assert_same(net.fit(S, Y), first)
    assert net.score(S, Y) > 0.9


def test_blocks_have_masks_of_their_own(monkeypatch):
    monkeypatch.setattr("fastnn._sparse.BLOCK", X.shape[1])  # one row
    net = fastnn.MLPRegressor((50,), dropout=0.5, solver="sgd", momentum=0.0, alpha=0.0)
    net.set_params(learning_rate_init=1e-30, batch_size=1, max_iter=1, random_state=0)
    once = clone(net).fit(S[:1], [1.0]).loss_
    twice = net.fit(S[[0, 0]], [1.0, 1.0]).loss_  # the mean of the first row's cost and itself
    assert twice != once
    assert net.set_params(dropout=0.0).fit(S[[0, 0]], [1.0, 1.0]).loss_ == pytest.approx(
        clone(net).fit(S[:1], [1.0]).loss_
    )


@pytest.mark.usefixtures("blocks")
def test_divergence_names_its_layer_and_step():
    net = fastnn.MLPRegressor((20,), solver="sgd", learning_rate_init=50.0, random_state=0)
    said = []
    for rows in (X, S):
        with pytest.raises(fastnn.errors.DivergenceError) as error:
            clone(net).fit(rows, Y)
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("model", ["MLPClassifier", "MLPRegressor", "LogisticRegression"])
@pytest.mark.parametrize("held", [False, True])
def test_no_more_than_a_block_is_dense(model, held, monkeypatch):
    """3000 × 4000 numbers are 96 MB in float64, a batch of 200 rows is 6.4 MB, a block 2 MB.

    Beside them stand the batch's workspace and two copies of 16,000 parameters and their memory.
    """
    monkeypatch.setattr("fastnn._sparse.BLOCK", 2**18)
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
    assert peak < 18e6


@pytest.mark.parametrize("scale", ["standard", "robust"])
def test_scaling_says_that_it_cannot_centre_sparse_rows(scale):
    with pytest.raises(ValueError, match="would not stay sparse; leave scale out"):
        fastnn.MLPClassifier(scale=scale).fit(S, Y)
