"""Predictions of arrays that scikit-learn's check would leave as they are: it is not asked."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import fastnn
from fastnn.estimators import inputs

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
TARGETS = {
    "binary": np.where(X[:, 0] > 0, "yes", "no"),
    "multiclass": np.array([7, 3, 5])[np.arange(60) % 3],
    "multilabel": (X[:, :3] > 0).astype(int),
}
MODELS = {
    "mlp": lambda: fastnn.MLPClassifier((5,), max_iter=3, random_state=0),
    "logistic": lambda: fastnn.LogisticRegression(max_iter=20),
}


@pytest.fixture
def fitted():
    def fit(name, kind):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return MODELS[name]().fit(X, TARGETS[kind])

    return fit


@pytest.mark.parametrize(("name", "kind"), [
    ("mlp", "binary"), ("mlp", "multiclass"), ("mlp", "multilabel"), ("logistic", "binary"),
    ("logistic", "multiclass"),
])  # fmt: skip
def test_agree_with_what_is_checked(fitted, monkeypatch, name, kind):
    model = fitted(name, kind)
    asked = ("predict", "predict_proba", "predict_log_proba")
    for rows in (X, X.astype("float32"), X[::2, :], np.asfortranarray(X), X[:1], X[3:8]):
        assert inputs.are_checked_rows(model, rows)
        found = [getattr(model, ask)(rows) for ask in asked]
        with monkeypatch.context() as patch:
            for module in ("base", "logistic"):
                patch.setattr(f"fastnn.estimators.{module}.are_checked_rows", lambda *_: False)
            for ask, values in zip(asked, found, strict=True):
                np.testing.assert_array_equal(values, getattr(model, ask)(rows))
        if name == "mlp":
            A = model.predict_proba(rows)
            A = A[:, 1:] if kind == "binary" else A
            np.testing.assert_array_equal(found[0], model._binarizer.inverse_transform(A))


def test_all_else_goes_to_the_check(fitted):
    model = fitted("logistic", "binary")
    bad = X.copy()
    bad[7, 2] = np.nan
    for rows in (
        X.tolist(), X[0], X[:, :3], X[:0], bad, -np.inf * X, X.astype(int), X.astype(">f8"),
        np.ma.masked_array(X), np.full((9, 4), 1e308),
    ):  # fmt: skip
        assert not inputs.are_checked_rows(model, rows)
    assert not inputs.are_checked_rows(fastnn.LogisticRegression(), X)
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(bad)
    model.feature_names_in_ = np.array(list("abcd"))
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)
