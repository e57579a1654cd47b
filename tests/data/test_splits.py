"""split: sizes, classes, groups, and what it refuses."""

import numpy as np
import pytest

from fastnn.data import digits, split
from fastnn.errors import DataError, SettingError, ShapeError


def rows(m):
    return np.arange(m)[:, None]


def test_four_values_without_dev_and_six_with():
    X, y = rows(10), np.arange(10) % 2
    assert [len(part) for part in split(X, y)] == [8, 2, 8, 2]
    assert [len(part) for part in split(X, y, dev=0.2, test=0.3)] == [5, 2, 3, 5, 2, 3]
    assert [len(part) for part in split(X, y, dev=0.2, test=0.0)] == [8, 2, 0, 8, 2, 0]


def test_every_row_once_with_its_label():
    X, y = rows(103), np.arange(103) % 7
    X_train, X_dev, X_test, y_train, y_dev, y_test = split(X, y, dev=0.1, test=0.25, seed=3)
    for part, labels in ((X_train, y_train), (X_dev, y_dev), (X_test, y_test)):
        np.testing.assert_array_equal(part.ravel() % 7, labels)
    assert sorted(np.concatenate([X_train, X_dev, X_test]).ravel()) == list(range(103))


def test_order_within_parts_is_random():
    X_train, X_test, *_ = split(rows(200), np.repeat([0, 1], 100))
    for part in (X_train.ravel(), X_test.ravel()):
        assert (np.diff(part) < 0).sum() > len(part) / 3
        classes = part >= 100
        assert (classes[1:] != classes[:-1]).sum() > 5  # not class by class


def test_seed_alone_decides():
    y = np.arange(50) % 3
    one, same, other = (split(rows(50), y, seed=s)[0].ravel().tolist() for s in (1, 1, 2))
    assert one == same
    assert one != other
    by_kind = split(rows(50), np.array(list("abc"))[y], seed=1)[0].ravel().tolist()
    assert by_kind == one


def test_digits_keep_their_shares():
    X, y = digits()
    parts = split(X, y, dev=0.15, test=0.2)[3:]
    assert [len(part) for part in parts] == [1168, 270, 359]
    for part, share in zip(parts, (0.65, 0.15, 0.2), strict=True):
        assert np.abs(np.bincount(part) - share * np.bincount(y)).max() < 1.5


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1],
        [False, True],
        ["cat", "dog"],
        [0.0, 1.0],
        [[0], [1]],
        [[1, 0], [0, 1]],
        np.array(["cat", "dog"], object),
    ],
)
def test_what_counts_as_classes(labels):
    y = np.array(labels)[np.repeat([0, 1], [90, 10])]
    for seed in range(10):
        X_train, X_test, y_train, y_test = split(rows(100), y, seed=seed)
        assert (X_test >= 90).sum() == 2
        assert (X_train >= 90).sum() == 8
        assert y_test.shape == (20, *y.shape[1:])
        assert y_train.dtype == y.dtype


def test_without_stratify_classes_vary():
    y = np.repeat([0, 1], [90, 10])
    found = {int(split(rows(100), y, seed=s, stratify=False)[3].sum()) for s in range(20)}
    assert len(found) > 1


@pytest.mark.parametrize("K", [None, 3])
def test_real_targets_are_dealt_out_plainly(K):
    y = np.random.RandomState(0).randn(*((100,) if K is None else (100, K)))
    X_train, X_test, y_train, y_test = split(rows(100), y)
    assert len(X_test) == len(y_test) == 20
    np.testing.assert_array_equal(y[X_train.ravel()], y_train)


def test_largest_remainder():
    # 10 of 49 rows: quotas 6.12, 2.86, 1.02 of 30, 14 and 5.
    y = np.repeat([0, 1, 2], [30, 14, 5])
    assert np.bincount(split(rows(49), y, test=10 / 49)[3]).tolist() == [6, 3, 1]


def test_rare_classes_stay_in_train():
    y = np.array([0] * 16 + [1, 2, 3, 4])  # four classes of one
    for seed in range(5):
        *_, y_train, _, y_test = split(rows(20), y, dev=0.25, test=0.25, seed=seed)
        assert set(y_train.tolist()) == {0, 1, 2, 3, 4}
        assert len(y_test) == 5


def test_groups_stay_together():
    group = np.repeat(np.arange(40), 5)
    y = group % 2
    for stratify in (True, False):
        parts = split(rows(200), y, dev=0.2, test=0.2, groups=group, stratify=stratify)
        found = [set((part.ravel() // 5).tolist()) for part in parts[:3]]
        assert not found[0] & found[1] | found[0] & found[2] | found[1] & found[2]
        assert [len(part) for part in parts[:3]] == [120, 40, 40]
    assert [int(part.sum()) for part in split(rows(200), y, groups=group)[2:]] == [80, 20]


def test_groups_of_unlike_size_and_name():
    rng = np.random.RandomState(0)
    group = np.array(list("abcdefghijklmnopqrst"))[rng.randint(0, 20, 500) * rng.randint(0, 2, 500)]
    y = rng.randint(0, 2, 500)
    X_train, X_test, _, y_test = split(rows(500), y, groups=group)
    assert not set(group[X_train.ravel()]) & set(group[X_test.ravel()])
    assert len(X_test) == pytest.approx(100, abs=15)
    assert y_test.mean() == pytest.approx(y.mean(), abs=0.1)
    other = split(rows(500), y, groups=group, seed=1)[1]
    assert set(group[other.ravel()]) != set(group[X_test.ravel()])


def test_lists_and_images():
    X_train, X_test, y_train, _ = split([[1.0], [2.0], [3.0], [4.0]], ["a", "b"] * 2, test=0.5)
    assert X_train.shape == X_test.shape == (2, 1)
    assert sorted(y_train) == ["a", "b"]
    assert split(np.zeros((10, 4, 4, 3)), np.zeros(10))[1].shape == (2, 4, 4, 3)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"test": 1.0}, r"test must be a share of the rows in \[0, 1\), got 1\.0"),
        ({"test": 20}, r"test must be a share .*, got 20; 20 % is 0\.2"),
        ({"dev": -0.1}, r"dev must be a share of the rows in \[0, 1\), got -0\.1"),
        ({"test": None}, "test must be a share .* got None"),
        ({"dev": float("nan")}, "dev must be a share .* got nan"),
        ({"dev": 0.5, "test": 0.5}, r"dev = 0\.5 and test = 0\.5 leave nothing to train on"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"test": 0.01}, r"the test part would have no rows: its share is 0\.01 of 10 rows; give"),
        ({"dev": 0.01}, "the dev part would have no rows"),
        ({"test": 0.96}, "the train part would have no rows"),
        ({"groups": [0] * 5 + [1] * 5}, r"the test part .* 0\.2 of 10 rows in 2 groups; give"),
    ],
)
def test_settings(kwargs, message):
    with pytest.raises(SettingError, match=message):
        split(rows(10), np.arange(10) % 2, **kwargs)


def test_no_rows():
    with pytest.raises(SettingError, match="the train part would have no rows"):
        split(rows(0), np.zeros(0, int))


def test_lengths():
    with pytest.raises(ShapeError, match="X has 10 rows but y has 9; every example"):
        split(rows(10), np.zeros(9))
    with pytest.raises(ShapeError, match=r"groups must name one group per row, \(10,\), got shape"):
        split(rows(10), np.zeros(10), groups=np.zeros(9))


def test_class_missing_from_train():
    with pytest.raises(DataError, match=r"class \w would be missing from train \(2 of 10 classes"):
        split(rows(10), np.array(list("abcdefghij")))
    group = np.arange(24) // 2
    y = np.where(group == 3, 2, np.arange(24) % 2)  # class 2 is one group
    with pytest.raises(DataError, match=r"class 2 would .* \(1 of 3 .* pass stratify=False"):
        split(rows(24), y, test=0.6, groups=group)
    assert 2 in split(rows(24), y, test=0.4, groups=group)[2]
    assert len(split(rows(10), np.arange(10), stratify=False)) == 4


def test_labels_that_cannot_be_sorted():
    with pytest.raises(
        DataError, match=r"the labels in y cannot be sorted .* all text or all numb"
    ):
        split(rows(4), np.array(["a", 1, "c", "b"], object))


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (["a", None, "b", "a"], r"groups has no group for row 1 \(None\)"),
        (np.array(["a", "b", float("nan"), "a"], object), r"row 2 \(nan\)"),
        ([1.0, 2.0, float("nan"), float("nan")], r"row 2 \(nan\); drop such rows"),
        (np.array(["2026-01-01", "NaT", "NaT", "2026-01-02"], "M8[D]"), r"row 1 \(NaT\)"),
        (np.array(["a", 1, "b", 2], object), "groups cannot be sorted .* all text or all numbers"),
    ],
)
def test_groups_that_name_no_group(groups, words):
    with pytest.raises(DataError, match=words):
        split(rows(4), np.zeros(4), groups=groups)


def test_groups_of_objects_are_groups():
    names = np.array(["a", "b", "b", "c", "d", "d"], object)
    parts = split(rows(6), np.zeros(6), test=0.4, groups=names)
    train, test = (set(names[part[:, 0]]) for part in parts[:2])
    assert not train & test


@pytest.mark.parametrize("missing", [None, float("nan"), np.datetime64("NaT")])
def test_a_missing_label_is_named(missing):
    kind = "M8[D]" if isinstance(missing, np.datetime64) else object
    y = np.array([np.datetime64("2026-01-01") if kind == "M8[D]" else "a"] * 20)
    y = y.astype(kind)
    y[3] = missing
    with pytest.raises(DataError, match=r"y has no label in row 3 \((None|nan|NaT)\); drop such"):
        split(np.zeros((20, 2)), y)
    assert len(split(np.zeros((20, 2)), y, stratify=False)) == 4
