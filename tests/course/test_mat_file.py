"""MATLAB files: sound ones are read in every version, impossible sizes never reach SciPy."""

import struct
import zlib

import numpy as np
import pytest

from fastnn.course import reg_utils
from fastnn.course._core import mat_file
from fastnn.errors import DataFileError

io = pytest.importorskip("scipy.io", reason="SciPy is not installed")

RNG = np.random.RandomState(0)
HELD = {
    "X": RNG.randn(5, 2),
    "y": np.array([[0], [1], [1], [0], [1]], np.uint8),
    "Xval": RNG.randn(3, 2),
    "yval": np.array([[1], [0], [1]], np.uint8),
}
OTHERS = {
    "text": "a word",
    "cell": np.array([1, "b"], object),
    "record": {"a": 1.0, "b": "c"},
    "flags": np.array([True, False]),
    "turn": np.array([[1j, 2]]),
    "nothing": np.zeros((0, 3)),
    "cube": np.zeros((2, 3, 4), np.int16),
}


def read(path):
    return dict(zip(HELD, reg_utils.load_2D_dataset(path), strict=True))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.mat"


def refused(path, message):
    with pytest.raises(DataFileError, match=message) as caught:
        reg_utils.load_2D_dataset(path)
    assert "data.mat" in str(caught.value)


@pytest.fixture
def untouched(monkeypatch):
    """SciPy's reader must not be called."""

    def reader(*arguments, **keywords):
        pytest.fail("SciPy was given a file that should have been refused")

    monkeypatch.setattr(io, "loadmat", reader)


@pytest.mark.parametrize(
    "options", [{}, {"do_compression": True}, {"format": "4"}], ids=["5", "5 packed", "4"]
)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "u2", "i2", "u1"])
def test_versions_and_types(path, options, dtype):
    held = {name: array.astype(dtype) for name, array in HELD.items()}
    io.savemat(path, held, **options)
    for name, array in read(path).items():
        np.testing.assert_array_equal(array, held[name].T)
        if "format" not in options:  # version 4 has fewer types
            assert array.dtype == dtype


@pytest.mark.parametrize("packed", [False, True])
def test_variables_of_other_kinds_are_passed_over(path, packed):
    sparse = pytest.importorskip("scipy.sparse").csc_array(np.eye(3))
    io.savemat(path, OTHERS | {"sparse": sparse} | HELD, do_compression=packed)
    for name, array in read(path).items():
        np.testing.assert_array_equal(array, HELD[name].T)


@pytest.mark.parametrize("other", ["text", "cell", "record", "turn", "cube", "sparse"])
def test_variables_of_other_kinds_are_no_matrices(path, other):
    sparse = pytest.importorskip("scipy.sparse").csc_array(np.eye(3))
    io.savemat(path, HELD | {"y": (OTHERS | {"sparse": sparse})[other]})
    refused(path, "must hold y as a matrix of real numbers")


def swapped():
    """The four matrices as a big-endian computer writes them."""

    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    data = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(">HH", 0x0100, 0x4D49)
    for name, array in HELD.items():
        data += element(
            14,
            element(6, struct.pack(">II", 6, 0))
            + element(5, struct.pack(">ii", *array.shape))
            + element(1, name.encode())
            + element(9, array.T.astype(">f8").tobytes()),
        )
    return data


def test_the_other_byte_order(path):
    path.write_bytes(swapped())
    for name, array in read(path).items():
        np.testing.assert_array_equal(array, HELD[name].T)


def test_version_7_3_is_named(path):
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<HH", 0x0200, 0x4D49))
    refused(path, "is of MATLAB 7.3; save it with the option -v7")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (128 + 4, 2**31, r"an element claims 2147483648 bytes, and \d+ are left"),
        (128 + 4, 40, r"ends within a tag|claims \d+ bytes"),
        (136 + 4, 2**31, "an element claims 2147483648 bytes"),
        (152 + 4, 1000, "an element claims 1000 bytes"),
        (160, 2**30, r"1073741824|numbers of \d bytes take"),
        (160 + 4, 3, "15 numbers of 8 bytes take 80 bytes"),
        (160 + 4, 2**32 - 1, r"has the shape \(5, -1\)"),
    ],
    ids=["variable", "short variable", "flags", "shape", "rows", "columns", "negative"],
)
def test_impossible_sizes_never_reach_scipy(path, untouched, place, value, message):
    io.savemat(path, HELD)
    raw = bytearray(path.read_bytes())
    assert raw[160:168] == struct.pack("<II", 5, 2)
    raw[place : place + 4] = struct.pack("<I", value)
    path.write_bytes(raw)
    refused(path, message)


@pytest.mark.parametrize("size", [0, 40, 2**31])
def test_impossible_sizes_of_packed_variables_never_reach_scipy(path, untouched, size):
    io.savemat(path, HELD)
    raw = path.read_bytes()
    end = 136 + struct.unpack_from("<I", raw, 132)[0]
    packed = zlib.compress(struct.pack("<II", 14, size) + raw[136:end])
    path.write_bytes(raw[:128] + struct.pack("<II", 15, len(packed)) + packed)
    refused(path, f"a variable claims {size} bytes")


def test_cut_at_every_place(path, untouched):
    io.savemat(path, HELD)
    whole = path.read_bytes()
    for end in range(129, len(whole), 5):
        ends = 128 + np.cumsum([0, *variable_sizes(whole)])
        if end in ends:  # a shorter file, but a sound one
            continue
        path.write_bytes(whole[:end])
        refused(path, "it ends within a tag|bytes, and")


def variable_sizes(whole):
    at = 128
    while at < len(whole):
        size = 8 + struct.unpack_from("<I", whole, at + 4)[0]
        yield size
        at += size


FLAGS, SHAPE = struct.pack("<IIII", 6, 8, 6, 0), struct.pack("<IIii", 5, 8, 1, 2)
NAME, NUMBERS = struct.pack("<HHi", 1, 1, ord("y")), struct.pack("<IIdd", 9, 16, 1.5, 2.5)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((SHAPE, SHAPE, NAME, NUMBERS), "has no flags"),
        ((FLAGS, NUMBERS, NAME, NUMBERS), "has no shape"),
        ((FLAGS, struct.pack("<IIi", 5, 4, 1) + b"pad.", NAME, NUMBERS), "has no shape"),
        ((FLAGS, struct.pack("<II", 5, 132) + bytes(132), NAME, NUMBERS), "has no shape"),
        ((FLAGS, SHAPE, NUMBERS, NUMBERS), "has no name"),
        ((FLAGS, SHAPE, struct.pack("<HHi", 1, 5, 0), NUMBERS), "a tag claims to hold 5 bytes"),
        ((FLAGS, SHAPE, NAME), "it ends within a tag"),
        ((FLAGS, SHAPE, NAME, struct.pack("<II", 77, 0)), "numbers have the type number 77"),
        ((FLAGS, SHAPE, NAME, struct.pack("<II", 14, 0)), "numbers have the type number 14"),
        ((FLAGS, SHAPE, NAME, struct.pack("<II", 9, 0)), "2 numbers of 8 bytes take 0 bytes"),
    ],
)
def test_pieces_of_a_variable(parts, message):
    assert mat_file._variable(FLAGS + SHAPE + NAME + NUMBERS, "<") == ("y", True)
    with pytest.raises(ValueError, match=message):
        mat_file._variable(b"".join(parts), "<")
