"""The promises about training hold with precision="mixed": stop and go, same bits."""

import numpy as np
import pytest

import fastnn
from fastnn import Network, kernels

pytestmark = pytest.mark.medium


def problem(m, n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def small():
    return Network.mlp([6, 8, 1], output="sigmoid", hidden="tanh", precision="mixed")


class TestStopAndGo:
    def test_calls_of_one_epoch_equal_one_call(self, backend):
        X, y = problem(40, 6)
        whole, parts = small(), small()
        whole.fit(X, y, epochs=3, batch_size=16, progress=False)
        for _ in range(3):
            parts.fit(X, y, epochs=1, batch_size=16, progress=False)
        np.testing.assert_array_equal(parts.program.theta, whole.program.theta)
        np.testing.assert_array_equal(parts.history["cost"], whole.history["cost"])

    @pytest.mark.parametrize("ending", ["safetensors", "h5"])
    def test_checkpoints(self, backend, ending, tmp_path):
        X, y = problem(40, 6)
        path = tmp_path / f"state.{ending}"
        whole, part = small(), small()
        whole.fit(X, y, epochs=3, batch_size=16, progress=False)
        part.fit(
            X, y, epochs=2, batch_size=16, progress=False,
            callbacks=[fastnn.callbacks.Checkpoint(path)],
        )  # fmt: skip
        again = fastnn.load(path)
        assert again.precision == "mixed"
        again.fit(X, y, epochs=1, batch_size=16, progress=False)
        np.testing.assert_array_equal(again.program.theta, whole.program.theta)


@pytest.mark.skipif(not kernels.get("jitted").available, reason="needs compiled kernels")
class TestSameBits:
    @pytest.mark.parametrize("threads", [2, 3, 4])
    def test_at_any_number_of_threads(self, threads, monkeypatch):
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        X, y = problem(700, 70)
        y = y + (X[:, 2] > 1)
        results, before = [], fastnn.get_num_threads()
        try:
            for n in (1, threads):
                fastnn.set_num_threads(n)
                net = Network.mlp([70, 40, 20, 3], output="softmax", precision="mixed")
                net.fit(
                    X, y, epochs=2, batch_size=600, l2=0.1, validation_split=0.2, progress=False
                )
                found = net.program.theta.copy(), net.history["validation_cost"]
                results.append((*found, net.predict_proba(X), net.predict_proba(X[:1])))
        finally:
            fastnn.set_num_threads(before)
        for one, many in zip(*results, strict=True):
            np.testing.assert_array_equal(many, one)

    def test_same_seed_same_network(self, backend):
        X, y = problem(40, 6)
        one, two = small(), small()
        for net in (one, two):
            net.fit(X, y, epochs=2, batch_size=16, progress=False)
        np.testing.assert_array_equal(one.program.theta, two.program.theta)
