"""Dataset, the bundled digits, and what importing fastnn.data loads."""

import dataclasses
import subprocess
import sys
import types

import h5py
import numpy as np
import pytest

import fastnn.data
from fastnn.data import Dataset, digits
from fastnn.errors import DataError, ShapeError


def small():
    return Dataset(np.zeros((3, 2, 2)), np.array([0, 1, 0]), ("no", "yes"), "small")


def test_unpacks_and_counts_examples():
    data = small()
    X, y = data
    assert X is data.X
    assert y is data.y
    assert len(data) == 3


def test_repr_is_short():
    assert repr(small()) == "Dataset('small', X (3, 2, 2) float64, y (3,) int64, 2 classes)"


def test_is_frozen_and_hashable():
    data = small()
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"
    assert data != small()  # by identity: arrays have no single truth value
    assert len({data, data}) == 1


def test_lengths_must_agree():
    message = "^X has 209 rows but y has 50; every example needs one label$"
    with pytest.raises(ShapeError, match=message):
        Dataset(np.zeros((209, 2)), np.zeros(50), (), "")
    with pytest.raises(ShapeError, match="y must have one row per example, got the single value"):
        Dataset(np.zeros((1, 2)), np.array(1), (), "")


def test_lists_become_arrays():
    data = Dataset([[1.5], [2.5]], [0, 1], ["no", "yes"], "")
    assert (data.X.tolist(), data.y.dtype, repr(data)[:25]) == (
        [[1.5], [2.5]], np.int64, "Dataset('', X (2, 1) floa"
    )  # fmt: skip
    with pytest.raises(ShapeError, match="X has 2 rows but y has 1"):
        Dataset([[1.5], [2.5]], [0], ["no"], "")


@pytest.mark.parametrize("dtype", ["int64", "u1", ">i2", "float32", "bool"])
def test_labels_are_kept_as_int64(dtype):
    data = Dataset(np.zeros((3, 2)), np.array([0, 1, 0], dtype), ["no", "yes"], "")
    assert data.y.dtype == np.int64
    assert data.y.tolist() == [0, 1, 0]
    assert data.classes == ("no", "yes")
    assert dataclasses.replace(data, name="other").y is data.y


@pytest.mark.parametrize(
    ("y", "classes", "error", "message"),
    [
        ([0, 1, 2], "ab", DataError, "label 2 in row 2, but there are 2 classes, whose labels are"),
        ([0, -1, 1], "ab", DataError, "the label -1 in row 1, which is negative"),
        ([0, 0.5, 1], "ab", DataError, r"the label 0\.5 in row 1, which is not whole"),
        ([0, 1, 0], "", DataError, "the label 0 in row 0, but no class is named"),
        ([[0], [1], [0]], "ab", ShapeError, r"\(m,\), got shape \(3, 1\); pass y\.ravel"),
        (["a", "b", "a"], "ab", DataError, "must hold whole numbers 0, 1, 2 …, got dtype <U1"),
    ],
)
def test_every_label_has_a_name(y, classes, error, message):
    with pytest.raises(error, match=message):
        Dataset(np.zeros((3, 2)), np.array(y), tuple(classes), "")


def test_digits():
    data = digits()
    assert data.X.shape == (1797, 8, 8)
    assert data.X.dtype == np.uint8
    assert (data.X.min(), data.X.max()) == (0, 16)
    assert data.y.dtype == np.int64
    assert np.bincount(data.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.classes == tuple("0123456789")
    assert data.name == "digits"
    assert data.X[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert data.y[-5:].tolist() == [9, 0, 8, 9, 8]


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    X, y = digits()
    known = datasets.load_digits()
    np.testing.assert_array_equal(X, known.images)
    np.testing.assert_array_equal(y, known.target)


def test_digits_come_with_their_licence():
    folder = fastnn.data.__path__[0]
    with open(f"{folder}/DIGITS.md", encoding="utf-8") as note:
        text = note.read()
    for needed in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0"):
        assert needed in text
    with h5py.File(f"{folder}/digits.h5") as file:
        assert sorted(file) == ["list_classes", "train_set_x", "train_set_y"]


def test_import_leaves_h5py_and_pillow_alone():
    code = (
        "import sys, fastnn.data; "
        "sys.exit(', '.join({'h5py', 'PIL', 'sklearn'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stderr.strip() == ""
    assert done.returncode == 0


def test_no_module_has_the_name_of_a_function():
    public = [getattr(fastnn.data, name) for name in fastnn.data.__all__]
    assert not any(isinstance(thing, types.ModuleType) for thing in public)
    assert fastnn.data.__all__ == sorted(fastnn.data.__all__)
