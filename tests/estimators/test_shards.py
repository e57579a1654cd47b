"""Estimators whose batches are cut into shards, by one process; on ranks they are in ranks/."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import LogisticRegression, MLPClassifier, MLPRegressor
from fastnn.errors import SettingError
from fastnn.ranks.group import Alone, Ranks

X = np.random.default_rng(0).normal(size=(90, 4))
y = (X[:, 0] > 0).astype(int)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("model", [
    MLPClassifier((5,), max_iter=3, random_state=0), LogisticRegression(max_iter=5),
    MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=3, random_state=0),
])  # fmt: skip
def test_shards_are_those_of_the_network(model, monkeypatch):
    """What `fit` of the network is given; sums along a tree are those in a row but for rounding."""
    whole, parts = clone(model).fit(X, y), clone(model).fit(X, y, shards=3)
    np.testing.assert_allclose(parts.network_.program.theta, whole.network_.program.theta, 1e-6)
    again = clone(model).fit(X, y, shards=3)
    np.testing.assert_array_equal(parts.network_.program.theta, again.network_.program.theta)


def test_a_pipeline_hands_them_on():
    model = make_pipeline(StandardScaler(), MLPClassifier((3,), max_iter=2, random_state=0))
    with pytest.raises(SettingError, match="comm must be a communicator of mpi4py"):
        model.fit(X, y, mlpclassifier__comm="four")
    with sklearn.config_context(enable_metadata_routing=True):
        model[-1].set_fit_request(shards=True)
        with pytest.raises(SettingError, match="shards must be"):
            model.fit(X, y, shards=0)


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"n_networks": 2, "random_state": 0}, "n_networks=2 are trained by one process"),
    ({}, "random_state=None draws other weights on every rank"),
    ({"random_state": 0, "batch_norm": True}, "BatchNorm"),
])  # fmt: skip
def test_what_cannot_be_shared_is_refused(settings, sentence, monkeypatch):
    monkeypatch.setattr("fastnn.ranks.group.Ranks", One)
    model = MLPClassifier((3,), max_iter=2, **settings)
    before = dict(vars(model))
    with pytest.raises(SettingError, match=sentence):
        model.fit(X, y, comm=object())
    assert vars(model) == before


class One(Alone):
    """The only rank."""

    def __init__(self, comm):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *ended):
        pass


def test_the_communicator_is_not_kept(monkeypatch):
    monkeypatch.setattr("fastnn.ranks.group.Ranks", One)
    model = MLPClassifier((3,), max_iter=2, random_state=0).fit(X, y, comm=object())
    assert not [value for value in vars(model).values() if isinstance(value, Alone | Ranks)]


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_the_warning_points_at_the_call():
    for model in (MLPClassifier((3,), max_iter=1, random_state=0), LogisticRegression(max_iter=1)):
        with pytest.warns(ConvergenceWarning) as said:
            model.fit(X, y)
        assert said[0].filename == __file__
