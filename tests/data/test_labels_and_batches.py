"""one_hot and minibatches."""

import numpy as np
import pytest

from fastnn.data import minibatches, one_hot
from fastnn.errors import DataError, SettingError, ShapeError


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4)])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32"])
def test_one_hot(shape, dtype):
    rows = one_hot(np.array([2, 0, 1, 2], dtype).reshape(shape))
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_one_hot_classes_and_dtype():
    assert one_hot([0, 1], 4).shape == (2, 4)
    assert one_hot([0, 1], ("no", "yes", "maybe")).shape == (2, 3)
    assert one_hot([True, False], dtype="int8").tolist() == [[0, 1], [1, 0]]
    assert one_hot([0, 1], dtype=bool).dtype == bool
    assert one_hot([], 3).shape == (0, 3)


@pytest.mark.parametrize(
    ("y", "classes", "error", "message"),
    [
        ([0, 1, -2], None, DataError, "y has the label -2 in row 2, which is negative"),
        ([0, 1.5], None, DataError, r"y has the label 1\.5 in row 1, which is not whole"),
        ([0, np.nan], None, DataError, "y has the label nan in row 1, which is not whole"),
        ([np.inf, 0], None, DataError, "y has the label inf in row 0, which is too large"),
        ([0, 2**40], None, DataError, "in row 1, which is too large for a class"),
        ([0, 3, 1], 3, DataError, "the label 3 in row 1, but there are 3 classes, whose"),
        (["cat", "dog"], None, DataError, "y must hold whole numbers .* got dtype <U3; number the"),
        ([], None, DataError, "y is empty, so the number of classes is unknown; pass classes="),
        (
            np.eye(3),
            None,
            ShapeError,
            r"one label per example, \(m,\), got shape \(3, 3\); is it one",
        ),
        (1, None, ShapeError, r"one label per example, \(m,\), got shape \(\)"),
        ([0], 0, SettingError, "classes must be a whole number of at least 1, got 0"),
        ([0], 2.5, SettingError, "classes must be a whole number of at least 1, got 2.5"),
        ([0], "cat", SettingError, "classes must be a whole number of at least 1, got 'cat'"),
        ([0], (), SettingError, "the number of classes must be a whole number of at least 1"),
    ],
)
def test_one_hot_errors(y, classes, error, message):
    with pytest.raises(error, match=message):
        one_hot(y, classes)


def test_one_hot_dtype_error():
    with pytest.raises(SettingError, match="dtype must be numeric, got <U3"):
        one_hot([0], dtype="U3")


X = np.arange(20).reshape(10, 2)
Y = np.arange(10)


def test_batches_hold_every_row_once_with_its_label():
    batches = list(minibatches(X, Y, 4))
    assert [len(y) for _, y in batches] == [4, 4, 2]
    for X_batch, y_batch in batches:
        np.testing.assert_array_equal(X_batch, X[y_batch])
    order = np.concatenate([y for _, y in batches])
    assert order.tolist() != Y.tolist()
    assert sorted(order) == Y.tolist()


def drawn(**kwargs):
    return np.concatenate([y for _, y in minibatches(X, Y, 3, **kwargs)]).tolist()


def test_order_depends_on_seed_and_epoch_alone():
    assert drawn(seed=1, epoch=2) == drawn(seed=1, epoch=2)
    assert len({tuple(drawn(seed=s, epoch=e)) for s in range(3) for e in range(3)}) == 9
    one = np.concatenate([y for _, y in minibatches(X * 7.5, Y, 10, seed=1, epoch=2)])
    assert one.tolist() == drawn(seed=1, epoch=2)
    np.random.seed(0)  # the global generator is neither read nor moved
    before = np.random.get_state()[1].copy()
    drawn()
    assert (np.random.get_state()[1] == before).all()


def test_unshuffled_batches_are_views_in_order():
    batches = list(minibatches(X, Y, 4, shuffle=False))
    assert np.concatenate([y for _, y in batches]).tolist() == Y.tolist()
    assert all(np.shares_memory(X_batch, X) for X_batch, _ in batches)


def test_batch_sizes():
    assert [len(y) for _, y in minibatches(X, Y)] == [10]  # default 64
    assert [len(y) for _, y in minibatches(np.zeros((130, 1)), np.zeros(130))] == [64, 64, 2]
    assert [len(y) for _, y in minibatches(X, Y, None)] == [10]
    assert [len(y) for _, y in minibatches(X, Y, 5)] == [5, 5]
    assert list(minibatches(X[:0], Y[:0], None)) == []


def test_batches_of_lists_images_and_target_rows():
    (X_batch, y_batch), *_ = minibatches([[1], [2], [3]], [[1, 0]] * 3, 2)
    assert X_batch.shape == (2, 1)
    assert y_batch.shape == (2, 2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1, got 0"),
        ({"batch_size": 2.0}, r"batch_size must be a whole number of at least 1, got 2\.0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"epoch": -1}, "epoch must be a whole number of at least 0, got -1"),
    ],
)
def test_batch_settings_are_checked_at_the_call(kwargs, message):
    with pytest.raises(SettingError, match=message):
        minibatches(X, Y, **kwargs)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (
            np.zeros((209, 4)),
            np.zeros(50),
            "X has 209 rows but y has 50; every example needs one label$",
        ),
        (np.zeros((9, 4)), np.zeros((1, 9)), r"X has 9 rows but y has 1; .* pass y\.ravel\(\)$"),
        (np.zeros((4, 9)), np.zeros(9), r"X has 4 rows but y has 9; .* in columns, pass X\.T$"),
    ],
)
def test_batch_lengths_are_checked_at_the_call(X, y, message):
    with pytest.raises(ShapeError, match=message):
        minibatches(X, y)
