"""Networks handed on and models taken over give equal predictions."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Network,
    Normalization,
    Rescaling,
)
from fastnn.errors import DataError, MissingExtraError, NotBuiltError, SettingError, ShapeError

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, (40, 6)).astype(np.float32)
HIDDEN = [name for name in fastnn.activations.NAMES if name != "softmax"]


def optional(module):
    """Import a library, or skip saying that it is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            module, reason=f"{module} is not installed", exc_type=ImportError
        )


def moved(net):
    """The network with biases, γ, β and running averages that are not what they began as."""
    net.build(6)
    for name, values in net.parameters.items():
        values[...] += RNG.uniform(0.1, 0.5, values.shape)
        assert name
    y = {"sigmoid": 2, "softmax": 3}.get(net.layers[-1].activation)
    shape = (40,) if net.outputs == 1 or y == 3 else (40, net.outputs)
    targets = RNG.normal(size=shape) if y is None else RNG.integers(0, y, shape)
    net.fit(X, targets, epochs=2, progress=False)
    return net


def kinds(dtype="float32"):
    """One network of each kind: outputs, scaling, BatchNorm in both places."""
    norm = [Dense(7), BatchNorm(), Activation("relu"), Dropout(0.3), Dense(5, "tanh"), BatchNorm()]
    return {
        "one sigmoid": Network(
            [Normalization(), Dense(4, "relu"), Dense(1, "sigmoid")], dtype=dtype
        ),
        "two sigmoids": Network([Rescaling(0.5, -1.0), Dense(2, "sigmoid")], dtype=dtype),
        "softmax": Network([*norm, Dense(3, "softmax")], dtype=dtype),
        "values": Network(
            [GaussianNoise(0.1), Dense(4, "elu", use_bias=False), Dense(2)], dtype=dtype
        ),
        "whole": Network([Normalization(per_feature=False), BatchNorm(), Dense(1)], dtype=dtype),
        **{g: Network([Dense(5, g), Dense(1)], dtype=dtype) for g in HIDDEN},
    }


def reference(path, X):
    onnx = optional("onnx")
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(onnx.load(path)).run(None, {"X": X})[0]


class TestOnnxFiles:
    def test_takes_images_as_they_are_stored(self, tmp_path):
        optional("onnx")
        pixels = RNG.integers(0, 256, (9, 6), dtype=np.uint8)
        net = Network.mlp([6, 4, 3], output="softmax", rescale=1 / 255)
        net.to_onnx(tmp_path / "m.onnx", input_dtype="uint8")
        found = reference(tmp_path / "m.onnx", pixels)
        np.testing.assert_allclose(found, net.predict_proba(pixels), rtol=2e-5, atol=2e-6)

    def test_folds_batch_norm_behind_a_product(self, tmp_path):
        onnx = optional("onnx")
        net = Network.mlp([6, 4, 1], output="identity", batch_norm=True)
        net.to_onnx(tmp_path / "m.onnx")
        nodes = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
        assert nodes == ["MatMul", "Add", "Relu", "MatMul", "Add", "Identity"]

    def test_custom_activation_is_one_clear_error_and_keeps_the_file(self, tmp_path):
        fastnn.activations.register("cube", lambda z: z**3, lambda z: 3 * z * z)
        net = Network([Dense(3, "cube"), Dense(1)], inputs=6)
        (tmp_path / "m.onnx").write_bytes(b"old")
        with pytest.raises(SettingError, match=r"'cube'.*ONNX has no counterpart"):
            net.to_onnx(tmp_path / "m.onnx")
        assert (tmp_path / "m.onnx").read_bytes() == b"old"
        with pytest.raises(SettingError, match="PyTorch has no counterpart"):
            net.to_torch()

    def test_unready_networks_and_wrong_dtypes_are_refused(self, tmp_path):
        with pytest.raises(NotBuiltError):
            Network([Dense(1)]).to_onnx(tmp_path / "m.onnx")
        with pytest.raises(NotBuiltError, match="first fit"):
            Network([Normalization(), Dense(1)], inputs=6).to_onnx(tmp_path / "m.onnx")
        with pytest.raises(SettingError, match="input_dtype"):
            Network([Dense(1)], inputs=6).to_onnx(tmp_path / "m.onnx", input_dtype="int8")
        assert not list(tmp_path.iterdir())

    def test_a_failed_write_keeps_the_old_file(self, tmp_path, monkeypatch):
        optional("onnx")
        net = Network([Dense(1)], inputs=6)
        (tmp_path / "m.onnx").write_bytes(b"old")

        def full(fd):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            net.to_onnx(tmp_path / "m.onnx")
        assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
        assert (tmp_path / "m.onnx").read_bytes() == b"old"

    def test_a_missing_library_is_named_with_its_command(self, tmp_path, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "onnx", None)
        with pytest.raises(MissingExtraError, match=r'pip install "fastnn\[onnx\]"'):
            Network([Dense(1)], inputs=6).to_onnx(tmp_path / "m.onnx")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestSklearn:
    @pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
    @pytest.mark.parametrize("K", [2, 3])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_classifier(self, activation, K, dtype):
        optional("sklearn")
        from sklearn.neural_network import MLPClassifier

        rows = X.astype(dtype)
        y = np.array(["a", "b", "c"])[np.arange(40) % K]
        model = MLPClassifier((8, 5), activation=activation, max_iter=9, random_state=0).fit(
            rows, y
        )
        net = fastnn.from_sklearn(model)
        assert net.dtype == dtype
        np.testing.assert_allclose(net.predict_proba(rows), model.predict_proba(rows), atol=2e-6)
        np.testing.assert_array_equal(model.classes_[net.predict(rows)], model.predict(rows))

    def test_multi_label_and_regression(self):
        optional("sklearn")
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        Y = RNG.integers(0, 2, (40, 3))
        many = MLPClassifier((8,), max_iter=9, random_state=0).fit(X, Y)
        np.testing.assert_array_equal(fastnn.from_sklearn(many).predict(X), many.predict(X))
        for target in (X[:, 0], X[:, :2]):
            model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=9, random_state=0).fit(X, target)
            found = fastnn.from_sklearn(model).predict(X)
            np.testing.assert_allclose(found, model.predict(X), rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("K", [2, 3])
    @pytest.mark.parametrize("intercept", [True, False])
    def test_logistic_regression(self, K, intercept):
        optional("sklearn")
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(fit_intercept=intercept).fit(X, np.arange(40) % K)
        net = fastnn.from_sklearn(model)
        np.testing.assert_allclose(net.predict_proba(X), model.predict_proba(X), atol=2e-6)

    def test_refuses_what_it_cannot_take(self):
        optional("sklearn")
        from sklearn.neural_network import MLPClassifier
        from sklearn.tree import DecisionTreeClassifier

        with pytest.raises(NotBuiltError, match="fit first"):
            fastnn.from_sklearn(MLPClassifier())
        with pytest.raises(SettingError, match="DecisionTreeClassifier"):
            fastnn.from_sklearn(DecisionTreeClassifier())


class TestTorch:
    @pytest.mark.parametrize("kind", kinds())
    def test_handed_on(self, kind):
        torch = optional("torch")
        net = moved(kinds()[kind])
        module = net.to_torch()
        with torch.no_grad():
            found = module(torch.from_numpy(X)).numpy()
        np.testing.assert_allclose(found, net.activations(X)[-1], rtol=2e-5, atol=2e-6)

    @pytest.mark.parametrize("kind", kinds())
    def test_there_and_back(self, kind):
        optional("torch")
        net = moved(kinds("float64")[kind])
        back = fastnn.from_torch(net.to_torch())
        assert back.dtype == "float64"
        np.testing.assert_allclose(back.activations(X)[-1], net.activations(X)[-1], rtol=1e-12)

    def models(self, torch):
        nn = torch.nn
        torch.manual_seed(0)
        yield nn.Sequential(
            nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3), nn.Softmax(1)
        )
        inner = nn.Sequential(
            nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5, affine=False), nn.SiLU()
        )
        yield nn.Sequential(inner, nn.Dropout(0.2), nn.Linear(5, 1), nn.Sigmoid())
        for g in (
            nn.Tanh,
            nn.Sigmoid,
            nn.GELU,
            nn.ELU,
            nn.LeakyReLU,
            nn.Softplus,
            nn.SELU,
            nn.Mish,
        ):
            yield nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 5), g(), nn.Linear(5, 2))

    def test_taken_over(self):
        torch = optional("torch")
        for model in self.models(torch):
            model(torch.from_numpy(X))  # moves BatchNorm's averages
            with torch.no_grad():
                expected = model.eval()(torch.from_numpy(X)).numpy()
            found = fastnn.from_torch(model).activations(X)[-1]
            np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)

    def test_state_dict(self):
        torch = optional("torch")
        nn = torch.nn
        model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3))
        model(torch.from_numpy(X))
        with torch.no_grad():
            expected = model.eval()(torch.from_numpy(X)).softmax(1).numpy()
        net = fastnn.from_torch(model.state_dict(), hidden="tanh", output="softmax")
        np.testing.assert_allclose(net.predict_proba(X), expected, rtol=2e-5, atol=2e-6)
        with pytest.raises(SettingError, match="hidden="):
            fastnn.from_torch(model.state_dict())

    def test_unsupported_layers_are_named(self):
        nn = optional("torch").nn
        for layer, named in (
            (nn.Conv1d(1, 1, 3), "Conv1d.*'1'"),
            (nn.LeakyReLU(0.2), "negative_slope"),
            (nn.GELU(approximate="tanh"), "approximate"),
        ):
            with pytest.raises(SettingError, match=named):
                fastnn.from_torch(nn.Sequential(nn.Linear(6, 5), layer))
        with pytest.raises(SettingError, match="Bilinear"):
            fastnn.from_torch(nn.Bilinear(2, 2, 1))


class Fake:
    """A Keras layer as far as it is read: its settings are attributes, its class is Keras's."""

    def __init__(self, *arrays, **settings):
        self.arrays = arrays
        vars(self).update(settings)

    def get_weights(self):
        return list(self.arrays)


def layer(kind, *weights, **settings):
    return type(kind, (Fake,), {"__module__": "keras.src.layers.core"})(*weights, **settings)


def function(name):
    """A function of that name as `keras.activations` has it."""

    def found(x):
        return x

    found.__name__, found.__module__ = name, "keras.src.activations.activations"
    return found


class TestKeras:
    W1, b1, W2, b2 = (RNG.normal(size=s).astype(np.float32) for s in ((6, 5), 5, (5, 3), 3))

    def test_list_of_weights(self):
        net = fastnn.from_keras(
            [self.W1, self.b1, self.W2, self.b2], activations=["tanh", "linear"]
        )
        expected = np.tanh(X @ self.W1 + self.b1) @ self.W2 + self.b2
        np.testing.assert_allclose(net.predict(X), expected, rtol=1e-5, atol=1e-5)

    def test_model(self):
        gamma, beta, mean, variance = RNG.uniform(0.5, 1.5, (4, 5)).astype(np.float32)
        norm = {"epsilon": 1e-3, "momentum": 0.99, "scale": True, "center": True}
        layers = [
            layer("InputLayer"),
            layer("Dense", self.W1, activation=function("linear"), use_bias=False, name="first"),
            layer("BatchNormalization", gamma, beta, mean, variance, **norm),
            layer("ReLU"),
            layer("Dropout", rate=0.2),
            layer("Dense", self.W2, self.b2, activation=function("softmax"), use_bias=True),
        ]
        kind = type("Sequential", (Fake,), {"__module__": "keras.src.models.sequential"})
        model = kind(layers=layers)
        A = np.maximum((X @ self.W1 - mean) / np.sqrt(variance + 1e-3) * gamma + beta, 0)
        e = np.exp(A @ self.W2 + self.b2)
        found = fastnn.from_keras(model).predict_proba(X)
        np.testing.assert_allclose(found, e / e.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
        model.layers.insert(1, layer("Conv2D", name="eye"))
        with pytest.raises(SettingError, match="Conv2D 'eye'"):
            fastnn.from_keras(model)

    def test_refuses_what_does_not_fit(self):
        weights = [self.W1, self.b1, self.W2, self.b2]
        with pytest.raises(SettingError, match="one activation for each pair"):
            fastnn.from_keras(weights, activations=["relu"])
        with pytest.raises(SettingError, match="leaky_relu"):
            fastnn.from_keras(weights, activations=["leaky_relu", "softmax"])
        with pytest.raises(ShapeError, match="layer 2 takes 3 inputs"):
            fastnn.from_keras(
                [self.W1, self.b1, self.W2.T, self.b1], activations=["relu", "linear"]
            )
        with pytest.raises(DataError, match="finite"):
            fastnn.from_keras([self.W1 * np.nan, self.b1], activations=["linear"])

    @pytest.mark.parametrize("given", ["net.keras", Path("net.keras"), None, 3, Dense(2)])
    def test_what_is_neither_a_model_nor_its_weights(self, given):
        words = rf"takes a Keras model.*got {type(given).__name__}"
        with pytest.raises(SettingError, match=words):
            fastnn.from_keras(given)
