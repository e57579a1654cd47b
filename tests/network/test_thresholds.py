"""`predict(threshold=…)` and `evaluate(metrics=…)`: labels and scores by a user's own choice."""

import inspect

import numpy as np
import pytest

from fastnn import Dense, Network, metrics
from fastnn.errors import DataError, SettingError, ShapeError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, :2] + 0.5 * RNG.normal(size=(60, 2)) > 0).astype(int)


def trained(units, output="sigmoid", y=None, **settings):
    net = Network([Dense(4, "tanh"), Dense(units, output)], seed=2, **settings)
    y = Y[:, :units] if y is None else y
    net.fit(X, y, epochs=3, progress=False, metrics=["accuracy"] if output != "identity" else [])
    return net


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, np.float32(0.7), 1])
def test_one_sigmoid_is_1_strictly_above(dtype, threshold):
    net = trained(1, dtype=dtype)
    p = net.predict_proba(X)[:, 1]
    found = net.predict(X, threshold=threshold)
    assert found.dtype == np.int64
    assert found.shape == (60,)
    assert np.array_equal(found, (p > np.asarray(threshold, dtype)).astype(int))


def test_a_probability_at_the_threshold_is_0():
    net = trained(1)
    p = net.predict_proba(X)[:, 1]
    assert net.predict(X, threshold=float(p[7]))[7] == 0
    assert net.predict(X, threshold=float(np.nextafter(p[7], np.float32(0))))[7] == 1


def test_the_default_is_a_half():
    assert inspect.signature(Network.predict).parameters["threshold"].default == 0.5
    for units in (1, 2):
        net = trained(units)
        assert np.array_equal(net.predict(X), net.predict(X, threshold=1 / 2))
        assert np.array_equal(net.predict(X[:1]), net.predict(X[:1], threshold=1 / 2))


def test_several_sigmoids_take_one_for_each_column():
    net = trained(2)
    p = net.predict_proba(X)
    assert np.array_equal(net.predict(X, threshold=[0.3, 0.6]), p > np.float32([0.3, 0.6]))
    assert np.array_equal(net.predict(X, threshold=0.4), p > np.float32(0.4))


@pytest.mark.parametrize(
    ("make", "threshold", "error", "words"),
    [
        (
            lambda: trained(2, "softmax", Y[:, 0]),
            1 / 2,
            SettingError,
            r"predict_proba\(X\)\[:, k\]",
        ),
        (lambda: trained(1, "identity"), 0.3, SettingError, "are values"),
        (lambda: trained(1), 1.5, SettingError, r"in \[0, 1\], got 1.5"),
        (lambda: trained(1), -0.1, SettingError, r"in \[0, 1\]"),
        (lambda: trained(1), np.nan, SettingError, "finite number"),
        (lambda: trained(1), True, SettingError, "finite number"),
        (lambda: trained(1), "high", SettingError, "finite number"),
        (lambda: trained(1), None, DataError, "real numbers"),
        (lambda: trained(2), [0.1, np.nan], SettingError, r"in \[0, 1\]"),
        (lambda: trained(2), [0.1, 0.2, 0.3], ShapeError, "one number or 2, one for each output"),
    ],
)
def test_bad_thresholds(make, threshold, error, words):
    with pytest.raises(error, match=words):
        make().predict(X, threshold=threshold)


class TestEvaluate:
    def test_metrics_come_beside_those_of_the_fit(self):
        net = trained(1)
        y = Y[:, 0]
        found = net.evaluate(X, y, metrics=["f1", "auc"])
        assert list(found) == ["cost", "accuracy", "f1", "roc_auc"]
        predicted = net.predict(X)
        right = ((predicted == 1) & (y == 1)).sum()
        assert found["f1"] == pytest.approx(2 * right / ((predicted == 1).sum() + (y == 1).sum()))
        assert found["roc_auc"] == metrics.roc_auc(y, net.predict_proba(X)[:, 1])
        assert net.evaluate(X, y) == {name: found[name] for name in ("cost", "accuracy")}

    def test_of_values(self):
        net = trained(1, "identity", X[:, 0])
        found = net.evaluate(X, X[:, 0], metrics=["mse"])
        assert found["mse"] == pytest.approx(2 * found["cost"], rel=1e-5)

    @pytest.mark.parametrize(
        ("names", "words"),
        [(["f3"], "does not exist"), (["mse", 3], "does not exist"), (3, "must be a list")],
    )
    def test_names_are_checked(self, names, words):
        with pytest.raises(SettingError, match=words):
            trained(1).evaluate(X, Y[:, 0], metrics=names)

    def test_what_cannot_be_taken_says_why(self):
        with pytest.raises(DataError, match="cannot be taken of the given examples"):
            trained(1).evaluate(X, np.ones(60), metrics=["roc_auc"])
