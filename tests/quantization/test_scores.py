"""Quantised networks scored, and used on rows that are read: as their networks are."""

import math
import pickle

import numpy as np
import pytest
import streamed
from streamed import ArrayRows, classes

import fastnn
from fastnn import Dense, Network, Normalization, losses
from fastnn.errors import DataError, NotBuiltError, SettingError, ShapeError

SMALL = 2500  # bytes, fewer than any rows here have


def fitted(output="sigmoid", K=1, **settings):
    """A network of five features with what a short fit leaves, its rows and targets."""
    X, y = classes(K=K)
    if output == "identity":
        y = 1000 + 50 * X[:, :K]
    net = Network([Normalization(), Dense(6, "relu"), Dense(K, output)], **settings)
    net.fit(X, y, epochs=2, progress=False)
    return net, X, y


def by_formula(small, net, X, y):
    """The cost of a quantised network's outputs by the formulas of the losses, in float64."""
    A = small.outputs_of(X).astype(np.float64)
    if net.loss == "categorical_cross_entropy":
        return -np.log(A[np.arange(len(y)), y]).mean()
    if net.loss == "binary_cross_entropy":
        Y = y.reshape(len(y), -1)
        return -np.where(Y > 0, np.log(A), np.log1p(-A)).sum(axis=1).mean()
    error = A - y.reshape(len(y), -1)
    if net._state.scale_target:
        error = error / y.std(axis=0)
    if net.loss == "huber":
        size = np.abs(error)
        return np.where(size <= 2, error**2 / 2, 2 * (size - 1)).sum(axis=1).mean()
    return (error**2 / 2).sum(axis=1).mean()


@pytest.mark.medium
@pytest.mark.parametrize(
    "settings",
    [
        {"output": "sigmoid"},
        {"output": "softmax", "K": 3},
        {"output": "identity", "K": 2, "scale_target": True},
        {"output": "identity", "K": 2, "loss": losses.Huber(delta=2.0)},
        {"output": "identity", "K": 1, "scale_target": True, "dtype": "float64"},
    ],
)
def test_costs_are_those_of_the_formulas(backend, settings):
    net, X, y = fitted(**settings)
    small = net.quantize(X)
    found = small.evaluate(X, y)
    assert found.keys() == net.evaluate(X, y).keys()
    assert found["cost"] == pytest.approx(by_formula(small, net, X, y), rel=1e-5)
    if "accuracy" in found:
        assert found["accuracy"] == (small.predict(X) == y).mean()
        assert found["cost"] == pytest.approx(net.evaluate(X, y)["cost"], rel=0.05)


def test_a_cost_is_finite_where_probabilities_round_to_0():
    net, X, _ = fitted()
    net.parameters["W2"][...] *= 1e4
    small = net.quantize(X)
    wrong = 1 - small.predict(X)
    assert small.predict_proba(X).min() == 0
    assert 100 < small.evaluate(X, wrong)["cost"] < 1e6


@pytest.mark.medium
def test_several_labels_and_large_samples():
    X = np.random.default_rng(0).normal(size=(9000, 5)).astype(np.float32)
    Y = (X[:, :3] > 0).astype(np.int64)
    net = Network([Dense(8, "relu"), Dense(3, "sigmoid")])
    net.fit(X, Y, epochs=1, progress=False)
    small = net.quantize(X[:500])
    found = small.evaluate(X, Y)
    assert found["cost"] == pytest.approx(by_formula(small, net, X, Y), rel=1e-5)
    assert found["accuracy"] == pytest.approx((small.predict(X) == Y).all(axis=1).mean(), rel=1e-12)


def test_metrics_are_those_of_the_fit_and_of_the_call():
    X, y = classes()
    net = Network.mlp([5, 6, 1], output="sigmoid")
    net.fit(X, y, epochs=1, metrics=["f1"], progress=False)
    small = net.quantize(X)
    found = small.evaluate(X, y, metrics=["roc_auc"])
    assert list(found) == ["cost", "accuracy", "f1", "roc_auc"]
    assert found["f1"] == fastnn.metrics.f1(y, small.predict(X))[1]
    assert found["roc_auc"] == fastnn.metrics.roc_auc(y, small.predict_proba(X)[:, 1])
    values, X, y = fitted("identity", scale_target=True)
    small = values.quantize(X)
    wanted = pytest.approx(fastnn.metrics.r2(y.ravel(), small.predict(X)), rel=1e-5)
    assert small.evaluate(X, y, metrics=["r2"])["r2"] == wanted


@pytest.mark.medium
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_rows_that_are_read_give_what_those_in_memory_give(backend, dtype):
    X, y = classes(K=3)
    X = X if dtype == "float32" else (30 * X + 100).astype(dtype)
    net = Network.mlp([5, 6, 3], output="softmax")
    net.fit(X, y, epochs=1, progress=False)
    small, rows = net.quantize(X), ArrayRows(X, 17)
    for name in ("predict", "predict_proba"):
        expected = getattr(small, name)(X)
        for given, window in ((rows, SMALL), (X.tolist(), "256 MB")):
            found = getattr(small, name)(given, window=window)
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
    assert len(rows.spans) > 4
    assert rows.threads == {"fastnn reader"}
    expected = pytest.approx(small.evaluate(X, y, metrics=["f1"]), rel=1e-12)
    assert small.evaluate(rows, y, metrics=["f1"], window=SMALL) == expected
    assert not streamed.readers()


def test_what_networks_refuse_is_refused_by_the_same_sentences():
    net, X, y = fitted()
    small = net.quantize(X)
    broken = X.copy()
    broken[444, 1] = np.inf
    calls = [
        lambda one: one.evaluate(X, y[:9]),
        lambda one: one.evaluate(X, y + 7),
        lambda one: one.evaluate(X, y, metrics=["r2"]) and one.evaluate(X, y, metrics=["best"]),
        lambda one: one.evaluate(broken, y),
        lambda one: one.evaluate(ArrayRows(broken), y, window=SMALL),
        lambda one: one.evaluate(ArrayRows(X), y[:9], window=SMALL),
        lambda one: one.predict(X, threshold=[0.1, 0.2]),
        lambda one: one.predict(X, threshold=2),
        lambda one: one.predict(X, cutoff=2),
    ] + [
        lambda one, name=name, given=given: getattr(one, name)(X, *given, window="many")
        for name, given in (("predict", ()), ("predict_proba", ()), ("evaluate", (y,)))
    ]
    for call in calls:
        raised = []
        for one in (net, small):
            with pytest.raises((DataError, SettingError, ShapeError, TypeError)) as caught:
                call(one)
            raised.append((caught.type, str(caught.value).replace("QuantizedNetwork", "Network")))
        assert raised[0] == raised[1]
    with pytest.raises(ShapeError, match="expects inputs of shape"):
        small.evaluate(ArrayRows(X[:, :3].copy()), y, window=SMALL)
    values, X, _ = fitted("identity")
    for one in (values, values.quantize(X)):
        with pytest.raises(SettingError, match="are no probabilities; use predict, or a sigmoid"):
            one.predict_proba(X)


@pytest.mark.medium
@pytest.mark.parametrize(
    "settings",
    [{}, {"output": "identity", "K": 2, "scale_target": True},
     {"output": "identity", "loss": losses.Huber(delta=2.0)}],
)  # fmt: skip
def test_files_and_pickles_score_alike(tmp_path, settings):
    net, X, y = fitted(**settings)
    net.fit(X, y, epochs=1, metrics=["accuracy" if not settings else "mae"], progress=False)
    small, path = net.quantize(X), tmp_path / "small.safetensors"
    small.save(path)
    for other in (fastnn.load(path), pickle.loads(pickle.dumps(small))):
        assert other.evaluate(X, y) == small.evaluate(X, y)
        assert other.loss == net.loss


@pytest.mark.medium
@pytest.mark.parametrize(
    ("settings", "words"),
    [({}, "float32's"), ({"dtype": "float64"}, "float64's"),
     ({"precision": "mixed"}, "mixed precision's")],
)  # fmt: skip
def test_reports_name_what_outputs_are_compared_with(settings, words):
    net, X, _ = fitted(**settings)
    small = net.quantize(X)
    error = np.abs(small.predict_proba(X)[:, 1] - net.predict_proba(X)[:, 1].astype(np.float64))
    assert small.report.max_error == pytest.approx(error.max(), abs=1e-9)
    assert f"outputs differ from {words} by up to" in str(small.summary())
    with pytest.raises(SettingError, match=f"int8 outputs differ from {words} by up to"):
        net.quantize(X, max_error=math.nextafter(error.max(), 0) / 2)


def test_calls_that_go_wrong_name_the_network():
    net, X, y = fitted()
    assert str(net.quantize(X[:1]).report).endswith("on 1 row")
    with pytest.raises(TypeError, match=r"^Network\.quantize\(\) takes"):
        net.quantize(X, y)


def test_networks_that_wait_for_their_first_fit_are_refused():
    net = Network([Dense(2)], inputs=5, scale_target=True)
    with pytest.raises(NotBuiltError, match="first fit"):
        net.quantize(np.ones((3, 5)))
