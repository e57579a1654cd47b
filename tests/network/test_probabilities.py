"""Probabilities of both classes and their logarithms come from the logit: no complement is rounded.

In float32, 1 − σ(17) is 0 where σ(−17) is 4.1e-8.
"""

import warnings
from decimal import Decimal, localcontext

import numpy as np
import pytest
from fastnn.kernels.jitted.codegen import elementary

import fastnn
from fastnn import Activation, BatchNorm, Dense, Network, kernels
from fastnn.errors import SettingError
from fastnn.network import prediction
from fastnn.network.description import state_of

jitted = kernels.get("jitted")

#: One sigmoid: its row of the op table stands apart, or with the weights, or behind a BatchNorm.
LAYERS = {
    "cross-entropy": ([Dense(1, "sigmoid")], None),
    "squared error": ([Dense(1, "sigmoid")], "squared_error"),
    "apart": ([Dense(1), Activation("sigmoid")], "squared_error"),
}
ULP = max(elementary.MAX_ULP["sigmoid"])


def passing(kind, dtype):
    """A network whose logit is its input."""
    layers, loss = LAYERS[kind]
    net = Network(layers, inputs=1, loss=loss, dtype=dtype)
    net.parameters["W1"] = [[1.0]]
    return net


def logits(dtype):
    """Numbers from which σ goes to 0 and 1, through the dtype's subnormal numbers and beyond."""
    end = 110 if dtype == "float32" else 760
    near = np.array([0, 1e-9, 1e-3, 17, 20, 37, 40, 80, 104.5])
    found = np.concatenate([near, np.linspace(0.5, end, 25)]).astype(dtype)
    return np.concatenate([-found, found])[:, None]


def errors(found, expected, dtype):
    """Distances of numbers from exact ones, in units in the last place of those."""
    units = np.spacing(np.array([float(e) for e in expected], dtype))
    floor = np.finfo(dtype).smallest_subnormal
    return [
        float(abs(Decimal(float(a)) - e) / Decimal(float(max(abs(u), floor))))
        for a, e, u in zip(found, expected, units, strict=True)
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", LAYERS)
class TestBothClasses:
    def test_are_exact_to_the_last_digits(self, backend, kind, dtype):
        """Below the normal numbers, to the last digits that are left: 0 only where all round."""
        Z = logits(dtype)
        P = passing(kind, dtype).predict_proba(Z)
        assert P.dtype == dtype
        with localcontext(prec=60):
            for column, sign in ((0, 1), (1, -1)):
                exact = [1 / (1 + (sign * Decimal(float(z))).exp()) for z in Z[:, 0]]
                assert max(errors(P[:, column], exact, dtype)) <= ULP

    def test_are_mirrored(self, backend, kind, dtype):
        net, Z = passing(kind, dtype), logits(dtype)
        P = net.predict_proba(Z)
        np.testing.assert_array_equal(P[:, ::-1], net.predict_proba(-Z))
        np.testing.assert_array_equal(P[:, 1:], prediction.outputs(state_of(net), Z))
        np.testing.assert_array_equal(net.predict(Z), P.argmax(axis=1))

    def test_of_rows_alone(self, backend, kind, dtype):
        net, Z = passing(kind, dtype), logits(dtype)
        alone = np.vstack([net.predict_proba(z[None]) for z in Z])
        np.testing.assert_array_equal(alone, net.predict_proba(Z))
        for z, p in zip(Z, alone, strict=True):  # in turns with labels, which come the same way
            assert net.predict(z[None]) == p.argmax()


def test_through_a_batch_norm_that_is_folded(backend):
    net = Network([Dense(1), BatchNorm(), Activation("sigmoid")], inputs=1, dtype="float64")
    net.parameters["W1"] = [[1.0]]
    Z = logits("float32").astype("float64")
    P, scaled = net.predict_proba(Z), Z[:, 0] / np.sqrt(1 + net.layers[1].epsilon)
    np.testing.assert_allclose(P[:, 0], 1 / (1 + np.exp(scaled)), rtol=1e-12)
    logs = prediction.log_probabilities(state_of(net), Z)
    np.testing.assert_allclose(logs[:, 0], -np.logaddexp(0, scaled), rtol=1e-12)


@pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_at_any_number_of_threads(monkeypatch, dtype):
    monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
    X = np.random.default_rng(0).normal(scale=30, size=(3000, 5))
    net, found = Network([Dense(8), Dense(1, "sigmoid")], inputs=5, dtype=dtype), []
    before = fastnn.get_num_threads()
    try:
        for threads in (1, 2):
            fastnn.set_num_threads(threads)
            found.append((net.predict_proba(X), prediction.log_probabilities(state_of(net), X)))
    finally:
        fastnn.set_num_threads(before)
    np.testing.assert_array_equal(*[p for p, _ in found])
    np.testing.assert_array_equal(*[logs for _, logs in found])
    np.testing.assert_array_equal(net.predict_proba(X[100:400]), found[0][0][100:400])
    assert (found[0][0][:, 0] < np.finfo(dtype).eps).any()


def test_of_sparse_rows(backend):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    from fastnn.kernels.csr import SparseRows

    Z = logits("float32")
    X = np.zeros((len(Z), 70), "float32")
    X[:, 3:4] = Z
    S = sparse.csr_array(X)
    net = Network([Dense(1, "sigmoid")], inputs=70)
    net.parameters["W1"] = np.eye(70)[:, 3:4]
    rows = SparseRows(S.data, S.indices, S.indptr, S.shape)
    np.testing.assert_array_equal(net.predict_proba(rows), net.predict_proba(X))
    np.testing.assert_array_equal(
        prediction.log_probabilities(state_of(net), rows),
        prediction.log_probabilities(state_of(net), X),
    )


class TestLogarithms:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("kind", LAYERS)
    def test_of_one_sigmoid(self, backend, kind, dtype):
        Z = logits(dtype)
        logs = prediction.log_probabilities(state_of(passing(kind, dtype)), Z)
        assert logs.dtype == dtype
        with localcontext(prec=60):
            for column, sign in ((0, 1), (1, -1)):
                powers = [(sign * Decimal(float(z))).exp() for z in Z[:, 0]]
                exact = [-(1 + e).ln() if e > 1e-30 else -e for e in powers]
                assert max(errors(logs[:, column], exact, dtype)) <= 3

    @pytest.mark.parametrize("loss", [None, "squared_error"])
    def test_of_softmax(self, backend, loss):
        Z = np.array([[0, -20, -30], [1000, 0, -1000], [5, 5, 5], [3, -2, 1.5], [-900, -901, -950]])
        net = Network([Dense(3, "softmax")], inputs=3, loss=loss, dtype="float64")
        net.parameters["W1"] = np.eye(3)
        expected = Z - np.logaddexp.reduce(Z, axis=1, keepdims=True)
        expected[0, 0] = -np.log1p(np.exp(-20) + np.exp(-30))
        np.testing.assert_allclose(
            prediction.log_probabilities(state_of(net), Z), expected, rtol=1e-13
        )

    def test_of_several_sigmoids(self, backend):
        Z = np.array([[0, 40, -800], [3, -2, 800.0]])
        net = Network([Dense(3, "sigmoid")], inputs=3, dtype="float64")
        net.parameters["W1"] = np.eye(3)
        np.testing.assert_allclose(
            prediction.log_probabilities(state_of(net), Z), -np.logaddexp(0, -Z), rtol=1e-14
        )

    @pytest.mark.medium
    def test_agree_with_the_cost(self, backend):
        net = passing("cross-entropy", "float32")
        X, y = np.array([[30], [-40], [2], [200.0]]), np.array([0, 1, 1, 0])
        logs = prediction.log_probabilities(state_of(net), X)[np.arange(4), y]
        assert net.evaluate(X, y)["cost"] == pytest.approx(-logs.mean(), rel=1e-6)

    def test_values_have_none(self):
        with pytest.raises(SettingError, match="no probabilities"):
            prediction.log_probabilities(state_of(Network([Dense(1)], inputs=1)), [[1.0]])


class TestEstimators:
    """What scikit-learn's interface hands out."""

    @pytest.mark.parametrize("classes", [2, 3])
    @pytest.mark.parametrize("name", ["MLPClassifier", "LogisticRegression"])
    def test_logarithms_stay_finite(self, name, classes):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 2))
        y = np.array(["a", "b", "c"])[np.argsort(np.argsort(X[:, 0])) * classes // 60]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            model = getattr(fastnn, name)(max_iter=5).fit(X, y)
        for W in model.network_.parameters.values():
            W *= 1e4 if name == "LogisticRegression" else 100
        with np.errstate(divide="ignore"):
            P, logs = model.predict_proba(X), model.predict_log_proba(X)
            lost = np.isneginf(np.log(P))
        assert lost.any()
        assert np.isfinite(logs).all()
        assert (logs[lost] < -700).all()
        normal = np.finfo(P.dtype).smallest_normal <= P
        np.testing.assert_allclose(np.log(P[normal]), logs[normal], rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(np.logaddexp.reduce(logs, axis=1), 0, atol=1e-9)

    def test_several_labels(self):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
        X = np.random.default_rng(0).normal(size=(40, 3))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            model = fastnn.MLPClassifier((4,), max_iter=5).fit(X, (X > 0).astype(int))
        logs = model.predict_log_proba(X)
        assert logs.shape == (40, 3)
        np.testing.assert_allclose(logs, np.log(model.predict_proba(X)), rtol=1e-9)
