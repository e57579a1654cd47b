"""Estimators: scikit-learn's own checks, its steps as an oracle, and what comes in wrong."""

import pickle
import warnings

import numpy as np
import pytest

import fastnn

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import neural_network  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_digits  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import RobustScaler, StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.medium
@parametrize_with_checks(
    [
        fastnn.MLPClassifier(max_iter=100),
        fastnn.MLPRegressor(max_iter=100),
        fastnn.LogisticRegression(),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


SOLVERS = [
    ({"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1}, 1e-9),
    ({"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05}, 1e-9),
    ({"solver": "sgd", "learning_rate_init": 0.05}, 1e-9),
    ({"solver": "adam"}, 1e-6),
]


@pytest.mark.medium
@pytest.mark.parametrize(("settings", "tolerance"), SOLVERS)
@pytest.mark.parametrize("activation", ["relu", "logistic"])
def test_steps_are_scikit_learns(settings, tolerance, activation):
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    settings = settings | {
        "hidden_layer_sizes": (20, 10), "batch_size": 300, "max_iter": 40, "random_state": 0,
        "alpha": 0.01, "activation": activation,
    }  # fmt: skip
    mine = fastnn.MLPClassifier(**settings).fit(X, y)
    theirs = neural_network.MLPClassifier(**settings).fit(X, y)
    np.testing.assert_allclose(mine.loss_curve_, theirs.loss_curve_, rtol=0, atol=tolerance)


def test_first_weights_are_scikit_learns():
    X, y = load_digits(return_X_y=True)
    settings = {"max_iter": 1, "random_state": 3, "learning_rate_init": 1e-30, "solver": "sgd"}
    mine = fastnn.MLPClassifier(**settings).fit(X, y)
    theirs = neural_network.MLPClassifier(**settings).fit(X, y)
    for a, b in zip(
        mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("classes", [2, 10])
def test_logistic_regression_finds_scikit_learns_coefficients(classes):
    X, y = load_digits(n_class=classes, return_X_y=True)
    X, y = X[:200] / 16, y[:200]
    mine = fastnn.LogisticRegression(C=0.1, tol=1e-6, max_iter=500).fit(X, y)
    theirs = LogisticRegression(C=0.1, tol=1e-6, max_iter=500).fit(X, y)
    np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-4)


def test_pipeline_clone_and_pickle():
    X, y = load_breast_cancer(return_X_y=True)
    names = np.array(["malignant", "benign"])[y]
    model = make_pipeline(StandardScaler(), fastnn.MLPClassifier(random_state=0, max_iter=30))
    model.fit(X, names)
    assert model.score(X, names) > 0.95
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params()["mlpclassifier__max_iter"] == 30


def test_partial_fit_takes_classes_that_the_first_batch_lacks():
    X, y = load_digits(return_X_y=True)
    first = y < 5
    net = fastnn.MLPClassifier(random_state=0)
    net.partial_fit(X[first], y[first], classes=np.arange(10))
    for _ in range(20):
        net.partial_fit(X, y)
    assert net.score(X, y) > 0.9
    with pytest.raises(ValueError, match="not among classes"):
        net.partial_fit(X[:2], [11, 12])


def test_several_labels_an_example():
    X, y = load_digits(return_X_y=True)
    Y = np.stack([y % 2, y > 4], axis=1).astype(int)
    net = fastnn.MLPClassifier(random_state=0, max_iter=40).fit(X, Y)
    assert net.predict(X).shape == Y.shape
    assert net.score(X, Y) > 0.9


@pytest.mark.medium
@pytest.mark.parametrize(
    "added",
    [{"dropout": 0.2}, {"batch_norm": True}, {"scale": "standard"}, {"class_weight": "balanced"},
     {"early_stopping": True}, {"activation": "gelu"}, {"init": "he"}, {"dtype": "float32"},
     {"solver": "lbfgs"}, {"max_time": 60},
     {"learning_rate": "adaptive", "solver": "sgd", "learning_rate_init": 0.1},
     {"learning_rate": "invscaling", "solver": "sgd", "learning_rate_init": 0.5}],
)  # fmt: skip
def test_every_extension_learns(added):
    X, y = load_digits(return_X_y=True)
    net = fastnn.MLPClassifier(random_state=0, max_iter=40, **added).fit(X / 16, y)
    assert net.score(X / 16, y) > 0.9


def test_early_stopping_brings_the_best_weights_back():
    X, y = load_digits(return_X_y=True)
    net = fastnn.MLPClassifier(random_state=0, early_stopping=True, n_iter_no_change=2)
    net.fit(X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:])
    assert net.score(X[1000:], y[1000:]) == max(net.validation_scores_)


@pytest.mark.parametrize(
    ("settings", "weight", "message"),
    [
        ({"hidden_layer_sizes": (0,)}, None, "hidden_layer_sizes"),
        ({"solver": "newton"}, None, "solver must be"),
        ({"learning_rate": 0.1}, None, "learning_rate must be"),
        ({"scale": "log"}, None, "scale must be"),
        ({"monitor": "f1"}, None, "monitor must be one of"),
        ({"monitor": "validation_cost"}, None, "needs held-out rows"),
        ({"solver": "lbfgs", "max_fun": 0}, None, "max_fun must be"),
        ({}, -1.0, "[Nn]egative"),
        ({}, 0.0, "zero for every example|weight"),
    ],
)
def test_bad_input_is_refused(settings, weight, message):
    X, y = load_digits(return_X_y=True)
    w = None if weight is None else np.full(len(X), weight)
    with pytest.raises(ValueError, match=message):
        fastnn.MLPClassifier(**settings).fit(X, y, sample_weight=w)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"alpha": -1}, "alpha must be"),
        ({"learning_rate_init": -1}, "learning_rate_init must be"),
        ({"callbacks": [3]}, "callbacks must be functions"),
        ({"learning_rate": 0.1}, "the number is learning_rate_init"),
        ({"early_stopping": "yes"}, "early_stopping must be True or False"),
        ({"early_stopping": True, "validation_fraction": 2}, "validation_fraction must lie in"),
        ({"early_stopping": True, "validation_fraction": 0}, "validation_fraction must be"),
        ({"shuffle": "no"}, "shuffle must be True or False"),
        ({"warm_start": 3}, "warm_start must be True or False"),
        ({"batch_norm": "x"}, "batch_norm must be True or False"),
        ({"solver": "sgd", "nesterovs_momentum": "x"}, "nesterovs_momentum must be True or"),
        ({"tol": -1}, "tol must be"),
    ],
)
def test_a_refused_fit_leaves_the_estimator_as_it_was(wrong, message):
    X, y = load_digits(return_X_y=True)
    new = fastnn.MLPClassifier((5,), max_iter=3, random_state=0).set_params(**wrong)
    with pytest.raises(ValueError, match=message):
        new.fit(X, y)
    assert not [name for name in vars(new) if name.endswith("_")]
    old = fastnn.MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y)
    before = old.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        old.set_params(**wrong).fit(X[:, :9], y)
    assert np.array_equal(old.predict_proba(X), before)
    assert old.n_iter_ == 3


def test_patience_may_be_infinite():
    X, y = load_digits(return_X_y=True)
    model = fastnn.MLPClassifier((5,), max_iter=15, tol=9.0, n_iter_no_change=np.inf).fit(X, y)
    assert model.n_iter_ == 15


def test_frames_with_other_columns_are_refused():
    pytest.importorskip("pandas", reason="needs pandas")
    frame = load_breast_cancer(as_frame=True)
    net = fastnn.MLPClassifier(random_state=0, max_iter=2).fit(frame.data, frame.target)
    assert list(net.feature_names_in_) == list(frame.data.columns)
    with pytest.raises(ValueError, match="feature names"):
        net.predict(frame.data[frame.data.columns[::-1]])


def test_robust_scaling_is_that_of_medians_and_quartiles():
    X, y = load_breast_cancer(return_X_y=True)
    settings = {"random_state": 0, "max_iter": 30}
    inside = fastnn.MLPClassifier(scale="robust", **settings).fit(X, y)
    outside = make_pipeline(RobustScaler(), fastnn.MLPClassifier(**settings)).fit(X, y)
    np.testing.assert_allclose(inside.predict_proba(X), outside.predict_proba(X), atol=1e-9)


@pytest.mark.medium
@pytest.mark.parametrize("monitor", ["validation_cost", "validation_accuracy", "cost"])
def test_monitor_decides_which_weights_come_back(monitor):
    X, y = load_digits(return_X_y=True)
    held = {} if monitor == "cost" else {"X_val": X[1000:], "y_val": y[1000:]}
    net = fastnn.MLPClassifier(random_state=0, monitor=monitor, max_iter=60, n_iter_no_change=3)
    net.fit(X[:1000], y[:1000], **held)
    best = {"cost": min, "accuracy": max}[monitor.removeprefix("validation_")]
    assert net.best_validation_score_ == best(net.validation_scores_)
    if held:
        found = net.network_.evaluate(X[1000:], y[1000:])[monitor.removeprefix("validation_")]
        assert found == pytest.approx(net.best_validation_score_, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "load", [pytest.param(load_digits, marks=pytest.mark.long), load_breast_cancer]
)
def test_defaults_reach_scikit_learns_accuracy(load):
    """Means over five seeds, and splits: to within 0.3 points, by the import alone."""
    X, y = load(return_X_y=True)
    scores = {fastnn: [], neural_network: []}
    for seed in range(5):
        X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed, stratify=y)
        for library, found in scores.items():
            model = library.MLPClassifier(random_state=seed)
            model = model if load is load_digits else make_pipeline(StandardScaler(), model)
            with threadpool_limits(1):  # spinning BLAS threads take 65 s where one takes 8
                found.append(model.fit(X_train, y_train).score(X_test, y_test))
    mine, theirs = (100 * np.mean(found) for found in scores.values())
    assert mine >= theirs - 0.3


@pytest.mark.medium
def test_max_fun_bounds_the_evaluations_of_lbfgs():
    X, y = load_digits(return_X_y=True)
    net = fastnn.MLPClassifier(solver="lbfgs", max_fun=5, random_state=0).fit(X, y)
    assert 1 <= net.n_iter_ <= 5


class TestWarnings:
    """scikit-learn warns of a fit that was cut short, by the same category."""

    X, Y = (part[:100] for part in load_digits(n_class=2, return_X_y=True))

    @pytest.mark.parametrize(
        "settings",
        [{"max_iter": 3}, {"solver": "sgd", "max_iter": 3}, {"solver": "lbfgs", "max_iter": 3},
         {"solver": "lbfgs", "max_fun": 3}],
    )  # fmt: skip
    def test_running_out_is_warned_of(self, settings):
        for library in (fastnn, neural_network):
            with pytest.warns(ConvergenceWarning) as found:
                library.MLPClassifier(random_state=0, **settings).fit(self.X, self.Y)
            if library is fastnn:
                assert found[0].filename == __file__
                assert all(name in str(found[0].message) for name in settings if name != "solver")

    def test_logistic_regression_warns_too(self):
        with pytest.warns(ConvergenceWarning, match="max_iter=2"):
            fastnn.LogisticRegression(max_iter=2).fit(self.X, self.Y)

    def test_convergence_is_no_matter(self):
        settings = {"solver": "lbfgs", "random_state": 0, "tol": 1e-2}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            needed = fastnn.MLPClassifier(**settings).fit(self.X, self.Y).n_iter_
            net = fastnn.MLPClassifier(max_iter=needed + 1, **settings).fit(self.X, self.Y)
        assert net.n_iter_ == needed

    def test_patience_that_ends_is_no_matter(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            net = fastnn.MLPClassifier(random_state=0, tol=0.1, n_iter_no_change=2)
            epochs = net.fit(self.X, self.Y).n_iter_
            net.set_params(max_iter=epochs).fit(self.X, self.Y)
