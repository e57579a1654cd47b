"""Initialisation: the notebook's numbers, plain formulas on every backend, rules and errors."""

import numpy as np
import pytest

from fastnn.course import init_utils, initialization, testCases
from fastnn.errors import SettingError, ShapeError


def close(actual, known, rtol=1e-12):
    np.testing.assert_allclose(actual, known, rtol=rtol, atol=1e-15)


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def net(seed=3, sizes=(3, 4, 2, 1)):
    rng = np.random.RandomState(seed)
    p = {}
    for layer in range(1, len(sizes)):
        p[f"W{layer}"] = rng.randn(sizes[layer], sizes[layer - 1])
        p[f"b{layer}"] = rng.randn(sizes[layer], 1)
    return rng.randn(sizes[0], 5), np.array([[1, 0, 1, 1, 0]]), p


@pytest.mark.parametrize("way", ["zeros", "random", "he"])
def test_first_parameters(way):
    dims = getattr(testCases, f"initialize_parameters_{way}_test_case")()
    initialize = getattr(initialization, f"initialize_parameters_{way}")
    parameters = initialize(dims, seed=5)
    np.random.seed(5)
    for layer in (1, 2):
        n, n_prev = dims[layer], dims[layer - 1]
        W = np.zeros((n, n_prev)) if way == "zeros" else np.random.randn(n, n_prev)
        known = W * {"zeros": 1, "random": 10, "he": np.sqrt(2 / n_prev)}[way]
        np.testing.assert_array_equal(parameters[f"W{layer}"], known)
        np.testing.assert_array_equal(parameters[f"b{layer}"], np.zeros((n, 1)))
    assert list(parameters) == ["W1", "b1", "W2", "b2"]
    if way != "zeros":
        assert np.abs(initialize(dims)["W1"] - initialize(dims, seed=3)["W1"]).max() == 0
        first, second = (initialize(dims, seed=None)["W1"] for _ in range(2))
        assert (first != second).all()


def test_known_first_parameters():
    # The notebook prints these for the seed 3.
    W = initialization.initialize_parameters_random([3, 2, 1])["W1"]
    np.testing.assert_allclose(W[0], [17.88628473, 4.36509851, 0.96497468], atol=5e-9)
    W = initialization.initialize_parameters_he([2, 4, 1])["W1"]
    np.testing.assert_allclose(W[0], [1.78862847, 0.43650985], atol=5e-9)


def test_forward_propagation(backend):
    X, _, p = net()
    a3, cache = init_utils.forward_propagation(X, p)
    z1, a1, W1, b1, z2, a2, W2, b2, z3, last, W3, b3 = cache
    close(z1, p["W1"] @ X + p["b1"])
    close(a1, np.maximum(0, z1))
    close(z2, p["W2"] @ a1 + p["b2"])
    close(a2, np.maximum(0, z2))
    close(z3, p["W3"] @ a2 + p["b3"])
    close(a3, sigmoid(z3))
    assert last is a3
    for name, array in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2), ("W3", W3), ("b3", b3)):
        np.testing.assert_array_equal(array, p[name])


def test_backward_propagation_takes_arrays_as_they_are(backend):
    X, Y, cache = testCases.backward_propagation_with_regularization_test_case()
    _, a1, W1, _, _, a2, W2, _, _, a3, W3, _ = cache
    grads = init_utils.backward_propagation(X, Y, cache)
    dz3 = (a3 - Y) / 5
    da2 = W3.T @ dz3
    dz2 = da2 * (a2 > 0)
    da1 = W2.T @ dz2
    dz1 = da1 * (a1 > 0)
    known = {"dz3": dz3, "dW3": dz3 @ a2.T, "db3": dz3.sum(axis=1, keepdims=True), "da2": da2}
    known |= {"dz2": dz2, "dW2": dz2 @ a1.T, "db2": dz2.sum(axis=1, keepdims=True), "da1": da1}
    known |= {"dz1": dz1, "dW1": dz1 @ X.T, "db1": dz1.sum(axis=1, keepdims=True)}
    assert list(grads) == list(known)
    for key, array in known.items():
        close(grads[key], array)
    assert grads["dW1"].shape == W1.shape


def test_gradients_are_slopes_of_the_loss(backend, slope):
    X, Y, p = net(seed=8)
    grads = init_utils.backward_propagation(X, Y, init_utils.forward_propagation(X, p)[1])
    for key in p:
        known = slope(
            lambda q: init_utils.compute_loss(init_utils.forward_propagation(X, q)[0], Y), p, key
        )
        np.testing.assert_allclose(grads[f"d{key}"], known, rtol=1e-5, atol=1e-8)


def test_compute_loss():
    assert init_utils.compute_loss([[0.25, 0.5]], [[1, 0]]) == pytest.approx(np.log(8) / 2)
    assert init_utils.compute_loss([[1.0, 0.5]], [[1, 1]]) == pytest.approx(np.log(2) / 2)
    assert init_utils.compute_loss([[1.0, 0.5]], [[0, 1]]) == np.inf
    assert init_utils.relu([-1, 2]).tolist() == [0.0, 2.0]
    assert init_utils.relu(True) == 1.0


def test_relu_at_zero_passes_nothing(backend):
    cache = [np.zeros((1, 1))] * 4 + [np.ones((1, 1))] * 4
    grads = init_utils.backward_propagation([[1.0]], [[0.0]], cache)
    assert grads["da1"].tolist() == [[1.0]]
    assert grads["dz1"].tolist() == [[0.0]]


def test_predict(capsys):
    X, Y, p = net()
    predictions = init_utils.predict(X, Y, p)
    decisions = init_utils.predict_dec(p, X)
    assert decisions.dtype == np.bool_
    assert predictions.dtype == np.int64
    np.testing.assert_array_equal(predictions, decisions)
    np.testing.assert_array_equal(decisions, init_utils.forward_propagation(X, p)[0] > 0.5)
    assert capsys.readouterr().out == f"Accuracy: {np.mean(predictions == Y)}\n"
    half = {key: np.zeros_like(array) for key, array in p.items()}
    assert not init_utils.predict_dec(half, X).any()  # strictly above one half


def test_circles_are_those_of_scikit_learn():
    sets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    found = init_utils.load_dataset()
    after = np.random.rand()
    for k, (m, seed) in enumerate(((300, 1), (100, 2))):
        np.random.seed(seed)
        X, y = sets.make_circles(n_samples=m, noise=0.05)
        np.testing.assert_array_equal(found[2 * k], X.T)
        np.testing.assert_array_equal(found[2 * k + 1], y.reshape(1, -1))
    assert after == np.random.rand()  # the global generator stands where the notebook leaves it


def test_model_agrees_on_every_backend_with_plain_formulas(backend):
    X, Y, _ = net()
    p = initialization.initialize_parameters_he([3, 10, 5, 1])
    for _ in range(15):
        A = [X]
        for layer in (1, 2):
            A.append(np.maximum(0, p[f"W{layer}"] @ A[-1] + p[f"b{layer}"]))
        dZ, new = (sigmoid(p["W3"] @ A[2] + p["b3"]) - Y) / 5, {}
        for layer in (3, 2, 1):
            new[f"W{layer}"] = p[f"W{layer}"] - 0.1 * dZ @ A[layer - 1].T
            new[f"b{layer}"] = p[f"b{layer}"] - 0.1 * dZ.sum(axis=1, keepdims=True)
            dZ = p[f"W{layer}"].T @ dZ * (A[layer - 1] > 0)
        p = new
    ours = initialization.model(X, Y, 0.1, 15, print_cost=False)
    assert list(ours) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    for key, array in ours.items():
        close(array, p[key], rtol=1e-10)
        assert array.base is None


@pytest.mark.long
@pytest.mark.parametrize(
    ("way", "train", "test"), [("zeros", 0.5, 0.5), ("random", 0.83, 0.86), ("he", 0.993, 0.96)]
)
def test_published_accuracies(worked, way, train, test):
    found = worked("initialize")[way]
    assert found["train"] == pytest.approx(train, abs=0.0034)
    assert found["test"] == pytest.approx(test, abs=0.0101)


def test_printed_costs(capsys):
    X, Y, *_ = init_utils.load_dataset()
    initialization.model(X, Y, num_iterations=1001)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "Cost after iteration 0",
        "Cost after iteration 1000",
    ]
    # The notebook prints 0.8830537463419761 and 0.6879825919728063.
    assert [float(line.split(": ")[1]) for line in lines] == pytest.approx(
        [0.8830537463419761, 0.6879825919728063], rel=1e-12
    )
    initialization.model(X, Y, num_iterations=1, initialization="random")
    assert capsys.readouterr().out == "Cost after iteration 0: inf\n"
    initialization.model(X, Y, num_iterations=1, print_cost=False)
    assert capsys.readouterr().out == ""


def test_any_memory_order_and_kind_of_number():
    X, Y, p = net()
    known = init_utils.forward_propagation(X, p)[0]
    turned = {key: np.asfortranarray(array) for key, array in p.items()}
    np.testing.assert_array_equal(init_utils.forward_propagation(X.T.copy().T, turned)[0], known)
    p["b3"] = True
    ones = init_utils.forward_propagation(X, p)[0]
    np.testing.assert_array_equal(ones, init_utils.forward_propagation(X, p | {"b3": [[1.0]]})[0])
    labels = initialization.model(X, Y == 1, num_iterations=3, print_cost=False)
    np.testing.assert_equal(
        labels, initialization.model(X, Y.astype(np.int8), num_iterations=3, print_cost=False)
    )


def test_a_run_that_explodes_goes_on_without_a_word(backend, capsys):
    X, Y = np.array([[1.0, -2, 3], [2, 0, 1]]), np.array([[1, 0, 0]])
    initialization.model(X, Y, learning_rate=1e200, num_iterations=4)
    assert capsys.readouterr().out.count("Cost after iteration") == 1


def test_wrong_shapes_are_named():
    X, Y, p = net()
    with pytest.raises(ShapeError, match=r"W1 .*\(any, 5\).*X, \(5, 3\)"):
        init_utils.forward_propagation(X.T, p)
    with pytest.raises(ShapeError, match=r"W2 .*W1, \(4, 3\).*\(4, 2\).*pass W2.T"):
        init_utils.forward_propagation(X, p | {"W2": p["W2"].T})
    _, cache = init_utils.forward_propagation(X, p)
    with pytest.raises(ShapeError, match=r"A2 .*\(2, 5\).*by W2, \(2, 4\).*\(5, 2\).*pass A2.T"):
        init_utils.backward_propagation(X, Y, [*cache[:5], cache[5].T, *cache[6:]])
    with pytest.raises(ShapeError, match=r"W1 .*\(any, 2\).*X, \(2, 5\)"):
        init_utils.backward_propagation(X[:2], Y, cache)
    with pytest.raises(ShapeError, match=r"Y .*\(1, 5\).*\(1, 4\)"):
        init_utils.backward_propagation(X, Y[:, :4], cache)
    with pytest.raises(ShapeError, match=r"Y .*\(1, 5\).*a3, \(1, 5\)"):
        init_utils.compute_loss(np.full((1, 5), 0.5), Y.T)
    with pytest.raises(ShapeError, match=r"Y .*\(1, 5\).*X, \(3, 5\).*pass Y.T"):
        initialization.model(X, Y.T)
    with pytest.raises(ShapeError, match=r"y .*\(1, 5\)"):
        init_utils.predict(X, Y[:, :2], p)


def test_wrong_settings_are_named():
    X, Y, p = net()
    with pytest.raises(SettingError, match=r"initialization must be one of 'zeros', .*'xavier'"):
        initialization.model(X, Y, initialization="xavier")
    with pytest.raises(SettingError, match=r"cache must hold Z, A, W, b in turn, got 3 arrays"):
        init_utils.backward_propagation(X, Y, [X, X, X])
    with pytest.raises(SettingError, match="parameters must hold 'b2'"):
        init_utils.forward_propagation(X, {key: p[key] for key in p if key != "b2"})
    with pytest.raises(SettingError, match="layer_dims"):
        initialization.initialize_parameters_zeros([3])
