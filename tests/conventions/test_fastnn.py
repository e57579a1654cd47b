"""fastnn's column of the page of conventions: every row has a test, and every test its row."""

from pathlib import Path

import numpy as np
import pytest

from fastnn import (
    Activation,
    Adam,
    AdamW,
    BatchNorm,
    Dense,
    GradientDescent,
    Momentum,
    Network,
    RMSprop,
    callbacks,
    losses,
    schedules,
)
from fastnn.history import History

PAGE = Path(__file__).parents[2] / ".github/docs/conventions.md"


def rows():
    """The first cells of the page's tables."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    firsts = [line.split("|")[1].strip() for line in lines]
    return [first for first in firsts if first != "convention" and not set(first) <= set(":-")]


HELD = set()


def holds(*names):
    """Note that a test holds fastnn's cell of these rows."""
    HELD.update(names)
    return lambda test: test


def moved(optimizer, gradient, **settings):
    """Return where a weight of 0 goes when its gradient is given (by a target of −gradient)."""
    net = Network.mlp([1, 1], output="identity", init="zeros", dtype="float64")
    net.fit([[1.0]], [-gradient], batch_size=1, optimizer=optimizer, **settings)
    return float(net.parameters["W1"][0, 0])


def cost(loss, outputs, y, activation="identity", **weights):
    """Return the cost of rows whose last layer's sums are given."""
    outputs = np.asarray(outputs, np.float64)
    net = Network([Dense(outputs.shape[1], activation)], inputs=outputs.shape[1], loss=loss,
                  dtype="float64")  # fmt: skip
    net.parameters["W1"] = np.eye(outputs.shape[1])
    return net.cost_and_gradients(outputs, y, **weights)[0]


def output(activation, z, dtype="float64"):
    """Return the activation of one number, as a hidden layer gives it."""
    net = Network([Dense(1, activation), Dense(1)], inputs=1, dtype=dtype)
    net.parameters["W1"] = np.ones((1, 1))
    return float(net.activations([[z]])[0][0, 0])


class TestCosts:
    @holds("squared error of e = 1 in both of two outputs")
    def test_squared_error(self):
        assert cost(None, [[1.0, 1.0]], [[0.0, 0.0]]) == 1.0

    @holds("cost of a probability of 0 where the class is 1")
    def test_probability_of_zero(self):
        assert cost(None, [[-1000.0]], [1], "sigmoid") == 1000.0

    @holds("Huber")
    def test_huber(self):
        assert cost("huber", [[0.5, 3.0]], [[0.0, 0.0]]) == pytest.approx(0.125 + 2.5)

    @holds("label smoothing by s")
    def test_label_smoothing(self):
        z = np.array([2.0, 0.0, 0.0])
        logs = z - np.log(np.exp(z).sum())
        targets = np.array([1.0, 0.0, 0.0]) * 0.9 + 0.1 / 3
        loss = losses.CategoricalCrossEntropy(label_smoothing=0.1)
        assert cost(loss, [z], [0], "softmax") == pytest.approx(-(targets * logs).sum())

    @holds("cost of a weighted batch")
    def test_weighted_batch(self):
        X, y, w = [[1.0], [2.0], [4.0], [8.0]], [0.0] * 4, np.array([1.0, 3.0, 0.0, 0.0])
        assert cost(None, X, y, sample_weight=w) == pytest.approx((0.5 + 3 * 2.0) / 4)
        net = Network.mlp([1, 1], output="identity", init="zeros", dtype="float64")
        settings = {"batch_size": 2, "shuffle": False, "optimizer": Adam(), "epochs": 1}
        net.fit(X, [1.0] * 4, sample_weight=w, **settings)
        first = Network.mlp([1, 1], output="identity", init="zeros", dtype="float64")
        first.fit(X[:2], [1.0] * 2, sample_weight=w[:2], **settings)
        assert net.parameters["W1"] == first.parameters["W1"]  # the second batch made no step


class TestOptimizers:
    @holds("Adam's ε", "Adam's first step for a gradient of 1e-7 at the rate 1e-3")
    def test_adam_epsilon(self):
        assert moved(Adam(1e-3), 1e-7, epochs=1) == pytest.approx(-1e-3 * 1e-7 / (1e-7 + 1e-8))

    @holds("RMSprop's ε", "RMSprop's average of squares keeps")
    def test_rmsprop_epsilon(self):
        wanted = -1e-3 * 1e-7 / (np.sqrt(0.1) * 1e-7 + 1e-8)
        assert moved(RMSprop(1e-3), 1e-7, epochs=1) == pytest.approx(wanted)

    @holds("momentum")
    def test_momentum(self):
        """Two steps of a gradient of 1 at the rates η and η/2."""
        halved = schedules.Step(every=1, factor=0.5)
        found = moved(Momentum(1e-6), 1.0, epochs=2, schedule=halved)
        assert found == pytest.approx(-1e-6 * (0.1 + 0.5 * 0.19), rel=1e-5)

    @holds("clipping by norm")
    def test_clipping(self):
        """The gradients of weight and bias are 3 both: their norm is 3√2."""
        found = moved(GradientDescent(0.1), 3.0, epochs=1, clip_norm=1.0)
        assert found == pytest.approx(-0.1 / np.sqrt(2))

    @holds("weight decay")
    def test_weight_decay(self):
        net = Network.mlp([1, 1], output="identity", dtype="float64")
        net.parameters["W1"], net.parameters["b1"] = [[2.0]], [2.0]
        net.fit([[1.0]], [4.0], epochs=1, optimizer=AdamW(0.1, weight_decay=0.5))  # no gradient
        assert (net.parameters["W1"][0, 0], net.parameters["b1"][0]) == (2.0 * 0.95, 2.0)


class TestLayers:
    @holds("shape of a dense layer's weights")
    def test_weights_shape(self):
        assert Network.mlp([5, 3], output="identity").parameters["W1"].shape == (5, 3)

    @holds("how they are drawn by default", "He normal")
    def test_drawn(self):
        """A normal distribution with √(2/in), of which a twentieth lies beyond two deviations."""
        net = Network.mlp([400, 500, 1], output="identity")
        drawn = net.parameters["W1"] / np.sqrt(2 / 400)
        assert float(drawn.std()) == pytest.approx(1, abs=0.01)
        assert float((np.abs(drawn) > 2).mean()) == pytest.approx(0.0455, abs=0.003)
        assert not net.parameters["b1"].any()

    @holds("BatchNorm: old share, ε, running variance")
    def test_batchnorm(self):
        X = np.array([[1.0], [5.0]])
        net = Network([Dense(1), BatchNorm(), Activation("identity")], inputs=1, dtype="float64")
        net.parameters["W1"] = [[1.0]]
        net.fit(X, [-1.0, 1.0], epochs=1, optimizer=GradientDescent(1e-300))
        mean, variance = 0.1 * 3.0, 0.9 + 0.1 * 4.0  # 4: the biased variance of 1 and 5
        wanted = (X[:, 0] - mean) / np.sqrt(variance + 1e-5)
        np.testing.assert_allclose(net.predict(X), wanted, rtol=1e-12)

    @holds("GELU")
    def test_gelu(self):
        assert output("gelu", 1.0) == pytest.approx(0.841344746, abs=1e-9)  # tanh form: 0.841192

    @holds("slope of leaky ReLU")
    def test_leaky_relu(self):
        assert output("leaky_relu", -1.0) == pytest.approx(-0.01)

    @holds("sigmoid far out")
    def test_sigmoid(self):
        assert output("sigmoid", -30.0, "float32") == pytest.approx(9.3576e-14, rel=1e-4)


class TestTraining:
    @holds("early stopping when the first value is NaN")
    def test_early_stopping(self):
        net, stop, history = Network.mlp([1, 1], output="identity"), callbacks.EarlyStopping(), None
        history = History()
        for value in (np.nan, 2.0, 3.0):
            history.extend({"cost": [1.0], "validation_cost": [value]})
            stop(net, history)
        assert (stop.best, stop.best_epoch) == (2.0, 1)

    @holds("reduce on plateau")
    def test_plateau(self):
        plateau = schedules.Plateau(factor=0.5, patience=10)
        assert plateau.follow([1.0] * 10) == 1.0
        assert plateau.follow([1.0] * 11) == 0.5
        assert plateau.follow(1 - 1e-9 * np.arange(30)) == 1.0

    @holds("staircase of decay")
    def test_staircase(self):
        stairs = schedules.Staircase(1.0, interval=10)
        assert [stairs.factor(t) for t in (9, 10, 29)] == [1, 1 / 2, 1 / 3]
        step = schedules.Step(every=10, factor=0.5)
        assert [step.factor(t) for t in (9, 10, 29)] == [1, 1 / 2, 1 / 4]

    @holds("cosine after its horizon")
    def test_cosine(self):
        cosine = schedules.Cosine(10)
        assert [cosine.factor(t) for t in (10, 15, 20)] == [0, 0, 0]

    @holds("classes of `partial_fit`")
    def test_partial_fit(self):
        pytest.importorskip("sklearn")
        from fastnn import MLPClassifier

        model = MLPClassifier((2,)).partial_fit([[0.0], [1.0]], ["a", "b"])
        with pytest.raises(ValueError, match="'c'"):
            model.partial_fit([[2.0]], ["c"])
        model = MLPClassifier((2,)).partial_fit([[0.0], [1.0]], ["a", "b"], classes=list("abc"))
        model.partial_fit([[2.0]], ["c"])


def outputs_of(net, X, folder):
    """Return what onnxruntime computes for rows X (m, n) by a network's file, (m,)."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    net.to_onnx(folder / "net.onnx")
    session = runtime.InferenceSession(folder / "net.onnx")
    return session.run(None, {session.get_inputs()[0].name: X})[0][:, 0]


class TestOnnx:
    def graph(self, activation, dtype):
        onnx = pytest.importorskip("onnx")
        net = Network([Dense(2, activation), Dense(2, "softmax")], inputs=2, dtype=dtype)
        return onnx, net

    @holds("softmax")
    def test_softmax(self, tmp_path):
        onnx, net = self.graph("relu", "float32")
        net.to_onnx(tmp_path / "net.onnx")
        model = onnx.load(tmp_path / "net.onnx")
        (node,) = (node for node in model.graph.node if node.op_type == "Softmax")
        assert {attribute.name for attribute in node.attribute} == {"axis"}
        assert {entry.version for entry in model.opset_import if not entry.domain} == {17}

    @holds("float64 on the CPU")
    def test_double(self, tmp_path):
        runtime = pytest.importorskip("onnxruntime")
        X = np.random.default_rng(0).standard_normal((5, 2))
        for activation in ("elu", "selu", "softplus", "mish", "gelu", "leaky_relu"):
            _, net = self.graph(activation, "float64")
            net.to_onnx(tmp_path / "net.onnx")
            session = runtime.InferenceSession(tmp_path / "net.onnx")
            found = session.run(None, {session.get_inputs()[0].name: X})
            wanted = net.predict_proba(X)
            assert any(np.shape(f) == wanted.shape and np.allclose(f, wanted) for f in found)

    @holds("sigmoid of −18 and below")
    def test_tail(self, tmp_path):
        runtime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        net = Network.mlp([1, 1], output="sigmoid", init="zeros")
        net.parameters["W1"] = [[1.0]]
        net.to_onnx(tmp_path / "net.onnx")
        session = runtime.InferenceSession(tmp_path / "net.onnx")
        found = session.run(None, {session.get_inputs()[0].name: np.array([[-30.0]], np.float32)})
        assert any(np.isclose(np.ravel(f), 9.3576e-14, rtol=1e-3, atol=0).any() for f in found)

    @holds("NaN in a row")
    def test_nan(self, tmp_path):
        net = Network([Dense(3, "relu"), Dense(1)], inputs=2, seed=0)
        rows = np.array([[1, np.nan], [1, 2]], np.float32)
        with pytest.raises(ValueError, match="holds nan in row 0"):
            net.predict(rows)
        assert np.isnan(outputs_of(net, rows, tmp_path)).tolist() == [True, False]

    @holds("softplus of −20")
    def test_softplus(self, tmp_path):
        net = Network([Dense(1, "softplus")], init="zeros")
        net.build(1)
        net.parameters["W1"] = [[1.0]]
        x = np.array([[-20.0]], np.float32)
        assert net.predict(x) == pytest.approx(2.0611536e-9, rel=1e-5)
        assert outputs_of(net, x, tmp_path) == pytest.approx(2.0611536e-9, rel=1e-5)

    @holds("bytes of int8 models, ties")
    def test_ties(self, tmp_path):
        net = Network([Dense(1)], init="zeros")
        net.build(1)
        net.parameters["W1"] = [[1.0]]
        small = net.quantize(np.array([[-1.0], [254.0]]))  # a scale of 1, a zero point of 1
        x = np.array([[0.5], [1.5], [2.5]], np.float32)
        np.testing.assert_allclose(small.predict(x), [0, 2, 2], atol=1e-5)
        np.testing.assert_allclose(outputs_of(small, x, tmp_path), [0, 2, 2], atol=1e-5)

    @holds("a row of an int8 batch")
    def test_neighbours(self, tmp_path):
        net = Network([Dense(1)], init="zeros")
        net.build(4)
        net.parameters["W1"] = [[1.0], [2.0], [3.0], [-1.0]]
        row = np.array([[1, 2, 3, 4]], np.float32)
        small = net.quantize(row)
        both = np.concatenate([row, 1000 * row])
        assert small.predict(row)[0] == small.predict(both)[0] == pytest.approx(10, abs=0.2)
        assert outputs_of(small, both, tmp_path)[0] == pytest.approx(10, abs=0.2)

    @holds("a cast to bfloat16 and back")
    def test_mixed_precision(self, tmp_path):
        net = Network([Dense(1)], init="zeros", precision="mixed")
        net.build(1)
        net.parameters["W1"] = [[1.0]]
        x = np.array([[np.pi]], np.float32)
        assert net.predict(x) == 3.140625
        assert outputs_of(net, x, tmp_path) == pytest.approx(np.pi, rel=1e-6)


def test_every_row_of_the_page_is_held():
    elsewhere = {"numbers below 1.2e-38 in float32"}  # kernels/test_flush_to_zero.py
    assert set(rows()) == HELD | elsewhere
    assert len(rows()) == len(set(rows()))
