"""Rows of zarr, dask, pyarrow and hdf5plugin's filters are those of the array in memory."""

import os
import threading

import h5py
import numpy as np
import pytest

from fastnn import Network, row_sources
from fastnn._validation import arguments
from fastnn.errors import DataError, ShapeError

pytestmark = pytest.mark.medium  # importing these libraries takes longer than reading with them

M, N = 23, 6
DTYPES = ["u1", "i2", "f4", "f8", "?", ">f4", "f2"]
RANGES = [(0, M), (0, 1), (3, 11), (11, 12), (5, 10), (M - 1, M), (7, 7)]


def numbers(dtype="f4"):
    found = np.random.default_rng(3).integers(0, 120, (M, N))
    return (found % 2 == 0) if dtype == "?" else found.astype(dtype)


def check_rows(source, whole):
    """Hold all kinds of slices against the data in memory, as a fit would read them."""
    expected = arguments.finite_examples(whole, None)
    assert source.shape == expected.shape
    assert source.dtype == expected.dtype
    for start, stop in RANGES:
        out = np.empty((stop - start, N), source.dtype)
        source.read(start, stop, out)
        np.testing.assert_array_equal(out, expected[start:stop])


class TestZarr:
    @pytest.fixture
    def create(self, tmp_path):
        zarr = pytest.importorskip("zarr", reason="zarr is not installed")

        def create(data, **options):
            options = {"chunks": (5, 4)} | options
            path = str(tmp_path / "x.zarr")
            array = zarr.create_array(
                store=path, shape=data.shape, dtype=data.dtype, overwrite=True, **options
            )
            array[:] = data
            return zarr.open_array(path, mode="r")

        return create

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_rows_are_those_in_memory(self, create, dtype, monkeypatch):
        monkeypatch.setattr("fastnn.row_sources.slices.BLOCK_BYTES", 1)
        array = create(numbers(dtype))
        source = row_sources.find(array, "X")
        assert source.piece_rows == 5
        check_rows(source, numbers(dtype))
        check_rows(source, np.asarray(array))

    def test_shards(self, create):
        source = row_sources.find(create(numbers(), chunks=(5, 3), shards=(10, 6)), "X")
        assert source.piece_rows == 10
        check_rows(source, numbers())


class TestDask:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_rows_are_those_in_memory(self, dtype):
        da = pytest.importorskip("dask.array", reason="dask is not installed")
        array = da.from_array(numbers(dtype), chunks=(5, 4))
        source = row_sources.find(array, "X")
        assert source.piece_rows == 5
        check_rows(source, numbers(dtype))
        check_rows(row_sources.find(array * 1, "X"), (array * 1).compute())

    def test_unknown_chunks(self):
        da = pytest.importorskip("dask.array", reason="dask is not installed")
        array = da.from_array(numbers(), chunks=(5, N))
        some = array[array[:, 0] > 40]
        with pytest.raises(DataError, match=r"X_val has chunks of unknown sizes; call X_val\.comp"):
            row_sources.find(some, "X_val")
        some.compute_chunk_sizes()
        source = row_sources.find(some, "X_val")
        assert source.shape == (int((numbers()[:, 0] > 40).sum()), N)


class TestFiltersOfHdf5plugin:
    @pytest.mark.parametrize("name", ["Zstd", "Blosc", "LZ4", "Bitshuffle"])
    def test_rows_are_those_in_memory(self, tmp_path, name):
        plugin = pytest.importorskip("hdf5plugin", reason="hdf5plugin is not installed")
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("X", data=numbers(), chunks=(5, 4), **getattr(plugin, name)())
        with h5py.File(tmp_path / "x.h5") as file, row_sources.find(file["X"], "X") as source:
            check_rows(source, numbers())

    def test_a_filter_that_is_not_there(self, tmp_path, monkeypatch):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("X", data=numbers(), chunks=(5, 4), compression="lzf")
        monkeypatch.setattr(h5py.h5z, "filter_avail", lambda code: code != 32000)
        words = r"X is packed by lzf \(filter 32000.*; pip install hdf5plugin$"
        with h5py.File(tmp_path / "x.h5") as file, pytest.raises(DataError, match=words):
            row_sources.find(file["X"], "X")


class TestArrow:
    @pytest.fixture(autouse=True)
    def libraries(self, tmp_path):
        self.pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        self.pq = pytest.importorskip("pyarrow.parquet")
        self.ds = pytest.importorskip("pyarrow.dataset")
        self.folder = tmp_path

    def table(self, *dtypes):
        columns = numbers().T
        kinds = [dtypes[k % len(dtypes)] for k in range(N)]
        return self.pa.table({f"x{k}": columns[k].astype(kind) for k, kind in enumerate(kinds)})

    def sources(self, table):
        """Each kind of pyarrow's objects with a table's rows, and where pieces of them begin."""
        self.pq.write_table(table, self.folder / "a.parquet", row_group_size=5)
        files = self.folder / "files"
        files.mkdir()
        self.pq.write_table(table.slice(0, 9), files / "0.parquet", row_group_size=4)
        self.pq.write_table(table.slice(9), files / "1.parquet")
        feather = pytest.importorskip("pyarrow.feather")
        feather.write_feather(table, self.folder / "a.arrow", chunksize=6)
        return [
            (table, None),
            (self.pq.ParquetFile(self.folder / "a.parquet"), [0, 5, 10, 15, 20, M]),
            (self.ds.dataset(self.folder / "a.parquet"), [0, 5, 10, 15, 20, M]),
            (self.ds.dataset(files), [0, 4, 8, 9, M]),
            (self.ds.dataset(self.folder / "a.arrow", format="feather"), [0, M]),
            (self.ds.dataset(table), [0, M]),
        ]

    @pytest.mark.parametrize(
        "dtypes",
        [("f4",), ("u1",), ("f8",), ("?",), ("f4", "i2"), ("f4", "i8"), ("?", "u1"), ("f2", "u1")],
    )
    def test_rows_are_those_of_the_table(self, dtypes, monkeypatch):
        monkeypatch.setattr("fastnn.row_sources.arrow.BLOCK_BYTES", 3 * 8 * N)
        table = self.table(*dtypes)
        for given, starts in self.sources(table):
            with row_sources.find(given, "X") as source:
                assert source.piece_starts == starts
                check_rows(source, np.asarray(table))

    def test_reads_one_after_the_other_decode_once(self, monkeypatch):
        monkeypatch.setattr("fastnn.row_sources.arrow.BLOCK_BYTES", 3 * 8 * 4 * N)
        table, opened = self.table("f4"), []
        self.pq.write_table(table, self.folder / "a.parquet", row_group_size=10)
        file = self.pq.ParquetFile(self.folder / "a.parquet")

        class Watched(self.pq.ParquetFile):
            def iter_batches(self, most, row_groups):
                opened.append(row_groups)
                return file.iter_batches(most, row_groups=row_groups)

        source = row_sources.find(Watched(self.folder / "a.parquet"), "X")
        out = np.empty((4, N), "f4")

        def opened_by(*starts):
            opened.clear()
            for start in starts:
                source.read(start, start + 4, out)
                np.testing.assert_array_equal(out, numbers()[start : start + 4])
            return opened

        assert opened_by(0, 4, 8, 12, 16) == [[0], [1]]
        assert opened_by(0, 10, 4, 15) == [[0], [1]]  # two at a time, as of two threads
        source.close()
        assert opened_by(10, 0, 14, 1, 6) == [[1], [0], [0]]  # what is behind is decoded again
        source.close()
        assert opened_by(0, 10, 19, 15) == [[0], [1], [2], [1]]  # and what was begun long ago

    def test_a_fit_decodes_each_row_once_an_epoch(self, monkeypatch):
        """Row groups larger than a window are read in its parts, one behind the other."""
        monkeypatch.setattr("fastnn.row_sources.arrow.BLOCK_BYTES", 7 * 8 * 4 * N)
        X = np.random.default_rng(0).normal(size=(1200, N)).astype("f4")
        table = self.pa.table({f"x{k}": X[:, k] for k in range(N)})
        parts = [table.slice(0, 500), table.slice(500, 30), table.slice(530, 70), table.slice(600)]
        with self.pq.ParquetWriter(self.folder / "a.parquet", table.schema) as writer:
            for part in parts:
                writer.write_table(part, row_group_size=600)
        decoded = []

        class Watched(self.pq.ParquetFile):
            def iter_batches(self, *given, **settings):
                for batch in super().iter_batches(*given, **settings):
                    decoded.append(batch.num_rows)
                    yield batch

        file, y = Watched(self.folder / "a.parquet"), X[:, 0] > 0
        settings = {"epochs": 3, "batch_size": 16, "window": "7 KB", "progress": False}
        net = Network.mlp([N, 3, 1], output="sigmoid")
        net.fit(file, y, **settings)
        assert sum(decoded) == 3 * 1200
        once = Network.mlp([N, 3, 1], output="sigmoid")
        for k in range(3):
            once.fit(file, y, **settings | {"epochs": 1}, validation_data=(file, y) if k else None)
        np.testing.assert_array_equal(once.program.theta, net.program.theta)
        decoded.clear()
        net.predict(file, window="7 KB")
        net.fit(file, y, **settings, validation_split=0.2)
        assert sum(decoded) < (1 + 3 * 2 + 1) * 1200

    def test_two_threads_read_a_parquet_file_in_turn(self):
        """Of one file pyarrow lets one thread read: two may end the process."""
        self.pq.write_table(self.table("f4"), self.folder / "a.parquet", row_group_size=5)
        busy, pause, errors = threading.Lock(), threading.Event(), []

        class Watched(self.pq.ParquetFile):
            def iter_batches(self, *given, **settings):
                batches, batch = super().iter_batches(*given, **settings), 0
                while batch is not None:
                    assert busy.acquire(blocking=False), "two threads at once"
                    pause.wait(0.002)  # lets the other thread go on
                    batch = next(batches, None)
                    busy.release()
                    if batch is not None:
                        yield batch

        file = Watched(self.folder / "a.parquet")

        def read():
            try:
                check_rows(row_sources.find(file, "X"), numbers())
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors

    def test_reads_one_after_the_other_do_not_nest(self):
        """Iterators in iterators, one a read, would end in an overflow of the stack."""
        pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        rows = row_sources.find(pa.table({"a": np.arange(9000.0)}), "X")
        first, out = None, np.empty((1, 1))
        for k in range(9000):
            rows.read(k, k + 1, out)
            assert out[0, 0] == k
            first = first or rows._decoders[-1]
            assert k == 8999 or rows._decoders[-1] is first

    def test_a_missing_value(self):
        columns = {f"x{k}": numbers()[:, k] for k in range(N)}
        columns["x2"] = self.pa.array([None if k == 13 else 1.5 for k in range(M)])
        self.pq.write_table(self.pa.table(columns), self.folder / "a.parquet", row_group_size=5)
        source = row_sources.find(self.pq.ParquetFile(self.folder / "a.parquet"), "X")
        with pytest.raises(DataError, match="X has no value in row 13, column 'x2'; drop those"):
            source.read(0, M, np.empty((M, N), source.dtype))

    def test_columns_of_something_else(self):
        table = self.table("f4").append_column("name", self.pa.array(["a"] * M))
        self.pq.write_table(table, self.folder / "a.parquet")
        assert row_sources.find(table, "X") is None  # the error is that of an array in memory
        dataset = self.ds.dataset(self.folder / "a.parquet")
        for given in (dataset, self.pq.ParquetFile(self.folder / "a.parquet")):
            with pytest.raises(DataError, match="X must hold real numbers, but column 'name'"):
                row_sources.find(given, "X")
        chosen = dataset.replace_schema(self.table("f4").schema)
        check_rows(row_sources.find(chosen, "X"), numbers())

    def test_filtered_and_empty_ones(self):
        dataset = self.ds.dataset(self.table("f4"))
        with pytest.raises(DataError, match="X is a filtered data set"):
            row_sources.find(dataset.filter(self.ds.field("x0") > 3), "X")
        with pytest.raises(ShapeError, match=r"X is empty, shape \(0, 6\)"):
            row_sources.find(self.table("f4").slice(0, 0), "X")
        with pytest.raises(ShapeError, match=r"X is empty, shape \(.*, 0\)"):
            row_sources.find(self.pa.table({}), "X")

    def test_a_file_that_changes_or_goes(self):
        path = self.folder / "a.parquet"
        self.pq.write_table(self.table("f4"), path)
        out = np.empty((M, N), "f4")
        source = row_sources.find(self.ds.dataset(path), "X")
        source.read(0, M, out)
        self.pq.write_table(self.table("f4").slice(3), path)
        for act in (source.check_unchanged, lambda: source.read(0, M, out)):
            with pytest.raises(DataError, match=r"X lies in the file .*a.parquet.* has changed"):
                act()
        os.remove(path)
        with pytest.raises(DataError, match=r"X lies in the file .*a.parquet', which is gone"):
            source.check_unchanged()
