"""Models of scikit-learn are taken over as they predict, or refused by name."""

import numpy as np
import pytest

import fastnn
from fastnn.errors import DataError, NotBuiltError, SettingError

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.linear_model import (  # noqa: E402
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    SGDClassifier,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(5)
X = RNG.normal(size=(60, 4))
Y = {
    "two": np.array(["no", "yes"])[np.arange(60) % 2],
    "three": np.array([7, -1, 3])[np.arange(60) % 3],
    "many labels": RNG.integers(0, 2, (60, 3)),
    "two labels": RNG.integers(0, 2, (60, 2)),
}


def assert_taken(net, model, X=X):
    """Equal probabilities, or equal values."""
    if hasattr(model, "predict_proba"):
        found, expected = net.predict_proba(X), model.predict_proba(X)
    else:
        found, expected = net.predict(X), model.predict(X)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("targets", Y)
@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "lbfgs"},
        {"solver": "sgd", "early_stopping": True, "n_iter_no_change": 2},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (3, 2, 5), "activation": "tanh", "warm_start": True},
    ],
)
def test_classifiers_however_they_were_fitted(targets, settings):
    model = MLPClassifier(**{"hidden_layer_sizes": (6,), "max_iter": 8, **settings})
    assert_taken(fastnn.from_sklearn(model.fit(X, Y[targets])), model)


def test_classifiers_that_have_seen_a_part():
    model = MLPClassifier((6,), random_state=0)
    model.partial_fit(X[:9], Y["three"][:9], classes=[-1, 3, 7, 8])
    net = fastnn.from_sklearn(model)
    assert_taken(net, model)
    assert net.outputs == 4
    # A network holds copies: what the model learns later stays with the model.
    before = net.predict_proba(X)
    model.partial_fit(X, Y["three"])
    np.testing.assert_array_equal(net.predict_proba(X), before)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("settings", [{}, {"activation": "logistic", "early_stopping": True}])
def test_regressors(outputs, settings):
    model = MLPRegressor(hidden_layer_sizes=(6,), max_iter=8, random_state=0, **settings)
    model.fit(X, X[:, 0] if outputs == 1 else X[:, :2])
    assert_taken(fastnn.from_sklearn(model), model)


def test_the_activation_of_today_is_what_the_model_predicts_with():
    model = MLPRegressor(hidden_layer_sizes=(6,), max_iter=8, random_state=0).fit(X, X[:, 0])
    model.set_params(activation="tanh")
    assert_taken(fastnn.from_sklearn(model), model)


@pytest.mark.parametrize("targets", ["two", "three"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"fit_intercept": False}, {"solver": "saga", "max_iter": 30}, {"solver": "newton-cg"}],
)
def test_logistic_regressions(targets, settings):
    model = LogisticRegression(**settings).fit(X, Y[targets])
    assert_taken(fastnn.from_sklearn(model), model)
    # Which the solver was does not change what newer versions predict with.
    if not hasattr(model, "multi_class"):
        assert_taken(fastnn.from_sklearn(model.set_params(solver="liblinear")), model)


def test_two_classes_of_liblinear():
    model = LogisticRegression(solver="liblinear", intercept_scaling=3).fit(X, Y["two"])
    assert_taken(fastnn.from_sklearn(model), model)


def test_coefficients_that_were_made_sparse():
    model = LogisticRegression().fit(X, Y["three"]).sparsify()
    assert not isinstance(model.coef_, np.ndarray)
    assert_taken(fastnn.from_sklearn(model), model)


def test_one_against_rest_of_earlier_versions_is_refused():
    model = LogisticRegression().fit(X, Y["three"])
    model.multi_class = "ovr"
    with pytest.raises(SettingError, match="neither one sigmoid nor a softmax"):
        fastnn.from_sklearn(model)


def test_an_estimator_that_predicts_in_a_way_of_its_own_is_refused():
    class Doubled(MLPRegressor):
        def predict(self, X):
            return 2 * super().predict(X)

    class Plain(MLPRegressor):
        pass

    with pytest.raises(SettingError, match="Doubled has a predict of its own"):
        fastnn.from_sklearn(Doubled(hidden_layer_sizes=(3,), max_iter=3).fit(X, X[:, 0]))
    model = Plain(hidden_layer_sizes=(3,), max_iter=3).fit(X, X[:, 0])
    assert_taken(fastnn.from_sklearn(model), model)


def test_poissons_exponential_output_is_taken_or_named():
    try:
        model = MLPRegressor(loss="poisson", hidden_layer_sizes=(3,), max_iter=3)
    except TypeError:
        pytest.skip("scikit-learn before 1.7 has no MLPRegressor(loss='poisson')")
    model.fit(X, np.arange(60) % 5)
    if "exp" in fastnn.activations.NAMES:
        assert_taken(fastnn.from_sklearn(model), model)
        return
    with pytest.raises(SettingError, match="MLPRegressor has the activation 'exp'"):
        fastnn.from_sklearn(model)


#: For every parameter of a constructor: other values than its default.
OTHERS = {
    "activation": ["identity", "logistic", "tanh"],
    "solver": ["sgd", "lbfgs"],
    "hidden_layer_sizes": [(), (3,), (2, 3, 4)],
    "learning_rate": ["adaptive", "invscaling"],
    "class_weight": ["balanced"],
    "penalty": [],
    "l1_ratio": [0],
    "dual": [],
    "multi_class": [],
    "loss": [],
    "n_jobs": [],
    "verbose": [],
    "random_state": [7],
}


def variants():
    """Each estimator that is taken, with each of its parameters at other values."""
    for maker in (MLPClassifier, MLPRegressor, LogisticRegression):
        for name, default in maker().get_params().items():
            values = OTHERS.get(name)
            if maker is LogisticRegression and name == "solver":
                values = ["newton-cg", "newton-cholesky", "sag", "saga"]
            if values is None:
                values = [not default] if isinstance(default, bool) else [3]
                values = [0.3] if isinstance(default, float) and default < 1 else values
            for value in values:
                yield pytest.param(maker, {name: value}, id=f"{maker.__name__}-{name}={value}")


@pytest.mark.parametrize(("maker", "settings"), list(variants()))
def test_every_parameter_is_honoured(maker, settings):
    model = maker(**{"max_iter": 8, "random_state": 0, **settings})
    model.fit(X, X[:, :2] if maker is MLPRegressor else Y["three"])
    assert_taken(fastnn.from_sklearn(model), model)


def test_a_parameter_of_a_later_version_is_refused_unless_it_has_its_default():
    from fastnn.interop.settings import LayerRule, check_settings

    known = LayerRule(read="activation")
    check_settings(known, MLPClassifier, MLPClassifier(activation="tanh"), "it")
    with pytest.raises(SettingError, match=r"it has solver='sgd'.*takes solver='adam'"):
        check_settings(known, MLPClassifier, MLPClassifier(solver="sgd"), "it")


def test_an_output_without_a_counterpart_is_named():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=3).fit(X, X[:, 0])
    model.out_activation_ = "cube"
    with pytest.raises(SettingError, match="MLPRegressor has the activation 'cube'"):
        fastnn.from_sklearn(model)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegressionCV(),
        SGDClassifier(loss="log_loss"),
        Perceptron(),
        make_pipeline(StandardScaler(), MLPClassifier()),
        None,
        MLPClassifier,
    ],
    ids=repr,
)
def test_other_models_are_refused(model):
    with pytest.raises(SettingError, match=r"takes a fitted MLPClassifier.*, got") as caught:
        fastnn.from_sklearn(model)
    assert "\n" not in str(caught.value)


def test_models_without_weights():
    for model in (MLPClassifier(), MLPRegressor(), LogisticRegression()):
        with pytest.raises(NotBuiltError, match="has no weights yet; call its fit"):
            fastnn.from_sklearn(model)
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=3).fit(X, X[:, 0])
    model.coefs_[1][0, 0] = np.nan
    with pytest.raises(DataError, match="weights of layer 2 of MLPRegressor must be finite"):
        fastnn.from_sklearn(model)
