"""First layers that read long rows: their features are summed in groups, whoever computes those."""

import numpy as np
import pytest
from fastnn.kernels.jitted.execution import entry, gradient_check
from fastnn.kernels.jitted.first_layer.sizes import FEATURE_GROUPS, STRIDED_KC
from fastnn.kernels.jitted.first_layer.strategy import STRIDED_MIN_FEATURES

import fastnn
from fastnn import GradientDescent, Network, kernels

jitted = kernels.get("jitted")

pytestmark = pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")

LONG = FEATURE_GROUPS * STRIDED_KC  # features from which on they go in groups


def fitted(features, kind, units, batch, threads=1):
    """Parameters, costs and predictions of a net after three epochs."""
    rng = np.random.default_rng(features)
    X = rng.integers(0, 256, (37, features)).astype(kind)
    net = Network.mlp([features, *units], output="softmax", rescale=1 / 255)
    before = fastnn._runtime.threads._wanted
    fastnn.set_num_threads(threads)
    try:
        history = net.fit(
            X, rng.integers(0, units[-1], 37), epochs=3, batch_size=batch, progress=False,
            optimizer=GradientDescent(0.1),
        )  # fmt: skip
        return net.program.theta, history["cost"], net.predict_proba(X)
    finally:
        fastnn._runtime.threads._wanted = before


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize(
    "features", [LONG - 1, LONG, LONG + 1, LONG + STRIDED_KC - 1, 2 * LONG + 701]
)
@pytest.mark.parametrize("units", [(2,), (9, 3)])
@pytest.mark.parametrize("batch", [None, 16])
def test_long_rows_give_what_numpy_gives(features, kind, units, batch):
    found = fitted(features, kind, units, batch)
    with fastnn.backend("vectorized"):
        expected = fitted(features, kind, units, batch)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


@pytest.mark.medium
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("features", [STRIDED_MIN_FEATURES, 95, 96, 97, 129, 300])
def test_any_number_of_outputs_finds_its_tiles(features, dtype):
    rng = np.random.default_rng(1)
    X = rng.integers(0, 256, (21, features)).astype(np.uint8)
    for units in (*range(1, 12), 17, 19):
        layers = [fastnn.Rescaling(1 / 128, offset=-1), fastnn.Dense(units, "tanh")]
        net = Network([*layers, fastnn.Dense(1)], inputs=features, dtype=dtype)
        found, expected = [], []
        for name, numbers in (("jitted", found), ("vectorized", expected)):
            with fastnn.backend(name):
                cost, slopes = net.cost_and_gradients(X, np.arange(21.0))
            numbers += [cost, *slopes.values()]
        for one, other in zip(found, expected, strict=True):
            error = np.abs(one - other).max() / np.abs(other).max()
            assert error < (1e-4 if dtype == "float32" else 1e-12)


@pytest.mark.medium
@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("threads", [2, 3, FEATURE_GROUPS + 1])  # more threads than groups too
def test_any_number_of_members_gives_the_same_bits(kind, threads, monkeypatch):
    monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", 0)
    for features in (LONG - 1, LONG + 5):
        for units in ((2,), (5, 3)):
            alone, together = (fitted(features, kind, units, 16, n) for n in (1, threads))
            for one, other in zip(alone, together, strict=True):
                np.testing.assert_array_equal(one, other)


def test_a_gradient_check_names_the_kernels_that_read_X(monkeypatch):
    named, kernel_ptrs_of = set(), gradient_check.kernel_ptrs_of

    def spied(ops, dtype, purpose, required_kernels, settings):
        named.update(required_kernels)
        return kernel_ptrs_of(ops, dtype, purpose, required_kernels, settings)

    monkeypatch.setattr(gradient_check, "kernel_ptrs_of", spied)
    net = Network([fastnn.Rescaling(1 / 255), fastnn.Dense(3, "softmax")], inputs=70)
    X = np.random.default_rng(0).integers(0, 256, (9, 70)).astype(np.uint8)
    assert fastnn.check_gradients(net, X, np.arange(9) % 3)
    assert named == {"cost differences", "feature groups", "strided", "strided uint8 for 3"}
