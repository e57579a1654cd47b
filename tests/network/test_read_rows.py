"""Predictions and scores of rows that are read: those of the same rows in memory."""

import numpy as np
import pytest
import streamed
from streamed import ArrayRows, classes

from fastnn import Dense, Ensemble, Network
from fastnn.errors import DataError, SettingError, ShapeError

#: Bytes, fewer than any rows here have.
SMALL = 2500


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("K", [1, 3])
def test_are_those_in_memory(backend, K, dtype):
    X, y = classes(K=K)
    X = X if dtype == "float32" else (30 * X + 100).astype(dtype)
    net = Network.mlp([5, 6, K], output="sigmoid" if K == 1 else "softmax")
    net.fit(X, y, epochs=1, metrics=["f1"], progress=False)
    rows = ArrayRows(X, 17)
    for name in ("predict", "predict_proba"):
        found, expected = getattr(net, name)(rows, window=SMALL), getattr(net, name)(X)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert len(rows.spans) > 4
    assert rows.threads == {"fastnn reader"}
    assert net.evaluate(rows, y, window=SMALL) == pytest.approx(net.evaluate(X, y), rel=1e-6)
    assert not streamed.readers()


def test_thresholds_and_values():
    X, _ = classes()
    net = Network.mlp([5, 6, 1], output="sigmoid")
    np.testing.assert_array_equal(
        net.predict(ArrayRows(X), threshold=0.3, window="2.5 KB"),
        net.predict(X, threshold=0.3),
    )
    values = Network([Dense(2)], inputs=5)
    np.testing.assert_array_equal(values.predict(ArrayRows(X), window=SMALL), values.predict(X))


def test_refuse_what_is_refused_in_memory():
    X, y = classes()
    net = Network.mlp([5, 6, 1], output="sigmoid")
    X[444, 1] = np.inf
    for call in (net.predict, net.predict_proba, lambda X, **given: net.evaluate(X, y, **given)):
        with pytest.raises(DataError, match="X holds inf in row 444"):
            call(ArrayRows(X), window=SMALL)
        with pytest.raises(ShapeError, match=r"\(m, 5\), got \(600, 3\)"):
            call(ArrayRows(X[:, :3].copy()), window=SMALL)
        for rows in (X, ArrayRows(X)):
            with pytest.raises(SettingError, match='window must be bytes or a text like "256 MB"'):
                call(rows, window="many")
    with pytest.raises(ShapeError, match="X has 600 rows but y has 9"):
        net.evaluate(ArrayRows(X), y[:9], window=SMALL)
    assert not streamed.readers()


@pytest.mark.parametrize("window", [{}, {"window": "12 KB"}, {"window": 12_000}])
def test_what_fits_is_loaded(window):
    X, y = classes()
    net, rows = Network.mlp([5, 6, 1], output="sigmoid"), ArrayRows(X)
    np.testing.assert_array_equal(net.predict(rows, **window), net.predict(X))
    net.predict_proba(rows, **window)
    net.evaluate(rows, y, **window)
    assert rows.spans == [(0, 600)] * 3
    assert "fastnn reader" not in rows.threads


def test_windows_hold_no_more_than_asked():
    X, y = classes()
    net = Network.mlp([5, 6, 1], output="sigmoid")
    many = Ensemble([net, net])
    for call in (net.predict, net.predict_proba, many.predict, many.predict_proba):
        rows = ArrayRows(X)
        np.testing.assert_array_equal(call(rows, window=11_999), call(X))
        assert max(stop - start for start, stop in rows.spans) * 20 <= 11_999
        assert len(rows.spans) > 1
    rows = ArrayRows(X)
    net.evaluate(rows, y, window=11_999)
    assert len(rows.spans) > 1
