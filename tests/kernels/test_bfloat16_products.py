"""Products of numbers rounded to bfloat16: the rounding, the edges of all tiles, their ends."""

import functools
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from fastnn.kernels.jitted.codegen.cpu import BLOCK_SIZES, block_sizes, pair_pack_size
from fastnn.kernels.jitted.compiler.jit import runnable
from fastnn.kernels.jitted.execution.kernel_selection import kernel_pointers
from fastnn.kernels.jitted.gemm import bfloat16_inner
from fastnn.kernels.jitted.gemm.epilogue import (
    EPILOGUE_NONE,
    EPILOGUE_RELU,
    EPILOGUE_RELU_GRAD,
)
from fastnn.kernels.jitted.loader.cpu import CPU
from fastnn.kernels.jitted.loader.tables import entry_point
from fastnn.kernels.jitted.records import (
    BETA_BIAS,
    BETA_ONE,
    BETA_ZERO,
    Beta,
    Epilogue,
    Matrix,
    Operand,
)
from fastnn.kernels.jitted.requirements import ROUNDED

from fastnn import kernels

pytestmark = pytest.mark.skipif(
    not kernels.get("jitted").available, reason="Numba's compiler is switched off"
)

SMALLEST = np.finfo(np.float32).smallest_normal
GUARD = np.float32(-77)


def rounded(X):
    """X (float32) rounded to bfloat16, from the definition: the nearer of two neighbours.

    Of numbers as near as each other, the one whose last bit is 0.
    """
    finite = np.isfinite(X)
    numbers, X = X, np.where(finite, X, np.float32(0))
    below = (X.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)  # nearer to 0, or X
    odd = below.view(np.uint32) >> 16 & 1
    size = np.abs(below).astype(np.float64)
    step = 2.0 ** (np.maximum(np.frexp(np.maximum(size, SMALLEST))[1], -125) - 8)
    gone = np.abs(X.astype(np.float64)) - size
    up = (gone > step / 2) | ((gone == step / 2) & (odd == 1))
    above = np.where(size + step > float.fromhex("0x1.fep127"), np.inf, size + step)
    found = np.copysign(np.where(up, above, size), X).astype(np.float32)
    return np.where(finite, found, numbers)


@functools.cache
def called(function):
    """A kernel's function as one that Python can call."""
    return runnable(function)


def special_numbers():
    """Ties, their neighbours, the ends of the range, and numbers of any bits."""
    rng = np.random.default_rng(0)
    upper = np.r_[rng.integers(0, 2**16, 500), 0x7F7F, 0xFF7F, 0x7F80, 0x0000, 0x0001, 0x007F]
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
    bits = (upper[:, None].astype(np.uint32) << 16 | lower.astype(np.uint32)).ravel()
    return np.r_[bits, rng.integers(0, 2**32, 3000, np.uint32)].astype(np.uint32).view(np.float32)


def same(found, X):
    """Whether these numbers are X rounded; those below the normal range may be 0."""
    expected = rounded(X)
    small = np.abs(X) < SMALLEST
    equal = (found == expected) | (small & (found == 0)) | (np.isnan(X) & np.isnan(found))
    assert equal.all(), (X[~equal][:3], found[~equal][:3], expected[~equal][:3])


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("place", [0, 1, 66, 67])
def test_either_factor_is_rounded_to_the_nearest_bfloat16(place, turned):
    """Where the only number of a row, or column, that is not 0 is multiplied by 1."""
    numbers = special_numbers()
    one, other = np.zeros((numbers.size, 70), np.float32), np.ones((70, 1), np.float32)
    one[:, place] = numbers
    same(product(one, other, turned, turned)[:, 0], numbers)
    same(product(other.T, one.T, turned, turned)[0], numbers)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row_and_column(bad):
    A, B = matrices(14, 70, 130)
    A[7, 65] = bad
    C = product(A, B)
    assert not np.isfinite(C[7]).any()
    assert np.isfinite(np.delete(C, 7, axis=0)).all()


def matrices(M, N, K, seed=0):
    rng = np.random.default_rng([M, N, K, seed])
    return rng.normal(size=(M, K)).astype("f"), rng.normal(size=(K, N)).astype("f")


def operand(X, transposed):
    """The Operand of X in C order, or in Fortran order, inside a larger array."""
    rows, columns = X.shape[::-1] if transposed else X.shape
    whole = np.full((rows + 2, columns + 3), np.nan, np.float32)
    whole[1:-1, 2:-1] = X.T if transposed else X
    ld = columns + 3
    return Operand(whole.reshape(-1), ld + 2, *((1, ld) if transposed else (ld, 1)))


@functools.cache
def multiply():
    """(the product's entrance, its first argument)."""
    pointers = kernel_pointers(np.dtype(np.float32), frozenset({ROUNDED}))
    return entry_point("gemm.bfloat16.multiply_rounded", np.dtype(np.float32)), pointers


def product(
    A, B, ta=False, tb=False, beta=BETA_ZERO, epilogue=EPILOGUE_NONE, start=None, mask=None
):
    """epilogue(start + r(A) r(B)), computed between guards; start: C's old numbers or biases."""
    function, pointers = multiply()
    (M, K), N = A.shape, B.shape[1]
    cells = np.full((2 * M + 3, N + 5), GUARD, np.float32)
    C, masks = cells[1 : M + 1, 2 : N + 2], cells[M + 2 : 2 * M + 2, 2 : N + 2]
    if beta == BETA_ONE:
        C[...] = start
    if mask is not None:
        masks[...] = mask
    kept = cells.copy()
    scratch = np.full(pair_pack_size() + 64, GUARD, np.float32)
    bias = start if beta == BETA_BIAS else np.zeros(1, np.float32)
    ld = N + 5
    function(
        pointers, M, N, K, operand(A, ta), operand(B, tb), Matrix(cells.reshape(-1), ld + 2, ld),
        Beta(beta, bias, 0), Epilogue(epilogue, (M + 2) * ld + 2, 1.25), scratch[:-64],
    )  # fmt: skip
    assert (scratch[-64:] == GUARD).all()
    kept[1 : M + 1, 2 : N + 2] = C
    assert cells.tobytes() == kept.tobytes()
    return C.copy()


def close(C, A, B, start=0.0):
    """Within the rounding of sums of float32: 2⁻²² √K of Σ |a b|, rounding being random."""
    a, b = (rounded(X).astype(np.float64) for X in (A, B))
    bound = 2.0**-22 * A.shape[1] ** 0.5 * (np.abs(a) @ np.abs(b) + np.abs(start))
    assert (np.abs(C - (a @ b + start)) <= bound).all()


SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15, 16, 17, 31, 33, 47, 49, 63, 64, 65, 97]
LAYOUTS = [(ta, tb) for ta in (False, True) for tb in (False, True)]


@pytest.mark.medium
@pytest.mark.parametrize(("ta", "tb"), LAYOUTS)
def test_product_at_the_edges_of_every_tile(ta, tb):
    for M in SIZES:
        for N, K in [(1, M), (M, 17), (65, 31), (17, 1), (16, 2), (33, 66), (8, 3), (9, 130)]:
            A, B = matrices(M, N, K)
            close(product(A, B, ta, tb), A, B)


_sizes = block_sizes()
BLOCKS = [
    (_sizes.PAIR_MC - 1, _sizes.PAIR_NC + 1, 5), (_sizes.PAIR_MC + 1, _sizes.PAIR_NC - 1, 6),
    (3, 2 * _sizes.PAIR_NC + 3, 9), (2 * _sizes.PAIR_MC + 7, 33, 2 * _sizes.PAIR_KC - 1),
    (7, 70, 2 * _sizes.PAIR_KC), (5, 65, 2 * _sizes.PAIR_KC + 1), (50, 10, 4 * _sizes.PAIR_KC + 3),
    (_sizes.PAIR_MC + 3, _sizes.PAIR_NC + 17, 2 * _sizes.PAIR_KC + 2),
]  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize(("ta", "tb"), LAYOUTS)
@pytest.mark.parametrize("shape", BLOCKS, ids=str)
def test_product_at_the_edges_of_every_block(shape, ta, tb):
    A, B = matrices(*shape)
    close(product(A, B, ta, tb), A, B)


@pytest.mark.parametrize("K", [7, 2 * _sizes.PAIR_KC + 3])
@pytest.mark.parametrize("beta", [BETA_ZERO, BETA_ONE, BETA_BIAS])
@pytest.mark.parametrize("epilogue", [EPILOGUE_NONE, EPILOGUE_RELU, EPILOGUE_RELU_GRAD])
def test_product_begins_and_ends_as_told(K, beta, epilogue):
    """Of small whole numbers, whose sums are exact."""
    rng = np.random.default_rng(K)
    for M, N in ((13, 70), (50, 9), (1, 300)):
        A, B = (rng.integers(-4, 5, shape).astype("f") for shape in ((M, K), (K, N)))
        mask = rng.integers(-1, 2, (M, N)).astype("f")
        start = rng.integers(-9, 9, (M, N) if beta == BETA_ONE else M).astype("f")
        found = product(A, B, False, False, beta, epilogue, start, mask)
        exact = A @ B
        if beta != BETA_ZERO:
            exact = exact + (start if beta == BETA_ONE else start[:, None])
        if epilogue == EPILOGUE_RELU:
            exact = np.maximum(exact, 0)
        if epilogue == EPILOGUE_RELU_GRAD:
            exact = np.where(mask > 0, 1.25 * exact, 0)
        np.testing.assert_array_equal(found, exact)


def test_the_bits_of_a_number_depend_on_its_row_and_column_alone():
    A, B = matrices(120, 300, 700)
    whole = product(A, B)
    parts = (5, 120, 0, 300), (77, 78, 13, 290), (0, 30, 299, 300), (3, 59, 16, 25)
    for top, bottom, left, right in parts:
        rows, columns = slice(top, bottom), slice(left, right)
        for ta, tb in LAYOUTS:
            part = product(A[rows], B[:, columns], ta, tb)
            np.testing.assert_array_equal(part, whole[rows, columns])


@pytest.mark.long  # Numba compiles the kernel for Python
@pytest.mark.parametrize("K", [1, 7, 8, 16, 17, 300])
def test_dot_products_are_of_rounded_rows(K):
    for m in (1, 2, 3, 4, 5, 8, 9, 20):
        for n in (1, 2, 3, 4, 5, 9):
            A, B = matrices(m, n, K)
            W = np.ascontiguousarray(B.T)
            C = np.full((m + 1, n), 2.5, np.float32)
            called(bfloat16_inner.multiply_inner_rounded.function)(
                m, n, K, Matrix(A.reshape(-1), 0, K), Matrix(W.reshape(-1), 0, K),
                Operand(C.reshape(-1), 0, n, 1), 1,
            )  # fmt: skip
            close(C[:m], A, B, 2.5)
            assert (C[m] == 2.5).all()


def test_only_long_vectors_multiply_bfloat16():
    """Some CPUs of short vectors round to bfloat16, and have no instruction for the products."""
    assert CPU(64, 32, fma=True, vnni=True, bf16=True).dots_bf16
    assert not CPU(64, 32, fma=True, vnni=True, bf16=False).dots_bf16
    assert not CPU(32, 16, fma=True, vnni=False, bf16=True).dots_bf16
    assert not CPU(16, 32, fma=True, vnni=False, bf16=True).dots_bf16


COMPILE = """
import sys
from fastnn.kernels.jitted.compiler import object_code

machine = object_code._codegen()._tm
machine.emit_object = lambda module: print(machine.emit_assembly(module)) or b""
for name in sys.argv[1:]:
    object_code.compile_object(f"gemm.{name} float32")
"""


@pytest.mark.long
@pytest.mark.skipif(
    os.name != "posix" or os.uname().machine != "x86_64", reason="the names are x86-64's"
)
def test_cpus_with_the_instructions_get_them(tmp_path):
    names = "bfloat16.multiply_pairs", "bfloat16_packing.pack_left", "bfloat16_packing.pack_right"
    settings = {
        "FASTNN_KERNELS": "jit", "NUMBA_CPU_NAME": "cooperlake", "FASTNN_CACHE_DIR": str(tmp_path),
        "NUMBA_CPU_FEATURES": "+avx512f,+avx512bw,+avx512vl,+avx512bf16,-prefer-256-bit",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", COMPILE, *names], env=os.environ | settings, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    multiplied, *packed = re.split("[.]globl", done.stdout)[1:]
    tile = math.prod(BLOCK_SIZES["avx512"].PAIR_TILE)
    blocks = re.split(r"(?m)^\S+:.*$", multiplied)  # at each label
    (innermost,) = (block for block in blocks if block.count("vdpbf16ps") == tile)
    assert "%rsp" not in innermost.partition("\tj")[0]  # up to its jump: all sums stay in registers
    for code in packed:
        assert code.count("vcvtne2ps2bf16") > 4
