"""load_h5: the course's layout is read, everything else is refused with a reason."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastnn.data import flatten_images, load_h5
from fastnn.errors import DataFileError

X = np.arange(3 * 2 * 2 * 3, dtype=np.uint8).reshape(3, 2, 2, 3)
Y = np.array([0, 1, 1])
NAMES = np.array([b"non-cat", b"cat"])


@pytest.fixture
def write(tmp_path):
    def write(name="cats.h5", **members):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in members.items():
                file[key] = value
        return path

    return write


@pytest.fixture
def cats(write):
    return write(train_set_x=X, train_set_y=Y, list_classes=NAMES)


def refused(path, message):
    with pytest.raises(DataFileError, match=message) as caught:
        load_h5(path)
    assert path.name in str(caught.value)
    return str(caught.value)


def replaced(path, key, value=None):
    """Delete `key` in the file and return the open file for a new one, or store `value`."""
    with h5py.File(path, "a") as file:
        del file[key]
        if value is not None:
            file[key] = value
    return path


def test_reads_the_course_layout(cats):
    data = load_h5(cats)
    np.testing.assert_array_equal(data.X, X)
    assert data.X.dtype == np.uint8
    np.testing.assert_array_equal(data.y, Y)
    assert data.y.dtype == np.int64
    assert data.classes == ("non-cat", "cat")
    assert data.name == "cats"
    assert load_h5(str(cats)).name == "cats"


def test_reads_a_test_set_and_prefers_the_train_set(write):
    test = {"test_set_x": X[:2], "test_set_y": Y[:2], "list_classes": NAMES}
    assert len(load_h5(write("test.h5", **test))) == 2
    assert len(load_h5(write("both.h5", train_set_x=X, train_set_y=Y, **test))) == 3


@pytest.mark.parametrize("shape", [(3,), (1, 3), (3, 1)])
@pytest.mark.parametrize("dtype", ["int64", ">i2", "uint8", "bool"])
def test_labels_become_one_axis_of_int64(write, shape, dtype):
    path = write(train_set_x=X, train_set_y=Y.astype(dtype).reshape(shape), list_classes=NAMES)
    y = load_h5(path).y
    assert y.dtype == np.int64
    assert y.tolist() == [0, 1, 1]


@pytest.mark.parametrize("dtype", [">f4", "<f8", ">u2", "bool"])
def test_examples_keep_their_dtype_in_native_order(write, dtype):
    stored = X.reshape(3, 12).astype(dtype)
    read = load_h5(write(train_set_x=stored, train_set_y=Y, list_classes=NAMES)).X
    assert read.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(read, stored)


@pytest.mark.parametrize(
    "names", [[0, 1], ["0", "1"], [b"0", b"1"], np.array(["0", "1"], dtype=object)]
)
def test_names_become_text(write, names):
    assert load_h5(write(train_set_x=X, train_set_y=Y, list_classes=names)).classes == ("0", "1")


def test_names_are_utf8(write):
    path = write(train_set_x=X, train_set_y=Y, list_classes=[b"\xc3\xa9t\xc3\xa9", b"x"])
    assert load_h5(path).classes == ("été", "x")
    replaced(path, "list_classes", np.array([b"\xff", b"x"]))
    refused(path, r"list_classes holds b'\\xff', which is not UTF-8, the encoding of HDF5; is it")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*none\.h5'; a relative path"):
        load_h5(tmp_path / "none.h5")
    refused(tmp_path, "is a folder; pass the path of a file in it")


def test_device(tmp_path):
    if not Path("/dev/null").exists():
        pytest.skip("this system has no /dev/null")
    refused(Path("/dev/null"), "is a device or a pipe")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>"])
def test_not_hdf5(tmp_path, content):
    path = tmp_path / "page.h5"
    path.write_bytes(content)
    refused(path, rf"is not an HDF5 file \({len(content)} bytes\); was it downloaded whole")


def test_cut_anywhere(cats):
    whole = cats.read_bytes()
    for length in range(8, len(whole), 97):
        cats.write_bytes(whole[:length])
        refused(cats, "damaged or cut short; fetch it again")


def test_damaged_bytes_give_a_data_file_error_or_data(cats):
    whole = cats.read_bytes()
    with h5py.File(cats) as file:  # the tree of names: its signature must be right
        assert "train_set_x" in file
    at = whole.index(b"TREE")
    cats.write_bytes(whole[:at] + b"tree" + whole[at + 4 :])
    refused(cats, "damaged or cut short")


@pytest.mark.parametrize("key", ["train_set_x", "train_set_y", "list_classes"])
def test_missing_key_lists_what_is_there(cats, key):
    left = sorted({"train_set_x", "train_set_y", "list_classes"} - {key})
    refused(replaced(cats, key), f"has no {key}; it holds: {', '.join(left)}\\. load_h5 reads")


def test_empty_file(write):
    refused(write(), "has no train_set_x; it holds: nothing")


def test_lengths(write):
    path = write(train_set_x=X, train_set_y=[0, 1], list_classes=NAMES)
    refused(path, "train_set_x, train_set_y and .* do not fit .*: X has 3 rows but y has 2; every")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (2, "the label 2 in row 1, but there are 2 classes, whose labels are 0 to 1"),
        (-1, "the label -1 in row 1, which is negative"),
        (0.5, "the label 0.5 in row 1, which is not whole"),
        (np.nan, "the label nan in row 1, which is not whole"),
    ],
)
def test_labels_need_names(write, label, message):
    path = write(train_set_x=X, train_set_y=[0, label, 1], list_classes=NAMES)
    refused(path, f"train_set_y and list_classes that do not fit .*: y has {message}")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train_set_x", np.array([[b"a"]] * 3), r"train_set_x must hold numbers, found dtype \|S1"),
        ("train_set_x", np.ones((3, 2), complex), "must hold numbers, found dtype complex128"),
        ("train_set_x", ["a", "b", "c"], "must hold numbers, found dtype object"),
        ("train_set_x", np.ones(3), r"must have one row per example, \(m, …\), found shape \(3,\)"),
        ("train_set_x", 1.0, r"one row per example, \(m, …\), found shape \(\)"),
        ("train_set_x", np.ones((0, 4)), r"train_set_x is empty \(shape \(0, 4\)\)"),
        ("train_set_x", h5py.Empty("f4"), r"train_set_x is empty \(shape None\)"),
        ("train_set_y", [0j, 1, 1], "train_set_y must hold integers .* found dtype complex128"),
        ("train_set_y", [b"cat", b"dog", b"cat"], "train_set_y must hold integers .* found text"),
        ("train_set_y", [b"a", b"b", b"a"], "train_set_y must hold integers .* found text"),
        ("train_set_y", [b"9" * 30, b"1", b"1"], "train_set_y must hold integers .* found text"),
        (
            "train_set_y",
            np.eye(3, dtype=int),
            r"one label per example, .* found shape \(3, 3\); one-",
        ),
        ("train_set_y", 1, r"one label per example, .* found shape \(\)"),
        ("list_classes", [[b"a", b"b"]], r"must be a list of names, \(K,\), found shape \(1, 2\)"),
        ("list_classes", [0.5, 1.5], "must be a list of names, .* of dtype float64"),
    ],
)
def test_wrong_contents(cats, key, value, message):
    refused(replaced(cats, key, value), message)


def test_group_in_the_place_of_data(cats):
    replaced(cats, "train_set_x")
    with h5py.File(cats, "a") as file:
        file.create_group("train_set_x")
    refused(cats, "train_set_x is a group, not a data set of numbers")


@pytest.mark.parametrize("key", ["train_set_x", "train_set_y", "list_classes"])
@pytest.mark.parametrize("kind", ["soft", "external"])
def test_links_are_refused(cats, write, key, kind):
    other = write("other.h5", train_set_x=X, train_set_y=Y, list_classes=NAMES)
    with h5py.File(cats, "a") as file:
        file["moved"] = file[key]
        del file[key]
        external = h5py.ExternalLink(str(other), f"/{key}")
        file[key] = h5py.SoftLink("/moved") if kind == "soft" else external
        assert file[key].shape  # the link itself works
    refused(
        cats, f"{key} is an? {kind} link to '.*', which is refused; copy the data into the file"
    )


def test_data_in_other_files_are_refused(cats, write, tmp_path):
    outside = tmp_path / "secret.bin"
    outside.write_bytes(bytes(36))
    replaced(cats, "train_set_x")
    with h5py.File(cats, "a") as file:
        file.create_dataset(
            "train_set_x", (3, 12), "uint8", external=[(str(outside), 0, h5py.h5f.UNLIMITED)]
        )
    refused(cats, "train_set_x is kept in external files, which is refused")


def test_virtual_data_are_refused(cats, write):
    source = write("source.h5", data=X)
    replaced(cats, "train_set_x")
    with h5py.File(cats, "a") as file:
        layout = h5py.VirtualLayout(X.shape, X.dtype)
        layout[:] = h5py.VirtualSource(str(source), "data", X.shape)
        file.create_virtual_dataset("train_set_x", layout)
    refused(cats, "train_set_x is a virtual data set, which is refused")


@pytest.mark.parametrize(
    "kwargs",
    [
        {"shape": (10**6, 10**6)},  # never written, contiguous
        {"shape": (10**6, 10**6), "chunks": (100, 100)},
        {"shape": (10**6, 10**6), "chunks": (100, 100), "compression": "gzip"},
        {"shape": (3, 10**9), "chunks": (1, 10**9), "compression": "gzip"},
        {"shape": (3, 4), "chunks": (3, 10**9), "maxshape": (3, None), "compression": "gzip"},
    ],
)
def test_shapes_that_the_file_cannot_hold_are_refused(cats, kwargs):
    replaced(cats, "train_set_x")
    with h5py.File(cats, "a") as file:
        stored = file.create_dataset("train_set_x", dtype="u1", **kwargs)
        if stored.chunks == (100, 100):
            stored[0, :100] = 1
    assert cats.stat().st_size < 100_000
    refused(cats, r"train_set_x claims the shape .* of uint8, \d+ bytes, but only \d+ bytes")


def test_chunks_larger_than_the_shape_count_whole(cats):
    replaced(cats, "train_set_x")
    with h5py.File(cats, "a") as file:  # HDF5 would unpack 3 GB to give 12 bytes
        stored = file.create_dataset(
            "train_set_x", (3, 4), "u1", chunks=(3, 10**9), maxshape=(3, None), compression="gzip"
        )
        stored.id.write_direct_chunk((0, 0), bytes(100))
    refused(cats, "3000000000 bytes, but only 100 bytes of it are in the file")


def test_names_cannot_outgrow_the_file(cats):
    replaced(cats, "list_classes")
    with h5py.File(cats, "a") as file:
        names = file.create_dataset("list_classes", (50,), h5py.string_dtype())
        names[:] = ["a" * 40_000] + [""] * 49
    with h5py.File(cats) as file:  # let every entry point at the one long text
        address = file["list_classes"].id.get_offset()
    raw = bytearray(cats.read_bytes())
    raw[address : address + 50 * 16] = raw[address : address + 16] * 50
    cats.write_bytes(raw)
    refused(cats, "forged: list_classes holds more text than the file")


@pytest.mark.parametrize("forge", ["free", "object", "heap", "overlap"])
def test_damaged_heap_of_texts_is_refused(write, forge):
    path = write(train_set_x=X, train_set_y=Y, list_classes=["no", "yes"])
    assert load_h5(path).classes == ("no", "yes")
    raw = bytearray(path.read_bytes())
    heap = raw.index(b"GCOL")  # its header, then "no", "yes" and the free rest: 16, 24, 24 bytes
    offset, value = {
        "free": (64 + 8, 0),  # HDF5 itself would loop for ever here
        "object": (16 + 8, 2**40),
        "heap": (8, 2**40),
        "overlap": (88, int.from_bytes(b"GCOL\1\0\0\0", "little")),
    }[forge]
    raw[heap + offset : heap + offset + 8] = value.to_bytes(8, "little")
    if forge == "overlap":  # sound in itself, but inside the other's free rest
        raw[heap + 96] = 16
    path.write_bytes(raw)
    refused(path, "damaged, .*: list_classes lies in damaged heaps; fetch it again, or store")


def course_file(name):
    folder = os.environ.get("FASTNN_DATA")
    if not folder:
        pytest.skip("FASTNN_DATA does not name a folder with the course's files")
    path = Path(folder) / name
    if not path.exists():
        pytest.skip(f"FASTNN_DATA has no {name}")
    return path


@pytest.mark.parametrize(
    ("name", "m", "classes"),
    [
        ("train_catvnoncat.h5", 209, ("non-cat", "cat")),
        ("test_catvnoncat.h5", 50, ("non-cat", "cat")),
        ("test_signs.h5", 120, tuple("012345")),
    ],
)
def test_course_files(name, m, classes):
    data = load_h5(course_file(name))
    assert data.X.shape == (m, 64, 64, 3)
    assert data.X.dtype == np.uint8
    assert data.y.shape == (m,)
    assert data.classes == classes


def test_flattened_cats_begin_as_in_the_course():
    X = load_h5(course_file("train_catvnoncat.h5")).X
    assert flatten_images(X)[0, :5].tolist() == [17, 31, 56, 22, 33]
    assert X.reshape(64 * 64 * 3, 209)[:5, 0].tolist() == [17, 71, 49, 38, 70]  # the trap
