"""precision="mixed" of the estimators: float32 networks whose products are of bfloat16."""

import pickle

import numpy as np
import pytest

import fastnn
from fastnn import MLPClassifier, MLPRegressor, Network
from fastnn.errors import SettingError

sklearn_base = pytest.importorskip("sklearn.base", reason="needs scikit-learn")

pytestmark = [
    pytest.mark.medium,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
y = (X @ [1, -2, 0.5] > 0).astype(int)
QUICK = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "precision": "mixed"}


@pytest.fixture(autouse=True)
def backend():
    with fastnn.backend("vectorized"):
        yield


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_networks_are_mixed_and_float32_whatever_X_holds(kind):
    model = kind(**QUICK)
    for given in (X, X.astype(np.float32)):
        network = model.fit(given, y).network_
        assert (network.precision, network.dtype) == ("mixed", np.float32)
    twin = sklearn_base.clone(model)
    assert twin.get_params()["precision"] == "mixed"
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), twin.fit(X.astype(np.float32), y).predict(X))


def test_it_is_that_of_a_network_with_the_same_weights():
    model = MLPClassifier(**QUICK).fit(X, y)
    net = Network.mlp([3, 5, 1], output="sigmoid", precision="mixed")
    net.set_parameters(model.network_.parameters)
    np.testing.assert_array_equal(model.predict_proba(X), net.predict_proba(X))
    plain = Network.mlp([3, 5, 1], output="sigmoid")
    plain.set_parameters(model.network_.parameters)
    assert (model.predict_proba(X) != plain.predict_proba(X)).any()


def test_several_networks_and_one_epoch_at_a_time():
    assert all(
        net.precision == "mixed" for net in MLPClassifier(n_networks=2, **QUICK).fit(X, y).networks_
    )
    model = MLPClassifier(**QUICK).partial_fit(X, y, classes=[0, 1])
    model.set_params(precision="float32")
    with pytest.raises(SettingError, match="precision changed"):
        model.partial_fit(X, y)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"precision": "half"}, "precision must be 'float32' or 'mixed', got 'half'"),
        ({"dtype": "float64"}, "dtype is float64; give dtype='float32'"),
        ({"solver": "lbfgs"}, r"LBFGS .* take Adam"),
    ],
)
def test_refuses(settings, words):
    model = MLPClassifier(**QUICK | settings)
    with pytest.raises(SettingError, match=words):
        model.fit(X, y)
    assert not hasattr(model, "network_")


def test_estimators_pickled_before_go_on():
    model = MLPClassifier(**QUICK | {"precision": "float32"}).partial_fit(X, y, classes=[0, 1])
    del model._described["precision"], model.precision
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, y)
    assert again.get_params()["precision"] == "float32"
    again.set_params(precision="mixed")
    with pytest.raises(SettingError, match="precision changed"):
        again.partial_fit(X, y)
