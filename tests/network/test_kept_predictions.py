"""Predictions by what is kept from call to call: right numbers, and nothing out of date."""

import threading

import numpy as np
import pytest
from fastnn.kernels.jitted.codegen.cpu import block_sizes
from fastnn.kernels.jitted.execution import kept_prediction, workspace

import fastnn
from fastnn import Activation, BatchNorm, Dense, Dropout, Network, Normalization, kernels
from fastnn.errors import DataError

needs_compiler = pytest.mark.skipif(
    not kernels.get("jitted").available, reason="Numba's compiler is switched off"
)
rng = np.random.default_rng(0)


def network(*layers, inputs=21, dtype="float32", seed=1):
    last = [] if isinstance(layers[-1], Activation) else [Dense(3, "softmax")]
    return Network([*layers, *last], inputs=inputs, dtype=dtype, seed=seed)


def few(net):
    """How many rows of a network are dot products, each with the bits that it has alone."""
    return kept_prediction.most_few_rows(net._state.program.ops)


def close_to_loops(net, X, found):
    with fastnn.backend("loops"):
        expected = net.predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=300 * float(np.finfo(net.dtype).eps))


NETWORKS = {
    "relu": [Dense(17, "relu"), Dense(6, "relu")],
    "tanh": [Dense(33, "tanh"), Dense(6, "gelu")],
    "softmax apart": [Dense(9, "relu"), Activation("tanh"), Dense(5), Activation("softmax")],
    "at rest": [Dense(9, "relu"), BatchNorm(), Dropout(0.4), Dense(5, "silu")],
}


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_few_rows_have_the_bits_of_each_alone(name, dtype):
    net = network(*NETWORKS[name], dtype=dtype)
    for kind in ("float32", "float64", "uint8", "int64"):
        X = (50 * rng.normal(size=(12, 21))).astype(kind)
        alone = np.vstack([net.predict_proba(x[None]) for x in X])
        for m in range(2, few(net) + 1):
            np.testing.assert_array_equal(net.predict_proba(X[:m]), alone[:m])
        close_to_loops(net, X, alone)


@needs_compiler
def test_both_probabilities_of_a_few_rows_have_the_bits_of_each_alone():
    net = Network([Dense(9, "relu"), Dense(1, "sigmoid")], inputs=4)
    X = (9 * rng.normal(size=(few(net), 4))).astype("f")
    alone = np.vstack([net.predict_proba(x[None]) for x in X])
    np.testing.assert_array_equal(net.predict_proba(X), alone)
    close_to_loops(net, X, alone)


@needs_compiler
def test_few_rows_of_mixed_precision_have_the_bits_of_each_alone():
    net = Network([Dense(9, "relu"), Dense(3, "softmax")], inputs=21, precision="mixed")
    X = rng.normal(size=(few(net), 21)).astype("f")
    alone = np.vstack([net.predict_proba(x[None]) for x in X])
    np.testing.assert_array_equal(net.predict_proba(X), alone)
    with fastnn.backend("loops"):
        np.testing.assert_allclose(net.predict_proba(X), alone, atol=2e-6)


@needs_compiler
@pytest.mark.parametrize("inputs", [21, 300])
def test_every_number_of_rows(inputs):
    """Above a few, rows do not depend on how many there are, by whichever tiles they are computed.

    300 inputs need three passes over rows of W, and more rows are few.
    """
    net = network(Dense(19, "relu"), Dense(10, "tanh"), inputs=inputs)
    X = rng.normal(size=(600, inputs)).astype("f")
    whole = net.predict_proba(X)
    close_to_loops(net, X[:60], whole[:60])
    for m in [*range(1, 131), 255, 256, 257, 300, 513]:
        found = net.predict_proba(X[:m])
        if m > few(net):
            np.testing.assert_array_equal(found, whole[:m])
        else:
            np.testing.assert_allclose(found, whole[:m], atol=1e-6)


@needs_compiler
@pytest.mark.parametrize("name", NETWORKS)
def test_the_length_of_a_block_changes_no_bit(name, monkeypatch):
    net, X = network(*NETWORKS[name]), rng.normal(size=(300, 21)).astype("f")
    found = {m: net.predict_proba(X[:m]) for m in (41, 100, 300)}
    for length in (16, 40, 112, 256):
        kept_prediction._forget()
        monkeypatch.setattr(kept_prediction, "prediction_block", lambda *_, length=length: length)
        for m, rows in found.items():
            np.testing.assert_array_equal(net.predict_proba(X[:m]), rows)
    kept_prediction._forget()


def test_blocks_are_short_where_products_are_long():
    """Not where parameters would come from memory for each of them, or be rounded anew."""
    sizes = block_sizes()
    panel, block = sizes.PREDICTION_PANEL, sizes.PREDICTION_BLOCK
    for units, kind, precision, length in (
        (333, "float32", "float32", block), (334, "float32", "float32", panel),
        (6990, "float32", "float32", panel), (6991, "float32", "float32", block),
        (3495, "float64", "float64", panel), (3496, "float64", "float64", block),
        (334, "float32", "mixed", workspace.ROWS_PER_BLOCK),
    ):  # fmt: skip
        extra = {"precision": "mixed"} if precision == "mixed" else {}
        net = Network([Dense(units)], inputs=300, dtype=kind, **extra)
        ops = net._state.program.ops
        assert workspace.prediction_block(ops.tobytes(), np.dtype(kind).itemsize) == length
    ops["precision"], ops["A"][0] = 0, -1
    assert workspace.prediction_block(ops.tobytes(), 4) == workspace.ROWS_PER_BLOCK


@needs_compiler
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_costs_of_every_number_of_rows(dtype):
    """Columns of the workspace behind the last example count nothing, whatever they hold."""
    net = network(Dense(19, "relu"), Dense(10, "tanh"), dtype=dtype)
    X, y = rng.normal(size=(70, 21)).astype(dtype), rng.integers(0, 3, 70)
    for m in range(1, 71):
        net.predict_proba(np.full((70, 21), 1e30, dtype))
        P = net.predict_proba(X[:m]).astype(float)
        cost = -np.log(P[np.arange(m), y[:m]]).mean()
        score = net.evaluate(X[:m], y[:m])
        assert score["cost"] == pytest.approx(cost, rel=1e-4 if dtype == "float32" else 1e-12)
        assert score["accuracy"] == pytest.approx((P.argmax(1) == y[:m]).mean())


@pytest.mark.parametrize("m", [1, 5, 40, 300])
def test_nothing_is_kept_of_the_parameters(m):
    X, y = rng.normal(size=(m, 2)).astype("f"), np.arange(m) % 2
    net, other = (Network.mlp([2, 5, 2], output="softmax", seed=s) for s in (1, 2))
    before = net.predict_proba(X)
    net.fit(X, y, epochs=3, progress=False)
    after = net.predict_proba(X)
    assert (before != after).any()
    for name, values in other.parameters.items():
        net.parameters[name][...] = values
    np.testing.assert_array_equal(net.predict_proba(X), other.predict_proba(X))
    scaled = Network([Normalization(), Dense(2, "softmax")], inputs=2)
    for shift in (0, 5):
        scaled.fit(X[: m // 2 + 1] + shift, y[: m // 2 + 1], epochs=1, progress=False)
        close_to_loops(scaled, X, scaled.predict_proba(X))


@pytest.mark.parametrize("m", [1, 7, 50, 300])
def test_memory_of_every_kind(m):
    """One network takes turns with arrays of every order, dtype and stride.

    Few rows in another byte order are converted first, and then take the way of many.
    """
    net = network(Dense(8, "relu"))
    X = rng.integers(0, 9, size=(2 * m, 42))
    for _ in range(2):
        for kind in ("float32", "float64", "uint8", "int16", ">f4"):
            x = X.astype(kind)
            expected = net.predict_proba(x[:m, :21].astype("float32"))
            odd = np.frombuffer(b"0" + x[:m, :21].tobytes(), x.dtype, offset=1).reshape(m, 21)
            whole = x[:m, :21].copy()
            for form in (whole, np.asfortranarray(whole), x[:m, :21], x[::2, ::2][:m], odd):
                bits = net.predict_proba(np.ascontiguousarray(form, "float32"))
                bound = 1e-5 if kind == ">f4" else 0
                np.testing.assert_allclose(net.predict_proba(form), bits, rtol=bound)
            np.testing.assert_allclose(net.predict_proba(whole), expected, rtol=bound)


def test_what_is_returned_is_the_callers_own():
    net, X = network(Dense(8, "relu")), rng.normal(size=(40, 21)).astype("f")
    for m in (3, 40):
        first = net.predict_proba(X[:m])
        kept = first.copy()
        net.predict_proba(-X[:m])
        np.testing.assert_array_equal(first, kept)
        first[...] = 7
        np.testing.assert_array_equal(net.predict_proba(X[:m]), kept)


@pytest.mark.parametrize("m", [2, 9, 40, 257])
def test_rows_that_are_refused_do_no_harm(m):
    net, X = network(Dense(8, "relu")), rng.normal(size=(m, 21))
    good = net.predict_proba(X)
    for value, words in ((np.nan, "nan"), (-np.inf, "inf"), (1e300, "too large for float32")):
        for row in {0, 1, m - 1}:
            bad = X.copy()
            bad[row, 20] = value
            with pytest.raises(DataError, match=words):
                net.predict_proba(bad)
            np.testing.assert_array_equal(net.predict_proba(X), good)


def test_networks_and_row_counts_that_come_and_go():
    """More of both than are kept."""
    X = np.ones((200, 3), "f")
    for units in range(1, 60):
        net = Network([Dense(units, "relu"), Dense(1, "identity")], inputs=3)
        for name, values in net.parameters.items():
            values[...] = name[0] == "W"
        for m in (2, 30 + units):
            assert (net.predict(X[:m]) == 3 * units).all()
    for m in range(2, 200):
        assert (net.predict(X[:m]) == 3 * 59).all()


@needs_compiler
def test_threads_and_their_number_change_no_bit():
    net, X = network(Dense(64, "relu"), inputs=500), rng.normal(size=(900, 500)).astype("f")
    counts, found = (2, 11, 40, 100, 300, 900), []
    before = fastnn.get_num_threads()
    try:
        for n in (1, 2, 3, 1):
            fastnn.set_num_threads(n)
            found.append([net.predict_proba(X[:m]) for m in counts])
    finally:
        fastnn._runtime.threads._wanted = None
    assert fastnn.get_num_threads() == before
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_several_callers_at_once():
    nets, X = [network(Dense(30, "relu"), seed=s) for s in range(3)], rng.normal(size=(80, 21))
    expected, wrong = [[net.predict_proba(X[:m]) for m in (5, 80)] for net in nets], []

    def ask(k):
        for _ in range(40):
            for m, right in zip((5, 80), expected[k], strict=True):
                if (nets[k].predict_proba(X[:m]) != right).any():
                    wrong.append((k, m))

    callers = [threading.Thread(target=ask, args=(i % 3,)) for i in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
