"""Weights of rows, which every statistic of the data knows, and of classes, which none does.

A row of weight 0 is no row, one of weight 2 is a row that stands there twice.
"""

import numpy as np
import pytest

import fastnn
from fastnn import LogisticRegression, MLPClassifier, MLPRegressor

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3)) ** 3
t = X @ [1, -2, 0.5]
y = (t > 0.8).astype(int)
Y3 = np.repeat([0, 1, 2], [30, 20, 10])
LABELS = {"two": y, "three": np.array(["a", "b", "c"])[Y3], "several": np.stack([y, Y3 > 0], 1) * 1}
WHOLE = {"zeros": np.where((np.arange(60) % 2 == 0) & (y == 1), 0, 1),
         "counts": rng.integers(0, 4, 60)}  # fmt: skip
STEPS = {"solver": "lbfgs", "max_iter": 15, "random_state": 0}
SETTINGS = [{}, {"scale": "standard"}, {"scale": "robust"}, {"early_stopping": True}]


def difference(model, w, target, predict="predict_proba"):
    """Of a fit with weights from one to rows that stand there that many times."""
    rows = np.repeat(np.arange(60), w)
    weighed = clone(model).fit(X, target, sample_weight=w.astype(float))
    repeated = clone(model).fit(X[rows], target[rows])
    return np.abs(getattr(weighed, predict)(X) - getattr(repeated, predict)(X)).max()


@pytest.mark.parametrize("backend", ["vectorized", "jitted"])
@pytest.mark.parametrize("weights", WHOLE)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("settings", SETTINGS[:3])
def test_balanced_classes_count_weights(settings, labels, weights, backend):
    model = MLPClassifier((4,), class_weight="balanced", alpha=0.1, **STEPS, **settings)
    with fastnn.backend(backend):
        assert difference(model, WHOLE[weights], LABELS[labels]) < 1e-7


@pytest.mark.parametrize("weights", WHOLE)
@pytest.mark.parametrize("labels", ["two", "three"])
@pytest.mark.parametrize("factors", ["balanced", {"a": 3, "b": 1, "c": 2}])
def test_those_of_logistic_regression_do(labels, weights, factors):
    if isinstance(factors, dict) and labels == "two":
        factors = {0: 1, 1: 50}
    model = LogisticRegression(class_weight=factors)
    assert difference(model, WHOLE[weights], LABELS[labels]) < 1e-12


def test_logistic_regression_is_scikit_learns():
    linear_model = pytest.importorskip("sklearn.linear_model")
    w = WHOLE["counts"] + rng.random(60)
    for settings in ({"class_weight": "balanced"}, {"C": np.inf}, {"fit_intercept": False}):
        settings = settings | {"tol": 1e-9, "max_iter": 1000}
        mine = LogisticRegression(**settings).fit(X, LABELS["three"], w)
        theirs = linear_model.LogisticRegression(**settings).fit(X, LABELS["three"], w)
        if "C" in settings:  # without a penalty weights are known up to a constant
            np.testing.assert_allclose(mine.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
        else:
            np.testing.assert_allclose(mine.coef_, theirs.coef_, atol=1e-5)
            np.testing.assert_allclose(mine.intercept_, theirs.intercept_, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_rows_of_weight_zero_are_no_rows(kind, settings):
    model = kind(hidden_layer_sizes=(4,), validation_fraction=0.2, **STEPS, **settings)
    target, predict = (t, "predict") if kind is MLPRegressor else (y, "predict_proba")
    assert difference(model, WHOLE["zeros"], target, predict) < 1e-7


@pytest.mark.parametrize("method", [None, "standard", "robust"])
@pytest.mark.parametrize("factors", ["balanced", {0: 1, 1: 50}])
def test_class_weights_move_no_scores_of_inputs(method, factors):
    w = rng.random(60)
    weighed, plain = (
        MLPClassifier((4,), scale=method, class_weight=c, **STEPS).fit(X, y, w)
        for c in (factors, None)
    )
    assert np.array_equal(weighed.network_.program.state, plain.network_.program.state)
    assert not np.array_equal(weighed.coefs_[0], plain.coefs_[0])


def test_those_of_a_network_move_none():
    w = rng.random(60)
    layers = [fastnn.Normalization(), fastnn.Dense(1, "sigmoid")]
    nets = [fastnn.Network(layers, dtype="float64") for _ in range(3)]
    for net, given in zip(nets, [{}, {"class_weight": "balanced"}, {"validation_split": 0.3}],
                          strict=True):  # fmt: skip
        net.fit(X, y, epochs=2, sample_weight=w, progress=False, **given)
    mean = np.average(X, axis=0, weights=w)
    np.testing.assert_allclose(nets[0].program.state[:3], mean, rtol=1e-12)
    assert np.array_equal(nets[0].program.state, nets[1].program.state)
    both = fastnn.Network(layers, dtype="float64")
    both.fit(
        X, y, epochs=2, sample_weight=w, class_weight={0: 1, 1: 9}, validation_split=0.3,
        progress=False,
    )  # fmt: skip
    assert np.array_equal(both.program.state, nets[2].program.state)


@pytest.mark.parametrize("monitor", ["validation_cost", "validation_accuracy"])
def test_what_is_monitored_knows_the_weights_of_held_out_rows(monitor):
    w = rng.random(60)
    model = MLPClassifier((4,), early_stopping=True, monitor=monitor, max_iter=3, random_state=0)
    model.fit(X, y, w)
    rows = model.held_out_
    p = model.predict_proba(X[rows])
    found = {
        "validation_cost": -np.log(p[np.arange(len(rows)), y[rows]]),
        "validation_accuracy": p.argmax(axis=1) == y[rows],
    }
    assert model.best_validation_score_ == pytest.approx(
        np.average(found[monitor], weights=w[rows])
    )


def test_validation_data_take_weights():
    w, net = np.arange(60.0), fastnn.Network([fastnn.Dense(1, "sigmoid")], dtype="float64")
    rows = np.repeat(np.arange(60), w.astype(int))
    history = net.fit(X, y, epochs=2, validation_data=(X, y, w), progress=False)
    repeated = net.evaluate(X[rows], y[rows])
    assert history["validation_cost"][-1] == pytest.approx(repeated["cost"], rel=1e-12)
    with pytest.raises(ValueError, match="validation_data: sample_weight must have shape"):
        net.fit(X, y, validation_data=(X, y, w[:3]), progress=False)
    with pytest.raises(ValueError, match="validation_data must be a pair"):
        net.fit(X, y, validation_data=(X,), progress=False)


def test_balanced_factors_of_several_sigmoids_are_multiplied():
    Y, w = LABELS["several"], rng.random(60)
    factors = w * np.prod(
        [w.sum() / (2 * np.where(column, w[column == 1].sum(), w[column == 0].sum()))
         for column in Y.T], axis=0,
    )  # fmt: skip
    nets = [fastnn.Network([fastnn.Dense(2, "sigmoid")], dtype="float64") for _ in range(2)]
    nets[0].fit(X, Y, epochs=3, sample_weight=w, class_weight="balanced", progress=False)
    nets[1].fit(X, Y, epochs=3, sample_weight=factors, progress=False)
    np.testing.assert_allclose(nets[0].predict_proba(X), nets[1].predict_proba(X), rtol=1e-12)
    with pytest.raises(ValueError, match="class_weight needs one class for each example"):
        MLPClassifier(class_weight={0: 1, 1: 2}).fit(X, Y)
