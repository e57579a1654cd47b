"""Entrances: what a kernel takes from Python, and what it refuses before it runs."""

import gc
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastnn.kernels.jitted.compiler.definitions import definitions
from fastnn.kernels.jitted.loader import linker, tables
from fastnn.kernels.jitted.records import BatchNorm, Model
from fastnn.kernels.jitted.threads.team import ALONE
from fastnn.kernels.opcodes import OP

from fastnn import kernels

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(not kernels.get("jitted").available, reason="there are no kernels"),
]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Subclass(np.ndarray):
    """An array of another type."""


def entrance(name, dtype=FLOAT32):
    return tables.entry_point(name, dtype)


def vector(n=40, dtype="float32"):
    return np.arange(n, dtype=dtype)


def unaligned(n):
    """A vector of float32 that begins at an odd address."""
    return np.zeros(4 * n + 1, np.uint8)[1:].view("float32")


def refusal(kernel, place):
    """A pattern of the sentence in which a kernel refuses an argument by its place."""
    return rf"^kernel {re.escape(kernel)}: argument {place} has not the type, dtype, number of dim"


class TestVectors:
    DOT = "ops.dense.dot"

    @pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
    @pytest.mark.parametrize("n", [0, 1, 40])
    def test_of_its_dtype_are_taken(self, n, dtype):
        x = vector(n, dtype)
        assert entrance(self.DOT, dtype)(x, x) == sum(k * k for k in range(n))

    def test_of_a_subclass_or_read_only_are_taken(self, tmp_path):
        x, dot = vector(), entrance(self.DOT)
        fixed = x.copy()
        fixed.flags.writeable = False
        mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=40)
        mapped[:] = x
        assert dot(x.view(Subclass), fixed) == dot(mapped, np.ma.array(x)) == dot(x, x)

    @pytest.mark.parametrize("bad", [
        vector(dtype="float64"), vector(dtype="float16"), vector(dtype="int32"),
        vector(dtype="uint32"), vector(dtype="complex64"), vector(dtype="longdouble"),
        vector().astype("S4"), vector().astype("O"), np.zeros(40, "V4"), np.zeros(40, "U1"),
        vector()[None], vector().reshape(4, 10), np.float32(1), np.array(1, "f4"),
        vector(80)[::2], vector()[::-1], unaligned(40),
        vector().astype(FLOAT32.newbyteorder("S")), None, 1.0, "x", [1.0], bytes(160),
        memoryview(vector()), np.ndarray, FLOAT32,
    ], ids=lambda bad: f"{type(bad).__name__}")  # fmt: skip
    @pytest.mark.parametrize("place", [0, 1])
    def test_of_another_kind_are_refused(self, bad, place):
        given = [vector(), vector()]
        given[place] = bad
        with pytest.raises(TypeError, match=refusal(self.DOT, place)):
            entrance(self.DOT)(*given)

    @pytest.mark.parametrize("n", [0, 1, 3, 100])
    def test_too_few_or_too_many_are_refused(self, n):
        with pytest.raises(TypeError, match=refusal(self.DOT, 2)):
            entrance(self.DOT)(*[vector()] * n)

    def test_by_keyword_are_refused(self):
        with pytest.raises(TypeError, match="takes no keyword arguments"):
            entrance(self.DOT)(vector(), y=vector())

    @pytest.mark.parametrize("bad", [
        np.zeros(3), np.zeros(3, f"V{OP.itemsize - 8}"), np.zeros((1, 3), OP), np.zeros(3, OP)[0],
    ], ids=lambda bad: f"{type(bad).__name__} {bad.shape}")  # fmt: skip
    def test_of_ops_are_of_their_size(self, bad):
        name = "step.prediction.predict_blocks"
        rest = [None] * (len(definitions()[name].signature.split()) - 2)
        with pytest.raises(TypeError, match=refusal(name, 1)):
            entrance(name)(np.zeros(3, np.int64), Model(bad, vector(), vector()), *rest)


class TestNumbers:
    SHUFFLE = "ops.random.shuffle_rows"

    def shuffled(self, seed):
        """The order of five examples by a seed."""
        order = np.arange(5)
        entrance(self.SHUFFLE, FLOAT64)(order, seed, 1, ALONE)
        return order.tolist()

    @pytest.mark.parametrize("number", [True, np.int8(1), np.uint64(1)])
    def test_that_are_whole_are_taken(self, number):
        assert self.shuffled(number) == self.shuffled(1)

    @pytest.mark.parametrize("number", [2**63 - 1, -(2**63), -1])
    def test_of_64_bits_are_taken(self, number):
        assert sorted(self.shuffled(number)) == list(range(5))

    @pytest.mark.parametrize(("bad", "error"), [
        (2**63, OverflowError), (-(2**63) - 1, OverflowError), (np.uint64(2**63), OverflowError),
        (1.0, TypeError), (np.float64(1), TypeError), (None, TypeError), ("1", TypeError),
        (np.arange(3), TypeError), (np.True_, TypeError),
    ])  # fmt: skip
    def test_that_are_none_of_64_bits_are_refused_and_nothing_runs(self, bad, error):
        order = np.arange(5)
        with pytest.raises(error):
            entrance(self.SHUFFLE, FLOAT64)(order, bad, 1, ALONE)
        assert order.tolist() == list(range(5))

    @pytest.mark.parametrize(("bad", "error"), [
        ("1", TypeError), (None, TypeError), (1j, TypeError), (10**400, OverflowError),
    ])  # fmt: skip
    def test_that_are_no_floats_are_refused(self, bad, error):
        grad = vector()
        with pytest.raises(error):
            entrance("ops.optimizers.limit")(grad, bad)
        np.testing.assert_array_equal(grad, vector())

    def test_that_are_whole_are_floats_too(self):
        grad = vector()
        entrance("ops.optimizers.limit")(grad, np.float32(7))
        entrance("ops.optimizers.limit")(grad, 5)
        np.testing.assert_array_equal(grad, np.minimum(vector(), 5))

    def test_whose_own_method_fails_pass_its_error_on(self):
        class Odd:
            def __index__(self):
                raise ZeroDivisionError("odd")

        with pytest.raises(ZeroDivisionError, match="odd"):
            self.shuffled(Odd())


class TestRecords:
    NORMALIZE = "ops.batchnorm.normalize"
    V = vector(2)
    NORM = BatchNorm(V, V + 1, V, V, 1e-3)

    def normalized(self, norm):
        A = np.zeros((2, 3), np.float32)
        entrance(self.NORMALIZE)(np.ones((2, 3), np.float32), 3, norm, A, 0, 2)
        return A.tolist()

    def test_are_tuples_of_their_length(self):
        assert self.normalized(tuple(self.NORM)) == self.normalized(self.NORM)

    @pytest.mark.parametrize("bad", [
        NORM[:-1], (*NORM, 1.0), (), list(NORM), None, 1, V, NORM._replace(beta=V[None]),
        NORM._replace(gamma=V.astype("f8")), NORM._replace(mean=None),
    ], ids=lambda bad: type(bad).__name__)  # fmt: skip
    def test_of_another_kind_are_refused(self, bad):
        with pytest.raises(TypeError, match=refusal(self.NORMALIZE, 2)):
            self.normalized(bad)

    def test_hold_numbers_that_are_looked_at_too(self):
        with pytest.raises(TypeError, match="real number"):
            self.normalized(self.NORM._replace(epsilon="x"))


class TestAddresses:
    def test_of_zero_are_an_error_before_any_call(self):
        """Of object code that has not the function which it is named after."""
        name = "ops.dense.dot float64"
        entrance("ops.dense.dot", FLOAT64)
        code = tables.source().store.read(name)
        with pytest.raises(RuntimeError, match="another name has no function"):
            linker.LINKER.link({"another name": renamed(code, name)})
        assert "another name" not in linker.LINKER.addresses

    def test_of_kernels_for_other_dtypes_are_not_to_be_had(self):
        for dtype in ("float16", "int64", "longdouble"):
            with pytest.raises(TypeError, match="are of float32 or float64, not of "):
                tables.entry_point("ops.dense.dot", np.dtype(dtype))
            with pytest.raises(TypeError, match="are of float32 or float64, not of "):
                tables.kernel_pointers(np.dtype(dtype))

    def test_outlive_all_that_python_forgets(self):
        dot, x = entrance("ops.dense.dot"), vector()
        expected = dot(x, x)
        found = [linker.python_function(f"f{i}", self.address()) for i in range(50)]
        del found[::2]
        gc.collect()
        assert {function(x, x) for function in found} == {expected}
        assert [function.__name__ for function in found] == [f"f{i}" for i in range(1, 50, 2)]

    def address(self):
        return linker.LINKER.addresses["ops.dense.dot float32 entrance"]

    def test_of_pages_that_may_be_run_may_not_be_written(self):
        if sys.platform != "linux":
            pytest.skip("Linux lists a process's pages")
        entrance("ops.dense.dot")
        with open("/proc/self/maps", encoding="ascii") as file:
            lines = [line.split()[:2] for line in file]
        modes = [
            mode
            for pages, mode in lines
            for first, end in [pages.split("-")]
            if int(first, 16) <= self.address() < int(end, 16)
        ]
        assert modes == ["r-xp"]


def renamed(code, name):
    """Object code whose own symbol has another name of the same length."""
    other = bytes(code).replace(name.encode(), name[::-1].encode())
    assert other != code
    return other


def test_calls_keep_no_reference():
    x, dot = vector(), entrance("ops.dense.dot")
    before = sys.getrefcount(x), sys.getrefcount(None), sys.getrefcount(np.ndarray)
    for _ in range(1000):
        dot(x, x)
        with pytest.raises(TypeError):
            dot(x, None)
    after = sys.getrefcount(x), sys.getrefcount(None), sys.getrefcount(np.ndarray)
    assert after[0] == before[0]
    assert max(map(abs, np.subtract(after, before))) < 900


def test_threads_call_at_once():
    X = np.random.default_rng(0).normal(size=(8, 5000))
    dot = entrance("ops.dense.dot", FLOAT64)
    expected = [dot(x, x) for x in X]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            assert list(pool.map(dot, X, X)) == expected


@pytest.mark.forks
def test_a_child_links_though_another_thread_was_linking():
    dot, x = entrance("ops.dense.dot"), vector()
    held, done = threading.Event(), threading.Event()

    def hold():
        with linker.lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        new = entrance("ops.optimizers.norm", FLOAT64)(np.array([3.0, 4.0])) == 5
        os._exit(0 if new and dot(x, x) == 20540 else 1)
    done.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0
