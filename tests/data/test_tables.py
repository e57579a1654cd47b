"""Tables as features: numbers, categories and dates, by name, as plain data, in a pipeline."""

import json

import numpy as np
import pytest

import fastnn
from fastnn.data import Table, TableEncoder
from fastnn.errors import DataError, NotBuiltError, SettingError

pd = pytest.importorskip("pandas", reason="pandas is not installed")


def encoded(values, new=None, **settings):
    """The features (m, n) of one column, learnt from it; of another one if that is given."""
    encoder = TableEncoder(**settings).fit({"x": values})
    return encoder.transform({"x": values if new is None else new}), encoder.feature_names


# numbers


def test_numbers_are_scaled_by_median_and_quartiles_and_bounded():
    x = np.array([3.0, -1, 4, 1, 5, 9, 2, 6, 500])
    features, names = encoded(x)
    low, middle, high = np.percentile(x, [25, 50, 75])
    z = (x - middle) / (high - low)
    np.testing.assert_allclose(features[:, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-6)
    assert names == ("x",)
    assert features.dtype == np.float32
    assert features.max() < 3


def test_quartiles_that_coincide_give_way_to_the_range():
    x = np.array([0.0] * 9 + [8.0])
    z = 8 / (8 / 2)
    features, _ = encoded(x, dtype="float64")
    assert features[-1, 0] == pytest.approx(z / np.sqrt(1 + (z / 3) ** 2))


def test_numbers_scaled_by_mean_and_deviation_or_not_at_all():
    x = np.array([1.0, 2, 3, 10])
    np.testing.assert_allclose(
        encoded(x, scale="standard", dtype="float64")[0][:, 0], (x - x.mean()) / x.std()
    )
    np.testing.assert_array_equal(encoded(x, scale=None)[0][:, 0], x)


def test_a_missing_number_is_the_median_and_has_a_flag():
    features, names = encoded([1.0, None, 3.0, 8.0, 4.0], scale=None)
    np.testing.assert_array_equal(features, [[1, 0], [3.5, 1], [3, 0], [8, 0], [4, 0]])
    assert names == ("x", "x (missing)")


def test_a_number_missing_for_the_first_time_is_the_median():
    features, _ = encoded([1.0, 2, 4], new=[None, 7], scale=None)
    np.testing.assert_array_equal(features, [[2], [7]])


@pytest.mark.parametrize("scale", ["robust", "standard"])
@pytest.mark.parametrize("size", [1e-200, 1.0, 1e307])
def test_numbers_of_any_size_are_scaled(scale, size):
    x = np.array([0.25, 1, -0.5, 0.75]) * size
    features, _ = encoded(x, scale=scale)
    np.testing.assert_allclose(features, encoded(x / size, scale=scale)[0], rtol=1e-5)
    assert np.isfinite(encoded(x, new=[1e308, -1e308], scale="robust")[0]).all()


def test_text_of_numbers_is_numbers():
    np.testing.assert_array_equal(
        encoded(["1", "2.5", None, "4"], scale=None)[0][:, 0], [1, 2.5, 2.5, 4]
    )


# categories


def test_categories_are_one_hot_with_rare_and_missing_ones():
    values = ["a"] * 3 + ["b"] * 4 + ["c", None]
    features, names = encoded(values)
    assert names == ("x = b", "x = a", "x (other)", "x (missing)")
    expected = [[0, 1, 0, 0]] * 3 + [[1, 0, 0, 0]] * 4 + [[0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(features, expected)


def test_unseen_categories_are_as_rare_ones_or_nothing():
    with_rare = ["a", "a", "b", "b", "c"]
    np.testing.assert_array_equal(encoded(with_rare, new=["new", "c"])[0], [[0, 0, 1]] * 2)
    without = ["a", "a", "b", "b"]
    np.testing.assert_array_equal(
        encoded(without, new=["new", None, "b"])[0], [[0, 0], [0, 0], [0, 1]]
    )


def test_the_most_frequent_values_have_features():
    values = [f"v{k}" for k in range(8) for _ in range(10 - k)]
    _, names = encoded(values, max_values=3)
    assert names == ("x = v0", "x = v1", "x = v2", "x (other)")


@pytest.mark.parametrize(
    "values",
    [
        [True, False, None, True, False],
        pd.array([True, False, None, True, False], dtype="boolean"),
        pd.Categorical(["True", "False", None, "True", "False"]),
        ["True", "False", " ", " True", "False"],
    ],
)
def test_bools_and_categories_of_any_dtype_are_alike(values):
    features, names = encoded(values)
    assert names == ("x = False", "x = True", "x (missing)")
    np.testing.assert_array_equal(features.argmax(axis=1), [1, 0, 2, 1, 0])


@pytest.mark.parametrize(
    "learnt",
    [
        [True, False, True, False],
        ["True", "False"] * 2,
        pd.Categorical([1, 0, 1, 0]),
        ["1", "0"] * 2,
    ],
)
def test_a_truth_value_is_the_same_however_it_is_given(learnt):
    expected = encoded(learnt, categories=["x"])[0][[0, 1]]
    for given in (
        [True, False], [1, 0], [1.0, 0.0], ["True", "False"], ["1", "0"], np.array([1, 0], np.int8),
        pd.Categorical([True, False]), pd.array([True, False], dtype="boolean"),
    ):  # fmt: skip
        found, _ = encoded(learnt, new=given, categories=["x"])
        np.testing.assert_array_equal(found, expected)


def test_a_truth_value_among_other_values_is_a_text():
    found, names = encoded(["1", "0", "2"] * 2, new=["True", "1"], categories=["x"])
    assert names == ("x = 0", "x = 1", "x = 2")
    np.testing.assert_array_equal(found, [[0, 0, 0], [0, 1, 0]])


def test_numbers_that_name_categories():
    features, names = encoded([10, 20, 10, 20], new=["20", 10.0], categories=["x"])
    assert names == ("x = 10", "x = 20")
    np.testing.assert_array_equal(features, [[0, 1], [1, 0]])


# dates


@pytest.mark.parametrize("form", [None, "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M"])
def test_dates_are_days_and_places_on_circles(form):
    dates = pd.date_range("2023-12-25", periods=40, freq="31h")
    shown = dates if form is None else dates.strftime(form)
    features, names = encoded(shown, dtype="float64")
    days = dates.to_numpy().astype("datetime64[s]").astype(float) / 86400
    np.testing.assert_allclose(features[:, 0], (days - days.mean()) / days.std(), atol=1e-9)
    for part, place in {
        "month": (dates.month - 1) / 12,
        "day": (dates.day - 1) / 31,
        "weekday": dates.day_of_week / 7,
        "hour": dates.hour / 24,
    }.items():
        for f in (np.sin, np.cos):
            column = names.index(f"x {part} {f.__name__}")
            np.testing.assert_allclose(features[:, column], f(2 * np.pi * place), atol=1e-9)


def test_dates_before_1970_and_in_zones():
    early = pd.to_datetime(["1969-12-31 23:00", "1969-12-30 01:00", "1968-02-29 12:00"])
    plain, names = encoded(early)
    zoned, _ = encoded(early.tz_localize("UTC").tz_convert("Asia/Tokyo"))
    np.testing.assert_array_equal(plain, zoned)
    place = 2 * np.pi * (early.day_of_week / 7)
    np.testing.assert_allclose(plain[:, names.index("x weekday sin")], np.sin(place), atol=1e-6)


def test_a_missing_date_is_zero_with_a_flag():
    features, names = encoded(["2024-01-01", None, "2024-05-06"])
    assert names[-1] == "x (missing)"
    np.testing.assert_array_equal(features[1], [0] * (len(names) - 1) + [1])


# what is left out, and what is refused


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("void", [None] * 40, "missing"),
        ("one", [7] * 40, "the same"),
        ("word", ["w"] * 40, "the same"),
        ("name", [f"n{i}" for i in range(40)], "hardly repeat"),
        ("PassengerId", [3 * i % 101 for i in range(40)], "identify"),
        ("Unnamed: 0", range(40), "identify"),
        ("number", range(1, 41), "identify"),
        ("prose", [f"{'long ' * 60}{i % 2}" for i in range(40)], "more than 200"),
    ],
)
def test_columns_that_teach_nothing_are_left_out(name, values, why):
    table = {name: list(values), "kept": np.arange(40) % 7}
    encoder = TableEncoder().fit(table)
    assert encoder.feature_names == ("kept",)
    assert why in encoder.dropped[name]
    assert name in encoder.report()


@pytest.mark.parametrize(
    ("name", "values"),
    [("year", range(1980, 2020)), ("paid", [3 * i % 101 for i in range(40)])],
)
def test_numbers_that_only_look_like_identifiers_are_kept(name, values):
    assert TableEncoder().fit({name: list(values)}).feature_names == (name,)


def test_codes_of_numbers_and_text_are_categories():
    tickets = [str(1000 + i) for i in range(70)] + [f"PC {i}" for i in range(30)]
    assert TableEncoder().fit({"x": [*tickets, *tickets]}).feature_names[0].startswith("x = ")
    dependents = ["0", "1", "2", "3+"] * 20
    assert len(encoded(dependents)[1]) == 4


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"age": [*range(30), "old"]}, "'age' mixes 30 numbers with text, 'old' in row 30"),
        ({"age": [1, np.inf, 3]}, "'age' is infinite in row 1"),
        ({"age": [[1], [2]]}, "type list"),
        ({"age": [1, 1]}, r"no column can be learnt from \(age: it is the same"),
        ({"age": []}, "no rows"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "2 columns 'a'"),
        ({"a": [1, 2], "b": [1]}, "make no table"),
        ([1, 2, 3], r"got shape \(3,\)"),
    ],
)
def test_refused_in_training(table, words):
    with pytest.raises(DataError, match=words):
        TableEncoder().fit(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"Age": [1], "s": ["x"], "d": [None]}, "no column 'age', it has: Age, s, d; did you mean"),
        ({"age": [1, "q"], "s": ["x"] * 2, "d": [None] * 2}, "'age' holds 'q' in row 1"),
        ({"age": [1], "s": ["x"], "d": ["soon"]}, "'d' holds 'soon' in row 0, which is no date"),
        ({"age": [1], "s": [["x"]], "d": [None]}, "'s' holds what is no text"),
    ],
)
def test_refused_in_use(table, words):
    encoder = TableEncoder().fit(
        {"age": [1, 2, 3, 5], "s": list("xyxy"), "d": ["2024-01-0" + k for k in "1234"]}
    )
    with pytest.raises(DataError, match=words):
        encoder.transform(table)


def test_settings_are_checked():
    with pytest.raises(SettingError, match="scale"):
        TableEncoder(scale="log")
    with pytest.raises(SettingError, match="max_values"):
        TableEncoder(max_values=0)
    with pytest.raises(DataError, match="categories names no column 'zip'"):
        TableEncoder(categories=["zip"]).fit({"a": [1, 2]})
    with pytest.raises(NotBuiltError, match="fit"):
        TableEncoder().transform({"a": [1]})
    with pytest.raises(DataError, match="too large for float32"):
        TableEncoder(scale=None).fit_transform({"a": [1, 1e300]})


# as data


@pytest.fixture
def mixed():
    """A table of all kinds of columns, 60 rows."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": np.where(rng.random(60) < 0.2, np.nan, rng.integers(1, 90, 60)),
            "colour": rng.choice(["red", "blue", None], 60),
            "when": pd.date_range("2024-01-01", periods=60, freq="5D").strftime("%d.%m.%Y"),
            "y": rng.choice(["no", "yes"], 60),
        }
    )


def test_an_encoder_is_plain_data(mixed):
    encoder = TableEncoder(categories=["colour"]).fit(mixed.drop(columns="y"))
    again = TableEncoder.from_config(json.loads(json.dumps(encoder.config())))
    assert again.columns == encoder.columns
    assert again.get_params() == encoder.get_params()
    shuffled = mixed[["when", "y", "colour", "age"]]
    np.testing.assert_array_equal(again.transform(shuffled), encoder.transform(mixed))


def test_forged_data_are_refused(mixed):
    good = TableEncoder().fit(mixed.drop(columns="y")).config()
    number, category, date = range(3)
    forgeries = [
        ((), None),
        (("columns",), []),
        (("columns",), good["columns"][:1] * 2),
        (("columns", number), {"kind": "number"}),
        (("columns", number, "kind"), "pickle"),
        (("columns", number, "kind"), []),
        (("columns", number, "median"), "1"),
        (("columns", number, "factor"), 10**400),
        (("columns", number, "factor"), True),
        (("columns", number, "missing"), -1),
        (("columns", category, "values"), ["a", "a"]),
        (("columns", category, "values"), [["a"]]),
        (("columns", date, "format"), "%%%"),
        (("columns", date, "format"), ["ISO8601"]),
        (("columns", date, "parts"), ["era"]),
        (("columns", date, "more"), 1),
        (("settings", "scale"), "log"),
        (("settings", "scale"), []),
        (("settings", "dtype"), "float16"),
        (("settings", "max_values"), 0),
        (("settings", "categories"), 3),
    ]
    for path, value in forgeries:
        data = json.loads(json.dumps(good))
        if path:
            place = data
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value
        try:
            TableEncoder.from_config(data if path else value)
        except (DataError, SettingError):
            continue
        raise AssertionError(f"{path} = {value!r} was believed")
    assert TableEncoder.from_config(good).columns


# tables


def test_a_table_splits_before_it_learns(mixed):
    table = Table.from_frame(mixed, "y")
    assert table.classes == ("no", "yes")
    assert table.feature_names[:2] == ("age", "age (missing)")
    X, y = table
    assert X.shape == (60, len(table.feature_names))
    np.testing.assert_array_equal(y, (mixed["y"] == "yes").astype(int))
    train, test = table.split(test=0.25, seed=1)
    assert (len(train), len(test)) == (45, 15)
    own = TableEncoder().fit(mixed.loc[train.frame.index].drop(columns="y"))
    np.testing.assert_array_equal(test.X, own.transform(mixed.loc[test.frame.index]))
    np.testing.assert_array_equal(test.y, y[test.frame.index])


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        ([3, 1, 2] * 8, "classification", ("1", "2", "3")),
        ([10.0, 9.0] * 12, "classification", ("9", "10")),
        ([True, False] * 12, "classification", ("False", "True")),
        (["b", "a"] * 12, "classification", ("a", "b")),
        (["10", "9"] * 12, "classification", ("9", "10")),
        (list(range(24)), "regression", ()),
        ([0.5, 1.5] * 12, "regression", ()),
    ],
)
def test_the_task_follows_from_the_target(y, task, classes):
    table = Table.from_frame({"x": np.arange(24) ** 2, "y": y}, "y")
    assert (table.task, table.classes) == (task, classes)
    if classes:
        back = np.array(classes)[table.y]
        assert [str(label).removesuffix(".0") for label in y] == back.tolist()
    else:
        np.testing.assert_array_equal(table.y, y)


def test_the_task_can_be_said():
    frame = {"x": np.arange(24) ** 2, "y": [1, 2, 3] * 8}
    assert Table.from_frame(frame, "y", task="regression").classes == ()
    frame["y"] = [0.5, 2.0, 10.0] * 8
    assert Table.from_frame(frame, "y", task="classification").classes == ("0.5", "2", "10")


@pytest.mark.parametrize(
    ("y", "settings", "words"),
    [
        (["a", None] * 12, {}, "missing in 12 rows, the first is row 1"),
        ([None] * 24, {}, "missing in all rows"),
        (["a"] * 24, {}, "'a' in all rows; at least two classes"),
        ([1.5] * 24, {}, "1.5 in all rows"),
        ([f"t{i}" for i in range(24)], {}, "24 different values in 24 rows"),
        ([*range(23), "high"], {}, "mixes 23 numbers with text, 'high' in row 23"),
        (["a", "b"] * 12, {"task": "regression"}, "'a' in row 0, which is no number"),
        (["a", "b"] * 12, {"task": "ranking"}, "task must be one of"),
        (["a", "b"] * 12, {"features": ["X"]}, "no column 'X', it has: x, y; did you mean 'x'"),
        (["a", "b"] * 12, {"features": ["x", "y"]}, "names the target"),
        (["a", "b"] * 12, {"drop": ["x"]}, "no column can be learnt from"),
        (pd.date_range("2024-01-01", periods=24), {}, "holds dates"),
    ],
)
def test_targets_that_are_refused(y, settings, words):
    with pytest.raises((DataError, SettingError), match=words):
        Table.from_frame({"x": np.arange(24) ** 2, "y": y}, "y", **settings)


@pytest.mark.medium
def test_in_a_pipeline(mixed):
    sklearn = pytest.importorskip("sklearn.pipeline", reason="scikit-learn is not installed")
    base = pytest.importorskip("sklearn.base")
    model = fastnn.LogisticRegression()
    pipe = base.clone(sklearn.make_pipeline(TableEncoder(max_values=9), model))
    frame = mixed.assign(y=np.where(mixed["colour"] == "red", "hot", "cold"))
    pipe.fit(frame.drop(columns="y"), frame["y"])
    assert pipe.score(frame[["when", "colour", "age"]], frame["y"]) == 1
    assert "colour = red" in pipe[:-1].get_feature_names_out()
    assert "TableEncoder" in repr(pipe)
