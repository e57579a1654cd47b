"""load_idx: MNIST's format, strictly."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn.data import load_idx
from fastnn.errors import DataFileError

IMAGES = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)
LABELS = np.array([7, 0, 7], np.uint8)
CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx(array, code=None, shape=None):
    shape = array.shape if shape is None else shape
    code = CODES[array.dtype.str[1:]] if code is None else code
    head = struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def pair(tmp_path):
    def pair(images=None, labels=None):
        paths = tmp_path / "some-images-idx3-ubyte", tmp_path / "some-labels-idx1-ubyte"
        for path, content in zip(paths, (images, labels), strict=True):
            path.write_bytes(content)
        return paths

    return pair


def refused(paths, message):
    with pytest.raises(DataFileError, match=message) as caught:
        load_idx(*paths)
    assert "some-" in str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reads_plain_and_gzipped(pair, pack):
    data = load_idx(*pair(pack(idx(IMAGES)), pack(idx(LABELS))))
    np.testing.assert_array_equal(data.X, IMAGES)
    assert data.X.dtype == np.uint8
    assert data.y.tolist() == [7, 0, 7]
    assert data.y.dtype == np.int64
    assert data.classes == tuple("01234567")
    assert data.name == "some-images-idx3-ubyte"


def test_name_loses_gz(pair, tmp_path):
    images, labels = pair(gzip.compress(idx(IMAGES)), idx(LABELS))
    assert load_idx(images.rename(tmp_path / "train.gz"), labels).name == "train"


@pytest.mark.parametrize("dtype", list(CODES))
def test_every_type_code(pair, dtype):
    data = load_idx(*pair(idx(IMAGES.astype(dtype)), idx(LABELS)))
    assert data.X.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(data.X, IMAGES)


def test_missing(pair, tmp_path):
    images, _ = pair(idx(IMAGES), idx(LABELS))
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*none'"):
        load_idx(images, tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing"),
        (b"\0\0", "00 00"),
        (b"PK\3\4", "50 4b"),
        (b"\0\0\x08\0", "00 00 08 00"),
        (b"\0\0\x08\x09", "00 00 08 09"),
    ],
)
def test_magic(pair, content, found):
    refused(pair(content, idx(LABELS)), rf"is not an idx file: it must begin with .*found {found}")


def test_type_code(pair):
    refused(pair(idx(IMAGES, code=10), idx(LABELS)), "has the type code 0x0a; idx knows 0x08, 0x09")


def test_cut_header(pair):
    refused(pair(idx(IMAGES)[:10], idx(LABELS)), "ends within its header, which announces 3 axes")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("by", [-1, 1])
def test_length(pair, pack, by):
    content = idx(IMAGES) + b"\0" if by > 0 else idx(IMAGES)[:-1]
    found = "more" if by > 0 else "(at most )?23"
    message = rf"must hold 24 bytes of numbers for shape \(3, 2, 4\) of uint8, found {found}"
    refused(pair(pack(content), idx(LABELS)), message)


def test_empty(pair):
    refused(pair(idx(IMAGES[:0]), idx(LABELS)), r"is empty: its header says shape \(0, 2, 4\)")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_forged_size_is_refused_unread(pair, pack):
    content = idx(IMAGES, shape=(2**32 - 1,) * 3)
    refused(pair(pack(content), idx(LABELS)), r"must hold 79228\d+ bytes .* found at most \d+;")


def test_forged_size_within_what_gzip_could_hold_is_not_allocated(pair, monkeypatch):
    content = gzip.compress(idx(IMAGES, shape=(30_000,)))
    refused(pair(content, idx(LABELS)), "must hold 30000 bytes .* found 24;")


def test_damaged_gzip(pair):
    whole = gzip.compress(idx(IMAGES))
    refused(pair(whole[:-9], idx(LABELS)), "is a damaged or cut gzip file; fetch it again")
    refused(pair(whole[:-8] + b"\1" * 8, idx(LABELS)), "is a damaged or cut gzip file")
    refused(pair(b"\x1f\x8b\x08" + bytes(30), idx(LABELS)), "is a damaged or cut gzip file")


def test_swapped_files(pair):
    images, labels = pair(idx(IMAGES), idx(LABELS))
    refused((labels, images), r"holds an array of shape \(3,\), not images .* swapped")
    refused((images, images), r"holds an array of shape \(3, 2, 4\), not one label per image")


@pytest.mark.parametrize(
    "labels", [(1, 2, 26), (5, 9, 5), (0, 1, 3), (7, 7, 7)], ids=["from 1", "from 5", "gap", "one"]
)
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
def test_classes_name_the_labels_whichever_occur(pair, labels, dtype):
    data = load_idx(*pair(idx(IMAGES), idx(np.array(labels, dtype))))
    assert [data.classes[label] for label in data.y] == [str(label) for label in labels]
    assert data.y.tolist() == list(labels)  # a label then means one class in every file of a set
    assert data.y.dtype == np.int64


@pytest.mark.parametrize("backend", ["vectorized", "jitted"])
def test_letters_train_a_network_of_as_many_outputs_as_classes(pair, backend):
    data = load_idx(*pair(idx(IMAGES), idx(np.array([1, 26, 2], np.uint8))))
    net = fastnn.Network.mlp([8, len(data.classes)], output="softmax")
    with fastnn.backend(backend):
        settings = {"optimizer": fastnn.optimizers.Adam(0.1), "epochs": 200}
        net.fit(data.X.reshape(3, 8), data.y, progress=False, **settings)
        assert net.predict(data.X.reshape(3, 8)).tolist() == [1, 26, 2]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (0.5, r"y has the label 0\.5 in row 1, which is not whole"),
        (np.nan, "y has the label nan in row 1, which is not whole"),
        (
            -1,
            "does not hold labels from 0 to 65535: y has the label -1 in row 1, which is negative",
        ),
        (2**31 - 1, "the label 2147483647 in row 1, but there are 65536 classes, whose labels"),
    ],
)
def test_labels_that_name_no_class(pair, label, message):
    dtype = "i4" if isinstance(label, int) else "f4"
    refused(pair(idx(IMAGES), idx(np.array([0, label, 1], dtype))), message)


def test_lengths_differ(pair):
    refused(pair(idx(IMAGES), idx(LABELS[:2])), "has 3 images but '.*labels.*' has 2 labels; do")


@pytest.mark.parametrize(("part", "m", "first"), [("t10k", 10_000, 7), ("train", 60_000, 5)])
def test_mnist(part, m, first):
    folder = Path(os.environ.get("FASTNN_DATA", "")) / "mnist"
    images = folder / f"{part}-images-idx3-ubyte.gz"
    if "FASTNN_DATA" not in os.environ or not images.exists():
        pytest.skip("FASTNN_DATA does not name a folder with mnist/ in it")
    data = load_idx(images, folder / f"{part}-labels-idx1-ubyte.gz")
    assert data.X.shape == (m, 28, 28)
    assert data.classes == tuple("0123456789")
    assert data.y[0] == first
    assert data.X[0].max() == 255 or data.X[0].max() == 254
