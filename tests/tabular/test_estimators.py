"""The tabular estimators: what they predict, what they promise, and what they refuse."""

import pickle
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd
from sklearn.base import clone
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss

import fastnn
from fastnn import TabularClassifier, TabularRegressor, errors

pytestmark = pytest.mark.medium


def table(m=80, seed=0):
    """A frame of all kinds of columns, and a number that depends on some of them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=m),
            "kind": rng.choice(["x", "y", "z"], m),
            "flag": rng.random(m) < 0.5,
            "when": pd.date_range("2020-01-01", periods=m),
            "same": 1,
        }
    )
    y = frame["size"] + 2 * (frame["kind"] == "x") + 0.1 * rng.normal(size=m)
    frame.loc[::9, "size"] = np.nan
    return frame, y.to_numpy()


@pytest.fixture(scope="module")
def regressor():
    frame, y = table()
    return TabularRegressor(bag=3, random_state=0).fit(frame, y)


@pytest.fixture(scope="module")
def classifier():
    frame, y = table()
    labels = np.array(["low", "middle", "high"])[np.digitize(y, [0, 1])]
    return TabularClassifier(bag=3, random_state=0).fit(frame, labels)


def features_of(model, frame):
    """The matrices that networks without codes and with codes are given, by a plain loop."""
    X = model.encoder_.transform(frame)
    columns = []
    for j, edges in zip(model._codes.features, model._codes.edges, strict=True):
        for a, b in pairwise(edges):
            columns.append(np.clip((X[:, j] - np.float32(a)) / np.float32(b - a), 0, 1))
    return X, np.column_stack([X, *columns])


class TestMeans:
    def test_of_values_in_the_unit_of_the_target(self, regressor):
        frame, y = table()
        X, coded = features_of(regressor, frame)
        total = 0
        kinds = [each.kind for each in regressor._members]
        assert kinds == ["coded", "linear", "coded", "plain"]
        for net, kind in zip(regressor.networks_, kinds, strict=True):
            total = total + net.predict(coded if kind == "coded" else X).astype(float)
        np.testing.assert_allclose(
            regressor.predict(frame), total / 4 * y.std() + y.mean(), atol=1e-5
        )

    def test_of_probabilities(self, classifier):
        frame, _ = table()
        X, coded = features_of(classifier, frame)
        P = np.mean(
            [
                each.network.predict_proba(coded if each.coded else X)
                for each in classifier._members
            ],
            axis=0,
        )
        found = classifier.predict_proba(frame)
        np.testing.assert_allclose(found, P, atol=1e-6)
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-15)
        np.testing.assert_array_equal(
            classifier.predict(frame), classifier.classes_[found.argmax(axis=1)]
        )
        np.testing.assert_allclose(np.exp(classifier.predict_log_proba(frame)), found, rtol=1e-6)

    def test_are_the_same_in_blocks_of_rows(self, regressor, monkeypatch):
        frame, _ = table()
        whole = regressor.predict(frame)
        monkeypatch.setattr("fastnn.tabular.members.BLOCK", 100)
        np.testing.assert_allclose(regressor.predict(frame), whole, atol=1e-5)


class TestLearning:
    def test_a_table_of_all_kinds(self, regressor, classifier):
        frame, y = table(m=200, seed=1)
        frame["when"] = frame["when"].min()
        assert regressor.score(frame, y) > 0.6  # a ninth of the sizes is missing
        labels = np.array(["low", "middle", "high"])[np.digitize(y, [0, 1])]
        P = classifier.predict_proba(frame)
        assert log_loss(labels, P, labels=classifier.classes_) < 0.8  # of thirds: 1.1

    def test_another_unit_of_the_target_gives_the_same_in_that_unit(self):
        frame, y = table()
        one, other = (
            TabularRegressor(bag=1, random_state=0).fit(frame, target).predict(frame)
            for target in (y, 1e6 + 1e4 * y)
        )
        np.testing.assert_allclose(other, 1e6 + 1e4 * one, atol=200)  # 1 % of y's deviation

    def test_rows_that_were_held_out_choose_the_cycle_and_the_temperature(self, classifier):
        for each in classifier._members:
            assert each.scored == (0 if each.kind == "plain" else 10)
            assert each.trained == (80 if each.kind == "plain" else 70)
            if each.scored:
                assert each.best_epoch == 6 * (2 ** (1 + int(np.argmin(each.curve))) - 1)
                assert each.epochs == 6 * (2 ** len(each.curve) - 1)
        assert classifier.held_out_["rows"] == 30
        *scored, plain = classifier.temperatures_
        assert np.isclose(plain, np.prod(scored) ** (1 / 3))

    def test_the_curve_ends_where_calibration_does(self, classifier):
        best = [min(each.curve) for each in classifier._members if each.scored]
        # Each was scored on ten rows, by log loss.
        assert np.isclose(np.mean(best), classifier.held_out_["log_loss"], rtol=1e-5)

    def test_rows_without_weight_count_as_not_there(self):
        frame, y = table()
        w = np.tile([1.0, 0.0, 2.0, 1.5], 20)
        kept = w > 0
        fits = [
            TabularRegressor(bag=1, random_state=0).fit(frame, y, sample_weight=w),
            TabularRegressor(bag=1, random_state=0).fit(
                frame[kept], y[kept], sample_weight=w[kept]
            ),
        ]
        np.testing.assert_array_equal(*(model.predict(frame) for model in fits))

    def test_weights_count(self):
        X = np.zeros((40, 2))
        X[:, 1] = np.arange(40) % 2
        y = np.repeat([0, 1], 20)
        w = np.where(y == 1, 9.0, 1.0)
        P = TabularClassifier(bag=2, random_state=0).fit(X, y, sample_weight=w).predict_proba(X)
        np.testing.assert_allclose(P[:, 1], 0.9, atol=0.1)

    def test_quantiles_are_predictions_plus_residuals(self, regressor):
        frame, y = table(m=300, seed=2)
        frame["when"] = frame["when"].min()
        low, middle, high = regressor.predict_quantiles(frame, [0.1, 0.5, 0.9]).T
        assert (low < middle).all()
        assert (middle < high).all()
        assert 0.6 < np.mean((low <= y) & (y <= high)) < 0.98
        p = regressor.predict(frame)
        np.testing.assert_allclose(high - p, (high - p)[0], rtol=1e-9)
        np.testing.assert_array_equal(regressor.predict_quantiles(frame, 0.9), high)

    def test_a_target_that_never_changes(self):
        frame, _ = table(m=20)
        model = TabularRegressor(bag=2, random_state=0).fit(frame, np.full(20, 7.25))
        np.testing.assert_array_equal(model.predict(frame), 7.25)

    def test_fewer_rows_than_folds(self):
        X = np.arange(10.0).reshape(5, 2)
        model = TabularRegressor(random_state=0).fit(X[:2], X[:2, 0])
        assert np.isfinite(model.predict(X)).all()
        assert [each.scored for each in model._members] == [1] * 4 + [0] * 7
        model = TabularClassifier(bag=2, random_state=0).fit(X, X[:, 0] > 2)
        assert model.predict(X).dtype == bool

    def test_ctrl_c_leaves_what_was_learnt(self, ctrl_c):
        frame, y = table(m=600)
        model = TabularRegressor(bag=4, random_state=0).fit(frame, y)
        ctrl_c.join()
        assert any(net.history.interrupted for net in model.networks_)
        assert all(each.curve for each in model._members)
        assert np.isfinite(model.predict(frame)).all()

    def test_a_class_of_one_row_and_as_many_classes_as_rows(self):
        X = np.arange(24.0).reshape(12, 2)
        y = np.array(["a"] * 6 + ["b"] * 5 + ["c"])
        model = TabularClassifier(bag=2, random_state=0).fit(X, y)
        assert model.predict_proba(X).shape == (12, 3)
        model = TabularClassifier(bag=2, random_state=0).fit(X, np.arange(12))
        assert "too few of each class" in str(model.report_)
        assert model.predict_proba(X).shape == (12, 12)

    def test_little_time_ends_with_a_sound_model(self):
        frame, y = table()
        model = TabularRegressor(random_state=0, max_time=1e-4).fit(frame, y)
        assert len(model.networks_) <= fastnn.get_num_threads()
        assert all(each.epochs == 1 == len(each.curve) for each in model._members)
        assert np.isfinite(model.predict(frame)).all()


class TestPromises:
    def test_same_seed_same_bits_at_any_number_of_threads(self, regressor):
        frame, y = table()
        before = fastnn.get_num_threads()
        try:
            fastnn.set_num_threads(1)
            other = clone(regressor).fit(frame, y)
        finally:
            fastnn.set_num_threads(before)
        np.testing.assert_array_equal(other.predict(frame), regressor.predict(frame))

    def test_columns_are_found_by_name(self, regressor):
        frame, _ = table()
        other = frame[frame.columns[::-1]].assign(more="new")
        np.testing.assert_array_equal(regressor.predict(other), regressor.predict(frame))

    def test_an_array_has_the_columns_by_place(self, regressor):
        frame, _ = table()
        with pytest.warns(UserWarning, match="feature names"):
            found = regressor.predict(frame.to_numpy(object))
        np.testing.assert_allclose(found, regressor.predict(frame), rtol=1e-6)

    def test_a_frame_where_an_array_was_fitted_too(self):
        X = np.random.default_rng(0).normal(size=(30, 2))
        model = TabularRegressor(bag=1, random_state=0).fit(X, X[:, 0])
        with pytest.warns(UserWarning, match="feature names"):
            found = model.predict(pd.DataFrame(X, columns=["a", "b"]))
        np.testing.assert_array_equal(found, model.predict(X))

    def test_tables_of_other_libraries(self, regressor):
        arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        frame, _ = table()
        found = regressor.predict(arrow.Table.from_pandas(frame))
        np.testing.assert_array_equal(found, regressor.predict(frame))

    def test_numbers_that_name_categories(self):
        rng = np.random.default_rng(0)
        X = np.column_stack([rng.integers(0, 4, 60), rng.normal(size=60)])
        model = TabularRegressor(bag=1, categorical=[0], random_state=0).fit(X, X[:, 1])
        names = ("x0 = 0", "x0 = 1", "x0 = 2", "x0 = 3", "x1")
        assert sorted(model.encoder_.feature_names) == list(names)

    def test_pickles_and_importances(self, regressor):
        frame, y = table()
        again = pickle.loads(pickle.dumps(regressor))
        np.testing.assert_array_equal(again.predict(frame), regressor.predict(frame))
        found = permutation_importance(regressor, frame, y, n_repeats=2, random_state=0)
        best = frame.columns[found.importances_mean.argsort()[::-1][:2]]
        assert set(best) == {"size", "kind"}

    def test_a_refused_fit_leaves_the_model_as_it_was(self):
        frame, y = table(m=30)
        model = TabularRegressor(bag=1, random_state=0).fit(frame, y)
        before = model.predict(frame)
        with pytest.raises(errors.DataError, match="infinite"):
            model.fit(frame.assign(size=np.inf), y)
        np.testing.assert_array_equal(model.predict(frame), before)

    def test_the_report_says_what_was_done(self, regressor, classifier):
        text = str(regressor.report_)
        for words in (
            "5 columns", "number    size", "kind (3 values)", "left out  same", "with codes",
            "without codes", "like MLPClassifier's", " of 90", "always answering the mean",
            "the mean of 4 networks: RMSE about",
        ):  # fmt: skip
            assert words in text
        assert repr(regressor.report_) == text
        told = str(classifier.report_)
        assert "log loss" in told
        assert f"temperatures {min(classifier.temperatures_):.3g} to" in told

    def test_progress_is_shown_where_asked_for(self, capsys):
        X = np.random.default_rng(0).normal(size=(20, 2))
        TabularRegressor(bag=1, random_state=0).fit(X, X[:, 0])
        assert capsys.readouterr() == ("", "")


frame, y = table(m=20)
REFUSED = {
    "an infinite number": (frame.assign(size=np.inf), y, {}, "column 'size' is infinite in row 0"),
    "mixed types": (
        frame.assign(size=[*np.arange(19) / 7, "?!"]), y, {}, "mixes 19 numbers with text, '\\?!'"
    ),
    "far too large a number": (
        frame.assign(size=[10**400] * 20), y, {}, "column 'size' holds whole numbers that are too"
    ),
    "nothing that varies": (frame[["same"]], y, {}, "it is the same in all rows"),
    "all missing": (frame[["same"]].assign(same=None), y, {}, "all its values are missing"),
    "one row": (frame[:1], y[:1], {}, "n_samples=1"),
    "no table": (np.zeros(20), y, {}, "Reshape your data"),
    "a missing target": (frame, [*y[:-1], np.nan], {}, "y is missing in 1 row, the first"),
    "too few targets": (frame, y[:-1], {}, "inconsistent numbers of samples"),
    "no weight": (frame, y, {"sample_weight": np.zeros(20)}, "non-zero|is 0 in all rows"),
    "no target": (frame, None, {}, "requires y to be passed, but the target y is None"),
    "a file's name": (
        "rents.csv", y, {}, "X must be a frame or an array .* got 'rents.csv'; read a file"
    ),
    "nothing": (None, y, {}, "X must be a frame or an array .* got None"),
    "no rows": (frame[:0], y[:0], {}, "n_samples=0"),
    "no columns": (frame[[]], y, {}, "no column can be learnt from"),
    "two columns of a name": (
        pd.concat([frame, frame[["size"]]], axis=1), y, {}, "2 columns 'size'; rename them"
    ),
    "lists": (frame.assign(size=[[1]] * 20), y, {}, "'size' holds values of type list"),
    "spans of time": (
        frame.assign(size=pd.to_timedelta(np.arange(20), "h")), y, {}, "values of type Timedelta"
    ),
    "an infinite target": (frame, [np.inf, *y[1:]], {}, "infinity"),
    "a negative weight": (frame, y, {"sample_weight": -np.ones(20)}, "Negative values"),
    "text for a number": (frame, ["a"] * 20, {}, "y holds what is no number"),
}  # fmt: skip


@pytest.mark.parametrize(("X", "y", "more", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(X, y, more, words):
    with pytest.raises(ValueError, match=words) as caught:
        TabularRegressor(bag=1).fit(X, y, **more)
    assert "\n" not in str(caught.value) or "Reshape" in words


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (["a"] * 20, "y holds 1 class, 'a'"),
        (["a", 1] * 10, "y mixes text with other values, 1 in row 1; convert it"),
        ([np.nan, "a"] * 10, "y is missing in 10 rows, the first is row 0"),
        (np.array([b"a", b"b"] * 10), "y holds bytes"),
        (np.array(["a", 1] * 10, object), "y mixes text with other values"),
        (np.linspace(0, 1, 20), "Unknown label type"),
        (np.array(["a", None] * 10, object), "y is missing in 10 rows"),
    ],
)
def test_classes_that_are_refused(y, words):
    with pytest.raises(ValueError, match=words):
        TabularClassifier(bag=1).fit(frame, y)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bag": 0}, "bag must be a whole number of at least 1"),
        ({"bag": "many"}, "bag must be 'auto' or a number of networks"),
        ({"max_time": 0}, "max_time must be a finite number greater than 0"),
        ({"categorical": "kind"}, r"write categorical=\['kind'\]"),
        ({"categorical": ["knid"]}, "did you mean 'kind'"),
        ({"categorical": [5]}, "below 5"),
    ],
)
def test_settings_that_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        TabularRegressor(**settings).fit(frame, y)


def test_what_is_refused_in_use(regressor):
    for X, words in (
        (frame.drop(columns="kind"), "no column 'kind'"),
        (frame.assign(size="much"), "'much' in row 0, which is no number"),
        (frame.assign(size=-np.inf), "'size' is infinite in row 0"),
        (frame.assign(when="soon"), "'soon' in row 0, which is no date"),
        (frame[:0], "X has no rows; give at least one"),
        ("rents.csv", "got 'rents.csv'; read a file first"),
    ):
        with pytest.raises(errors.DataError, match=words):
            regressor.predict(X)
    for q in (0, 1, [0.5, 2], [[0.5]], np.nan):
        with pytest.raises(errors.SettingError, match="q must be numbers between 0 and 1"):
            regressor.predict_quantiles(frame, q)
    with pytest.raises(ValueError, match="not fitted"):
        TabularRegressor().predict(frame)


def test_targets_of_any_size_and_weights_of_any_size():
    frame, y = table(m=40)
    fits = {"bag": 1, "max_time": 1e-9, "random_state": 0}
    expected = TabularRegressor(**fits).fit(frame, y)
    for unit in (1e200, 1e-250):
        model = TabularRegressor(**fits).fit(frame, y * unit)
        np.testing.assert_allclose(model.predict(frame), expected.predict(frame) * unit, rtol=1e-3)
        assert model.held_out_["rmse"] == pytest.approx(expected.held_out_["rmse"] * unit, rel=1e-3)
        assert f"RMSE {model.held_out_['rmse']:.4g}" in model.report_
    w = np.arange(40.0)
    expected = TabularRegressor(**fits).fit(frame, y, sample_weight=w)
    for unit in (1e60, 1e-60):
        model = TabularRegressor(**fits).fit(frame, y, sample_weight=w * unit)
        np.testing.assert_allclose(model.predict(frame), expected.predict(frame), rtol=1e-4)


def test_classes_of_objects_are_those_of_their_dtype():
    X = np.arange(20.0)[:, None]
    for kind in (bool, int):
        y = (X[:, 0] > 9).astype(kind)
        model = TabularClassifier(bag=1, max_time=1e-9).fit(X, y.astype(object))
        assert model.classes_.dtype == kind


def test_columns_that_say_nothing_new():
    frame, y = table(m=40)
    frame["again"] = frame["size"]
    frame["number of the row"] = np.arange(40)
    frame["none"] = None
    model = TabularRegressor(bag=2, random_state=0).fit(frame, y)
    assert set(model.encoder_.dropped) == {"same", "number of the row", "none"}
    new = frame.assign(same="other", none=1.5)
    np.testing.assert_array_equal(model.predict(new), model.predict(frame))


@pytest.mark.parametrize("y", [pd.date_range("2020", periods=40), np.arange(40) + 1j])
def test_a_regressor_refuses_what_is_no_number(y):
    with pytest.raises(errors.DataError, match="y must be numbers, got"):
        TabularRegressor(bag=1).fit(table(m=40)[0], y)


def test_columns_named_by_numbers_are_found_by_name():
    frame = pd.DataFrame({1: np.arange(40) % 7, 2: np.arange(40) % 5, 0: np.arange(40) % 3})
    model = TabularRegressor(bag=1, max_time=1e-9, categorical=[1]).fit(frame, np.arange(40))
    kinds = {each.name: type(each).__name__ for each in model.encoder_.columns}
    assert kinds == {"1": "CategoryColumn", "2": "NumberColumn", "0": "NumberColumn"}
