"""Activations of users: registered after a check of their derivative, then used like any other."""

import pickle

import numpy as np
import pytest

import fastnn
from fastnn import Activation, Dense, Network, activations, kernels
from fastnn.errors import DataError, SettingError


@pytest.fixture
def square():
    activations.register("square", lambda z: z * z, lambda z: 2 * z)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_networks_train_with_one(square, backend):
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = (X**2).sum(axis=1)
    net = Network([Dense(6, "square"), Dense(4), Activation("square"), Dense(1)], dtype="float64")
    with fastnn.backend(backend):
        history = net.fit(X, y, epochs=3, batch_size=None, progress=False)
        report = fastnn.check_gradients(net, X, y)
        assert pickle.loads(pickle.dumps(net)).predict(X) == pytest.approx(net.predict(X))
    assert history["cost"][-1] < history["cost"][0]
    assert report.passed


def test_none_sees_numbers_that_are_refused():
    def seen(z):
        assert np.isfinite(z).all()
        return z

    activations.register("seen", seen, np.ones_like)
    with pytest.raises(DataError, match="nan in row 1"):
        Network([Dense(2, "seen")], inputs=1).predict([[1.0], [np.nan]])


def test_layers_and_errors_know_its_name(square):
    assert Dense(3, "square").activation == "square"
    with pytest.raises(SettingError, match=r"mish, .*square"):
        Dense(3, "unregistered")


@pytest.mark.parametrize(
    ("name", "forward", "backward", "words"),
    [
        ("third", lambda z: z**3, lambda z: 2 * z, r"not the derivative .* z = "),
        ("relu", lambda z: z, np.ones_like, "is taken"),
        ("two words", lambda z: z, np.ones_like, "plain word"),
        ("total", lambda z: z.sum(), np.ones_like, r"shape \(61,\) into one of \(\)"),
        ("log", lambda z: np.where(z > 0, z, np.nan), np.ones_like, "not finite"),
        ("none", 3, np.ones_like, "must be a function"),
    ],
)
def test_registration_refuses(name, forward, backward, words):
    with pytest.raises(SettingError, match=words):
        activations.register(name, forward, backward)
    if name != "relu":
        with pytest.raises(SettingError, match="does not exist"):
            Dense(3, name)
