"""Networks: every kind has the right gradient on every backend and does what its page says."""

import pickle

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
    kernels,
    losses,
)
from fastnn.network import prediction
from fastnn.network.description import state_of

SIGMOID, SOFTMAX = Dense(1, "sigmoid"), Dense(3, "softmax")

#: Every kind of network that the layers allow, by what is special about it.
KINDS = {
    "logistic": ([SIGMOID], None),
    "softmax": ([SOFTMAX], None),
    "linear": ([Dense(2)], None),
    "deep": ([Dense(6, "tanh"), Dense(4, "relu"), Dense(3, "leaky_relu"), SIGMOID], None),
    "multi-label": ([Dense(4, "tanh"), Dense(3, "sigmoid")], None),
    "squared sigmoid": ([Dense(4, "tanh"), SIGMOID], "squared_error"),
    "squared softmax": ([Dense(4, "tanh"), SOFTMAX], "squared_error"),
    "tanh output": ([Dense(4, "sigmoid"), Dense(2, "tanh")], None),
    "no bias": ([Dense(4, "tanh", use_bias=False), Dense(3, "softmax", use_bias=False)], None),
    "activation layers": ([Dense(4), Activation("tanh"), Dense(1), Activation("sigmoid")], None),
    "activation first": ([Activation("tanh"), Dense(3, "relu"), SOFTMAX], None),
    "rescaled": ([Rescaling(0.5, 0.25), Dense(4, "tanh"), SIGMOID], None),
    "rescaled activation": ([Rescaling(2.0), Activation("tanh"), SIGMOID], None),
    "normalized": ([Normalization(), Dense(4, "tanh"), SIGMOID], None),
    "normalized whole": ([Normalization(per_feature=False), Dense(4, "tanh"), SOFTMAX], None),
    "batch norm": ([Dense(4), BatchNorm(), Activation("tanh"), SIGMOID], None),
    "batch norm first": ([BatchNorm(), Dense(4, "tanh"), BatchNorm(0.5, 1e-3), SOFTMAX], None),
    "dropout": ([Dense(8, "relu"), Dropout(0.4), Dense(5, "tanh"), Dropout(0.2), SIGMOID], None),
    "dropout first": ([Dropout(0.3), Dense(4, "tanh"), SIGMOID], None),
    "noise": ([GaussianNoise(0.3), Dense(4, "tanh"), GaussianNoise(0.1), SOFTMAX], None),
    "max norm": ([Dense(4, "tanh", max_norm=0.5), Dense(1, "sigmoid", max_norm=0.2)], None),
    "elu and selu": ([Dense(4, "elu"), Dense(3, "selu"), SIGMOID], None),
    "silu and gelu": ([Dense(4, "silu"), Dense(3, "gelu"), SIGMOID], None),
    "mish and softplus": ([Dense(4, "mish"), Dense(3, "softplus"), SIGMOID], None),
    "gelu layer": ([Activation("gelu"), Dense(4), Activation("mish"), SIGMOID], None),
    "absolute": ([Dense(4, "tanh"), Dense(2)], "absolute_error"),
    "huber": ([Dense(4, "tanh"), Dense(2)], losses.Huber(0.5)),
    "quantile": ([Dense(4, "tanh"), Dense(2)], losses.Quantile(0.8)),
    "poisson": ([Dense(4, "tanh"), Dense(2, "softplus")], "poisson"),
    "poisson by a log link": ([Dense(4, "tanh"), Dense(2, "exp")], "poisson"),
    "smooth labels": ([Dense(4, "tanh"), SOFTMAX], losses.CategoricalCrossEntropy(0.2)),
    "smooth bits": ([Dense(4, "tanh"), SIGMOID], losses.BinaryCrossEntropy(0.1)),
    "wide": ([Dense(37, "tanh"), Dense(18, "sigmoid"), SOFTMAX], None),
}


def data_for(net, m=11, n=5, seed=0):
    """X and y that fit the network."""
    rng = np.random.default_rng(seed)
    X = rng.normal(1, 2, (m, n))
    if net.loss == "categorical_cross_entropy":
        return X, rng.integers(0, net.outputs, m)
    if net.loss == "binary_cross_entropy":
        return X, rng.integers(0, 2, (m, net.outputs))
    if net.loss == "poisson":
        return X, rng.poisson(2, (m, net.outputs))
    return X, rng.normal(size=(m, net.outputs))


def built(kind, **settings):
    """A network of that kind, its scaling learnt, and its data."""
    layers, loss = KINDS[kind]
    net = Network(layers, loss=loss, **{"dtype": "float64", "seed": 3, **settings})
    X, y = data_for(net)
    net.fit(X, y, epochs=0, progress=False)
    for name, value in net.parameters.items():
        if name.startswith(("b", "gamma")):
            value[...] = np.linspace(-0.3, 0.4, value.size)
    return net, X, y


@pytest.mark.parametrize("kind", KINDS)
class TestGradients:
    @pytest.mark.medium
    def test_central_differences(self, kind):
        """(J(θ+ε) − J(θ−ε)) / 2ε of every parameter, in float64, with weights, L2 and L1."""
        net, X, y = built(kind)
        w = np.linspace(0, 2, len(X))
        terms, gradients = {"l2": 0.3, "l1": 0.1, "sample_weight": w}, {}
        for backend in kernels.BACKENDS:
            with fastnn.backend(backend):
                _, gradients[backend] = net.cost_and_gradients(X, y, **terms)
        with fastnn.backend("vectorized"):
            for name, values in net.parameters.items():
                slopes = np.empty_like(values)
                for i in np.ndindex(values.shape):
                    kept, costs = values[i], []
                    for step in (1e-6, -1e-6):
                        values[i] = kept + step
                        costs.append(net.cost_and_gradients(X, y, **terms)[0])
                    values[i] = kept
                    slopes[i] = (costs[0] - costs[1]) / 2e-6
                for backend, found in gradients.items():
                    where = f"{name} on {backend}"
                    np.testing.assert_allclose(found[name], slopes, 1e-5, 1e-8, err_msg=where)

    @pytest.mark.parametrize("backend", ["vectorized", "jitted"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_backends_agree(self, kind, backend, dtype):
        bound = 3e-5 if dtype == "float32" else 1e-11
        net, X, y = built(kind, dtype=dtype)
        cost, gradients = {}, {}
        for name in ("loops", backend):
            with fastnn.backend(name):
                cost[name], gradients[name] = net.cost_and_gradients(X, y, l2=0.3, l1=0.1)
        assert cost[backend] == pytest.approx(cost["loops"], rel=bound)
        for name, values in gradients["loops"].items():
            np.testing.assert_allclose(gradients[backend][name], values, rtol=bound, atol=bound)


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("optimizer", [fastnn.GradientDescent(0.1), fastnn.Adam(0.02)], ids=repr)
def test_backends_train_alike(kind, optimizer):
    """Mini-batches, shuffles, weights, validation: the same parameters and history everywhere."""
    results = {}
    for backend in kernels.BACKENDS:
        with fastnn.backend(backend):
            net, X, y = built(kind)
            history = net.fit(
                X, y, epochs=3, batch_size=4, optimizer=optimizer, l2=0.1, l1=0.01,
                sample_weight=np.linspace(0, 2, len(X)), validation_data=(X[:7], y[:7]),
                progress=False,
            )  # fmt: skip
            results[backend] = net, history
    net, history = results.pop("loops")
    for other, curves in results.values():
        np.testing.assert_allclose(other.program.theta, net.program.theta, rtol=1e-9, atol=1e-11)
        assert set(curves) == set(history)
        for name in history:
            np.testing.assert_allclose(curves[name], history[name], rtol=1e-9)
            assert history[name].shape == (3,)


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_activations_are_the_layers_outputs(kind, backend):
    net, X, _ = built(kind)
    with fastnn.backend(backend):
        outputs = net.activations(X)
        last = net.predict_proba(X) if "cross" in net.loss else prediction.outputs(state_of(net), X)
    assert len(outputs) == len(net.layers)
    if last.shape != outputs[-1].shape:  # one sigmoid shows both classes
        last = last[:, 1:]
    np.testing.assert_allclose(outputs[-1], last, rtol=1e-12)
    with fastnn.backend("loops"):
        for found, expected in zip(outputs, net.activations(X), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.medium
@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int64", "int16", "bool"])
@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
def test_inputs_of_any_dtype_and_order(backend, dtype, order):
    rng = np.random.default_rng(1)
    X = rng.integers(0, 2 if dtype == "bool" else 200, (40, 70)).astype(dtype)
    laid = {
        "C": X, "F": np.asfortranarray(X), "strided": np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3],
        "reversed": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    }[order]  # fmt: skip
    laid.flags.writeable = False
    layers = [Normalization(), Dense(4, "tanh"), Dense(1, "sigmoid")]
    net = Network(layers, dtype="float64")
    y = rng.integers(0, 2, 40)
    with fastnn.backend(backend):
        net.fit(laid, y, epochs=1 if backend == "loops" else 2, batch_size=16, progress=False)
        found = net.predict_proba(laid)
    with fastnn.backend("vectorized"):
        expected = net.predict_proba(X.astype("float64"))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


class TestPredict:
    def test_one_sigmoid(self):
        net = Network.mlp([2, 1], output="sigmoid", dtype="float64", init="zeros")
        X = np.array([[1.0, 0], [-1, 0], [0, 0]])
        net.parameters["W1"] = [[3.0], [0]]
        p = 1 / (1 + np.exp(-3))
        np.testing.assert_allclose(net.predict_proba(X), [[1 - p, p], [p, 1 - p], [0.5, 0.5]])
        labels = net.predict(X)
        np.testing.assert_array_equal(labels, [1, 0, 0])  # strictly above one half
        assert labels.dtype == np.int64

    @pytest.mark.medium
    def test_softmax(self):
        net = Network.mlp([2, 3], output="softmax", init="zeros")
        net.parameters["W1"] = [[0, 1, 2], [3.0, 0, 0]]
        X = np.array([[1.0, 0], [0, 1]])
        np.testing.assert_array_equal(net.predict(X), [2, 0])
        np.testing.assert_allclose(net.predict_proba(X).sum(axis=1), 1, rtol=1e-6)

    def test_many_sigmoids(self):
        net = Network.mlp([1, 2], output="sigmoid", init="zeros")
        net.parameters["W1"] = [[5.0, -5.0]]
        np.testing.assert_array_equal(net.predict([[1.0], [-1.0]]), [[1, 0], [0, 1]])
        assert net.predict_proba([[1.0]]).shape == (1, 2)

    def test_values(self):
        net = Network.mlp([1, 1], output="identity", init="zeros")
        net.parameters["W1"], net.parameters["b1"] = [[2.0]], [1.0]
        np.testing.assert_allclose(net.predict([[3.0], [4]]), [7, 9])
        two = Network.mlp([1, 2], output="identity")
        assert two.predict([[3.0]]).shape == (1, 2)
        with pytest.raises(fastnn.errors.SettingError, match="no probabilities"):
            two.predict_proba([[3.0]])


class TestDescription:
    def test_mlp_is_built_at_once(self):
        net = Network.mlp([4, 3, 2], output="softmax", rescale=1 / 16)
        assert net.inputs == 4
        assert {n: v.shape for n, v in net.parameters.items()} == {
            "W1": (4, 3), "b1": (3,), "W2": (3, 2), "b2": (2,)
        }  # fmt: skip
        assert net.layers[0] == Rescaling(1 / 16)

    def test_one_activation_for_each_hidden_layer(self):
        net = Network.mlp([4, 3, 2, 1], output="sigmoid", hidden=["tanh", "relu"])
        assert [layer.activation for layer in net.layers] == ["tanh", "relu", "sigmoid"]
        with pytest.raises(fastnn.errors.SettingError, match="one activation or 2"):
            Network.mlp([4, 3, 2, 1], output="sigmoid", hidden=["tanh"])

    def test_vectors_are_aligned_and_weights_come_first(self):
        program = Network.mlp([5, 3, 2], output="softmax").program
        assert program.theta.__array_interface__["data"][0] % 64 == 0
        assert program.n_decayed % 16 == 0
        assert all(op["b"] >= program.n_decayed for op in program.ops if op["kind"] == 1)

    @pytest.mark.medium
    def test_padding_stays_zero(self):
        net = Network.mlp([5, 3, 2], output="softmax")
        X, y = data_for(net)
        net.fit(X, y, epochs=5, l2=0.1, progress=False)
        inside = np.zeros(net.program.theta.size, bool)
        for op in net.program.ops:
            if op["kind"] == 1:
                inside[op["W"] : op["W"] + op["n_in"] * op["n_out"]] = True
                inside[op["b"] : op["b"] + op["n_out"]] = True
        assert not net.program.theta[~inside].any()
        assert net.program.theta[inside].all()

    def test_parameters_are_views_and_assignment_copies(self):
        net = Network.mlp([2, 1], output="sigmoid")
        W = net.parameters["W1"]
        W[...] = 7
        assert (net.parameters["W1"] == 7).all()
        net.parameters["W1"] = [[1], [2]]
        np.testing.assert_array_equal(W, [[1], [2]])
        with pytest.raises(TypeError, match="cannot be deleted"):
            del net.parameters["W1"]

    def test_set_parameters_is_all_or_nothing(self):
        net = Network.mlp([2, 1], output="sigmoid")
        before = net.program.theta.copy()
        wrong = {"W1": np.ones((2, 1)), "b1": np.ones(2)}
        with pytest.raises(fastnn.errors.ShapeError, match="b1"):
            net.set_parameters(wrong)
        np.testing.assert_array_equal(net.program.theta, before)
        net.set_parameters({"W1": [[1.0], [2.0]], "b1": [3.0]})
        assert net.parameters["b1"] == 3

    def test_reset_draws_the_same_weights(self):
        net = Network.mlp([4, 3, 1], output="sigmoid", seed=5)
        first = net.program.theta.copy()
        X, y = data_for(net, n=4)
        net.fit(X, y, epochs=2, progress=False)
        assert (net.program.theta != first).any()
        net.reset()
        np.testing.assert_array_equal(net.program.theta, first)
        assert net.history.epochs == 0

    def test_seeds_and_layers_draw_different_weights(self):
        one, two = (Network.mlp([4, 4, 4], output="softmax", seed=s) for s in (0, 1))
        assert (one.parameters["W1"] != two.parameters["W1"]).all()
        assert (one.parameters["W1"] != one.parameters["W2"]).all()

    @pytest.mark.parametrize("clone", [Network.copy, lambda n: pickle.loads(pickle.dumps(n))])
    def test_copies_are_whole_and_independent(self, clone):
        net, X, y = built("normalized")
        net.fit(X, y, epochs=2, progress=False)
        other = clone(net)
        for each in (net, other):
            each.fit(X, y, epochs=2, progress=False)
        np.testing.assert_array_equal(other.program.theta, net.program.theta)
        assert other.history.epochs == net.history.epochs == 4
        other.parameters["W1"][...] = 0
        assert net.parameters["W1"].any()

    def test_repr_and_summary(self):
        net = Network([Rescaling(0.5), Dense(3, "relu", name="first"), Dense(1, "sigmoid")])
        assert "Dense(3, activation='relu', name='first')" in repr(net)
        assert "?" in net.summary()
        net.build(4)
        text = repr(net.summary())
        assert "19 parameters" in text
        assert "'first'" in text
        assert "(m, 3)" in text
        assert "inputs=4" in repr(net)


class TestInitialisers:
    N = 400

    def weights(self, init):
        return Network.mlp([self.N, 300], output="identity", init=init, seed=1).parameters["W1"]

    @pytest.mark.parametrize(
        ("init", "deviation"),
        [
            ("small", 0.01), ("random", 1), ("xavier", N**-0.5), ("lecun", N**-0.5),
            ("he", (2 / N) ** 0.5), ("glorot", (2 / (N + 300)) ** 0.5),
            (fastnn.initializers.Random(scale=10), 10),
        ],
    )  # fmt: skip
    def test_deviation(self, init, deviation):
        W = self.weights(init)
        assert W.std() == pytest.approx(deviation, rel=0.02)
        assert abs(W.mean()) < 4 * deviation / np.sqrt(W.size)

    def test_zeros_and_biases(self):
        net = Network.mlp([4, 3], output="identity", init="zeros")
        assert not net.program.theta.any()

    def test_glorot_is_bounded(self):
        assert np.abs(self.weights("glorot")).max() <= (6 / (self.N + 300)) ** 0.5

    @pytest.mark.parametrize("sizes", [(5, 9), (9, 5), (6, 6)])
    def test_orthogonal(self, sizes):
        net = Network.mlp(list(sizes), output="identity", init="orthogonal", dtype="float64")
        W = net.parameters["W1"]
        square = W @ W.T if sizes[0] < sizes[1] else W.T @ W
        np.testing.assert_allclose(square, np.eye(min(sizes)), atol=1e-12)

    def test_layers_may_have_their_own(self):
        net = Network([Dense(3, init="zeros"), Dense(2)], inputs=4)
        assert not net.parameters["W1"].any()
        assert net.parameters["W2"].all()


@pytest.mark.medium
@pytest.mark.parametrize("m", [1, 31, 32, 33, 511, 512, 513, 1100])
@pytest.mark.parametrize(("n", "units"), [(1, 1), (31, 15), (32, 16), (33, 17), (70, 40)])
def test_edges_of_blocks(m, n, units):
    """Gradients, predictions and scores at the edges of the compiled blocks, against NumPy."""
    layers = [Normalization(), Dense(units, "tanh"), Dense(units, "relu"), Dense(3, "softmax")]
    net = Network(layers, inputs=n, dtype="float64")
    X, y = data_for(net, m, n)
    net.fit(X, y, epochs=0, progress=False)
    results = {}
    for backend in ("vectorized", "jitted"):
        with fastnn.backend(backend):
            cost, gradients = net.cost_and_gradients(X, y)
            results[backend] = [
                cost,
                *gradients.values(),
                net.predict_proba(X),
                *net.activations(X),
            ]
            results[backend] += net.evaluate(X, y).values()
    for found, expected in zip(results["jitted"], results["vectorized"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
