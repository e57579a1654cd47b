"""Every op of the table on every backend equals its looped specification, in every layout."""

import inspect
import math
from itertools import product
from operator import attrgetter

import numpy as np
import pytest
from fastnn.kernels import opcodes
from fastnn.kernels.loops import random as loops_random
from fastnn.kernels.op_registry import TABLE, Sample
from fastnn.kernels.vectorized import random as vectorized_random

from fastnn import kernels

SPECIFICATION = kernels.get("loops")
FAST = ("vectorized", "jitted")
BOUND = {"float32": 2e-5, "float64": 1e-12}


def strided(a):
    """The same numbers as every second entry of a larger array."""
    wide = np.full([2 * n for n in a.shape], 7, a.dtype)
    view = wide[tuple(slice(None, None, 2) for _ in a.shape)]
    view[...] = a
    return view


def read_only(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def reversed_rows(a):
    return np.ascontiguousarray(a[::-1])[::-1]


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": strided,
    "reversed": reversed_rows,
    "read-only": read_only,
}


def call(backend, row, arguments):
    """The op's result and everything that it writes."""
    with np.errstate(all="ignore"):
        result = row.function(kernels.get(backend))(*arguments)
    return [arguments[i] for i in row.outputs] + ([] if result is None else [result])


def laid(arguments, layout, outputs):
    change = LAYOUTS[layout]
    if layout == "read-only":
        return tuple(
            change(a) if isinstance(a, np.ndarray) and i not in outputs else copy(a)
            for i, a in enumerate(arguments)
        )
    return tuple(change(a) if isinstance(a, np.ndarray) else a for a in arguments)


def copy(a):
    return a.copy() if isinstance(a, np.ndarray) else a


def agree(row, backend, sample, layout="C", value=None):
    """Hold an op of a backend against its specification; value: takes the place of one number."""
    arguments = row.arguments(sample)
    if value is not None:
        arguments[0].flat[arguments[0].size // 2] = value
    expected = call("loops", row, tuple(map(copy, arguments)))
    found = call(backend, row, laid(tuple(map(copy, arguments)), layout, row.outputs))
    bound = BOUND[np.dtype(sample.dtype).name]
    for want, have in zip(expected, found, strict=True):
        where = f"{sample.dtype}, {layout}, {arguments[0].shape}, {value}"
        np.testing.assert_allclose(have, want, rtol=bound, atol=bound, err_msg=where)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
class TestEquality:
    def test_layouts(self, row, backend):
        for dtype, layout in product(BOUND, LAYOUTS):
            agree(row, backend, Sample(dtype=dtype), layout)

    def test_sizes(self, row, backend):
        for m, (n_in, n_out) in product([1, 4, 31, 33], [(1, 1), (4, 2), (9, 17)]):
            agree(row, backend, Sample(m=m, n_in=n_in, n_out=n_out))

    def test_empty_batch(self, row, backend):
        agree(row, backend, Sample(m=0))

    def test_extreme_numbers(self, row, backend):
        sample = Sample(m=5, n_in=6, n_out=6)
        if row.arguments(sample)[0].dtype.kind != "f":
            pytest.skip("takes whole numbers")
        for value in (np.nan, np.inf, -np.inf, 1e4, -1e4, 0.0):
            agree(row, backend, sample, value=value)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
class TestSlopes:
    """Central differences in float64: (f(x+ε) − f(x−ε)) / 2ε with ε = 1e-6."""

    EPSILON = 1e-6

    def differences(self, f, x):
        slopes = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            kept = x[i]
            x[i] = kept + self.EPSILON
            up = f()
            x[i] = kept - self.EPSILON
            slopes[i] = (up - f()) / (2 * self.EPSILON)
            x[i] = kept
        return slopes

    @pytest.mark.parametrize("row", [r for r in TABLE if r.slope], ids=lambda row: row.name)
    def test_costs(self, row, backend):
        op = row.function(kernels.get(backend))
        arguments = row.arguments(Sample())
        source, place = row.slope
        op(*arguments)
        gradient = arguments[place].copy()

        def cost():
            return op(*[copy(a) for a in arguments])

        expected = self.differences(cost, arguments[source])
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)

    @pytest.mark.parametrize("row", [r for r in TABLE if r.backward], ids=lambda row: row.name)
    def test_activations(self, row, backend):
        ops, sample = kernels.get(backend), Sample()
        Z, A = row.arguments(sample)
        dA, dZ = sample.real(*A.shape), sample.out(*A.shape)

        def total():
            row.function(ops)(Z, A)
            return float((dA * A).sum())

        expected = self.differences(total, Z)
        total()
        row.backward(ops)(dA, Z, A, dZ)
        np.testing.assert_allclose(dZ, expected, rtol=1e-6, atol=1e-8)

    def test_dense(self, backend):
        ops, s = kernels.get(backend), Sample()
        X, W, b, Z = s.real(7, 5), s.real(5, 3), s.real(3), s.out(7, 3)
        dZ, dX, dW, db = s.real(7, 3), s.out(7, 5), s.out(5, 3), s.out(3)

        def total():
            ops.dense_forward(X, W, b, Z)
            return float((dZ * Z).sum())

        ops.dense_backward(X, W, dZ, dX, dW, db)
        for x, gradient in ((X, dX), (W, dW), (b, db)):
            np.testing.assert_allclose(gradient, self.differences(total, x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
class TestRandomness:
    """Randomness is a pure function of its key and counter."""

    #: The generator's published known answers (Random123's kat_vectors, philox 4x32 10).
    ANSWERS = (
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    )

    @pytest.mark.parametrize(("counter", "key", "words"), ANSWERS)
    def test_philox_known_answers(self, backend, counter, key, words):
        found = kernels.get(backend).philox(counter, key)
        assert tuple(int(np.squeeze(word)) for word in found) == words

    @pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 100, 1001])
    def test_shuffle_is_a_permutation_of_seed_and_epoch(self, backend, m):
        first, again, other = (np.full(m, -1) for _ in range(3))
        ops = kernels.get(backend)
        ops.shuffle(first, 2**32 - 1, 7)
        ops.shuffle(again, 2**32 - 1, 7)
        ops.shuffle(other, 2**32 - 1, 8)
        np.testing.assert_array_equal(np.sort(first), np.arange(m))
        np.testing.assert_array_equal(first, again)
        if m > 4:
            assert (first != other).any()
        wanted = np.zeros(m, np.int64)
        SPECIFICATION.shuffle(wanted, 2**32 - 1, 7)
        np.testing.assert_array_equal(first, wanted)

    @pytest.mark.medium
    def test_shuffle_of_many_rows(self, backend, monkeypatch):
        """Pieces of rows are permuted, and the rows in windows of some; small ones where it can."""
        sizes = {"MAX_WHOLE_SHUFFLE": 100, "SHUFFLE_PIECE": 8, "SHUFFLE_WINDOW": 5}
        ops = kernels.get(backend)
        if backend == "jitted":
            sizes = {name: getattr(opcodes, name) for name in sizes}
        for name, size in sizes.items():
            for module in () if backend == "jitted" else (loops_random, vectorized_random):
                monkeypatch.setattr(module, name, size)
        limit, piece, most = sizes.values()
        whole, order = np.full(limit, -1), np.full(limit + 3 * piece + 5, -1)
        ops.shuffle(whole, 3, 7)
        np.testing.assert_array_equal(whole, permuted(np.arange(limit), (3, 7, 0)))
        ops.shuffle(order, 3, 7)
        pieces = permuted(np.arange(len(order) // piece), (3, 7, 0))
        windows, done = math.ceil(len(pieces) / most), 0
        for k in range(windows):
            own = pieces[len(pieces) * k // windows : len(pieces) * (k + 1) // windows]
            rows = np.concatenate([np.arange(piece) + piece * i for i in own])
            if k == windows - 1:
                rows = np.append(rows, np.arange(piece * len(pieces), len(order)))
            found = order[done : done + len(rows)]
            np.testing.assert_array_equal(found, permuted(rows, (3, 7, 1 + k)))
            done += len(rows)
        assert done == len(order)


def permuted(rows, key):
    """Rows (m,) in the order of permutation number k of (seed, epoch), key = (seed, epoch, k)."""
    (seed, epoch, number), m = key, len(rows)
    counter = np.zeros((4, -(-m // 4)), np.uint64)
    counter[0], counter[1], counter[2] = np.arange(counter.shape[1]), epoch, number
    words = vectorized_random.philox(counter, (seed, 1 << 16)).T.ravel()[:m].tolist()
    order = rows.tolist()
    for i in range(m - 1, 0, -1):
        j = words[i] * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def parameters(function, backend):
    """Parameters of a backend's function."""
    return inspect.signature(function(kernels.get(backend))).parameters


def test_backends_have_the_same_functions_and_signatures():
    calls = (
        "forward", "predict", "predict_rows", "evaluate", "gradient", "update", "run", "workspace",
        "gradient_check", "philox",
    )  # fmt: skip
    named = {row.name: row.function for row in TABLE if row.on is None}
    for name, function in (named | {name: attrgetter(name) for name in calls}).items():
        assert len({tuple(parameters(function, b)) for b in kernels.BACKENDS}) == 1, name
    for row in TABLE:  # a member of a family may name its arguments as its formula does
        assert len({len(parameters(row.function, b)) for b in kernels.BACKENDS}) == 1, row.name


def test_unknown_backend_lists_the_known():
    with pytest.raises(ValueError, match="loops, vectorized, jitted"):
        kernels.get("cuda")
