"""Predictions and scores of rows that are read: those of the same rows in memory."""

import numpy as np
import pytest
import streamed
from streamed import ArrayRows, classes

from fastnn import Dense, Network
from fastnn.errors import DataError, ShapeError

DEFAULT = "fastnn.training.windows.size.DEFAULT"


@pytest.fixture
def _small_windows(monkeypatch):
    """Read what is larger than 2000 bytes, in windows of 3000."""
    monkeypatch.setattr(DEFAULT, 2000)
    monkeypatch.setattr("fastnn.training.windows.scan.SCAN", 3000)


@pytest.mark.usefixtures("_small_windows")
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("K", [1, 3])
def test_are_those_in_memory(backend, K, dtype):
    X, y = classes(K=K)
    X = X if dtype == "float32" else (30 * X + 100).astype(dtype)
    net = Network.mlp([5, 6, K], output="sigmoid" if K == 1 else "softmax")
    net.fit(X, y, epochs=1, metrics=["f1"], progress=False)
    rows = ArrayRows(X, 17)
    for name in ("predict", "predict_proba"):
        found, expected = getattr(net, name)(rows), getattr(net, name)(X)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert len(rows.spans) > 4
    assert rows.threads == {"fastnn reader"}
    assert net.evaluate(rows, y) == pytest.approx(net.evaluate(X, y), rel=1e-6)
    assert not streamed.readers()


@pytest.mark.usefixtures("_small_windows")
def test_thresholds_and_values():
    X, _ = classes()
    net = Network.mlp([5, 6, 1], output="sigmoid")
    np.testing.assert_array_equal(
        net.predict(ArrayRows(X), threshold=0.3), net.predict(X, threshold=0.3)
    )
    values = Network([Dense(2)], inputs=5)
    np.testing.assert_array_equal(values.predict(ArrayRows(X)), values.predict(X))


@pytest.mark.usefixtures("_small_windows")
def test_refuse_what_is_refused_in_memory():
    X, y = classes()
    net = Network.mlp([5, 6, 1], output="sigmoid")
    X[444, 1] = np.inf
    for call in (net.predict, net.predict_proba, lambda X: net.evaluate(X, y)):
        with pytest.raises(DataError, match="X holds inf in row 444"):
            call(ArrayRows(X))
        with pytest.raises(ShapeError, match=r"\(m, 5\), got \(600, 3\)"):
            call(ArrayRows(X[:, :3].copy()))
    with pytest.raises(ShapeError, match="X has 600 rows but y has 9"):
        net.evaluate(ArrayRows(X), y[:9])
    assert not streamed.readers()


def test_what_fits_is_loaded():
    X, _ = classes()
    net, rows = Network.mlp([5, 6, 1], output="sigmoid"), ArrayRows(X)
    np.testing.assert_array_equal(net.predict(rows), net.predict(X))
    assert rows.spans == [(0, 600)]
