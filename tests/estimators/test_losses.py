"""Losses of the estimators, and the output activations that they choose."""

import numpy as np
import pytest

import fastnn
from fastnn import MLPClassifier, MLPRegressor, losses

neural_network = pytest.importorskip("sklearn.neural_network", reason="needs scikit-learn")

from sklearn.linear_model import PoissonRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = np.arange(60) % 3
COUNTS = rng.poisson(np.exp(X @ [0.5, -0.3, 0.2])).astype(float)
BACKENDS = ["vectorized", "jitted"]


def theirs(**settings):
    try:
        return neural_network.MLPRegressor("poisson", **settings).fit(X, COUNTS)
    except TypeError:
        pytest.skip("this scikit-learn has no loss='poisson'")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", ["poisson", losses.Poisson()])
@pytest.mark.parametrize(
    "solver",
    [{"solver": "adam"}, {"solver": "sgd", "momentum": 0.5}, {"solver": "lbfgs", "tol": 0.0}],
    ids=lambda solver: solver["solver"],
)
class TestPoisson:
    def test_steps_are_scikit_learns(self, solver, loss, backend):
        settings = {
            "hidden_layer_sizes": (5,), "activation": "tanh", "alpha": 0.1, "batch_size": 60,
            "max_iter": 20, "random_state": 1, **solver,
        }  # fmt: skip
        with fastnn.backend(backend):
            mine = MLPRegressor(loss, **settings).fit(X, COUNTS)
            predicted = mine.predict(X)
        peer = theirs(**settings)
        for a, b in zip(mine.coefs_, peer.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(predicted, peer.predict(X), rtol=1e-7)
        assert (predicted > 0).all()
        assert mine.out_activation_ == peer.out_activation_ == "exp"

    def test_the_loss_is_that_of_the_deviance_but_for_a_term_of_y(self, solver, loss, backend):
        with fastnn.backend(backend):
            model = MLPRegressor(loss, alpha=0.0, max_iter=9, random_state=1, **solver)
            model.fit(X, COUNTS, X_val=X, y_val=COUNTS)
            before = model.set_params(warm_start=True, max_iter=1).predict(X)
            model.fit(X, COUNTS)
        cost = (before - COUNTS * np.log(before)).mean()
        if solver["solver"] == "lbfgs":  # whose costs are those after each iteration
            before = model.predict(X)
            cost = (before - COUNTS * np.log(before)).mean()
        assert model.loss_ == pytest.approx(cost)


def test_poisson_without_hidden_units_finds_the_generalized_linear_model():
    """One identity unit between changes no function: scikit-learn's own identity of the two."""
    glm = PoissonRegressor(alpha=0, tol=1e-9, max_iter=1000).fit(X, COUNTS)
    model = MLPRegressor("poisson", (1,), "identity", alpha=0.0, solver="lbfgs", tol=1e-9,
                         max_iter=5000, random_state=0)  # fmt: skip
    np.testing.assert_allclose(model.fit(X, COUNTS).predict(X), glm.predict(X), rtol=1e-4)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_counts_are_not_negative(call):
    with pytest.raises(ValueError, match=r"counts must not be negative, but y\[3\] is -1"):
        getattr(MLPRegressor("poisson"), call)(X, np.where(np.arange(60) == 3, -1.0, 1.0))


def test_several_counts_and_early_stopping():
    both = np.stack([COUNTS, COUNTS + 1], axis=1)
    model = MLPRegressor("poisson", early_stopping=True, max_iter=20, random_state=0)
    assert model.fit(X, both).predict(X).shape == (60, 2)
    assert (model.predict(X) > 0).all()


@pytest.mark.medium
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile", None])
def test_others_of_numbers_have_an_identity_output(loss, backend):
    with fastnn.backend(backend):
        model = MLPRegressor(loss, max_iter=200, random_state=0).fit(X, X[:, 0] - 5)
    assert model.out_activation_ == "identity"
    assert model.predict(X).max() < 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_classes_by_a_softmax(backend):
    labels = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
    with fastnn.backend(backend):
        model = MLPClassifier((8,), loss="categorical_cross_entropy", solver="lbfgs", alpha=0.1,
                              early_stopping=True, random_state=0).fit(X, labels)  # fmt: skip
        p = model.predict_proba(X)
    assert model.out_activation_ == "softmax"
    assert model.coefs_[-1].shape == (8, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    assert model.score(X, labels) > 0.9


@pytest.mark.parametrize(
    ("make", "labels", "words"),
    [
        (lambda: MLPClassifier(loss="binary_cross_entropy"), y, "of MLPClassifier is softmax"),
        (lambda: MLPClassifier(loss="poisson"), y % 2, "of MLPClassifier is sigmoid"),
        (
            lambda: MLPClassifier(loss=losses.CategoricalCrossEntropy(0.1)),
            np.stack([y % 2, y % 2], axis=1), "needs a softmax output, but for this y",
        ),
        (lambda: MLPRegressor("binary_cross_entropy"), y, "of MLPRegressor is identity"),
        (lambda: MLPRegressor("log_loss"), y, "loss 'log_loss' does not exist; choose one of"),
    ],
)  # fmt: skip
def test_losses_that_do_not_suit_the_target_are_refused(make, labels, words):
    model = make()
    with pytest.raises(ValueError, match=words):
        model.fit(X, labels)
    assert not hasattr(model, "network_")
