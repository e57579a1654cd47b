"""ONNX graphs of tabular estimators, run by onnxruntime on columns of all kinds."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import onnxruntime
import pandas as pd

from fastnn import TabularClassifier, TabularRegressor, errors

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("few_epochs")]


def table(m, seed):
    """Numbers, categories, bools and dates, of each a column with missing values."""
    rng = np.random.default_rng(seed)
    moments = pd.Timestamp("1960-02-28") + pd.to_timedelta(rng.integers(0, 50_000_000, m), "min")
    days = pd.Series(pd.Timestamp("2019-12-01") + pd.to_timedelta(rng.integers(0, 900, m), "D"))
    frame = pd.DataFrame(
        {
            "x": rng.standard_cauchy(m),
            "kind": rng.choice(["a", "b", "c", "rare", "rarer"], m, p=[0.4, 0.3, 0.25, 0.03, 0.02]),
            "gap": rng.normal(size=m) + 1e6,
            "flag": rng.random(m) < 0.5,
            "place": rng.choice(["u", "v"], m).astype(object),
            "moment": moments,
            "day": days,
            "same": 1,
        }
    )
    y = frame["gap"] - 1e6 + (frame["kind"] == "a")
    frame.loc[::7, ["gap", "place"]] = np.nan
    frame.loc[::9, "day"] = pd.NaT
    return frame, y.to_numpy()


def feed(frame):
    """The columns of a frame as inputs of the graph."""
    found = {name: frame[[name]].to_numpy(np.float64) for name in ("x", "gap")}
    for name in ("kind", "flag", "place"):
        column = frame[name].astype(object)
        texts = np.where(column.isna(), "", column.astype(str))
        found[name] = texts.astype(object)[:, None]
    for name in ("moment", "day"):
        found[name] = frame[name].to_numpy("datetime64[us]").astype(np.int64)[:, None]
    return found


def run(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def test_a_regressor_of_columns_of_all_kinds(tmp_path):
    frame, y = table(80, 0)
    model = TabularRegressor(bag=2, random_state=0).fit(frame, 1e3 * y)
    model.to_onnx(tmp_path / "model.onnx")
    new, _ = table(60, 1)
    new.loc[3, "kind"] = "never seen"
    new.loc[5, ["x", "kind", "moment"]] = [np.nan, np.nan, pd.NaT]
    new.loc[6, "x"] = 1e200
    as_numbers = new.assign(flag=new["flag"].astype(int))
    np.testing.assert_array_equal(model.predict(as_numbers), model.predict(new))
    for rows in (frame, new, as_numbers):
        found = run(tmp_path / "model.onnx", feed(rows))["values"]
        assert found.shape == (len(rows), 1)
        np.testing.assert_allclose(found[:, 0], model.predict(rows), rtol=1e-4, atol=0.5)


@pytest.mark.parametrize(
    "classes",
    [
        ["a", "b", "c"],
        [False, True],
        pytest.param(["no", "yes"], marks=pytest.mark.long),
        pytest.param([3, 5], marks=pytest.mark.long),
    ],
)
def test_a_classifier(classes, tmp_path):
    frame, y = table(60, 0)
    levels = np.quantile(y, np.arange(1, len(classes)) / len(classes))
    labels = np.array(classes)[np.digitize(y, levels)]
    model = TabularClassifier(bag=2, random_state=0).fit(frame, labels)
    model.to_onnx(tmp_path / "model.onnx")
    found = run(tmp_path / "model.onnx", feed(frame))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(frame), atol=1e-5)
    np.testing.assert_array_equal(found["label"], model.predict(frame))


def test_an_array_of_numbers_is_one_input(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    X[:, 1] = 7  # left out
    X[::5, 2] = np.nan
    model = TabularRegressor(bag=1, random_state=0).fit(X, X[:, 0])
    model.to_onnx(tmp_path / "model.onnx")
    found = run(tmp_path / "model.onnx", {"X": X})["values"]
    np.testing.assert_allclose(found[:, 0], model.predict(X), atol=1e-5)


def test_a_column_named_like_an_output_is_refused(tmp_path):
    X = pd.DataFrame({"values": np.random.default_rng(0).normal(size=20)})
    model = TabularRegressor(bag=1, random_state=0).fit(X, X["values"])
    with pytest.raises(errors.SettingError, match="column 'values' cannot name an input"):
        model.to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
