"""A tabular regressor of several targets: values, intervals, report, files, graphs, refusals."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd
from sklearn.base import clone
from sklearn.inspection import permutation_importance
from sklearn.metrics import r2_score
from sklearn.utils import get_tags

import fastnn
from fastnn import TabularClassifier, TabularRegressor, errors
from fastnn.tabular import model_file
from fastnn.tabular.folds import deal_rows

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("few_epochs")]


def table(m=80, seed=0):
    """A frame, and three targets of other units and columns; the last one never changes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": rng.normal(size=m), "kind": rng.choice(["x", "y"], m)})
    near = frame["size"] + 0.05 * rng.normal(size=m)
    far = 1e6 + 1e4 * (frame["kind"] == "x")
    return frame, pd.DataFrame({"near": near, "far": far, "same": 7.25})


FRAME, Y = table()


@pytest.fixture(scope="module")
def model():
    return TabularRegressor(bag=3, random_state=0).fit(FRAME, Y)


def outputs(model, frame):
    """What each network gives to the rows of a frame (networks, m, k), in deviations."""
    X = model.encoder_.transform(frame)
    coded = model._codes.transform(X)
    return np.stack(
        [each.network.predict(coded if each.coded else X).astype(float) for each in model._members]
    )


def test_each_is_a_mean_in_its_own_unit(model):
    found = model.predict(FRAME)
    Z = outputs(model, FRAME).mean(axis=0)
    for j, name in enumerate(("near", "far")):
        y = Y[name].to_numpy()
        np.testing.assert_allclose(found[:, j], Z[:, j] * y.std() + y.mean(), atol=1e-6 * y.std())
    assert (found[:, 2] == 7.25).all()
    assert model.n_outputs_ == 3


def test_each_is_learnt():
    model = TabularRegressor(bag=4, random_state=0).fit(FRAME, Y)
    frame, Y_new = table(seed=1)
    scores = r2_score(Y_new[["near", "far"]], model.predict(frame)[:, :2], multioutput="raw_values")
    assert (scores > 0.6).all()  # after ten epochs
    found = permutation_importance(model, FRAME, Y, n_repeats=2, random_state=0)
    assert (found.importances_mean > 0.1).all()


def test_held_out_rows_are_scored_in_each_unit(model):
    residuals, kept, constant = [[], []], [], []
    Z = outputs(model, FRAME)
    fold = deal_rows(None, len(FRAME), 8, np.random.RandomState(0))
    kinds = {each.kind for each in model._members} - {"plain"}
    for k, part in enumerate([0, 0, 1] if len(kinds) == 2 else [0, 1, 2]):
        rows = np.flatnonzero(fold == part)
        kept += rows.tolist()
        constant += Z[k, rows, 2].tolist()
        for j, name in enumerate(("near", "far")):
            y = Y[name].to_numpy()
            residuals[j] += ((y - y.mean())[rows] - Z[k, rows, j] * y.std()).tolist()
    r = np.array(residuals)
    held = model.held_out_
    np.testing.assert_allclose(held["rmse"], [*np.sqrt((r**2).mean(axis=1)), 0], rtol=1e-4)
    np.testing.assert_allclose(held["constant"], Y.std(ddof=0), rtol=1e-6, atol=1e-12)
    spread = [np.sqrt(Z[:, kept, j].var(axis=0).mean()) * Y.iloc[:, j].std(ddof=0) for j in (0, 1)]
    np.testing.assert_allclose(held["spread"], [*spread, 0], rtol=1e-4)
    # The report's costs are of all targets in deviations; the constant one is learnt as 0.
    shown = [model._shown_cost(min(each.curve)) for each in model._members if each.scored]
    squares = (r / Y.iloc[:, :2].to_numpy().std(axis=0)[:, None]) ** 2
    all_three = (squares.sum() + np.square(constant).sum()) / (3 * len(kept))
    assert np.mean(np.square(shown)) == pytest.approx(all_three, rel=1e-4)
    found = model.predict_quantiles(FRAME, 0.5) - model.predict(FRAME)
    middle = np.sort(r, axis=1)[:, int(np.ceil(0.5 * 31)) - 1]
    np.testing.assert_allclose(found[0], [*middle, 0], rtol=1e-4, atol=1e-6)


def test_quantiles_are_of_each_target_by_itself(model):
    found = model.predict_quantiles(FRAME, [0.1, 0.9])
    assert found.shape == (80, 3, 2)
    np.testing.assert_array_equal(found[:, :, 1], model.predict_quantiles(FRAME, 0.9))
    inside = (found[:, :2, 0] <= Y.iloc[:, :2]) & (Y.iloc[:, :2] <= found[:, :2, 1])
    assert (inside.mean() > 0.5).all()  # by the residuals of few rows


@pytest.mark.parametrize("give", [pd.Series.to_frame, lambda y: y.to_numpy()[:, None]])
def test_one_column_is_one_target_bit_for_bit(give):
    settings = {"bag": 1, "random_state": 0}
    one = TabularRegressor(**settings).fit(FRAME, Y["near"])
    column = TabularRegressor(**settings).fit(FRAME, give(Y["near"]))
    np.testing.assert_array_equal(column.predict(FRAME), one.predict(FRAME)[:, None])
    found = column.predict_quantiles(FRAME, [0.2, 0.8])
    np.testing.assert_array_equal(found[:, 0], one.predict_quantiles(FRAME, [0.2, 0.8]))


def test_frames_arrays_and_tables_of_other_libraries_are_alike(model):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    for other in (Y.to_numpy(), Y.astype(str).to_numpy(object), arrow.Table.from_pandas(Y)):
        found = clone(model).fit(FRAME, other)
        np.testing.assert_array_equal(found.predict(FRAME), model.predict(FRAME))
    assert found._targets == ["near", "far", "same"]


def test_the_report_has_a_line_for_each(model):
    told = str(model.report_)
    for name, one in zip(Y.columns, model.held_out_["rmse"], strict=True):
        assert any(line.split()[:2] == [name, f"{one:.4g}"] for line in told.splitlines())
    assert "its RMSE in deviations" in told
    e = outputs(model, FRAME)[0] - ((Y - Y.mean()) / Y.std(ddof=0).replace(0, 1)).to_numpy()
    cost = (e**2).sum(axis=1).mean() / 2
    assert model._shown_cost(cost) == pytest.approx(np.sqrt((e**2).mean()))


@pytest.mark.parametrize("ending", [".safetensors", ".h5"])
def test_come_back_from_files(model, tmp_path, ending):
    model.save(tmp_path / f"model{ending}")
    again = fastnn.load(tmp_path / f"model{ending}")
    np.testing.assert_array_equal(again.predict(FRAME), model.predict(FRAME))
    np.testing.assert_array_equal(
        again.predict_quantiles(FRAME, [0.1, 0.9]), model.predict_quantiles(FRAME, [0.1, 0.9])
    )
    assert str(again.report_) == str(model.report_)


@pytest.mark.parametrize(
    "change",
    [
        {"several": False},
        {"shift": [0.0, 1.0]},
        {"shift": 1.0},
        {"deviation": [1.0]},
        {"deviation": [1.0, "a", 1.0]},
        {"residuals": []},
        {"targets": ["a"]},
    ],
)
def test_forged_files_are_refused(model, change, tmp_path, monkeypatch):
    forged = json.loads(json.dumps(model_file._config(model))) | change
    monkeypatch.setattr(model_file, "_config", lambda _: forged)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(errors.ModelFileError, match="not a usable model file"):
        fastnn.load(tmp_path / "model.safetensors")


def test_a_graph_has_them_side_by_side(model, tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model.to_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    inputs = {"size": FRAME[["size"]].to_numpy(), "kind": FRAME[["kind"]].to_numpy(object)}
    (found,) = session.run(None, inputs)
    np.testing.assert_allclose(found, model.predict(FRAME), rtol=1e-6, atol=1e-5)


def test_are_told_to_scikit_learn():
    assert get_tags(TabularRegressor()).target_tags.multi_output
    assert not get_tags(TabularClassifier()).target_tags.multi_output


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Y.assign(far=np.where(np.arange(80) == 3, np.nan, 1.0)), "y is missing in 1 row, the fi"),
        (Y.assign(far="much"), "y holds what is no number"),
        (Y.assign(far=np.inf), "infinity"),
        (Y.to_numpy()[:, :0], "0 feature"),
        (Y.to_numpy()[:, :, None], "dim 3"),
        (Y[:79], "inconsistent numbers of samples"),
    ],
)
def test_refused(y, words):
    with pytest.raises(ValueError, match=words):
        TabularRegressor(bag=1).fit(FRAME, y)


def test_a_classifier_has_one():
    with pytest.raises(ValueError, match="1d array"):
        TabularClassifier(bag=1).fit(FRAME, Y > 0)
