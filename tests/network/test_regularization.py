"""Dropout, noise, batch normalisation, norms, clipping, smoothing: what each promises."""

import numpy as np
import pytest
from fastnn.kernels.opcodes import Kind, Loss

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Network,
    kernels,
    losses,
)
from fastnn.errors import SettingError
from fastnn.lowering.fold_batchnorm import fold
from fastnn.network import prediction
from fastnn.network.description import state_of


def problem(m=60, n=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def mask(rows, n=50, rate=0.3, seed=1, layer=2, epoch=0, backend="jitted", dtype="float64"):
    """Which of n units are kept for examples of these rows."""
    A = np.empty((len(rows), n), dtype)
    X = np.ones_like(A)
    kernels.get(backend).dropout(X, np.asarray(rows), rate, seed, layer, epoch, A)
    return A


class TestMasks:
    """Randomness is a pure function of (seed, layer, epoch, row, unit)."""

    def test_the_same_on_every_backend_and_dtype(self):
        masks = [mask(range(9), backend=b, dtype=d) > 0
                 for b in kernels.BACKENDS for d in ("float32", "float64")]  # fmt: skip
        for other in masks[1:]:
            np.testing.assert_array_equal(other, masks[0])

    def test_do_not_depend_on_the_batch_or_the_position_in_it(self):
        whole = mask(range(100))
        np.testing.assert_array_equal(mask([70, 3]), whole[[70, 3]])
        np.testing.assert_array_equal(mask(range(50, 100)), whole[50:])

    @pytest.mark.parametrize("changed", [{"seed": 2}, {"layer": 3}, {"epoch": 1}])
    def test_depend_on_everything_else(self, changed):
        assert (mask(range(20), **changed) != mask(range(20))).mean() > 0.2

    @pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
    def test_share_and_scale(self, rate):
        A = mask(range(400), n=250, rate=rate)
        kept = A > 0
        deviation = np.sqrt(rate * (1 - rate) / A.size)
        assert abs(kept.mean() - (1 - rate)) <= 4 * deviation
        np.testing.assert_allclose(A[kept], 1 / (1 - rate), rtol=1e-12)
        assert abs(np.corrcoef(kept[:, 0], kept[:, 1])[0, 1]) < 0.25 if rate > 0 else True

    def test_noise_is_normal(self):
        A = np.empty((500, 101))
        kernels.get("jitted").noise(np.zeros_like(A), np.arange(500), 2.0, 0, 0, 0, A)
        assert A.mean() == pytest.approx(0, abs=0.04)
        assert A.std() == pytest.approx(2, rel=0.02)
        assert ((A / 2) ** 4).mean() == pytest.approx(3, rel=0.05)
        assert abs(np.corrcoef(A[:, 0], A[:, 1])[0, 1]) < 0.2

    def test_a_step_uses_the_epochs_mask(self, backend):
        """One step from W2 = 1 moves just the weights of units that the mask keeps."""
        layers = [Dense(40, "identity", use_bias=False), Dropout(0.5), Dense(1, use_bias=False)]
        net = Network(layers, inputs=1, dtype="float64", seed=1, init="zeros")
        net.parameters["W1"] = np.ones((1, 40))
        net.fit([[1.0]], [1.0], epochs=1, batch_size=None, progress=False,
                optimizer=fastnn.GradientDescent(1.0))  # fmt: skip
        kept = mask([0], n=40, rate=0.5, seed=1, layer=1)[0] > 0
        np.testing.assert_array_equal(net.parameters["W2"][:, 0] != 0, kept)

    def test_predictions_use_all_units(self, backend):
        X, _ = problem()
        net = Network([Dense(8, "relu"), Dropout(0.5), Dense(1, "sigmoid")], inputs=6, seed=3)
        plain = Network([Dense(8, "relu"), Dense(1, "sigmoid")], inputs=6, seed=3)
        np.testing.assert_array_equal(net.predict_proba(X), plain.predict_proba(X))

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("order", range(6))
    def test_every_order_of_layers_trains_as_the_ops_do(self, order, threads, monkeypatch):
        """Where relu, and dropout over it, is differentiated inside of a product, and where not."""
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        monkeypatch.setattr("fastnn._runtime.threads._wanted", threads)
        end = Dense(1, "sigmoid")
        layers = [
            [Dense(9, "relu"), Dropout(0.3), Dense(30, "relu"), Dropout(0.5), end],
            [Dropout(0.2), Dense(9, "relu"), Dense(7, "tanh"), Dropout(0.4), Dense(5, "relu"), end],
            [Dense(9, "relu"), Dropout(0.3), Dropout(0.2), Dense(7, "relu"), BatchNorm(), end],
            [Dense(9, "relu"), GaussianNoise(0.1), Dense(7, "relu"), Dense(70, "relu"), end],
            [Dense(9, "leaky_relu"), Dense(8, "relu"), BatchNorm(), Dropout(0.1), Dense(4), end],
            [Dense(7, "relu"), Dropout(0.5), Dense(1, "relu")],
        ][order]
        X, y = problem(90)
        settings = {"loss": "squared_error"} if order == 5 else {}
        found = []
        for name in ("jitted", "vectorized"):
            net = Network(layers, inputs=6, dtype="float64", seed=2, **settings)
            with fastnn.backend(name):
                net.fit(X, y, epochs=3, batch_size=40, progress=False)
            found.append(np.r_[net.program.theta, net.program.state])
        np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("threads", [2, 3])
    def test_same_bits_at_any_number_of_threads(self, threads, monkeypatch):
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        X, y = problem(300, 40)
        layers = [Dense(70, "gelu"), BatchNorm(), Dropout(0.4), Dense(33, "relu", max_norm=1.0),
                  GaussianNoise(0.1), Dense(1, "sigmoid")]  # fmt: skip
        found, before = [], fastnn.get_num_threads()
        for n in (1, threads):
            fastnn.set_num_threads(n)
            net = Network(layers)
            net.fit(X, y, epochs=2, clip_norm=0.5, l2=0.1, progress=False)
            found.append(np.r_[net.program.theta, net.program.state])
        fastnn.set_num_threads(before)
        np.testing.assert_array_equal(*found)


class TestPenalty:
    """In a step it is part of the sweeps that every member makes over its share of parameters."""

    @pytest.mark.medium
    @pytest.mark.parametrize(
        "bounds",
        [{}, {"clip_norm": 0.3}, {"clip_value": 1e-3}, {"clip_norm": 0.05, "clip_value": 0.01}],
    )
    @pytest.mark.parametrize("optimizer", [fastnn.GradientDescent(0.1), fastnn.AdamW(0.01)])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_shared_out_over_many_parameters(self, bounds, optimizer, dtype, monkeypatch):
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        X, y = problem(80, 30)
        settings = {"batch_size": 40, "l2": 0.5, "l1": 0.05, "optimizer": optimizer, **bounds}
        found = []
        for backend, threads in (("jitted", 1), ("jitted", 2), ("jitted", 3), ("vectorized", 1)):
            monkeypatch.setattr("fastnn._runtime.threads._wanted", threads)
            layers = [Dense(170, "relu", max_norm=0.9), Dense(70, "relu"), Dense(1, "sigmoid")]
            net = Network(layers, inputs=30, dtype=dtype, seed=1)
            with fastnn.backend(backend):
                cost = net.fit(X, y, epochs=3, progress=False, **settings)["cost"]
            found.append((net.program.theta, cost))
        for theta, cost in found[1:3]:
            np.testing.assert_array_equal(theta, found[0][0])
            np.testing.assert_array_equal(cost, found[0][1])
        rtol = 1e-9 if dtype == "float64" else 1e-4
        np.testing.assert_allclose(found[0][1], found[3][1], rtol=rtol)
        if dtype == "float64":  # Adam divides by slopes of the size of rounding
            np.testing.assert_allclose(found[0][0], found[3][0], rtol=1e-7, atol=1e-10)


class TestBatchNorm:
    def test_running_averages(self, backend):
        X, y = problem()
        net = Network([BatchNorm(momentum=0.7), Dense(1, "sigmoid")], inputs=6, dtype="float64")
        net.fit(X, y, epochs=1, batch_size=None, progress=False)
        mean, variance = net.program.state[:6], net.program.state[6:12]
        np.testing.assert_allclose(mean, 0.3 * X.mean(axis=0), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(variance, 0.7 + 0.3 * X.var(axis=0), rtol=1e-10)

    def test_predictions_use_them(self, backend):
        X, y = problem()
        net = Network([BatchNorm(0.5), Dense(1, "sigmoid")], inputs=6, dtype="float64")
        net.fit(X, y, epochs=3, batch_size=20, progress=False)
        mean, variance = net.program.state[:6], net.program.state[6:12]
        gamma, beta = net.parameters["gamma1"], net.parameters["beta1"]
        A = (X - mean) / np.sqrt(variance + 1e-5) * gamma + beta
        np.testing.assert_allclose(net.activations(X)[0], A, rtol=1e-10)
        np.testing.assert_allclose(net.predict_proba(X[:1]), net.predict_proba(X)[:1], rtol=1e-12)

    def test_training_normalises_the_batch(self, backend):
        X, y = problem()
        X = X * 50 + 7
        net = Network([BatchNorm(), Dense(1, "sigmoid")], inputs=6, dtype="float64")
        other = Network([Dense(1, "sigmoid")], inputs=6, dtype="float64")
        cost, _ = net.cost_and_gradients(X, y)
        scaled = (X - X.mean(0)) / np.sqrt(X.var(0) + 1e-5)
        assert cost == pytest.approx(other.cost_and_gradients(scaled, y)[0], rel=1e-10)

    @pytest.mark.parametrize("bias", [True, False])
    def test_folds_into_the_weights_for_prediction(self, backend, bias):
        X, y = problem()
        layers = [BatchNorm(), Dense(5, use_bias=bias), BatchNorm(), Activation("relu"),
                  Dropout(0.2), Dense(4, "tanh"), BatchNorm(), Dense(1, "sigmoid")]  # fmt: skip
        net = Network(layers, dtype="float64")
        net.fit(X, y, epochs=3, progress=False)
        folded = fold(net.program)
        kinds = folded.ops["kind"].tolist()
        assert kinds.count(Kind.BATCHNORM) == 2  # behind the input, and behind the tanh
        assert len(folded.ops) == len(net.program.ops) - 1
        np.testing.assert_allclose(
            prediction.outputs(state_of(net), X), net.activations(X)[-1], rtol=1e-10
        )

    def test_nothing_to_fold_is_the_program_itself(self):
        net = Network([Dense(3, "relu"), BatchNorm(), Dense(1)], inputs=2)
        assert fold(net.program) is net.program

    def test_gradients_leave_the_state_alone(self, backend):
        X, y = problem()
        net = Network([BatchNorm(), Dense(1, "sigmoid")], inputs=6)
        before = net.program.state.copy()
        net.cost_and_gradients(X, y)
        np.testing.assert_array_equal(net.program.state, before)

    @pytest.mark.parametrize(("m", "batch_size"), [(1, None), (33, 32), (5, 1)])
    def test_a_batch_of_one_is_refused(self, m, batch_size):
        X, y = problem(m)
        net = Network([BatchNorm(), Dense(1, "sigmoid")])
        with pytest.raises(SettingError, match="batch of one"):
            net.fit(X, y, batch_size=batch_size)
        assert net.inputs is None


class TestBounds:
    def test_max_norm(self, backend):
        X, y = problem()
        net = Network([Dense(5, "tanh", max_norm=0.3), Dense(1, "sigmoid")], dtype="float64")
        net.fit(X, y, epochs=5, optimizer=fastnn.GradientDescent(1.0), progress=False)
        norms = np.linalg.norm(net.parameters["W1"], axis=0)
        assert norms.max() <= 0.3 * (1 + 1e-12)
        assert np.linalg.norm(net.parameters["W2"]) > 0.3

    @pytest.mark.parametrize(("norm", "value"), [(0.01, None), (None, 0.003), (0.004, 0.003)])
    def test_clipping(self, backend, norm, value):
        X, y = problem()
        net = Network([Dense(5, "tanh"), Dense(1, "sigmoid")], inputs=6, dtype="float64")
        before = {name: v.copy() for name, v in net.parameters.items()}
        _, gradients = net.cost_and_gradients(X, y)
        net.fit(X, y, epochs=1, batch_size=None, clip_norm=norm, clip_value=value,
                optimizer=fastnn.GradientDescent(1.0), progress=False)  # fmt: skip
        if value:
            gradients = {n: np.clip(g, -value, value) for n, g in gradients.items()}
        length = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        factor = min(1, norm / length) if norm else 1
        for name, v in net.parameters.items():
            np.testing.assert_allclose(before[name] - v, factor * gradients[name], atol=1e-15)

    def test_label_smoothing_moves_the_targets(self):
        X, y = problem()
        smooth = Network([Dense(2, "softmax")], inputs=6, dtype="float64",
                         loss=losses.CategoricalCrossEntropy(label_smoothing=0.1))  # fmt: skip
        plain = Network([Dense(2, "softmax")], inputs=6, dtype="float64")
        soft = np.eye(2)[y] * 0.9 + 0.05
        expected = plain.cost_and_gradients(X, soft)
        found = smooth.cost_and_gradients(X, y)
        assert found[0] == pytest.approx(expected[0], rel=1e-12)
        assert smooth.evaluate(X, y)["accuracy"] == plain.evaluate(X, y)["accuracy"]


class TestMlp:
    def test_dropout_and_batch_norm(self):
        net = Network.mlp([6, 5, 4, 1], output="sigmoid", dropout=[0.2, 0.0], batch_norm=True)
        kinds = [type(layer).__name__ for layer in net.layers]
        assert kinds == ["Dense", "BatchNorm", "Activation", "Dropout",
                         "Dense", "BatchNorm", "Activation", "Dense"]  # fmt: skip
        assert {"gamma1", "beta2"} < set(net.parameters)


#: what is wrong: (what makes it, words of the message)
WRONG = {
    "dropout 1": (lambda: Dropout(1.0), r"rate must lie in \[0, 1\)"),
    "dropout -0.1": (lambda: Dropout(-0.1), "rate must lie"),
    "noise": (lambda: GaussianNoise(-1), "stddev"),
    "momentum": (lambda: BatchNorm(momentum=1), "momentum must lie"),
    "epsilon": (lambda: BatchNorm(epsilon=0), "epsilon"),
    "max norm": (lambda: Dense(3, max_norm=0), "max_norm"),
    "huber": (lambda: losses.Huber(0), "delta"),
    "quantile": (lambda: losses.Quantile(1), r"\(0, 1\)"),
    "smoothing": (lambda: losses.BinaryCrossEntropy(1), "label_smoothing"),
    "poisson": (lambda: Network([Dense(1)], loss="poisson"), "softplus"),
    "rates": (lambda: Network.mlp([3, 2, 1], output="tanh", dropout=[0.1, 0.2]), "one rate or 1"),
    "clip": (lambda: Network([Dense(1)]).fit([[1.0]], [1.0], clip_norm=0), "clip_norm"),
    "counts": (
        lambda: Network([Dense(1, "softplus")], loss="poisson").fit([[1.0]], [-1]), "negative",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_bad_input(case):
    make, words = WRONG[case]
    with pytest.raises(fastnn.errors.FastnnError, match=words):
        make()


def test_every_loss_of_the_kernels_has_its_class():
    assert [kind.code for kind in losses.KINDS.values()] == list(Loss)
    assert all(kind().name == name for name, kind in losses.KINDS.items())
