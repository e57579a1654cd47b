"""The compiled products: right at the edges of every tile, for every layout, on narrower CPUs."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
from fastnn.kernels.jitted.api import matrix_ops
from fastnn.kernels.jitted.compiler.jit import runnable
from fastnn.kernels.jitted.gemm import microkernel
from fastnn.kernels.jitted.gemm.epilogue import (
    EPILOGUE_NONE,
    EPILOGUE_RELU,
    EPILOGUE_RELU_GRAD,
)
from fastnn.kernels.jitted.records import (
    BETA_BIAS,
    BETA_ONE,
    BETA_ZERO,
    Beta,
    Epilogue,
    Matrix,
    Operand,
)

import fastnn
from fastnn import Dense, Network, Normalization, Rescaling, kernels

jitted = kernels.get("jitted")

pytestmark = pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")

SIZES = [1, 2, 3, 5, 6, 7, 15, 16, 17, 63, 64, 65, 97, 127, 128, 129]
DTYPES = ["float32", "float64"]
BOUND = {"float32": 2.0**-22, "float64": 2.0**-51}  # of Σ |a b|, a sum's rounding being random


def matrices(M, N, K, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(M, K)).astype(dtype), rng.normal(size=(K, N)).astype(dtype)


def close(C, A, B):
    exact = A.astype(np.longdouble) @ B.astype(np.longdouble)
    scale = np.abs(A).astype(np.longdouble) @ np.abs(B).astype(np.longdouble)
    bound = BOUND[str(C.dtype)] * max(1, A.shape[1]) ** 0.5
    assert np.all(np.abs(C - exact) <= bound * scale)


@pytest.mark.medium
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_product_at_the_edges_of_every_tile(dtype, ta, tb):
    for M in SIZES:
        for N, K in [(1, M), (M, 17), (65, 129), (17, 1), (16, 128), (33, 257)]:
            A, B = matrices(M, N, K, dtype)
            C = np.full((M, N), np.nan, dtype)
            left = np.ascontiguousarray(A.T) if ta else A
            right = np.ascontiguousarray(B.T) if tb else B
            jitted.product(left, right, C, ta, tb)
            close(C, A, B)


#: At the edges of blocks, of panels and of every way that a product may take.
SHAPES = [
    (47, 65, 257), (49, 257, 127), (193, 70, 513), (200, 31, 300), (1025, 66, 130), (1030, 257, 20),
    (300, 7, 40), (300, 8, 300), (520, 9, 33), (257, 15, 129), (17, 16, 600), (32, 300, 260),
    (33, 1, 258), (1, 300, 300), (1100, 10, 3), (1027, 70, 300),
]  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_product_at_the_edges_of_every_block(shape, dtype, ta, tb):
    """Of small whole numbers, whose sums are exact; what lies behind C stays."""
    M, N, K = shape
    rng = np.random.default_rng(M + N + K)
    A, B = rng.integers(-4, 5, (M, K)), rng.integers(-4, 5, (K, N))
    left, right = (X.astype(dtype, order="F" if t else "C") for X, t in ((A, ta), (B, tb)))
    numbers = np.full(M * N + 64, np.nan, dtype)
    C = numbers[: M * N].reshape(M, N)
    jitted.product(left.T if ta else left, right.T if tb else right, C, ta, tb)
    np.testing.assert_array_equal(C, A @ B)
    bias = np.arange(N).astype(dtype)
    jitted.dense_forward(left, right, bias, C)
    np.testing.assert_array_equal(C, A @ B + np.arange(N))
    assert np.isnan(numbers[M * N :]).all()


@functools.cache
def multiply_tiles():
    """The micro-kernel's loop as a function that Python can call."""
    return runnable(microkernel.multiply_tiles.function)


def multiplied(M, N, K, dtype, beta_mode, epilogue, width):
    """A, B, biases, mask and C (M, N) of `multiply_tiles` on rows `width` wide."""
    rng = np.random.default_rng(M + 100 * K)
    A, bias = rng.normal(size=M * K).astype(dtype), rng.normal(size=M).astype(dtype)
    B, C = (rng.normal(size=(n, 64)).astype(dtype)[:, :width].copy() for n in (K + 1, 2 * M + 1))
    B[:K, 3], B[K - 1, 7], C[-1] = -0.0, np.nan, 5
    C[M, 5], C[M, 7] = np.nan, 1
    mask = C[M:].copy()
    multiply_tiles()(
        M, N, K, Operand(A, 0, K, 1), Matrix(B.reshape(-1), 0, width),
        Matrix(C.reshape(-1), 0, width), Beta(beta_mode, bias, 0),
        Epilogue(epilogue, M * width, 1.25),
    )  # fmt: skip
    assert C[M:].tobytes() == mask.tobytes()
    return A.reshape(M, K), B[:K], bias, mask[:M, :N], C[:M, :N]


@pytest.mark.medium
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta_mode", [BETA_ZERO, BETA_ONE, BETA_BIAS])
@pytest.mark.parametrize("epilogue", [EPILOGUE_NONE, EPILOGUE_RELU, EPILOGUE_RELU_GRAD])
def test_small_k_is_multiplied_as_in_tiles(dtype, beta_mode, epilogue):
    several = [(M, K) for M in (2, 3, 4, 5, 7, 8, 9) for K in range(1, microkernel.SMALL_K_MAX + 2)]
    for M, K in several + [(1, K) for K in (*range(1, 10), 31, 32, 33)]:
        A, B, bias, mask, C = multiplied(M, 48, K, dtype, beta_mode, epilogue, 64)
        tiles = multiplied(M, 47, K, dtype, beta_mode, epilogue, 64)[-1]
        assert C[:, :47].tobytes() == tiles.tobytes()
        assert np.isnan(C[0, 7])
        if beta_mode != BETA_ONE:
            exact = A @ B[:, :48] + (bias[:, None] if beta_mode == BETA_BIAS else 0)
            if epilogue == EPILOGUE_RELU:
                exact = np.maximum(exact, 0)
            if epilogue == EPILOGUE_RELU_GRAD:
                exact = np.where(mask > 0, 1.25 * exact, 0)
            np.testing.assert_allclose(C, exact, 1e-4, 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_product_of_strided_and_unaligned_matrices(dtype):
    A, B = matrices(70, 66, 50, dtype)
    strided = A[::2, ::3]
    other = B[: strided.shape[1], 1::2]
    C = np.empty((2 * strided.shape[0], 2 * other.shape[1]), dtype)[::2, 1::2]
    jitted.product(strided, other, C)
    close(np.ascontiguousarray(C), strided, other)
    raw = np.zeros(70 * 50 * A.itemsize + 1, np.uint8)
    unaligned = raw[1:].view(dtype).reshape(70, 50)
    unaligned[...] = A
    C = np.empty((70, 66), dtype)
    jitted.product(np.ascontiguousarray(unaligned), B, C)
    close(C, A, B)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_product_of_what_is_no_plain_array(monkeypatch):
    """The compiled function is called directly: what is flattened must be vectors, or it breaks."""
    A, B = matrices(20, 30, 40, "float32")
    C = np.zeros((20, 30), "float32")
    multiply, table = matrix_ops._compiled_product(C.dtype)
    given = []

    def noted(*args):
        given.extend(type(arg) for arg in args if isinstance(arg, np.ndarray))
        return multiply(*args)

    monkeypatch.setattr(matrix_ops, "_compiled_product", lambda dtype: (noted, table))
    jitted.product(np.asmatrix(A), np.asmatrix(B), np.asmatrix(C))
    close(C, A, B)
    assert set(given) == {np.ndarray}


def test_product_refuses_what_it_cannot_write_or_read():
    A, B = matrices(20, 30, 40, "float64")
    C = np.zeros((20, 30))
    C.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        jitted.product(A, B, C)
    assert not C.any()
    for kind in ("int64", ">f8", "float16"):
        with pytest.raises(TypeError, match="float32 or float64"):
            jitted.product(A.astype(kind), B.astype(kind), np.zeros((20, 30), kind))


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0)])
def test_product_of_nothing(shape):
    M, N, K = shape
    C = np.ones((M, N))
    jitted.product(np.ones((M, K)), np.ones((K, N)), C)
    assert (C == 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row_and_column(bad):
    A, B = matrices(14, 70, 130, "float32")
    A[7, 65] = bad
    C = np.empty((14, 70), "float32")
    jitted.product(A, B, C)
    assert not np.isfinite(C[7]).any()
    assert np.isfinite(np.delete(C, 7, axis=0)).all()
    A[7, 65], B[65, 66] = 1, bad
    jitted.product(A, B, C)
    assert not np.isfinite(C[:, 66]).any()
    assert np.isfinite(np.delete(C, 66, axis=1)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_every_width_equal_the_loops(dtype):
    """Both ways of dW, both ways of reading X, and the edges between them."""
    rng = np.random.default_rng(3)
    for n_in, n_out in [(63, 33), (64, 32), (64, 33), (33, 40), (130, 5), (600, 7), (1100, 1)]:
        X = rng.integers(0, 256, (37, n_in)).astype("uint8")
        y = rng.integers(0, 2, 37)
        layers = [Rescaling(1 / 255, -0.5), Dense(n_out, "relu"), Dense(1, "sigmoid")]
        net = Network(layers, inputs=n_in, dtype=dtype)
        cost, gradients = net.cost_and_gradients(X, y)
        with fastnn.backend("vectorized"):
            expected_cost, expected = net.cost_and_gradients(X, y)
        tight = 2e-5 if dtype == "float32" else 1e-12
        assert cost == pytest.approx(expected_cost, rel=tight)
        for name, gradient in gradients.items():
            scale = np.abs(expected[name]).max() + 1e-30
            np.testing.assert_allclose(gradient / scale, expected[name] / scale, atol=tight)


@pytest.mark.parametrize("hidden", ["relu", "tanh"])
@pytest.mark.parametrize("sizes", [[2, 10, 5, 1], [784, 64, 10], [300, 200, 100, 5], [9000, 7, 1]])
def test_float32_is_within_its_stated_bound_of_float64(sizes, hidden):
    """As `cost_and_gradients` says: 2⁻²² of the cost, 2⁻¹⁸ of each gradient's largest entry."""
    rng = np.random.default_rng(1)
    output = "sigmoid" if sizes[-1] == 1 else "softmax"
    single, double = (
        Network.mlp(sizes, output=output, hidden=hidden, dtype=dtype).build(sizes[0])
        for dtype in DTYPES
    )
    double.set_parameters(single.parameters)
    X = rng.standard_normal((130, sizes[0])).astype("float32")
    y = rng.integers(0, max(2, sizes[-1]), 130)
    (cost, gradients), (exact, expected) = (n.cost_and_gradients(X, y) for n in (single, double))
    assert cost == pytest.approx(exact, rel=2.0**-22)
    for name, gradient in gradients.items():
        bound = 2.0**-18 * np.abs(expected[name]).max()
        np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=bound)


@pytest.mark.medium
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_out", [1, 2, 3, 7, 8, 9, 16])
@pytest.mark.parametrize("kind", ["uint8", *DTYPES])
def test_rows_read_in_place_train_as_others_do(kind, n_out, dtype):
    """Rows in shuffled order, widths on both sides of a tile, each scaled in two of four ways."""
    rng = np.random.default_rng(n_out)
    scalings = [
        [], [Rescaling(1 / 255)], [Rescaling(1 / 255, -0.5)], [Normalization(per_feature=False)],
    ]  # fmt: skip
    for place, n_in in enumerate((63, 64, 65, 128, 513, 1030), n_out):
        X = rng.integers(0, 256, (29, n_in + 3)).astype(kind)[:, 1 : n_in + 1]
        y = rng.integers(0, n_out if n_out > 1 else 2, 29)
        for first in (scalings[place % 4], scalings[(place + 1) % 4]):
            layers = [*first, Dense(n_out, "sigmoid" if n_out == 1 else "softmax")]
            found = []
            for backend in ("jitted", "vectorized"):
                net = Network(layers, inputs=n_in, dtype=dtype)
                with fastnn.backend(backend):
                    rate = fastnn.GradientDescent(0.1 if first else 1e-5)
                    net.fit(X, y, epochs=2, batch_size=11, optimizer=rate, progress=False)
                found.append(net.parameters["W1"])
            scale = np.abs(found[1]).max()
            tight = 1e-4 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(found[0] / scale, found[1] / scale, atol=tight)


def test_rows_of_another_dtype_are_scaled_before_they_are_rounded():
    """1e-50 is none of float32's numbers, 1e-50 × 1e38 is none of those that count, 1e-30 is."""
    X, y = np.random.default_rng(0).random((40, 70)), np.arange(40) % 2
    gradients = []
    for data, factor in ((X, 1e-12), (X * 1e-50, 1e38)):
        net = Network([Rescaling(factor), Dense(1, "sigmoid")]).build(70)
        gradients.append(net.cost_and_gradients(data, y)[1]["W1"])
    np.testing.assert_allclose(*gradients, rtol=1e-5)


def test_numbers_that_only_scaling_makes_moderate_are_scaled_first():
    """Sums of 100 numbers around 1e38 leave float32's range, those of scaled ones do not."""
    X, y = 0.5 + np.random.default_rng(0).random((40, 100)), np.arange(40) % 2
    found = []
    for data, factor in ((X, 1.0), (X.astype("float32") * np.float32(1e38), 1e-38)):
        net = Network([Rescaling(factor), Dense(1, "sigmoid")]).build(100)
        net.parameters["W1"] = np.ones((100, 1))
        cost, gradients = net.cost_and_gradients(data, y)
        found.append([cost, *gradients["W1"].ravel()])
    np.testing.assert_allclose(*found, rtol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0, 256), (120, 140), (200, 203)])
def test_bytes_that_hardly_vary_keep_the_bound_of_single_precision(low, high):
    """Of 201 ± 1, (x − μ) / σ: s Σ w x + o Σ w would lose two digits, Σ w (s x + o) does not."""
    rng = np.random.default_rng(2)
    X, y = rng.integers(low, high, (60, 1280)).astype("uint8"), rng.integers(0, 2, 60)
    W = rng.standard_normal((1280, 1)) / 36
    (cost, gradient), (exact, expected) = (
        _scaled_gradient(X, y, W, dtype) for dtype in ("float32", "float64")
    )
    assert cost == pytest.approx(exact, rel=2.0**-20)
    np.testing.assert_allclose(gradient, expected, atol=2.0**-18 * np.abs(expected).max())


def _scaled_gradient(X, y, W, dtype):
    """Cost and dW of logistic regression on z-scores of the whole array."""
    net = Network([Normalization(per_feature=False), Dense(1, "sigmoid")], dtype=dtype)
    net.fit(X, y, epochs=1, progress=False)
    net.parameters["W1"], net.parameters["b1"] = W, [0.1]
    cost, gradients = net.cost_and_gradients(X, y)
    return cost, gradients["W1"]


@pytest.mark.parametrize("kind", ["uint8", "int16", "float32", "float64", "strided", "normalized"])
def test_a_row_does_not_depend_on_its_neighbours(kind):
    rng = np.random.default_rng(4)
    X = rng.integers(0, 200, (301, 90)).astype("uint8" if kind == "uint8" else "int16")
    if kind.startswith("float"):
        X = X.astype(kind)
    if kind == "strided":
        X = np.repeat(X, 3, axis=1)[:, ::3]
    for widths in ([5, 3], [40, 20]):
        scaler = Normalization() if kind == "normalized" else Rescaling(1 / 255)
        net = Network([scaler, *(Dense(n, "tanh") for n in widths), Dense(4, "softmax")])
        net.fit(X, rng.integers(0, 4, 301), epochs=1, progress=False)
        whole = net.predict_proba(X)
        for i in (0, 1, 15, 16, 150, 255, 256, 288):  # 13 rows: fewer are summed in another order
            assert (net.predict_proba(X[i : i + 13]) == whole[i : i + 13]).all()


CHECK = """
import numpy as np
from fastnn import Network, kernels
from fastnn.kernels.jitted.gemm import microkernel
from fastnn.kernels.jitted.codegen import cpu
from fastnn.kernels.jitted.compiler.jit import runnable
from fastnn.kernels.jitted.records import BETA_BIAS, Beta, Epilogue, Matrix, Operand
A, B = np.random.default_rng(0).normal(size=(2, 67, 67))
C = np.empty((67, 67))
jitted = kernels.get("jitted")
jitted.product(A, B, C, False, True)
assert np.allclose(C, A @ B.T)
shapes = (300, 3, 40, True), (300, 9, 40, True), (60, 3, 300, False), (550, 70, 300, True)
for M, N, K, turned in shapes:
    a, b = np.arange(M * K).reshape(M, K) % 7.0, np.arange(K * N).reshape(K, N) % 5.0
    c = np.empty((M, N))
    jitted.product(a.T.copy() if turned else a, b, c, turned)
    assert (c == a @ b).all()
found = set()
for width in (48, 47):  # by few rows, and by tiles
    a, b, c = A.ravel(), B.ravel(), np.zeros((5, 64))
    runnable(microkernel.multiply_tiles.function)(
        5, width, 7, Operand(a, 0, 7, 1), Matrix(b, 0, 64), Matrix(c.reshape(-1), 0, 64),
        Beta(BETA_BIAS, a, 0), Epilogue(0, 0, 1.0),
    )
    found.add(c[:, :47].tobytes())
assert len(found) == 1
print(*cpu.detect_cpu()[:3])
"""
#: Takes three times as long: all that a fit calls is compiled.
FIT = """
net = Network.mlp([70, 7, 1], output="sigmoid", dtype="float64")
net.fit(A[:, :60] @ B[:60, :67] @ np.ones((67, 70)) / 70, A[:, 0] > 0, epochs=3, progress=False)
"""
CPUS = {
    "haswell": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx,+sse4.2"},
    "generic": {"NUMBA_CPU_NAME": "generic"},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cpu", "code"),
    [
        ("generic", CHECK),
        pytest.param("generic", CHECK + FIT, marks=pytest.mark.long),
        pytest.param("haswell", CHECK + FIT, marks=pytest.mark.long),
    ],
    ids=["generic", "generic, with a fit", "haswell, with a fit"],
)
def test_narrower_cpus_compute_the_same(cpu, code, tmp_path):
    if sys.maxsize < 2**32 or os.uname().machine != "x86_64":
        pytest.skip("the names of these CPUs are x86-64's")
    environment = os.environ | CPUS[cpu]
    environment |= {"FASTNN_CACHE_DIR": str(tmp_path), "FASTNN_KERNELS": "jit"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, env=environment, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = ["32", "16", "True"] if cpu == "haswell" else ["16", "16", "False"]
    assert done.stdout.split()[:3] == expected
