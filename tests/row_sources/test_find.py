"""What is found to be a source of rows, and what such a source may not do while it is read."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest

from fastnn import row_sources
from fastnn._validation import arguments
from fastnn.errors import DataError, ShapeError
from fastnn.row_sources import RowSource

X = np.arange(40, dtype=np.float32).reshape(10, 4)


class Tensor:
    """An array of a library of tensors, which gives its memory away."""

    shape, dtype = X.shape, X.dtype

    def __getitem__(self, rows):
        return X[rows]

    def __array__(self, dtype=None, copy=None):
        return X

    def __dlpack__(self, **settings):
        return X.__dlpack__(**settings)


class Sliced:
    """A stranger's rows, whose slices may be made wrong from one row on."""

    def __init__(self, array=X, wrong=lambda block: block, begin=0):
        self.array, self.wrong, self.begin = array, wrong, begin
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, rows):
        block = self.array[rows]
        return self.wrong(block) if rows.start >= self.begin else block


def read(source, start=0, stop=10):
    out = np.empty((stop - start, source.shape[1]), source.dtype)
    source.read(start, stop, out)
    return out


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8", "?", ">f4", ">i8", "f2", "g"])
def test_anything_with_shape_dtype_and_slices(dtype, monkeypatch):
    monkeypatch.setattr("fastnn.row_sources.slices.BLOCK_BYTES", 3 * X.shape[1])
    array = (X % 2 == 0) if dtype == "?" else X.astype(dtype)
    source = row_sources.find(Sliced(array), "X")
    expected = arguments.finite_examples(array, None)
    assert source.shape == array.shape
    assert source.dtype == expected.dtype
    assert source.nbytes == expected.nbytes
    assert len(source) == 10
    for start, stop in ((0, 10), (3, 8), (9, 10), (4, 4)):
        np.testing.assert_array_equal(read(source, start, stop), expected[start:stop])
    assert row_sources.find(source) is source


@pytest.mark.medium
def test_what_lies_in_memory_is_none(tmp_path):
    pd = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    mapped = np.memmap(tmp_path / "map", np.float32, "w+", shape=X.shape)
    texts = Sliced(np.array([["a", None]], dtype=object))
    given = [X, X.tolist(), mapped, pd.DataFrame(X), pd.Series(X[0]), sparse.csr_array(X), texts, 3]
    given.append(Tensor())
    for value in given:
        assert row_sources.find(value, "X") is None


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (Sliced(X[0]), ShapeError, r"X_dev must be 2-D.*reshape a single example to \(1, 4\)"),
        (Sliced(X.reshape(10, 2, 2)), ShapeError, "X_dev must be 2-D.*flatten_images"),
        (Sliced(X[:0]), ShapeError, r"X_dev is empty, shape \(0, 4\)"),
        (Sliced(X[:, :0]), ShapeError, r"X_dev is empty, shape \(10, 0\)"),
        (Sliced(X.astype(complex)), DataError, "X_dev must hold real numbers, got dtype complex"),
        (Sliced(X.astype("U")), DataError, "X_dev must hold real numbers, got dtype <U"),
    ],
)
def test_what_no_fit_can_take_is_refused_unread(value, error, words):
    value.begin, value.wrong = 0, None  # calling it fails
    with pytest.raises(error, match=words):
        row_sources.find(value, "X_dev")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda block: block[:-1], r"should be float32 \(5, 4\).*came as float32 \(4, 4\)"),
        (lambda block: block[:, :3], r"came as float32 \(5, 3\)"),
        (lambda block: block.astype("f8"), r"came as float64 \(5, 4\)"),
        (lambda block: list("abcde"), r"came as <U1 \(5,\)"),
        (lambda block: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda block: np.ma.masked_less(block, 21), "has masked entries in row 5"),
    ],
)
def test_a_slice_that_is_not_what_it_should_be(wrong, words, monkeypatch):
    monkeypatch.setattr("fastnn.row_sources.slices.BLOCK_BYTES", 5 * X.shape[1] * 4)
    source = row_sources.find(Sliced(wrong=wrong, begin=5), "X")
    np.testing.assert_array_equal(read(source, 0, 5), X[:5])
    with pytest.raises(DataError, match=words) as caught:
        read(source, 0, 10)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("X ")
    assert "rows 5 … 9" in str(caught.value) or "row 5" in str(caught.value)


def test_masked_entries_of_images_are_told_by_their_row():
    images = np.ma.masked_equal(np.arange(240).reshape(20, 3, 4), 150)
    with pytest.raises(DataError, match="has masked entries in row 12;"):
        read(row_sources.find(Sliced(images), "X", flatten=True), 0, 20)


def test_threads_read_one_after_the_other():
    class Rows(row_sources.RowSource):
        inside, most = 0, 0

        def _fill(self, start, stop, out):
            self.inside += 1
            go_on.wait(60)
            self.most = max(self.most, self.inside)
            self.inside -= 1

    def begin():
        begun.release()
        read(rows, 0, 9)

    begun, go_on = threading.Semaphore(0), threading.Event()
    rows = Rows("X", (9, 4), np.dtype("f4"))
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(begin) for _ in range(3)]
        for _ in jobs:
            assert begun.acquire(timeout=60)
        go_on.set()
        for job in jobs:
            job.result(60)
    assert rows.most == 1


def test_of_other_libraries_objects_one_is_read_at_a_time():
    """HDF5 as netCDF4 has it crashes where two threads read two variables, or two files."""
    entered, inside, most = threading.Event(), [], []

    class Slow(Sliced):
        def __getitem__(self, rows):
            inside.append(self)
            entered.set()
            threading.Event().wait(0.01)
            most.append(len(inside))
            inside.remove(self)
            return super().__getitem__(rows)

    sources = [row_sources.find(Slow(), "X") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(read, sources[0])
        assert entered.wait(60)
        second = pool.submit(read, sources[1])
        np.testing.assert_array_equal(first.result(60), second.result(60))
    assert most == [1, 1]


def test_an_object_that_changes_its_shape_or_dtype():
    for name, value in (("shape", (11, 4)), ("dtype", np.dtype("f8")), ("shape", None)):
        rows = Sliced()
        source = row_sources.find(rows, "X")
        source.check_unchanged()
        setattr(rows, name, value)
        with pytest.raises(DataError, match=r"^X (has changed|no longer tells)"):
            read(source)


def test_memory_that_runs_out_is_no_fault_of_the_data():
    def fail(block):
        raise MemoryError

    with pytest.raises(MemoryError):
        read(row_sources.find(Sliced(wrong=fail), "X"))


def test_a_source_is_closed_by_its_block():
    closed = []

    class Held(RowSource):
        def close(self):
            closed.append(True)

    with Held("X", (3, 2), np.dtype("f4"), piece_rows=100) as source:
        assert source.piece_rows == 3
    assert closed


@pytest.mark.medium
def test_no_library_is_imported(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["X"] = X
    code = """
import sys, numpy as np
import fastnn
from fastnn import row_sources
assert "h5py" not in sys.modules
class Rows:
    shape, dtype = (3, 2), np.dtype("f4")
    __getitem__ = lambda self, rows: np.ones((3, 2), "f4")[rows]
row_sources.find(Rows()), row_sources.find({}), row_sources.find(np.ones(3))
found = {"h5py", "zarr", "dask", "pyarrow", "pandas", "torch", "hdf5plugin", "numba"}
assert not found & set(sys.modules), found & set(sys.modules)
"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=300)
