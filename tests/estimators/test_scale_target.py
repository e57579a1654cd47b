"""MLPRegressor with scaled targets: as scikit-learn's TransformedTargetRegressor around it."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from fastnn import MLPRegressor
from fastnn.errors import SettingError
from fastnn.network.description import state_of

SETTINGS = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}


@pytest.fixture(autouse=True)
def _few_epochs():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def prices(K=1, m=200):
    """Return rows, and prices like those of cars."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(m, 4))
    Y = np.c_[20_000 + 9000 * X[:, 0] - 4000 * X[:, 1], X[:, 2] - 3 * X[:, 3]]
    return X, Y[:, 0] if K == 1 else Y


@pytest.mark.parametrize("K", [1, 2])
@pytest.mark.parametrize("scale", ["standard", "robust"])
def test_equals_a_scaler_around_it(K, scale):
    X, y = prices(K)
    found = MLPRegressor(scale=scale, **SETTINGS).fit(X, y)
    inner = MLPRegressor(scale=scale, scale_target=False, **SETTINGS)
    expected = TransformedTargetRegressor(inner, transformer=StandardScaler()).fit(X, y)
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-6)
    assert found.loss_ == pytest.approx(expected.regressor_.loss_, rel=1e-9)


def test_r2_of_prices_is_that_of_a_usable_model():
    X, y = prices(m=600)
    settings = SETTINGS | {"max_iter": 400}
    assert MLPRegressor(scale="standard", **settings).fit(X, y).score(X, y) > 0.95
    assert MLPRegressor(scale="standard", scale_target=False, **settings).fit(X, y).score(X, y) < 0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"scale": "standard"}, True),
        ({"scale_target": True}, True),
        ({"scale": "robust", "scale_target": False}, False),
        ({"scale": "standard", "loss": "poisson"}, False),
        ({"scale": "standard", "loss": "absolute_error"}, True),
    ],
)
def test_when_targets_are_scaled(settings, expected):
    X, y = prices(m=40)
    found = MLPRegressor(**SETTINGS | {"max_iter": 1}, **settings).fit(X, y / 1e4 + 10)
    assert (state_of(found.network_).target_scaling is not None) == expected


def test_weights_count_as_repetitions():
    X, y = prices(m=60)
    w = np.random.default_rng(1).integers(1, 4, len(y))
    weighted = MLPRegressor(scale="standard", **SETTINGS).fit(X, y, w)
    repeated = MLPRegressor(scale="standard", **SETTINGS).fit(X.repeat(w, 0), y.repeat(w))
    found, expected = (state_of(e.network_).target_scaling for e in (weighted, repeated))
    np.testing.assert_allclose(found.mean, expected.mean)
    np.testing.assert_allclose(found.deviation, expected.deviation)


def test_early_stopping_scores_in_the_unit_of_y():
    X, y = prices()
    found = MLPRegressor(scale="standard", early_stopping=True, **SETTINGS).fit(X, y)
    held = found.held_out_
    assert found.best_validation_score_ == pytest.approx(found.score(X[held], y[held]), rel=1e-6)


def test_several_networks_predict_the_mean_in_the_unit_of_y():
    X, y = prices()
    found = MLPRegressor(scale="standard", n_networks=2, **SETTINGS).fit(X, y)
    mean = np.mean([net.predict(X) for net in found.networks_], axis=0)
    np.testing.assert_allclose(found.predict(X), mean, rtol=1e-6)
    assert 10_000 < mean.mean() < 30_000


def test_partial_fit_goes_on_with_the_scaling_of_its_first_call():
    X, y = prices()
    found = MLPRegressor(scale_target=True, **SETTINGS)
    found.partial_fit(X[:100], y[:100])
    mean = state_of(found.network_).target_scaling.mean
    found.partial_fit(X[100:], y[100:])
    np.testing.assert_array_equal(state_of(found.network_).target_scaling.mean, mean)
    np.testing.assert_allclose(mean, y[:100].mean())
    found.scale_target = False
    with pytest.raises(SettingError, match="scale_target changed"):
        found.partial_fit(X, y)


@pytest.mark.parametrize("value", ["standard", 2, None])
def test_other_values_are_refused(value):
    with pytest.raises(SettingError, match="scale_target must be True or False"):
        MLPRegressor(scale_target=value).fit(*prices())
    assert clone(MLPRegressor(scale_target=value)).scale_target == value


def test_a_loss_of_counts_is_refused():
    with pytest.raises(SettingError, match="scale_target is for values"):
        MLPRegressor("poisson", scale_target=True).fit(*prices())
