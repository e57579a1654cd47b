"""Rows of HDF5 data sets are those of the data set in memory, whatever its layout and filters."""

import os
import sys
import types
import zlib

import h5py
import numpy as np
import pytest

from fastnn import row_sources
from fastnn._validation import arguments
from fastnn.data import image_rows
from fastnn.errors import DataError, ShapeError
from fastnn.row_sources.chunks import ChunkedRows
from fastnn.row_sources.contiguous import ContiguousRows
from fastnn.row_sources.filters import DEFLATE, SHUFFLE, Filter, _inflater, unpack_chunk
from fastnn.row_sources.hdf5 import LibraryRows

M, N = 23, 6
DTYPES = ["u1", "i2", "f4", "f8", "?", ">f4", ">i2", "f2", "u8"]
LAYOUTS = {
    "contiguous": (ContiguousRows, {}),
    "chunks": (ChunkedRows, {"chunks": (5, 6)}),
    "chunks along features": (ChunkedRows, {"chunks": (4, 4)}),
    "columns": (ChunkedRows, {"chunks": (M, 1), "compression": "gzip"}),
    "gzip": (ChunkedRows, {"chunks": (5, 6), "compression": "gzip"}),
    "gzip, shuffle": (ChunkedRows, {"chunks": (5, 4), "compression": "gzip", "shuffle": True}),
    "shuffle": (ChunkedRows, {"chunks": (5, 4), "shuffle": True}),
    "lzf": (LibraryRows, {"chunks": (5, 6), "compression": "lzf"}),
    "fletcher32": (LibraryRows, {"chunks": (5, 6), "compression": "gzip", "fletcher32": True}),
}
RANGES = [(0, M), (0, 1), (3, 11), (5, 10), (M - 1, M), (7, 7), (M, M)]


def numbers(dtype="f4", m=M):
    """Rows (m, N) of numbers that every dtype holds."""
    found = np.random.default_rng(3).integers(0, 120, (m, N))
    return (found % 2 == 0) if dtype == "?" else found.astype(dtype)


@pytest.fixture
def stored(tmp_path):
    """A function that writes rows and opens them: `create_dataset`'s arguments, then `File`'s."""
    opened = []

    def store(data=None, reopen=None, **options):
        path = tmp_path / f"rows{len(opened)}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("X", data=data, **options)
        opened.append(h5py.File(path, **(reopen or {})))
        return opened[-1]["X"]

    yield store
    for file in opened:
        file.close()


def read(source, start, stop):
    """Rows of a source, with numbers around them that must stay."""
    out = np.full((stop - start + 2, source.shape[1]), 7, source.dtype)
    source.read(start, stop, out[1:-1])
    assert (out[[0, -1]] == 7).all()
    return out[1:-1]


def check_rows(source, whole):
    """Hold all kinds of slices against the data in memory, as a fit would read them."""
    if isinstance(source, ChunkedRows):  # which leaves to the library what it does not understand
        source._dataset = types.SimpleNamespace(shape=source._dataset.shape)
    expected = arguments.finite_examples(whole, None)
    assert source.shape == whole.shape == expected.shape
    assert source.dtype == expected.dtype
    assert source.nbytes == expected.nbytes
    for start, stop in RANGES:
        np.testing.assert_array_equal(read(source, start, stop), expected[start:stop])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_those_in_memory(stored, layout, dtype):
    kind, options = LAYOUTS[layout]
    data = numbers(dtype)
    dataset = stored(data, **options)
    with row_sources.find(dataset, "X") as source:
        assert type(source) is kind
        assert source.piece_rows == (dataset.chunks or (1,))[0]
        check_rows(source, dataset[:])
        check_rows(source, data)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (5, 3, 2, 3)},
        {"chunks": (5, 4, 4, 2), "compression": "gzip", "shuffle": True},
        {"chunks": (4, 4, 4, 3), "compression": "lzf"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["u1", ">f4"])
def test_images_are_rows_of_pixels(stored, options, dtype):
    images = np.arange(M * 48).reshape(M, 4, 4, 3).astype(dtype)
    dataset = stored(images, **options)
    with image_rows(dataset) as source:
        assert source.shape == (M, 48)
        check_rows(source, images.reshape(M, 48))
        assert row_sources.find(source, "X") is source
    with pytest.raises(ShapeError, match=r"flatten_images, or .*, fastnn\.data\.image_rows"):
        row_sources.find(dataset, "X")


def test_images_in_memory_are_no_source():
    with pytest.raises(DataError, match="images of type ndarray lie in memory; give"):
        image_rows(np.zeros((3, 4, 4)))
    with pytest.raises(DataError, match="images is a generator"):
        image_rows(image for image in np.zeros((3, 4, 4)))


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_what_was_never_written_is_the_fill_value(stored, compression, tmp_path):
    with h5py.File(tmp_path / "part.h5", "w") as file:
        X = file.create_dataset(
            "X", (M, N), "f4", chunks=(4, 4), fillvalue=2.5, compression=compression
        )
        X[9:11, 1:3] = 1
    with h5py.File(tmp_path / "part.h5") as file, row_sources.find(file["X"], "X") as source:
        assert type(source) is ChunkedRows
        check_rows(source, file["X"][:])
        assert source.nbytes == M * N * 4


def test_chunks_that_leave_filters_out(stored, tmp_path):
    """A chunk of a gzip data set may be stored as it is, which its mask tells."""
    data, path = numbers(), tmp_path / "mask.h5"
    with h5py.File(path, "w") as file:
        X = file.create_dataset("X", data=data, chunks=(4, N), compression="gzip", shuffle=True)
        X.id.write_direct_chunk((4, 0), data[4:8].tobytes(), 3)
    with h5py.File(path) as file, row_sources.find(file["X"], "X") as source:
        check_rows(source, data)


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("scale-offset", {"chunks": (5, N), "scaleoffset": 0}),
        ("in a header", {}),
        ("never written", {"shape": (M, N), "dtype": "i4"}),
    ],
)
def test_the_library_reads_what_is_not_plain(tmp_path, how, options):
    data = None if how == "never written" else numbers("i4")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        if how == "in a header":
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_layout(h5py.h5d.COMPACT)
            space, kind = h5py.h5s.create_simple((M, N)), h5py.h5t.py_create(data.dtype)
            h5py.h5d.create(file.id, b"X", kind, space, plist).write(
                h5py.h5s.ALL, h5py.h5s.ALL, data
            )
        else:
            file.create_dataset("X", data=data, **options)
    with h5py.File(tmp_path / "other.h5") as file, row_sources.find(file["X"], "X") as source:
        assert type(source) is LibraryRows
        check_rows(source, np.zeros((M, N), "i4") if data is None else data)


@pytest.mark.parametrize(
    "where", [{"mode": "r+"}, {"driver": "core"}, {"driver": "stdio"}], ids=str
)
def test_files_that_are_not_plain_go_through_the_library(stored, where):
    data = numbers()
    with row_sources.find(stored(data, reopen=where), "X") as source:
        assert type(source) is LibraryRows
        check_rows(source, data)


@pytest.mark.parametrize("chunks", [None, (4, 4)])
def test_a_file_with_a_user_block(tmp_path, chunks):
    data, path = numbers(), tmp_path / "block.h5"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("X", data=data, chunks=chunks)
    with h5py.File(path) as file, row_sources.find(file["X"], "X") as source:
        check_rows(source, data)


def test_more_chunks_than_places_are_kept_of(stored, monkeypatch):
    monkeypatch.setattr("fastnn.row_sources.hdf5.MAX_CHUNKS", 11)
    for rows, kind in ((2, LibraryRows), (3, ChunkedRows)):  # 12 chunks, and 8
        with row_sources.find(stored(numbers(), chunks=(rows, N)), "X") as source:
            assert type(source) is kind
            check_rows(source, numbers())


def test_a_path_that_leads_to_another_file_now(stored, tmp_path):
    """The library's own file is read, though its name belongs to another one."""
    dataset, data = stored(numbers()), numbers()
    os.replace(dataset.file.filename, tmp_path / "moved.h5")
    (tmp_path / "rows0.h5").write_bytes(b"something else")
    with row_sources.find(dataset, "X") as source:
        assert type(source) is LibraryRows
        check_rows(source, data)


def test_virtual_data_sets(tmp_path):
    data = numbers()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["X"] = data
    with h5py.File(tmp_path / "v.h5", "w") as file:
        layout = h5py.VirtualLayout((M, N), "f4")
        layout[:] = h5py.VirtualSource(tmp_path / "a.h5", "X", (M, N))
        file.create_virtual_dataset("X", layout)
    with h5py.File(tmp_path / "v.h5") as file, row_sources.find(file["X"], "X") as source:
        check_rows(source, data)


def test_chunks_are_unpacked_by_threads_that_are_joined(stored, monkeypatch):
    import threading

    monkeypatch.setattr("fastnn.row_sources.chunks.get_num_threads", lambda: 3)
    data = numbers(m=400)
    source = row_sources.find(stored(data, chunks=(2, 4), compression="gzip"), "X")
    with source:
        np.testing.assert_array_equal(read(source, 1, 399), data[1:399])
        names = [thread.name for thread in threading.enumerate()]
        assert any(name.startswith("fastnn-unpack") for name in names)
    assert not [t for t in threading.enumerate() if t.name.startswith("fastnn-unpack")]


@pytest.mark.parametrize("layout", ["contiguous", "gzip, shuffle", "lzf"])
@pytest.mark.parametrize("threads", [1, 2])
def test_several_pieces_at_once(stored, monkeypatch, layout, threads):
    monkeypatch.setattr("fastnn.row_sources.chunks.get_num_threads", lambda: threads)
    pieces, data = [(10, 15), (3, 3), (0, 5), (20, M)], numbers()
    with row_sources.find(stored(data, **LAYOUTS[layout][1]), "X") as source:
        out = np.empty((13, N), source.dtype)
        source.read_pieces(pieces, out)
        np.testing.assert_array_equal(out, np.concatenate([data[a:b] for a, b in pieces]))
        source.read_pieces([], out[:0])


@pytest.mark.parametrize("item_size", [1, 2, 4, 8])
def test_shuffle_is_undone(item_size):
    """Of numbers the first bytes stand first, then the second ones."""
    data = np.arange(12 * item_size, dtype=np.uint8)
    shuffled = data.reshape(12, item_size).T.tobytes()
    filters = [Filter(SHUFFLE, (item_size,))]
    assert bytes(unpack_chunk(shuffled, filters)) == data.tobytes()


def test_gzip_with_and_without_libdeflate(monkeypatch):
    data = bytes(range(200)) * 50
    packed, filters = zlib.compress(data), [Filter(DEFLATE, (6,))]
    for size in (None, len(data)):
        assert unpack_chunk(packed, filters, size) == data
    with pytest.raises(Exception, match=r"(?i)error|failed"):
        unpack_chunk(b"no gzip", filters, len(data))
    monkeypatch.setitem(sys.modules, "deflate", None)  # as if it were not installed
    assert _inflater.__wrapped__()(packed, len(data)) == data


def test_a_block_of_its_own_is_small(stored, monkeypatch):
    """Numbers of another byte order pass through memory of the source, block by block."""
    for module in ("contiguous", "slices"):
        monkeypatch.setattr(f"fastnn.row_sources.{module}.BLOCK_BYTES", 3 * N * 4)
    data = numbers(">f4")
    for options in ({}, {"chunks": (2, N), "compression": "lzf"}):
        with row_sources.find(stored(data, **options), "X") as source:
            check_rows(source, data)


class TestFaults:
    """A file that changes, ends too early, or holds something else: one sentence, and no rows."""

    @pytest.mark.parametrize("layout", ["contiguous", "gzip", "lzf"])
    def test_a_file_that_is_cut_short(self, stored, layout):
        dataset = stored(numbers("f8", m=5000), **LAYOUTS[layout][1])
        with row_sources.find(dataset, "X_dev") as source:
            out = np.empty((5000, N))
            source.read(0, 5000, out)
            os.truncate(dataset.file.filename, 4000)
            for act in (source.check_unchanged, lambda: source.read(0, 5000, out)):
                with pytest.raises(DataError, match=r"X_dev lies in.* bytes, while it was read"):
                    act()

    def test_a_file_that_was_cut_short_before(self, stored, tmp_path, monkeypatch):
        """HDF5 itself refuses such a file when it is opened, as a rule."""
        monkeypatch.setattr("fastnn.row_sources.open_file.OpenFile.check_unchanged", lambda _: 0)
        words = r"X lies in .* up to byte \d+, .* has 4000 bytes"
        for layout in ("contiguous", "chunks", "gzip"):
            dataset = stored(numbers("f8", m=5000), **LAYOUTS[layout][1])
            with row_sources.find(dataset, "X") as source:
                os.truncate(dataset.file.filename, 4000)
                with pytest.raises(DataError, match=words):
                    source.read(0, 5000, np.empty((5000, N)))

    def test_a_file_that_is_written_or_replaced(self, stored, tmp_path):
        dataset = stored(numbers())
        path = dataset.file.filename
        with row_sources.find(dataset, "X") as source:
            os.utime(path, ns=(1, 1))
            with pytest.raises(DataError, match="has changed, being written to,"):
                source.check_unchanged()
        with row_sources.find(dataset, "X") as source:
            (tmp_path / "new.h5").write_bytes(b"new")
            os.replace(tmp_path / "new.h5", path)
            with pytest.raises(DataError, match="was replaced by another file while"):
                source.check_unchanged()

    def test_a_file_that_was_removed_still_holds_its_rows(self, stored):
        dataset, data = stored(numbers()), numbers()
        with row_sources.find(dataset, "X") as source:
            os.remove(dataset.file.filename)
            check_rows(source, data)

    def test_a_chunk_that_gzip_has_not_packed(self, tmp_path):
        with h5py.File(tmp_path / "bad.h5", "w") as file:
            X = file.create_dataset("X", data=numbers(), chunks=(4, N), compression="gzip")
            X.id.write_direct_chunk((4, 0), b"no gzip", 0)
        with (
            h5py.File(tmp_path / "bad.h5") as file,
            row_sources.find(file["X"], "X") as source,
            pytest.raises(DataError, match="X cannot be read in rows 4 … 7: OSError"),
        ):
            read(source, 2, 10)

    def test_closed_files_and_groups(self, stored):
        dataset = stored(numbers(), chunks=(4, N), compression="lzf")
        with row_sources.find(dataset, "X") as source:
            dataset.file.close()
            with pytest.raises(DataError, match="X belongs to an HDF5 file that is closed"):
                source.read(0, 1, np.empty((1, N), "f4"))
        with pytest.raises(DataError, match="X belongs to an HDF5 file that is closed"):
            row_sources.find(dataset, "X")

    @pytest.mark.parametrize(
        ("start", "stop", "rows"), [(3, 2, 1), (0, M + 1, M + 1), (-1, 2, 3), (0, 2, 3)]
    )
    def test_wrong_calls(self, stored, start, stop, rows):
        source = row_sources.find(stored(numbers()), "X")
        with source, pytest.raises(ValueError, match="rows"):
            source.read(start, stop, np.empty((rows, N), "f4"))
