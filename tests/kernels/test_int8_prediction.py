"""Int8 prediction: sums of products of bytes are exact, and every backend gives the same bytes."""

import functools

import numpy as np
import pytest
from builders import sparse
from fastnn.kernels.int8_model import MAX_INT8_FEATURES, Bytes, Int8Layer, Int8Model
from fastnn.kernels.jitted.int8_layout import OCTET_PANEL, pack_panels
from fastnn.kernels.opcodes import OP, Activation, Kind

from fastnn import kernels

jitted = kernels.get("jitted")
needs_jitted = pytest.mark.skipif(not jitted.available, reason="nothing can be compiled here")
RELU, IDENTITY, TANH = Activation.RELU, Activation.IDENTITY, Activation.TANH
SOFTMAX, SIGMOID = Activation.SOFTMAX, Activation.SIGMOID


def model(sizes, codes, seed=0, scaling=(), extreme=False):
    """An int8 model of random layers, whose hidden bytes take all values."""
    rng = np.random.default_rng(seed)
    ops, state = np.zeros(1, OP), np.array(scaling, np.float32).reshape(-1)
    ops["kind"], ops["n_in"], ops["n_out"] = Kind.INPUT, sizes[0], sizes[0]
    ops["stats"] = len(state) // 3
    layers = []
    for n_in, n_out, code in zip(sizes[:-1], sizes[1:], codes, strict=True):
        W = rng.integers(-127, 128, (n_out, n_in)).astype(np.int8)
        W = np.where(W > 0, 127, -127).astype(np.int8) if extreme else W
        last = len(layers) == len(codes) - 1
        unit = 1 / (127 * 73 * np.sqrt(n_in)) * (1 if last or code == TANH else 80)
        factor = (rng.uniform(0.5, 2, n_out) * unit).astype(np.float32)
        output = None if last else Bytes(np.float32(0.008), 0 if code == RELU else 128)
        bias = rng.integers(-9000, 9000, n_out).astype(np.int32)
        layers.append(Int8Layer(W, bias, factor, code, output))
    return Int8Model(ops, state, Bytes(np.float32(1 / 64), 128), tuple(layers))


def predicted(backend, m, X, K=None, threads=1):
    """The outputs of rows X by a backend."""
    out = np.full((len(X), K or len(m.layers[-1].W)), np.nan, np.float32)
    kernels.get(backend).int8_predictor(m)(X, out, lambda: threads, lambda: None)
    return out


def rows(n, width, seed=1):
    return (np.random.default_rng(seed).normal(size=(n, width)) * 2).astype(np.float32)


@functools.cache
def dot_of(name):
    """A function sums += dot(word of activations, 16 words of weights) by one of the classes."""
    from fastnn.kernels.jitted.codegen import int8_dot
    from fastnn.kernels.jitted.codegen.simd import INT32, Vectors, element_pointer, index_constant
    from fastnn.kernels.jitted.codegen.vnni import WORD_VECTOR
    from fastnn.kernels.jitted.compiler.jit import runnable
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def dot(typingctx, sums, x, w):
        def codegen(context, builder, sig, args):
            v, zero = Vectors(context, builder, types.float32), index_constant(0)
            s, x_at, w_at = (
                element_pointer(context, builder, kind, value, zero)
                for kind, value in zip((sums, x, w), args, strict=True)
            )
            s, w_at = (builder.bitcast(p, WORD_VECTOR.as_pointer()) for p in (s, w_at))
            word = builder.load(builder.bitcast(x_at, INT32.as_pointer()))
            by = getattr(int8_dot, name)(v)
            found = by.add(
                builder.load(s, align=4), by.activations(word),
                by.weights(builder.load(w_at, align=4)),
            )  # fmt: skip
            builder.store(found, s, align=4)
            return context.get_dummy_value()

        return types.void(sums, x, w), codegen

    @runnable
    def call(sums, x, w):
        dot(sums, x, w)

    return call


@needs_jitted
@pytest.mark.medium
@pytest.mark.parametrize("name", ["Vnni", "Widened", "Plain"])
def test_four_products_are_added_exactly(name):
    from fastnn.kernels.jitted.loader.source import detect_cpu

    cpu = detect_cpu()
    if (name == "Vnni" and not cpu.vnni) or (name == "Widened" and cpu.vector_bytes < 32):
        pytest.skip("this CPU lacks the instruction")
    rng = np.random.default_rng(3)
    for trial in range(6):
        x, w = rng.integers(0, 256, 4), rng.integers(-128, 128, (16, 4))
        if trial < 2:  # as far as sums go: what 16 bits cannot hold
            x, w = np.full(4, 255), np.full((16, 4), (-128, 127)[trial])
        start = rng.integers(-(2**30), 2**30, 16).astype(np.int32)
        sums = start.copy()
        dot_of(name)(sums, x.astype(np.uint8).view(np.int32), w.astype(np.int8).view(np.int32))
        np.testing.assert_array_equal(sums, start + (w * x).sum(axis=1))


@pytest.mark.parametrize("shape", [(1, 1), (16, 4), (17, 5), (40, 3)])
def test_packed_panels_hold_every_weight_once(shape):
    W = np.random.default_rng(0).integers(-127, 128, shape).astype(np.int8)
    panels = pack_panels(W)
    n_words = -(-shape[1] // 4)
    assert panels.shape == (-(-shape[0] // OCTET_PANEL), n_words, OCTET_PANEL)
    octets = panels.view(np.int8).reshape(-1, n_words, OCTET_PANEL, 4)
    whole = octets.transpose(0, 2, 1, 3).reshape(-1, 4 * n_words)
    np.testing.assert_array_equal(whole[: shape[0], : shape[1]], W)
    assert np.abs(whole.astype(int)).sum() == np.abs(W.astype(int)).sum()


@pytest.mark.parametrize("name", ["loops", "vectorized"])
def test_bytes_are_rounded_to_even_and_clipped(name):
    ops = kernels.get(name).int8
    A = np.array([[-9, -1.5, -0.5, 0.5, 1.5, 2.5, 999, 1e30]], np.float32)
    Q = np.empty(A.shape, np.uint8)
    ops.quantize(A, np.float32(1), 3, Q)
    np.testing.assert_array_equal(Q, [[0, 1, 3, 3, 5, 5, 255, 255]])
    S, factor = np.array([[-7, 1, 3, 5, 2**31 - 1]], np.int32), np.full(5, 0.5, np.float32)
    Q = np.empty(S.shape, np.uint8)
    ops.requantize(S, factor, 0, Q)
    np.testing.assert_array_equal(Q, [[0, 0, 2, 2, 255]])


@needs_jitted
@pytest.mark.medium
def test_compiled_bytes_are_rounded_to_even_and_clipped():
    one = Int8Layer(np.eye(8, dtype=np.int8), np.zeros(8, np.int32), np.ones(8, np.float32),
                    IDENTITY, None)  # fmt: skip
    row = model([8, 8], [IDENTITY])
    same = row._replace(input=Bytes(np.float32(1), 3), layers=(one,))
    A = np.array([[-9, -1.5, -0.5, 0.5, 1.5, 2.5, 999, 1e30]], np.float32)
    np.testing.assert_array_equal(predicted("jitted", same, A), [[0, 1, 3, 3, 5, 5, 255, 255]])


@needs_jitted
@pytest.mark.medium
def test_numbers_are_divided_by_their_scale():
    """A product with the scale's reciprocal, which is rounded, would turn some halves."""
    scale = np.float32(47 / 97)
    A = ((np.arange(200) + 0.5).astype(np.float32) * scale).reshape(25, 8)
    wanted = np.rint(A / scale)
    assert (np.rint(A * (1 / scale)) != wanted).sum() > 10
    one = Int8Layer(np.eye(8, dtype=np.int8), np.zeros(8, np.int32), np.ones(8, np.float32),
                    IDENTITY, None)  # fmt: skip
    m = model([8, 8], [IDENTITY])._replace(input=Bytes(scale, 0), layers=(one,))
    np.testing.assert_array_equal(predicted("jitted", m, A), wanted)


@needs_jitted
@pytest.mark.medium
@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1), (5, 3), (33, 70, 40, 2), (54, 17, 130, 7), (300, 16, 9)])
def test_every_backend_gives_the_same_numbers(sizes, extreme):
    codes = [*[RELU, IDENTITY, RELU, IDENTITY][: len(sizes) - 2], IDENTITY]
    m = model(sizes, codes, extreme=extreme)
    X = rows(9, sizes[0])
    wanted = predicted("loops", m, X)
    assert extreme or len(np.unique(wanted)) > 5
    np.testing.assert_array_equal(predicted("vectorized", m, X), wanted)
    np.testing.assert_array_equal(predicted("jitted", m, X), wanted)


@needs_jitted
@pytest.mark.medium
@pytest.mark.parametrize("last", [SOFTMAX, SIGMOID, Activation.EXP])
def test_other_activations_agree_to_their_rounding(last):
    m = model((20, 30, 12, 3), [TANH, RELU, last])
    X = rows(70, 20)
    wanted = predicted("vectorized", m, X)
    # A number in the middle of two bytes may become either: one step of one of 30 units.
    np.testing.assert_allclose(predicted("jitted", m, X), wanted, rtol=0.02)
    np.testing.assert_allclose(np.median(predicted("jitted", m, X) / wanted), 1, rtol=1e-6)


@needs_jitted
@pytest.mark.medium
def test_rows_do_not_depend_on_neighbours_or_threads():
    m = model((40, 50, 33, 4), [RELU, TANH, SOFTMAX])
    X = rows(700, 40)
    wanted = predicted("jitted", m, X)
    many = np.tile(X, (60, 1))  # enough for a team
    found = predicted("jitted", m, many, threads=3).reshape(60, *wanted.shape)
    assert (found == wanted).all()
    for i, n in ((0, 1), (3, 2), (64, 3), (100, 4), (101, 5), (200, 65), (699, 1)):
        np.testing.assert_array_equal(predicted("jitted", m, X[i : i + n]), wanted[i : i + n])


@needs_jitted
@pytest.mark.medium
@pytest.mark.parametrize("kind", ["float64", "uint8", "int64", "float16", "strided", "sparse"])
def test_rows_are_read_where_they_lie(kind):
    shift, factor = np.linspace(-1, 1, 12), np.linspace(0.5, 1, 12)
    m = model((12, 20, 3), [RELU, IDENTITY], scaling=[shift, factor, np.zeros(12)])
    X = np.random.default_rng(5).integers(0, 4, (11, 12))
    wanted = predicted("vectorized", m, X.astype(np.float32))
    given = np.repeat(X, 2, axis=1)[:, ::2].astype(np.float32)
    if kind == "sparse":
        given = sparse(X.astype(np.float32))
    elif kind != "strided":
        given = X.astype(kind)
    for _ in range(2):  # small calls are kept
        np.testing.assert_array_equal(predicted("jitted", m, given), wanted)


@pytest.mark.parametrize("name", ["loops", "vectorized", "jitted"])
def test_one_sigmoid_gives_both_classes(name):
    if not kernels.get(name).available:
        pytest.skip("nothing can be compiled here")
    m = model((4, 5, 1), [RELU, SIGMOID])
    X = rows(6, 4)
    p, both = predicted(name, m, X), predicted(name, m, X, 2)
    np.testing.assert_array_equal(both[:, 1:], p)
    np.testing.assert_allclose(both.sum(axis=1), 1, rtol=1e-6)


@needs_jitted
def test_numbers_that_are_not_finite_are_told():
    m, told = model((5, 3), [IDENTITY]), []
    predict = jitted.int8_predictor(m)
    for X in (rows(3, 5), rows(3, 5)):
        X[1, 2] = np.nan
        for _ in range(2):
            predict(X, np.empty((3, 3), np.float32), lambda: 1, lambda: told.append(1))
        predict(rows(3, 5), np.empty((3, 3), np.float32), lambda: 1, lambda: told.append(0))
    assert told == [1, 1, 1, 1]


def test_the_widest_layer_stays_in_int32():
    assert 255 * 127 * MAX_INT8_FEATURES + 2**30 < 2**31
    n = MAX_INT8_FEATURES
    top = Int8Layer(np.full((1, n), 127, np.int8), np.array([2**30], np.int32),
                    np.ones(1, np.float32), IDENTITY, None)  # fmt: skip
    m = model((n, 1), [IDENTITY])._replace(input=Bytes(np.float32(1), 0), layers=(top,))
    X = np.full((1, n), 255, np.float32)
    for name in ("vectorized", *(["jitted"] if jitted.available else [])):
        assert predicted(name, m, X)[0, 0] == np.float32(2**30 + 255 * 127 * n)
