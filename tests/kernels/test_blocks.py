"""Large batches: their blocks of examples give the gradient of the whole, whoever computes them."""

import tracemalloc

import numpy as np
import pytest
from builders import sparse
from fastnn.kernels.jitted.execution import entry, workspace
from fastnn.kernels.jitted.ops import dense
from fastnn.kernels.jitted.step import backward

import fastnn
from fastnn import BatchNorm, Dense, Dropout, Network, Rescaling, kernels

jitted = kernels.get("jitted")

pytestmark = pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")

DTYPES = ["float32", "float64"]
LAYERS = {
    "tables": [Dense(9, "tanh"), Dense(3, "softmax")],
    "wide rows": [Rescaling(1 / 16), Dense(5, "relu"), Dense(3, "softmax")],
    "one output": [Dense(1, "sigmoid")],
    "dropout": [Dense(20, "relu"), Dropout(0.4), Dense(6, "gelu"), Dense(1)],
    "batchnorm": [Dense(7), BatchNorm(), Dense(1, "sigmoid")],
}
FEATURES = {"wide rows": 90, "one output": 70}


@pytest.fixture(params=["several groups", "one group"])
def groups(request, monkeypatch):
    """Blocks for batches of some hundred examples, in groups for members or shared by the team."""
    monkeypatch.setattr(workspace, "MIN_BLOCKED_BYTES", 0)
    monkeypatch.setattr(workspace, "BLOCK_BYTES", 9000)
    monkeypatch.setattr(workspace, "GRADIENTS", 0)
    if request.param == "one group":
        monkeypatch.setattr(workspace, "GROUP_GRADIENT_BYTES", 0)
    workspace.plan_blocked.cache_clear()
    yield request.param
    workspace.plan_blocked.cache_clear()


@pytest.fixture
def threads(monkeypatch):
    """Small work is worth a team; returns what sets its size."""
    monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", 0)
    before = fastnn._runtime.threads._wanted
    yield fastnn.set_num_threads
    fastnn._runtime.threads._wanted = before


def examples(name, m=701):
    """X (m, n), small whole numbers, and labels."""
    rng = np.random.default_rng(len(name))
    X = rng.integers(0, 17, (m, FEATURES.get(name, 6))).astype(np.float32)
    last = LAYERS[name][-1]
    return X, rng.integers(0, max(2, last.units), m)


def divided(net, X, dtype):
    """The plan of full batches of X."""
    ops = net.program.ops
    return workspace.plan_blocked(ops.tobytes(), len(X), np.dtype(dtype).itemsize, 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_blocks_train_as_the_whole_does(groups, name, dtype):
    X, y = examples(name)
    w = np.random.default_rng(1).random(len(X)) * (np.arange(len(X)) > 130)  # first blocks weigh 0
    found = []
    for backend in ("jitted", "vectorized"):
        net = Network(LAYERS[name], inputs=X.shape[1], dtype=dtype)
        with fastnn.backend(backend):
            history = net.fit(
                X, y, epochs=3, batch_size=None, optimizer=fastnn.GradientDescent(0.01), l2=0.1,
                sample_weight=w, validation_data=(X[:300], y[:300]), progress=False,
            )  # fmt: skip
        found.append((net.program.theta, history))
    tight = 1e-4 if dtype == "float32" else 1e-11
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=tight, atol=tight)
    for curve in found[1][1]:
        np.testing.assert_allclose(found[0][1][curve], found[1][1][curve], rtol=tight)
    plan = divided(net, X, dtype)
    if name == "batchnorm":
        assert plan.groups == 0
    else:
        assert plan.offsets.block_examples < 300
        assert (plan.groups == 1) == (groups == "one group")


@pytest.mark.parametrize("name", ["tables", "wide rows", "dropout"])
def test_the_bits_do_not_depend_on_the_threads(groups, threads, name):
    X, y = examples(name)
    found = []
    for count in (1, 2, 3, 5):
        threads(count)
        net = Network(LAYERS[name], inputs=X.shape[1])
        history = net.fit(X, y, epochs=4, batch_size=620, progress=False)
        found.append((net.program.theta.tobytes(), list(history["cost"])))
    assert all(one == found[0] for one in found)


def test_gradients_and_their_check_go_in_blocks(groups):
    X, y = examples("tables")
    net = Network(LAYERS["tables"], inputs=X.shape[1], dtype="float64")
    cost, gradients = net.cost_and_gradients(X, y)
    with fastnn.backend("loops"):
        exact, expected = net.cost_and_gradients(X, y)
    assert cost == pytest.approx(exact, rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], atol=1e-13)
    assert fastnn.check_gradients(net, X, y).passed


def test_sparse_rows_go_in_blocks(groups):
    rng = np.random.default_rng(5)
    X = rng.random((600, 90)) * (rng.random((600, 90)) < 0.03)
    y = rng.integers(0, 3, 600)
    found = []
    for data in (X, sparse(X)):
        net = Network(LAYERS["tables"], inputs=90, dtype="float64")
        net.fit(data, y, epochs=3, batch_size=None, progress=False)
        found.append(net.program.theta)
    np.testing.assert_allclose(*found, atol=1e-12)


def test_a_workspace_that_is_too_small_is_replaced(groups):
    X, _ = examples("tables")
    net = Network(LAYERS["tables"], inputs=X.shape[1])
    plan = divided(net, X, "float32")
    layout = workspace.allocate(plan, np.float32, 3)
    assert layout.capacity == 3
    buffer = layout.workspace.buffer
    assert workspace.allocate(plan, np.float32, 1, buffer).workspace.buffer is buffer
    small = np.zeros(plan.floats_shared + plan.floats_per_thread - 1, np.float32)
    larger = workspace.allocate(plan, np.float32, 2, small).workspace.buffer
    assert larger.size == plan.floats_shared + 2 * plan.floats_per_thread


def test_activations_begin_on_cache_lines(groups):
    """A vector that crosses a line costs two reads."""
    X, _ = examples("tables")
    plan = divided(Network(LAYERS["tables"], inputs=X.shape[1]), X, "float32")
    buffer, ld, offsets = workspace.allocate(plan, np.float32).workspace
    starts = [0, ld, plan.floats_shared, *offsets._asdict().values()]
    starts.remove(offsets.block_examples)
    begin = buffer.__array_interface__["data"][0]
    assert {(begin + 4 * start) % 64 for start in starts} == {0}


@pytest.mark.parametrize("optimizer", [fastnn.GradientDescent(), fastnn.LBFGS()])
def test_a_full_batch_needs_no_more_memory_than_its_blocks(optimizer):
    """60,000 examples through 6, 40 and 30 units: 37 MB of activations and derivatives at once."""
    if isinstance(optimizer, fastnn.LBFGS):
        pytest.importorskip("scipy")
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60000, 6), dtype=np.float32), rng.integers(0, 2, 60000)
    layers = [Dense(40, "relu"), Dense(30, "relu"), Dense(1, "sigmoid")]
    net = Network(layers)
    net.fit(X[:100], y[:100], epochs=1, optimizer=optimizer, progress=False)  # compiles
    tracemalloc.start()
    try:
        net.fit(X, y, epochs=2, batch_size=None, optimizer=optimizer, progress=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8e6


@pytest.mark.parametrize("dtype", DTYPES)
def test_members_have_examples_of_their_own_where_these_are_many(threads, dtype):
    """The last batch has fewer than a group holds; the gaps between parameters stay 0."""
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((600, 54)), rng.integers(0, 7, 600)
    layers = [Dense(127, "relu"), Dense(65, "tanh", use_bias=False), Dense(7, "softmax")]
    whole = Network(layers, inputs=54, dtype=dtype)
    plan = workspace.plan_blocked(whole.program.ops.tobytes(), 256, whole.dtype.itemsize, 0)
    assert (plan.groups, plan.offsets.block_examples) == (2, 128)
    found = {}
    for count in (0, 1, 2, 3, 5):
        net = whole.copy()
        threads(max(count, 1))
        with fastnn.backend("jitted" if count else "vectorized"):
            history = net.fit(X, y, epochs=3, batch_size=256, l2=0.1, progress=False)
        found[count] = net.program.theta, list(history["cost"])
    tight = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=tight, atol=tight)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=tight)
    for count in (2, 3, 5):
        assert found[count][0].tobytes() == found[1][0].tobytes()
        assert found[count][1] == found[1][1]


OPTIMIZERS = {
    "descent": fastnn.GradientDescent(0.1), "momentum": fastnn.Momentum(0.1),
    "nesterov": fastnn.Nesterov(0.1), "rmsprop": fastnn.RMSprop(), "adam": fastnn.Adam(),
    "adamw": fastnn.AdamW(weight_decay=0.1),
}  # fmt: skip


RULES = {"none": {}, "values": {"l2": 0.1, "clip_value": 0.01}, "norm": {"l1": 0.1, "clip_norm": 1}}


@pytest.mark.medium
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("optimizer", "rule"),
    [*((name, "values") for name in OPTIMIZERS), ("adam", "none"), ("adam", "norm")],
)
def test_shares_of_a_step_change_no_bit(threads, optimizer, rule, dtype):
    """Weights are shared out by outputs; none of the products fills whole cache lines."""
    rng = np.random.default_rng(6)
    X, y = rng.standard_normal((100, 7)).astype(dtype), rng.integers(0, 3, 100)
    found = set()
    for count in (1, 2, 3, 5):
        threads(count)
        net = Network.mlp([7, 121, 53, 3], output="softmax", dtype=dtype)
        settings = {"optimizer": OPTIMIZERS[optimizer], "progress": False} | RULES[rule]
        net.fit(X, y, epochs=3, batch_size=64, **settings)
        found.add(net.program.theta.tobytes())
    assert len(found) == 1


@pytest.mark.medium
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_layers_go_in_blocks(threads, dtype):
    """W is turned block by block; dZ has more rows than stay in the cache; shares are uneven."""
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((150, 20)).astype(dtype), rng.integers(0, 2, 150)
    net = Network.mlp([20, 1603, 999, 1], output="sigmoid", dtype=dtype)
    assert 1603 * net.dtype.itemsize >= dense.MIN_STRIDE_PACK_W
    assert backward.DZ_NUMBERS < 999 * 160
    _, gradients = net.cost_and_gradients(X, y)
    with fastnn.backend("vectorized"):
        _, expected = net.cost_and_gradients(X, y)
    tight = 2e-5 if dtype == "float32" else 1e-12
    for name, gradient in gradients.items():
        bound = tight * np.abs(expected[name]).max()
        np.testing.assert_allclose(gradient, expected[name], rtol=0, atol=bound)
    found = set()
    for count in (1, 2, 3, 5):
        threads(count)
        trained = net.copy()
        trained.fit(X, y, epochs=2, batch_size=None, progress=False)
        found.add(trained.program.theta.tobytes())
    assert len(found) == 1
