"""precision="mixed": what is rounded in a whole network, what is not, and what is refused."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from builders import sparse

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Ensemble,
    Network,
    check_gradients,
    data,
    kernels,
)
from fastnn.callbacks._settings import settings_of
from fastnn.errors import DivergenceError, ModelFileError, SettingError
from fastnn.network.description import state_of

BACKENDS = ("loops", "vectorized", *(["jitted"] if kernels.get("jitted").available else []))


@pytest.fixture(params=BACKENDS)
def backend(request):
    with fastnn.backend(request.param):
        yield request.param


def nearest(x):
    """Round by the definition of bfloat16: eight significant bits, ties to even, in float64."""
    fraction, exponent = np.frexp(np.asarray(x, np.float64))
    return np.ldexp(np.rint(fraction * 2**8), exponent - 8)


def grid(rng, shape, low, bits):
    """Numbers from `low` to below 2 `low` on a grid of that many bits, of either sign."""
    return rng.choice([-1, 1], shape) * low * (1 + rng.integers(0, 2**bits, shape) / 2**bits)


def exact_problem(m, n, units, shrink):
    """A network n → units → 1 and examples whose sums float32 holds exactly, in any order.

    Its numbers have 10 to 13 significant bits, so that rounding changes them. The first feature
    alone decides whether a unit of relu is in [64, 104] or not above 0, so r(A) is a multiple of ½.
    """
    rng = np.random.default_rng(n)
    X = grid(rng, (m, n), shrink, 9)
    W1, W2 = grid(rng, (n, units), 1, 10), grid(rng, (units, 1), 1, 10)
    X[:, 0], W1[0] = rng.choice([-1, 1], m), rng.choice([-52, 52], units)
    b1, b2 = np.full(units, 32.0), np.array([0.5])
    A = np.maximum(nearest(X) @ nearest(W1) + b1, 0)
    assert 64 <= A[A > 0].min() <= A.max() <= 104
    output = nearest(A) @ nearest(W2) + b2
    y = output - grid(rng, (m, 1), 1, 10)
    return X, y, {"W1": W1, "b1": b1, "W2": W2, "b2": b2}


def gradient_of(X, y, p):
    """The gradient of ½(ŷ − y)², by the formulas, in float64; b by unrounded dZ."""
    Z = nearest(X) @ nearest(p["W1"]) + p["b1"]
    A = np.maximum(Z, 0)
    dZ2 = (nearest(A) @ nearest(p["W2"]) + p["b2"] - y) / len(X)
    dZ1 = nearest(dZ2) @ nearest(p["W2"]).T * (Z > 0)
    return {
        "W1": nearest(X).T @ nearest(dZ1), "b1": dZ1.sum(0),
        "W2": nearest(A).T @ nearest(dZ2), "b2": dZ2.sum(0),
    }  # fmt: skip


SIZES = {"small": (8, 6, 5, 1.0), "large": (64, 20, 48, 0.25)}


@pytest.mark.medium
@pytest.mark.parametrize("size", SIZES)
def test_gradients_are_those_of_rounded_products(backend, size):
    X, y, parameters = exact_problem(*SIZES[size])
    net = Network.mlp([X.shape[1], len(parameters["b1"]), 1], output="identity", precision="mixed")
    net.set_parameters(parameters)
    cost, found = net.cost_and_gradients(X.astype(np.float32), y)
    wanted = gradient_of(X, y, parameters)
    for name, gradient in wanted.items():
        np.testing.assert_array_equal(found[name], gradient, err_msg=name)
    values = nearest(np.maximum(nearest(X) @ nearest(parameters["W1"]) + parameters["b1"], 0))
    values = values @ nearest(parameters["W2"]) + parameters["b2"]
    np.testing.assert_array_equal(net.predict(X.astype(np.float32)), values[:, 0])
    np.testing.assert_array_equal(net.predict(X[:1].astype(np.float32)), values[0])
    mean = ((values - y) ** 2).mean() / 2
    assert cost == pytest.approx(mean, rel=1e-6)
    assert net.evaluate(X, y)["cost"] == pytest.approx(mean, rel=1e-6)


def problem(m=60, n=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def small(hidden="tanh", **settings):
    return Network.mlp(
        [6, 8, 1], **{"output": "sigmoid", "hidden": hidden, "precision": "mixed"} | settings
    )


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "loops"])
@pytest.mark.parametrize("activation", fastnn.activations.NAMES[1:5] + fastnn.activations.NAMES[6:])
def test_backends_agree(name, activation):
    """Within 2⁻⁷ of the largest entry: where a sum of A differs in its last bit, r(A) may jump."""
    X, y = problem()
    found = {}
    for each in ("loops", name):
        net = small(activation) if activation != "exp" else small(output="exp", loss="poisson")
        with fastnn.backend(each):
            found[each] = net.cost_and_gradients(X, y, l2=0.1)
    (cost, gradients), (other, others) = found.values()
    assert other == pytest.approx(cost, rel=2**-9)
    for key, gradient in gradients.items():
        np.testing.assert_allclose(others[key], gradient, rtol=0, atol=2**-7 * abs(gradient).max())


def test_what_else_is_float32(backend):
    """The penalty, BatchNorm and the parameters round nothing."""
    X, y = problem()
    net = small()
    bare, with_l2 = (net.cost_and_gradients(X, y, l2=l2)[1] for l2 in (0, 60.0))
    W = net.parameters["W1"]
    np.testing.assert_allclose(with_l2["W1"] - bare["W1"], W, atol=1e-6)
    assert (nearest(W) != W).any()
    net.fit(X, y, epochs=1, progress=False)
    assert (nearest(W) != W).any()


def test_batchnorm_is_not_folded_into_rounded_weights(backend):
    X, y = problem()
    net = Network([Dense(5), BatchNorm(), Activation("tanh"), Dense(1)], precision="mixed")
    net.fit(X, y, epochs=1, progress=False)
    hidden = net.activations(X)
    p, state = net.parameters, net.program.state
    Z = nearest(X) @ nearest(p["W1"]) + p["b1"]
    mean, variance = state[:5], state[5:10]
    epsilon = net.layers[1].epsilon
    A = np.tanh((Z - mean) / np.sqrt(variance + epsilon) * p["gamma1"] + p["beta1"])
    np.testing.assert_allclose(hidden[2], A, atol=1e-5)
    np.testing.assert_allclose(net.predict(X), hidden[-1][:, 0], atol=1e-5)


def test_numbers_beyond_bfloat16_become_infinite(backend):
    """3.4e38 is a float32 number, and rounds beyond the largest bfloat16, 3.39e38."""
    net = Network([Dense(1, use_bias=False)], inputs=1, precision="mixed")
    net.set_parameters({"W1": [[0.5]]})
    largest = float(np.finfo(np.float32).max)
    assert np.isinf(net.predict(np.array([[largest], [1.0]], np.float32))).tolist() == [True, False]
    with pytest.raises(DivergenceError, match="layer"):
        net.fit(np.full((4, 1), largest, np.float32), np.zeros(4), epochs=1, progress=False)
    assert net.parameters["W1"][0, 0] == 0.5


@pytest.mark.medium
def test_it_learns():
    X, y = data.circles(60, seed=1)
    nets = [Network.mlp([2, 8, 1], output="sigmoid", precision=p) for p in ("mixed", "float32")]
    with fastnn.backend(BACKENDS[-1]):
        for net in nets:
            net.fit(X, y, epochs=15, batch_size=16, optimizer=fastnn.Adam(0.03), progress=False)
        one, other = (net.evaluate(X, y) for net in nets)
    assert one["cost"] == pytest.approx(other["cost"], rel=0.05)
    assert one["cost"] != other["cost"]


class TestDescription:
    def test_copies_and_pickles(self, backend):
        X = problem(20)[0]
        net = small()
        for other in (net.copy(), copy.copy(net), pickle.loads(pickle.dumps(net))):
            assert other.precision == "mixed"
            np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))

    def test_files_say_the_precision(self, tmp_path):
        for precision in ("mixed", "float32"):
            path = tmp_path / f"{precision}.safetensors"
            small(precision=precision).save(path)
            assert (b"precision" in path.read_bytes()) == (precision == "mixed")
            assert fastnn.load(path).precision == precision

    def test_a_file_of_another_precision_is_refused(self, tmp_path):
        path = tmp_path / "net.safetensors"
        net = small()
        state_of(net).precision = "mixes"
        net.save(path)
        with pytest.raises(ModelFileError, match="precision"):
            fastnn.load(path)

    def test_pickles_of_before_are_float32(self):
        state = state_of(small(precision="float32"))
        del state.__dict__["precision"]
        assert pickle.loads(pickle.dumps(state)).precision == "float32"

    def test_it_says_what_it_is(self):
        net = small()
        assert net.precision == "mixed"
        assert "float32, products of bfloat16" in str(net.summary())
        assert "precision='mixed'" in repr(net)
        assert settings_of(net, {})["precision"] == "mixed"
        assert small(precision="float32").precision == "float32"
        assert Network([Dense(1)], dtype="float64").precision == "float64"
        assert "precision" not in repr(small(precision="float32"))

    @pytest.mark.parametrize("value", ["bf16", "float64", None, True, 16, ["mixed"]])
    def test_other_values_are_refused(self, value):
        with pytest.raises(SettingError, match="precision must be 'float32' or 'mixed'"):
            Network([Dense(1)], precision=value)

    def test_float64_is_refused(self):
        with pytest.raises(SettingError, match="dtype is float64; give dtype='float32'"):
            Network([Dense(1)], dtype="float64", precision="mixed")
        net = Network([Dense(1)], dtype="float64")
        assert Network([Dense(1)], dtype="float64", precision=net.precision).precision == "float64"

    def test_lbfgs_is_refused(self):
        X, y = problem()
        net = small()
        before = net.program.theta.copy()
        with pytest.raises(SettingError, match=r"LBFGS .* take Adam"):
            net.fit(X, y, optimizer=fastnn.LBFGS(), progress=False)
        np.testing.assert_array_equal(net.program.theta, before)


class TestBesideOtherThings:
    @pytest.mark.medium
    def test_gradient_checks_are_of_the_unrounded_formulas(self):
        X, y = problem(5)
        net = small()
        with fastnn.backend("vectorized"):
            assert check_gradients(net, X, y).passed
        assert net.precision == "mixed"

    def test_sparse_rows_are_those_of_dense_ones(self, backend):
        X, y = problem(30)
        X[abs(X) < 1.2] = 0
        found = []
        for given in (X, sparse(X)):
            net = small()
            net.fit(given, y, epochs=2, batch_size=10, progress=False)
            found.append(net.predict_proba(given))
        np.testing.assert_allclose(*found, atol=2**-9)

    def test_bytes_are_scaled_and_then_rounded(self, backend):
        rng = np.random.default_rng(3)
        X = rng.integers(0, 256, (9, 70), np.uint8)
        net = Network.mlp([70, 3], output="identity", rescale=1 / 255, precision="mixed")
        W = net.parameters["W1"]
        wanted = nearest(X.astype(np.float32) * np.float32(1 / 255)) @ nearest(W)
        np.testing.assert_allclose(net.predict(X), wanted, atol=1e-5)

    @pytest.mark.medium
    def test_custom_functions_are_of_float32_numbers(self, backend):
        X, y = problem(30)
        fastnn.activations.register("mixed_cube", lambda z: z**3 / 9, lambda z: z**2 / 3)
        fastnn.losses.register(
            "mixed_quartic", lambda a, y: (a - y) ** 4, lambda a, y: 4 * (a - y) ** 3,
            compiled=False,
        )  # fmt: skip
        settings = {"output": "identity", "loss": "mixed_quartic"}
        net, twin = (small("mixed_cube", precision=p, **settings) for p in ("mixed", "float32"))
        cost, gradients = net.cost_and_gradients(X, y)
        other, others = twin.cost_and_gradients(X, y)
        assert cost != other
        assert cost == pytest.approx(other, rel=0.02)
        for name, gradient in others.items():
            bound = 0.05 * abs(gradient).max()
            np.testing.assert_allclose(gradients[name], gradient, rtol=0, atol=bound)

    @pytest.mark.medium
    def test_many_networks_and_ensembles(self, backend, tmp_path):
        X, y = problem(30)
        nets, alone = ([small(seed=seed) for seed in (1, 2)] for _ in range(2))
        fastnn.fit_many(nets, X, y, epochs=2, batch_size=10, progress=False)
        for net, other in zip(nets, alone, strict=True):
            other.fit(X, y, epochs=2, batch_size=10, progress=False)
            np.testing.assert_array_equal(net.program.theta, other.program.theta)
        ensemble = Ensemble(nets)
        ensemble.save(tmp_path / "all.safetensors")
        again = fastnn.load(tmp_path / "all.safetensors")
        assert [net.precision for net in again.networks] == ["mixed", "mixed"]
        np.testing.assert_array_equal(again.predict_proba(X), ensemble.predict_proba(X))

    @pytest.mark.medium
    def test_windows_are_fits_in_memory(self, backend, tmp_path):
        h5py = pytest.importorskip("h5py")
        X, y = problem(24)
        with h5py.File(tmp_path / "rows.h5", "w") as file:
            file["X"], file["y"] = X, y
        nets = small(), small()
        settings = {"epochs": 2, "batch_size": 4, "shuffle": False, "progress": False}
        nets[0].fit(X, y, **settings)
        with h5py.File(tmp_path / "rows.h5") as file:
            nets[1].fit(file["X"], file["y"], window=16 * 24, **settings)
            np.testing.assert_array_equal(
                nets[1].predict_proba(file["X"], window=16 * 24)[:, 1] > 0.5,
                nets[0].predict(X) == 1,
            )
        np.testing.assert_array_equal(nets[1].program.theta, nets[0].program.theta)

    @pytest.mark.medium
    def test_shards_add_up(self, backend):
        X, y = problem(40)
        nets = small(), small()
        for net in nets:
            net.fit(X, y, epochs=2, batch_size=20, shards=2, progress=False)
        whole = small()
        whole.fit(X, y, epochs=2, batch_size=20, progress=False)
        np.testing.assert_array_equal(nets[0].program.theta, nets[1].program.theta)
        np.testing.assert_allclose(nets[0].program.theta, whole.program.theta, atol=2e-3)

    @pytest.mark.medium
    def test_exports_are_float32(self, tmp_path):
        onnx = pytest.importorskip("onnx")
        reference = pytest.importorskip("onnx.reference")
        X, _ = problem(20)
        net, twin = small(), small(precision="float32")
        net.to_onnx(tmp_path / "net.onnx")
        model = onnx.load(tmp_path / "net.onnx")
        kinds = {t.data_type for t in model.graph.initializer}
        assert onnx.TensorProto.BFLOAT16 not in kinds
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session = reference.ReferenceEvaluator(model)
            found = session.run(None, {session.input_names[0]: X})
        exact = twin.predict_proba(X)  # of unrounded products
        values = next(np.asarray(f) for f in found if np.asarray(f).dtype.kind == "f")
        np.testing.assert_allclose(values.reshape(20, -1)[:, -1], exact[:, -1], atol=1e-5)
