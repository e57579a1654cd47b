"""One row predicted alone: the short way gives what the long one gives, and refuses the same."""

import threading

import numpy as np
import pytest

from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Network,
    Normalization,
    Rescaling,
)
from fastnn.errors import DataError, NotBuiltError, ShapeError

NAMES = [
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "silu", "gelu", "mish",
    "exp",
]  # fmt: skip


def close(net, X):
    """Assert that rows alone agree with rows together to the rounding of their sums."""
    together = net.predict_proba(X)
    widest = max(W.shape[0] for name, W in net.parameters.items() if name[0] == "W")
    bound = 8 * widest * float(np.finfo(net.dtype).eps)
    for i in range(len(X)):
        alone = net.predict_proba(X[i : i + 1])[0]
        np.testing.assert_allclose(alone, together[i], atol=bound)
        (label,) = net.predict(X[i : i + 1])
        assert label == alone.argmax()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "int64", "strided"])
def test_agrees_for_every_dtype(kind, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, (5, 33)).astype("float32" if kind == "strided" else kind)
    if kind == "strided":
        X = np.repeat(X, 2, axis=1)[:, ::2]
    for first in ([], [Rescaling(1 / 255)], [Normalization()]):
        net = Network([*first, Dense(20), Dense(7), Dense(3, "softmax")], dtype=dtype)
        net.fit(X, [0, 1, 2, 0, 1], epochs=2, progress=False)
        close(net, X)


@pytest.mark.parametrize("activation", NAMES)
def test_agrees_for_every_activation(activation):
    X = np.random.default_rng(1).normal(size=(4, 6))
    close(Network([Dense(9, activation), Dense(1, "sigmoid")], inputs=6), X)
    apart = [Dense(9, "identity"), Activation(activation), Dense(1), Activation("sigmoid")]
    close(Network(apart, inputs=6), X)


def test_agrees_through_what_rests_in_prediction():
    X = np.random.default_rng(2).normal(size=(40, 6))
    layers = [Dense(5), BatchNorm(), Dropout(0.3), GaussianNoise(0.1), Dense(4, "softmax")]
    net = Network(layers)
    net.fit(X, np.arange(40) % 4, epochs=3, progress=False)
    close(net, X[:5])


def test_softmax_apart_from_its_layer():
    X = np.random.default_rng(3).normal(size=(4, 6))
    close(Network([Dense(3, "identity"), Activation("softmax")], inputs=6), X)


def test_bad_rows_are_refused():
    net = Network.mlp([3, 4, 1], output="sigmoid")
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(DataError, match="row 0"):
            net.predict(np.array([[0, value, 1]]))
    with pytest.raises(ShapeError, match="expects inputs of shape"):
        net.predict(np.zeros((1, 4)))
    with pytest.raises(DataError, match="too large for float32"):
        net.predict(np.array([[0, 1e300, 1]]))
    with pytest.raises(NotBuiltError, match="Normalization"):
        Network([Normalization(), Dense(1, "sigmoid")], inputs=3).predict(np.zeros((1, 3)))


def test_follows_the_parameters():
    net = Network.mlp([3, 1], output="sigmoid")
    row = np.ones((1, 3), np.float32)
    net.predict(row)
    net.parameters["W1"][...] = 0
    net.parameters["b1"][...] = 0
    assert net.predict_proba(row).tolist() == [[0.5, 0.5]]


def test_labels_are_the_callers_own():
    net, row = Network.mlp([3, 1], output="sigmoid"), np.ones((1, 3), np.float32)
    for bias in (-9, 9):
        net.parameters["b1"][...] = bias
        label = net.predict(row)
        assert label.dtype == np.int64
        label[...] = 5
        assert net.predict(row).tolist() == [int(bias > 0)]


def test_networks_that_come_and_go():
    """What is kept for one must not be taken for another that lies where it lay."""
    row, found = np.ones((1, 3), np.float32), []
    for units in range(1, 200):
        net = Network([Dense(units, "relu"), Dense(1, "identity")], inputs=3)
        for name, values in net.parameters.items():
            values[...] = name[0] == "W"
        found.append(net.predict(row)[0])
    assert found == [3 * units for units in range(1, 200)]


def test_threads_do_not_meet():
    nets = [Network.mlp([8, 30, 1], output="sigmoid", seed=seed) for seed in range(4)]
    X = np.random.default_rng(5).normal(size=(50, 8))
    expected = [[net.predict_proba(x[None])[0, 1] for x in X] for net in nets]
    wrong = []

    def ask(k):
        for _ in range(20):
            if [nets[k].predict_proba(x[None])[0, 1] for x in X] != expected[k]:
                wrong.append(k)

    threads = [threading.Thread(target=ask, args=(i % 4,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
