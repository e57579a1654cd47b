"""load_h5 against damage and forgery: numbers that cannot be are refused before HDF5 uses them.

The files here have the right structure and one impossible number; each is harmless to HDF5.
"""

import bz2
import struct
import zlib

import h5py
import numpy as np
import pytest

from fastnn.data import load_h5
from fastnn.errors import DataFileError
from fastnn.row_sources.filters import COMPRESSORS, Filter, find_chunk_fault

X = np.arange(36, dtype=np.uint8).reshape(3, 12)
ROW = X[1].tobytes()


@pytest.fixture
def store(tmp_path):
    def store(**options):
        path = tmp_path / "forged.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("train_set_x", data=X, **options)
            file["train_set_y"] = np.array([0, 1, 1])
            file["list_classes"] = np.array([b"no", b"yes"])
        return path

    return store


def refused(path, message):
    with pytest.raises(DataFileError, match=message) as caught:
        load_h5(path)
    assert path.name in str(caught.value)


@pytest.mark.parametrize(
    ("options", "packed", "mask"),
    [
        ({"shuffle": True}, ROW + b"more", 0),
        ({"fletcher32": True}, ROW + b"more than a sum", 0),
        ({"compression": "gzip"}, zlib.compress(ROW + b"more"), 0),
        ({"compression": "gzip"}, ROW + b"more", 1),
        ({"compression": "gzip", "shuffle": True}, zlib.compress(ROW + b"more"), 1),
        ({"compression": "gzip", "shuffle": True}, ROW + b"more", 3),
    ],
    ids=["shuffle", "fletcher32", "gzip", "gzip left out", "gzip without shuffle", "all left out"],
)
def test_a_chunk_of_another_size_than_its_shape(store, options, packed, mask):
    path = store(chunks=(1, 12), **options)
    assert load_h5(path).X[1].tobytes() == ROW
    with h5py.File(path, "a") as file:
        file["train_set_x"].id.write_direct_chunk((1, 0), packed, mask)
    refused(path, r"damaged or cut short: train_set_x has a chunk at \(1, 0\) that .*; fetch it")


def test_a_chunk_that_is_not_what_its_filter_packs(store):
    path = store(chunks=(1, 12), compression="gzip")
    with h5py.File(path, "a") as file:
        file["train_set_x"].id.write_direct_chunk((1, 0), b"no deflate")
    refused(path, r"a chunk at \(1, 0\) that is not what gzip packs \(Error -3")


@pytest.mark.parametrize(
    ("number", "value", "message"),
    [
        ("size", 10**6, "larger ones than the file|does not lie in the file"),
        ("size", 2**32 - 1, "larger ones than the file"),
        ("size", 0, "has 0 bytes where 12 belong"),
        ("mask", 2, "leaves out filters that are none"),
        ("place", 2**40, "does not lie in the file"),
    ],
)
def test_impossible_numbers_in_the_table_of_chunks(store, number, value, message):
    path = store(chunks=(1, 12))
    with h5py.File(path) as file:
        chunk = file["train_set_x"].id.get_chunk_info(1)
    raw = bytearray(path.read_bytes())
    # An entry of the table: size and mask, 32 bits each; offsets and the place, 64 bits each.
    entry = struct.pack("<IIQQQQ", chunk.size, 0, 1, 0, 0, chunk.byte_offset)
    assert raw.count(entry) == 1
    begin = raw.index(entry) + {"size": 0, "mask": 4, "place": 32}[number]
    width = 8 if number == "place" else 4
    raw[begin : begin + width] = value.to_bytes(width, "little")
    path.write_bytes(raw)
    refused(path, f"train_set_x has .*({message})")


def test_data_in_one_piece_must_lie_in_the_file(store):
    path = store()
    with h5py.File(path) as file:
        place = file["train_set_x"].id.get_offset()
    raw = path.read_bytes()
    entry = struct.pack("<QQ", place, X.nbytes)
    assert raw.count(entry) == 1
    path.write_bytes(raw.replace(entry, struct.pack("<QQ", 2**40, X.nbytes)))
    refused(
        path, "damaged or cut short: train_set_x takes 36 bytes from 1099511627776 on|dataset size"
    )
    path.write_bytes(raw.replace(entry, struct.pack("<QQ", place, 2 * X.nbytes)))
    refused(path, f"damaged or cut short: train_set_x takes 72 bytes from {place} on, and 36|size")


def test_filters_that_are_not_among_the_known(store):
    path = store(chunks=(1, 12), scaleoffset=0)
    refused(path, r"packed by the filter scale-offset \(number 6\), which is not among .*lzf.*gzip")


def test_packed_twice(tmp_path):
    path = tmp_path / "twice.h5"
    with h5py.File(path, "w") as file:
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_chunk((1, 12))
        settings.set_deflate(1)
        settings.set_filter(h5py.h5z.FILTER_LZF, h5py.h5z.FLAG_OPTIONAL)
        space = h5py.h5s.create_simple(X.shape)
        h5py.h5d.create(file.id, b"train_set_x", h5py.h5t.NATIVE_UINT8, space, settings)
        file["train_set_y"], file["list_classes"] = [0, 1, 1], [b"no", b"yes"]
    refused(path, "train_set_x is packed twice; store it with one compression")


@pytest.mark.parametrize("key", ["train_set_x", "train_set_y", "list_classes"])
def test_a_filter_that_is_not_installed_is_named(store, monkeypatch, key):
    path = store(chunks=(1, 12))
    with h5py.File(path, "a") as file:
        held = file[key][()]
        del file[key]
        file.create_dataset(key, data=held, chunks=held.shape, compression="lzf")
    assert load_h5(path)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code != h5py.h5z.FILTER_LZF)
    refused(path, rf"{key} is packed by the filter lzf \(number 32000\), .*import hdf5plugin")


PACKED = {
    "contiguous": {},
    "chunked": {"chunks": (1,)},
    "gzip": {"chunks": (2,), "compression": "gzip", "shuffle": True},
}


@pytest.mark.parametrize("block", [0, 512])
@pytest.mark.parametrize("options", PACKED.values(), ids=PACKED)
def test_texts_of_variable_length(tmp_path, options, block):
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w", userblock_size=block) as file:
        file["train_set_x"], file["train_set_y"] = X, [0, 1, 0]
        names = np.array(["cat", "a longer name", ""], object)
        file.create_dataset("list_classes", data=names, dtype=h5py.string_dtype(), **options)
    assert load_h5(path).classes == ("cat", "a longer name", "")


@pytest.mark.parametrize(("length", "number"), [(4, 1), (99, 1), (3, 7)])
def test_a_text_longer_than_its_place(tmp_path, length, number):
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = X, [0, 0, 0]
        file["list_classes"] = ["cat"]
        place = file["list_classes"].id.get_offset()
    raw = bytearray(path.read_bytes())
    assert raw[place : place + 4] == struct.pack("<I", 3)
    raw[place : place + 4] = struct.pack("<I", length)
    raw[place + 12 : place + 16] = struct.pack("<I", number)
    path.write_bytes(raw)
    refused(path, f"list_classes has a text of {length} bytes where fewer are")


def test_texts_packed_otherwise(tmp_path):
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = X, [0, 1, 0]
        names, kind = np.array(["cat", "dog"] * 50, object), h5py.string_dtype()
        file.create_dataset("list_classes", data=names, dtype=kind, compression="lzf")
    refused(
        path, "list_classes is text of variable length packed by the filter lzf .*; store it un"
    )


def zstd(size, flag, width, extra=b""):
    """The header of a zstd frame that tells a size."""
    return b"\x28\xb5\x2f\xfd" + bytes([flag]) + extra + size.to_bytes(width, "little") + bytes(9)


B2ND = (  # of a header of blosc2: where "b2nd" lies, and in it version 0 and the shape (30, 4)
    b"\x9e\xa8b2frame\0\xd2\0\0\0\x60" + bytes(32) + struct.pack(">BI", 0xD2, 8) + bytes(12)
).ljust(64, b"\0")
B2ND += b"\xa4b2nd\xd2\0\0\0\x50".ljust(16, b"\0") + b"\xc6\0\0\0\x20\x97\0\2\x92"
B2ND += b"\xd3" + (30).to_bytes(8, "big") + b"\xd3" + (4).to_bytes(8, "big")

SIZES = {  # number of the filter, its settings, packed bytes that say or are 960 bytes
    "gzip": (1, (9,), zlib.compress(bytes(960))),
    "szip": (4, (169, 8, 8, 1024), struct.pack("<I", 960) + b"..."),
    "bzip2": (307, (9,), bz2.compress(bytes(960))),
    "lzf": (32000, (4, 261, 960), b"..."),
    "blosc": (32001, (2, 2, 1, 960), b"\2\1\1\1" + struct.pack("<I", 960) + bytes(8)),
    "lz4": (32004, (), struct.pack(">Q", 960) + b"..."),
    "bitshuffle": (32008, (0, 4, 1, 0, 2), struct.pack(">Q", 960) + b"..."),
    "bitshuffle alone": (32008, (0, 4, 1, 0, 0), bytes(960)),
    "zstd, 1 byte": (32015, (), None),
    "zstd, 2 bytes": (32015, (), zstd(960 - 256, 0x60, 2)),
    "zstd, 4 bytes": (32015, (), zstd(960, 0x80, 4, extra=b"w")),
    "zstd, 8 bytes": (32015, (), zstd(960, 0xC3, 8, extra=b"wdict")),
    "blosc2": (32026, (), b"\x9e\xa8b2frame\0".ljust(30, b"\0") + struct.pack(">Q", 960)),
    "blosc2, axes": (32026, (), B2ND),
}


@pytest.mark.parametrize("case", SIZES)
def test_unpacked_sizes_are_known_before_unpacking(case):
    code, values, packed = SIZES[case]
    size = 960
    if packed is None:
        size, packed = 200, zstd(200, 0x20, 1)
    filters = [Filter(2, (1,)), Filter(code, values), Filter(3, ())]
    assert find_chunk_fault(packed + b"\0sum", filters, size) is None
    assert "not unpack to its 959 bytes" in find_chunk_fault(packed + b"\0sum", filters, 959)
    assert "not unpack to its 961 bytes" in find_chunk_fault(packed + b"\0sum", filters, 961)
    assert COMPRESSORS[code][0] == case.split(",")[0].split()[0]


@pytest.mark.parametrize("code", sorted(COMPRESSORS))
@pytest.mark.parametrize("packed", [b"", b"\0", b"\xff" * 5, b"\xff" * 64, bytes(64), B2ND[:-12]])
@pytest.mark.parametrize("values", [(), (0, 0, 0, 0, 0), (2**32 - 1,) * 5])
def test_no_bytes_make_the_check_of_sizes_fail(code, packed, values):
    assert find_chunk_fault(packed, [Filter(code, values)], 960)


@pytest.mark.parametrize("block", [0, 3, 64])
@pytest.mark.parametrize("bits", [0, 7, 2**31])
def test_settings_that_szip_cannot_have(block, bits):
    packed = struct.pack("<I", 960)
    assert find_chunk_fault(packed, [Filter(4, (169, block, 8, 1024))], 960)
    assert find_chunk_fault(packed, [Filter(4, (169, 8, bits, 1024))], 960)


def test_more_chunks_than_the_shape_has(store):
    path = store(chunks=(1, 12), maxshape=(None, 12))
    shape, smaller = struct.pack("<QQ", 3, 12), struct.pack("<QQ", 2, 12)
    path.write_bytes(path.read_bytes().replace(shape, smaller, 1))
    with h5py.File(path) as file:
        assert file["train_set_x"].shape == (2, 12)
    refused(path, "has more chunks than the 2 of its shape")
