"""The activation exp: the log link of counts, in networks, files and other libraries."""

import numpy as np
import pytest

import fastnn
from fastnn import Dense, GradientDescent, Network

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))
Y = rng.poisson(np.exp(X[:, 0])).astype(float)


@pytest.mark.parametrize("backend", ["loops", "vectorized", "jitted"])
@pytest.mark.parametrize("threads", [1, 2])
def test_poisson_by_a_log_link_takes_the_generalized_linear_step(backend, threads):
    """With ŷ = e^(Xw+b) the cost's gradient by Xw+b is ŷ − y: McCullagh and Nelder, chapter 6."""
    net = Network([Dense(1, "exp")], inputs=3, loss="poisson", dtype="float64", seed=1)
    W, b = net.parameters["W1"].copy(), net.parameters["b1"].copy()
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(threads)
    try:
        with fastnn.backend(backend):
            net.fit(X, Y, epochs=5, batch_size=None, optimizer=GradientDescent(0.1), progress=False)
            predicted = net.predict(X)
    finally:
        fastnn.set_num_threads(before)
    for _ in range(5):
        error = np.exp(X @ W + b) - Y[:, None]
        W, b = W - 0.1 * X.T @ error / 30, b - 0.1 * error.mean(axis=0)
    np.testing.assert_allclose(net.parameters["W1"], W, rtol=1e-12)
    np.testing.assert_allclose(net.parameters["b1"], b, rtol=1e-12)
    np.testing.assert_allclose(predicted, np.exp(X @ W + b)[:, 0], rtol=1e-12)


def test_files_keep_it(tmp_path):
    net = Network([Dense(2, "tanh"), Dense(1, "exp")], inputs=3, loss="poisson")
    net.save(tmp_path / "net.safetensors")
    again = fastnn.load(tmp_path / "net.safetensors")
    assert again.loss == "poisson"
    assert np.array_equal(again.predict(X), net.predict(X))


def test_onnx_runs_it(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    net = Network([Dense(2, "tanh"), Dense(1, "exp")], inputs=3, loss="poisson")
    net.to_onnx(tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {"X": X.astype(np.float32)})
    np.testing.assert_allclose(found[:, 0], net.predict(X), rtol=1e-5)


def test_scikit_learns_poisson_regressor_is_taken_over():
    neural_network = pytest.importorskip("sklearn.neural_network", reason="needs scikit-learn")
    try:
        model = neural_network.MLPRegressor("poisson", (4,), max_iter=20, random_state=0, tol=10.0)
    except TypeError:
        pytest.skip("this scikit-learn has no loss='poisson'")
    model.fit(X, Y)
    np.testing.assert_allclose(fastnn.from_sklearn(model).predict(X), model.predict(X), rtol=1e-12)
