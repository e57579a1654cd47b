"""Target statistics: columns of thousands of values, by what the target is on average."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd

import fastnn
from fastnn import TabularClassifier, TabularRegressor, errors
from fastnn.data import TableEncoder
from fastnn.tabular import model_file
from fastnn.tabular.target_statistics import FOLDS, TargetStatistics, learn_statistics


def table(m, V, seed=0):
    """A frame with a column of V values, each of which moves the target, and the target."""
    rng = np.random.default_rng(seed)
    effect = np.random.default_rng(99).normal(size=V)
    code = rng.integers(0, V, m)
    frame = pd.DataFrame({"x": rng.normal(size=m), "shop": [f"s{k}" for k in code]})
    return frame, effect[code] + frame["x"].to_numpy() + 0.5 * rng.normal(size=m)


def learn(frame, y, labels=None, w=None):
    encoder = TableEncoder().fit(frame)
    rng = np.random.RandomState(0)
    return encoder, *learn_statistics(frame, encoder, y, labels, w, rng)


def by_loops(values, y, folds, w=1.0):
    """What each row (m,) and each value is told, by plain loops: Robinson's prediction."""
    w = np.broadcast_to(w, len(y))
    y = y - np.average(y, weights=w)
    groups = {value: np.flatnonzero(values == value) for value in set(values)}
    m, V = len(y), len(groups)
    within = between = squares = 0.0
    for rows in groups.values():
        mean = np.average(y[rows], weights=w[rows])
        within += (w[rows] * (y[rows] - mean) ** 2).sum() / (m - V)
        between += w[rows].sum() * mean**2 / (V - 1)
        squares += w[rows].sum() ** 2
    ratio = within / ((between - within) / ((m - squares / m) / (V - 1)))

    def prediction(rows):
        return (w[rows] * y[rows]).sum() / (w[rows].sum() + ratio)

    told = {value: prediction(rows) for value, rows in groups.items()}
    others = [(values == values[i]) & (folds != folds[i]) for i in range(m)]
    return np.array([prediction(rows) for rows in others]), told


def test_are_shrunk_means_of_the_other_rows():
    frame, y = table(400, 80)
    encoder, (found,), features = learn(frame, y)
    folds = np.random.RandomState(0).permutation(400) % FOLDS
    rows, told = by_loops(frame["shop"].to_numpy(), y, folds)
    np.testing.assert_allclose(features[:, 0], rows / rows.std(), rtol=1e-9)
    assert len(found.values) == len(told)
    for value, mean in zip(found.values, found.means[:, 0], strict=True):
        assert mean == pytest.approx(told[value] / rows.std(), abs=1e-6)
    again = found.encode(pd.Series(["s1", " s1", "never seen", None, 7]))
    np.testing.assert_array_equal(again[2:], 0)
    assert (again[:2] == found.means[found.values.index("s1")]).all()
    assert "shop" in {each.name for each in encoder.columns}


def test_no_row_is_told_its_own_target():
    frame, y = table(400, 80)
    noise = np.random.default_rng(1).permutation(y)
    _, found, features = learn(frame, noise)
    assert found == ()  # values that differ by chance
    assert features.shape == (400, 0)
    folds = np.random.RandomState(0).permutation(400) % FOLDS
    _, _, before = learn(frame, y)
    alone = (frame["shop"] == frame["shop"][5]) & (folds != folds[5])
    other = y.copy()
    other[5] += 1.0
    _, _, after = learn(frame, other)
    assert alone.any()
    assert after[5] == pytest.approx(before[5], abs=0.05)  # by variances of all rows, at most
    same_value = np.flatnonzero(alone)
    assert (after[same_value] > before[same_value] + 0.1).all()


def test_of_classes_are_their_shares():
    frame, y = table(600, 80)
    labels = np.digitize(y, [-0.7, 0.7])
    _, (found,), features = learn(frame, labels, labels)
    assert found.width == 2  # the shares of the middle class hardly differ
    folds = np.random.RandomState(0).permutation(600) % FOLDS
    rows, _ = by_loops(frame["shop"].to_numpy(), (labels == 2).astype(float), folds)
    np.testing.assert_allclose(features[:, 1], rows / rows.std(), rtol=1e-9)
    _, (found,), _ = learn(frame, labels > 0, (labels > 0).astype(int))
    assert found.width == 1
    _, found, _ = learn(frame, labels, np.arange(600) % 21)
    assert found == ()


def test_weights_count_and_their_unit_does_not():
    frame, y = table(400, 80)
    w = np.random.default_rng(2).random(400)
    folds = np.random.RandomState(0).permutation(400) % FOLDS
    rows, _ = by_loops(frame["shop"].to_numpy(), y, folds, w / w.mean())
    np.testing.assert_allclose(learn(frame, y, w=w)[2][:, 0], rows / rows.std(), rtol=1e-9)
    one, other = (learn(frame, y, w=w * unit)[2] for unit in (1.0, 1e-3))
    np.testing.assert_allclose(one, other, rtol=1e-9)


def test_are_learnt_where_values_are_many_and_rare():
    rng = np.random.default_rng(0)
    frame, y = table(300, 80)
    few = frame.assign(shop=rng.choice(list("abc"), 300))
    assert learn(few, y)[1] == ()
    unique = frame.assign(shop=[f"s{k}" for k in range(300)])
    encoder, found, _ = learn(unique, y)
    assert found == ()
    assert "hardly repeat" in encoder.dropped["shop"]
    code = np.arange(300) // 2  # each value twice: none has a feature of its own
    encoder, found, _ = learn(frame.assign(shop=[f"s{k}" for k in code]), np.sin(code) + 0 * y)
    assert [each.name for each in found] == ["shop"]
    assert encoder.dropped == {}


FORGED = [
    {"means": [["a"]]},
    {"values": ["s1", "s1"], "means": [[0.0, 1.0]]},
    {"values": ["s1"], "means": [[1e300]]},
    {"values": ["s1"], "means": [[]]},
    {"values": [1], "means": [[0.0]]},
    {"more": 1},
]


def test_are_plain_data():
    _, (found,), _ = learn(*table(400, 80))
    again = TargetStatistics.from_config(json.loads(json.dumps(found.config())))
    column = pd.Series([*found.values, None])
    np.testing.assert_array_equal(again.encode(column), found.encode(column))
    for change in FORGED:
        with pytest.raises(errors.DataError, match="target statistics"):
            TargetStatistics.from_config(found.config() | change)


@pytest.mark.parametrize("letter", ["s", "ß"])
def test_as_many_values_are_kept_as_a_file_can_hold(letter, monkeypatch):
    frame, y = table(600, 120)
    frame["shop"] = frame["shop"].str.replace("s", letter)
    monkeypatch.setattr("fastnn.tabular.target_statistics.MOST_BYTES", 10_000)
    _, (found,), _ = learn(frame, y)
    V = len(found.values)
    more = 12 if letter == "ß" else 1
    sizes = [150 + more * len(value) for value in found.values]
    assert sum(sizes) <= 10_000 < sum(sizes) + 150 + more * 4
    counts = frame["shop"].value_counts()
    assert counts[list(found.values)].min() >= counts.iloc[V]


@pytest.fixture(scope="module")
def model():
    frame, y = table(600, 120)
    return TabularRegressor(bag=2, random_state=0).fit(frame, y)


@pytest.mark.medium
@pytest.mark.usefixtures("few_epochs")
class TestInEstimators:
    def test_they_are_better_than_none(self, model):
        frame, y = table(1_000, 120, seed=1)
        without = TabularRegressor(bag=2, random_state=0)
        train, target = table(600, 120)
        without.fit(train[["x"]], target)
        assert without.score(frame, y) < 0.55
        assert model.score(frame, y) > without.score(frame, y) + 0.1

    def test_they_help_with_classes(self):
        (train, y), (frame, truth) = table(600, 120), table(1_000, 120, seed=1)
        model = TabularClassifier(bag=2, random_state=0).fit(train, y > 0)
        without = TabularClassifier(bag=2, random_state=0).fit(train[["x"]], y > 0)
        assert model.score(frame, truth > 0) > without.score(frame, truth > 0) + 0.04

    def test_the_report_names_them(self, model):
        V = len(model._statistics[0].values)
        line = f"averages  of the target for each value of shop ({V} values: 1 feature)"
        assert line in model.report_
        assert f"2 columns, {len(model.encoder_.feature_names) + 1} features" in model.report_

    def test_files_hold_them(self, model, tmp_path):
        model.save(tmp_path / "model.safetensors")
        again = fastnn.load(tmp_path / "model.safetensors")
        frame, _ = table(100, 150, seed=2)
        np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
        assert str(again.report_) == str(model.report_)

    def test_forged_files_are_refused(self, model, tmp_path, monkeypatch):
        forged = json.loads(json.dumps(model_file._config(model))) | {"statistics": []}
        monkeypatch.setattr(model_file, "_config", lambda _: forged)
        model.save(tmp_path / "model.safetensors")
        with pytest.raises(errors.ModelFileError, match="not a usable model file"):
            fastnn.load(tmp_path / "model.safetensors")

    def test_graphs_hold_them(self, model, tmp_path):
        pytest.importorskip("onnx", reason="onnx is not installed")
        runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
        path = tmp_path / "model.onnx"
        code = np.arange(600) // 2
        twice = table(600, 120)[0].assign(shop=[f"s{k}" for k in code])
        other = TabularRegressor(bag=1, random_state=0).fit(twice, np.sin(code))
        assert [each.name for each in other.encoder_.columns] == ["x"]
        for found, frame in ((model, table(100, 150, seed=2)[0]), (other, twice)):
            found.to_onnx(path)
            session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
            inputs = {"x": frame[["x"]].to_numpy(), "shop": frame[["shop"]].to_numpy(object)}
            (values,) = session.run(None, inputs)
            np.testing.assert_allclose(values[:, 0], found.predict(frame), atol=1e-4)

    def test_a_column_that_is_missing_is_named(self, model):
        frame, _ = table(20, 50)
        with pytest.raises(errors.DataError, match="no column 'shop'"):
            model.predict(frame[["x"]])
