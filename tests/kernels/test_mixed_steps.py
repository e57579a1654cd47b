"""Steps and predictions of compiled networks whose layers multiply numbers rounded to bfloat16."""

import numpy as np
import pytest
from builders import sparse
from fastnn.kernels.jitted.execution import entry
from fastnn.kernels.jitted.execution.input_mode import select_input_mode
from fastnn.kernels.jitted.first_layer import strategy
from fastnn.kernels.jitted.first_layer.input_descriptor import InputKind

import fastnn
from fastnn import (
    Activation,
    Adam,
    BatchNorm,
    Dense,
    Dropout,
    Network,
    Normalization,
    Rescaling,
    kernels,
)

SINGLE = np.dtype(np.float32)
pytestmark = pytest.mark.skipif(
    not kernels.get("jitted").available, reason="Numba's compiler is switched off"
)


def rounded(X):
    """X rounded to bfloat16, nearest even; of finite numbers."""
    bits = np.ascontiguousarray(X, np.float32).view(np.uint32).astype(np.uint64)
    bits = bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32)


def mixed(layers, n_in):
    """A network of these layers whose products are of rounded numbers."""
    return Network(layers, inputs=n_in, seed=1, precision="mixed")


def numpy_gradient(net, X, Y, sizes):
    """(outputs, {name: slope}) of relu layers and a last one, cost Σ (a − y)² / 2m, from formulas.

    Every product is of rounded factors, in float64.
    """
    weights, A, slopes, last = net.program.views(net.program.theta), [X], {}, len(sizes) - 1
    for i in range(1, last + 1):
        Z = rounded(A[-1]).astype(np.float64) @ rounded(weights[f"W{i}"]) + weights[f"b{i}"]
        A.append((np.maximum(Z, 0) if i < last else Z).astype(np.float32))
    dZ = ((A[-1] - Y) / len(X)).astype(np.float32)
    for i in range(last, 0, -1):
        slopes[f"W{i}"] = rounded(A[i - 1]).astype(np.float64).T @ rounded(dZ)
        slopes[f"b{i}"] = dZ.sum(axis=0)
        dX = rounded(dZ).astype(np.float64) @ rounded(weights[f"W{i}"]).T
        dZ = (dX * (A[i - 1] > 0)).astype(np.float32)
    return A[-1], slopes


#: (sizes of layers, examples): tiny, wide, of one output, of few examples, of rows that are read
#: block by block, of several blocks, of groups of examples.
NETS = [
    ((2, 5, 3), 7), ((70, 33, 18, 10), 130), ((784, 40, 10), 96), ((20, 12, 1), 300),
    ((30, 9, 2), 1), ((3000, 20, 2), 200), ((1500, 6, 1), 33), ((54, 128, 64, 7), 2000),
]  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize(("sizes", "m"), NETS, ids=str)
def test_outputs_and_gradients_are_those_of_rounded_products(sizes, m):
    rng = np.random.default_rng(m)
    X, Y = rng.normal(size=(m, sizes[0])).astype("f"), rng.normal(size=(m, sizes[-1])).astype("f")
    net = mixed([Dense(n, "relu") for n in sizes[1:-1]] + [Dense(sizes[-1])], sizes[0])
    A, expected = numpy_gradient(net, X, Y, sizes)
    _, slopes = net.cost_and_gradients(X, Y)
    for name, slope in expected.items():
        found = slopes[name].reshape(slope.shape)
        # The last bit of an A may decide how it is rounded: then one example's slopes move by 2⁻⁸.
        error = np.abs(found - slope) / np.abs(slope).max()
        assert error.max() <= 2**-6, name
        assert np.median(error) <= 1e-4, name
    for rows in (m, min(m, 5), 1):  # of a batch, of a few examples, of one
        found = np.reshape(net.predict(X[:rows]), A[:rows].shape)
        np.testing.assert_allclose(found, A[:rows], rtol=0, atol=2**-7 * np.abs(A).max())


def test_products_differ_from_those_of_float32():
    """Else the tests here would show nothing."""
    X = np.random.default_rng(0).normal(size=(40, 70)).astype("f")
    net = mixed([Dense(30, "relu"), Dense(2)], 70)
    found, plain = net.predict(X), Network([Dense(30, "relu"), Dense(2)], inputs=70, seed=1)
    assert 1e-3 < np.abs(found - plain.predict(X)).max() < 0.05
    assert 1e-4 < np.abs(net.predict(X[:1]) - plain.predict(X[:1])).max() < 0.05


@pytest.mark.parametrize("n", [40, 4000])
@pytest.mark.parametrize("kind", ["uint8", "float64", "sparse"])
def test_input_of_any_kind_is_scaled_and_then_rounded(n, kind):
    rng = np.random.default_rng(n)
    X = rng.integers(0, 256, (60, n)).astype("uint8" if kind == "sparse" else kind)
    scale = 1 / 255
    if kind == "sparse":
        X, scale = np.where(rng.random(X.shape) < 0.03, X, 0).astype(np.float32), 1.0
    layers = [*([] if scale == 1.0 else [Rescaling(scale)]), Dense(9, "relu"), Dense(3)]
    net = mixed(layers, n)
    scaled = (X * np.float64(np.float32(scale))).astype(np.float32)
    Y = rng.normal(size=(60, 3)).astype("f")
    A, expected = numpy_gradient(net, scaled, Y, (n, 9, 3))
    given = sparse(X) if kind == "sparse" else X
    np.testing.assert_allclose(net.predict(given), A, rtol=0, atol=2**-7 * np.abs(A).max())
    _, slopes = net.cost_and_gradients(given, Y)
    for name, slope in expected.items():
        found = slopes[name].reshape(slope.shape)
        assert np.abs(found - slope).max() <= 2**-6 * np.abs(slope).max(), name
        assert np.median(np.abs(found - slope)) <= 1e-4 * np.abs(slope).max(), name


def fitted(threads, epochs=(2,), sizes=(90, 70, 3), m=300, batch=64):
    """Parameters and predictions of a fit with all kinds of layers, by calls of so many epochs."""
    rng = np.random.default_rng(m)
    X, y = rng.normal(size=(m, sizes[0])).astype("f"), rng.integers(0, sizes[-1], m)
    layers = [
        Normalization(), Dense(sizes[1], "relu"), Dropout(0.2), Dense(40, "tanh"),
        Dense(16), BatchNorm(), Dense(sizes[-1], "softmax"),
    ]  # fmt: skip
    net = mixed(layers[:4] + layers[-1:] if batch is None else layers, sizes[0])
    before = fastnn._runtime.threads._wanted
    fastnn.set_num_threads(threads)
    try:
        for count in epochs:
            net.fit(X, y, epochs=count, batch_size=batch, progress=False, optimizer=Adam(0.01))
        return net.program.theta.copy(), net.predict_proba(X), net.predict_proba(X[:1])
    finally:
        fastnn._runtime.threads._wanted = before


@pytest.mark.medium
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("shape", [((90, 70, 3), 300, 64), ((2500, 9, 3), 90, 64)], ids=str)
def test_any_number_of_threads_gives_the_same_bits(threads, shape, monkeypatch):
    monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", 0)
    alone, together = (fitted(n, (2,), *shape) for n in (1, threads))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.medium
def test_groups_of_examples_give_the_same_bits_at_any_number_of_threads():
    alone, together = (fitted(n, (1,), (54, 128, 7), 4000, None) for n in (1, 2))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_calls_of_an_epoch_are_one_of_two():
    for one, other in zip(fitted(1, (1, 1)), fitted(1, (2,)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_networks_of_full_precision_load_no_kernel_of_rounded_products(named):
    X, y = np.random.default_rng(0).normal(size=(30, 6)).astype("f"), np.arange(30) % 2
    for make in (lambda layers, n: Network(layers, inputs=n), mixed):
        net = make([Dense(4, "relu"), Dense(1, "sigmoid")], 6)
        net.fit(X, y, epochs=1, progress=False)
        net.predict(X)
        net.predict(X[:1])
        rounding = {name for name in named if name.startswith("rounded")}
        if make is mixed:
            assert rounding == {"rounded products", "rounded row", "rounded products in training"}
        else:
            assert not rounding


def test_sparse_rows_that_are_too_many_to_lie_there_dense_are_taken_in_blocks(monkeypatch):
    """A batch of 20,000 rows of 20,000 features would take 1.6 GB; its products are the same."""
    rng = np.random.default_rng(5)
    X = np.where(rng.random((70, 900)) < 0.03, rng.normal(size=(70, 900)), 0).astype(np.float32)
    Y, given = rng.normal(size=(70, 2)).astype("f"), sparse(X)
    layers = [Dense(90), BatchNorm(), Activation("relu"), Dense(2)]

    def results():
        net = mixed(layers, 900)
        cost, slopes = net.cost_and_gradients(given, Y)
        net.fit(given, Y, epochs=3, batch_size=None, progress=False)
        return [cost, *slopes.values(), net.predict(given), net.evaluate(given, Y)["cost"]]

    program = mixed(layers, 900).program
    laid_out = results()
    kinds = [select_input_mode(program.ops, program.state, given, SINGLE, 70).X.kind]
    monkeypatch.setattr(strategy, "ROUNDED_CSR_MIN_SIZE", 70 * 900)
    kinds += [
        select_input_mode(program.ops, program.state, given, SINGLE, m).X.kind for m in (69, 70)
    ]
    assert kinds == [InputKind.LAID_OUT, InputKind.LAID_OUT, InputKind.ROUNDED_BLOCKS]
    for found, expected in zip(results(), laid_out, strict=True):
        largest = np.abs(expected).max()
        assert np.abs(found - expected).max() <= 2**-7 * largest
    assert strategy.ROUNDED_CSR_MIN_SIZE < 20_000 * 20_000


def test_no_product_of_bytes_or_sparse_rows_takes_the_place_of_a_rounded_one():
    X = np.zeros((200, 900), np.uint8)
    for units in (3, 90):
        program = mixed([Dense(units, "relu"), Dense(1)], 900).program
        mode = select_input_mode(program.ops, program.state, X, np.dtype("f"), 200)
        expected = InputKind.LAID_OUT if program.ops["A"][0] >= 0 else InputKind.ROUNDED_BLOCKS
        assert mode.X.kind == expected
