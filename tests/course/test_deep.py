"""Deep networks: the notebooks' numbers, plain formulas on every backend, rules and errors."""

import numpy as np
import pytest

from fastnn.course import deep, dnn_utils, testCases
from fastnn.errors import SettingError, ShapeError


def close(actual, known, rtol=1e-12):
    np.testing.assert_allclose(actual, known, rtol=rtol, atol=1e-15)


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def test_initialize_parameters():
    parameters = deep.initialize_parameters(3, 2, 1)
    np.random.seed(1)
    np.testing.assert_array_equal(parameters["W1"], np.random.randn(2, 3) * 0.01)
    np.testing.assert_array_equal(parameters["W2"], np.random.randn(1, 2) * 0.01)
    assert list(parameters) == ["W1", "b1", "W2", "b2"]
    # The notebook prints 0.01624345, -0.00611756 … for this seed.
    np.testing.assert_allclose(parameters["W1"][0, :2], [0.01624345, -0.00611756], atol=5e-9)


@pytest.mark.parametrize("scale", [0.01, "sqrt"])
def test_initialize_parameters_deep(scale):
    dims = testCases.initialize_parameters_deep_test_case()
    parameters = deep.initialize_parameters_deep(dims, seed=4, scale=scale)
    np.random.seed(4)
    for layer in (1, 2):
        shape = dims[layer], dims[layer - 1]
        W = np.random.randn(*shape)
        known = W / np.sqrt(shape[1]) if scale == "sqrt" else W * 0.01
        np.testing.assert_array_equal(parameters[f"W{layer}"], known)
        assert parameters[f"b{layer}"].shape == (dims[layer], 1)
    np.testing.assert_allclose(  # the notebook's W1 begins 0.01788628, 0.0043651 for the seed 3
        deep.initialize_parameters_deep([5, 4, 3])["W1"][0, :2], [0.01788628, 0.0043651], atol=5e-9
    )


def test_linear_forward(backend):
    A, W, b = testCases.linear_forward_test_case()
    Z, cache = deep.linear_forward(A, W, b)
    close(Z, W @ A + b)
    for kept, given in zip(cache, (A, W, b), strict=True):
        np.testing.assert_array_equal(kept, given)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_linear_activation_forward(backend, activation):
    A_prev, W, b = testCases.linear_activation_forward_test_case()
    A, (linear_cache, Z) = deep.linear_activation_forward(A_prev, W, b, activation)
    close(Z, W @ A_prev + b)
    close(A, sigmoid(Z) if activation == "sigmoid" else np.maximum(0, Z))
    np.testing.assert_array_equal(linear_cache[0], A_prev)


def test_activations_return_what_they_were_given(backend):
    for function, known in ((dnn_utils.sigmoid, sigmoid), (dnn_utils.relu, lambda Z: max(Z, 0))):
        A, Z = function([[0, -2], [3, 1]])
        assert Z.tolist() == [[0, -2], [3, 1]]
        close(A, [[known(z) for z in row] for row in Z])


def test_derivatives_of_activations(backend):
    dA, Z = np.array([[1.0, 2, 3, 4]]), np.array([[-1.0, 0, 2, 1e-300]])
    assert dnn_utils.relu_backward(dA, Z).tolist() == [[0, 0, 3, 4]]
    close(dnn_utils.sigmoid_backward(dA, Z), dA * sigmoid(Z) * (1 - sigmoid(Z)))
    assert dA.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("case", ["L_model_forward_test_case", "L_model_forward_test_case_2hidden"])
def test_L_model_forward(backend, case):
    X, p = getattr(testCases, case)()
    AL, caches = deep.L_model_forward(X, p)
    L, A = len(p) // 2, X
    assert len(caches) == L
    for layer, ((A_prev, W, b), Z) in enumerate(caches, start=1):
        close(A_prev, A)
        np.testing.assert_array_equal(W, p[f"W{layer}"])
        np.testing.assert_array_equal(b, p[f"b{layer}"])
        close(Z, W @ A + b)
        A = np.maximum(0, Z) if layer < L else sigmoid(Z)
    close(AL, A)


def test_compute_cost():
    Y, AL = testCases.compute_cost_test_case()
    assert deep.compute_cost(AL, Y) == pytest.approx(-np.log(0.75 * 0.75 * 0.5) / 3, rel=1e-14)
    assert deep.compute_cost([[1.0]], [[0]]) == np.inf
    assert np.isnan(deep.compute_cost([[1.0]], [[1]]))  # 0 · log 0, as the formula has it


def test_linear_backward(backend):
    dZ, cache = testCases.linear_backward_test_case()
    A_prev, W, _ = cache
    dA_prev, dW, db = deep.linear_backward(dZ, cache)
    close(dA_prev, W.T @ dZ)
    close(dW, dZ @ A_prev.T / 4)
    close(db, dZ.sum(axis=1, keepdims=True) / 4)


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_linear_activation_backward_takes_z_as_it_is(backend, activation):
    dA, cache = testCases.linear_activation_backward_test_case()
    (A_prev, W, _), Z = cache
    slope = sigmoid(Z) * (1 - sigmoid(Z)) if activation == "sigmoid" else Z > 0
    dA_prev, dW, db = deep.linear_activation_backward(dA, cache, activation)
    close(dA_prev, W.T @ (dA * slope))
    close(dW, (dA * slope) @ A_prev.T / 2)
    close(db, (dA * slope).sum(axis=1, keepdims=True) / 2)


def test_L_model_backward_takes_caches_that_do_not_fit_together(backend):
    AL, Y, caches = testCases.L_model_backward_test_case()
    grads = deep.L_model_backward(AL, Y[0], caches)  # the notebook reshapes Y
    ((A0, W1, _), Z1), ((A1, W2, _), Z2) = caches
    dZ2 = -(Y / AL - (1 - Y) / (1 - AL)) * sigmoid(Z2) * (1 - sigmoid(Z2))
    dZ1 = W2.T @ dZ2 * (Z1 > 0)
    assert set(grads) == {"dA0", "dA1", "dW1", "db1", "dW2", "db2"}
    close(grads["dA1"], W2.T @ dZ2)
    close(grads["dA0"], W1.T @ dZ1)
    close(grads["dW2"], dZ2 @ A1.T / 2)
    close(grads["dW1"], dZ1 @ A0.T / 2)
    close(grads["db1"], dZ1.sum(axis=1, keepdims=True) / 2)
    close(grads["db2"], dZ2.sum(axis=1, keepdims=True) / 2)


def test_gradients_are_slopes_of_the_cost(backend, slope):
    X, p = testCases.L_model_forward_test_case_2hidden()
    Y = np.array([[1, 0, 0, 1]])
    AL, caches = deep.L_model_forward(X, p)
    grads = deep.L_model_backward(AL, Y, caches)
    for key in p:
        known = slope(lambda q: deep.compute_cost(deep.L_model_forward(X, q)[0], Y), p, key)
        np.testing.assert_allclose(grads[f"d{key}"], known, rtol=1e-5, atol=1e-8)


def test_models_agree_on_every_backend_with_plain_formulas(backend):
    X, _ = testCases.L_model_forward_test_case_2hidden()
    Y, dims = np.array([[1, 0, 0, 1]]), [5, 4, 3, 1]
    p = deep.initialize_parameters_deep(dims, seed=1, scale="sqrt")
    for _ in range(20):
        A = [X]
        for layer in (1, 2):
            A.append(np.maximum(0, p[f"W{layer}"] @ A[-1] + p[f"b{layer}"]))
        dZ = sigmoid(p["W3"] @ A[2] + p["b3"]) - Y
        new = {}
        for layer in (3, 2, 1):
            new[f"W{layer}"] = p[f"W{layer}"] - 0.1 * dZ @ A[layer - 1].T / 4
            new[f"b{layer}"] = p[f"b{layer}"] - 0.1 * dZ.sum(axis=1, keepdims=True) / 4
            dZ = p[f"W{layer}"].T @ dZ * (A[layer - 1] > 0)
        p = new
    ours, costs = deep.L_layer_model(X, Y, dims, learning_rate=0.1, num_iterations=20)
    assert list(ours) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert len(costs) == 1
    for key, array in p.items():
        close(ours[key], array, rtol=1e-10)


def test_print_cost_and_predict(capsys):
    X, p = testCases.L_model_forward_test_case()
    Y = np.array([[1, 0]])
    _, costs = deep.two_layer_model(X, Y, (4, 3, 1), num_iterations=150)
    assert capsys.readouterr().out == ""
    deep.two_layer_model(X, Y, (4, 3, 1), num_iterations=150, print_cost=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Cost after iteration 0: {float(costs[0])!r}"
    assert lines[1] == f"Cost after iteration 100: {float(costs[1])!r}"
    assert lines[2].startswith("Cost after iteration 149: ")
    assert len(costs) == 2
    predictions = deep.predict(X, Y, p)
    right = np.mean(predictions == Y)
    assert predictions.shape == (1, 2)
    assert capsys.readouterr().out == f"Accuracy: {right}\n"


@pytest.mark.slow
def test_first_costs_of_the_cats(flat_cats):
    """As the notebook prints them."""
    X, Y = flat_cats[:2]
    _, costs = deep.two_layer_model(X, Y, (12288, 7, 1), 0.0075, 101)
    assert costs == pytest.approx([0.6930497356599888, 0.6464320953428849], rel=1e-10)
    _, costs = deep.L_layer_model(X, Y, [12288, 20, 7, 5, 1], 0.0075, 101)
    assert np.round(costs, 6).tolist() == [0.771749, 0.672053]


@pytest.mark.long
def test_two_layer_model_on_the_cats(two_layers, flat_cats, capsys):
    X, Y, X_test, Y_test = flat_cats
    parameters, costs = two_layers
    assert costs[0] == pytest.approx(0.6930497356599888, rel=1e-10)
    assert costs[-1] == pytest.approx(0.04855478562877, rel=1e-8)
    assert len(costs) == 25
    deep.predict(X, Y, parameters)
    deep.predict(X_test, Y_test, parameters)
    assert capsys.readouterr().out == "Accuracy: 0.9999999999999998\nAccuracy: 0.72\n"


@pytest.mark.long
def test_L_layer_model_on_the_cats(four_layers, flat_cats, capsys):
    X, Y, X_test, Y_test = flat_cats
    parameters, costs = four_layers
    assert round(float(costs[0]), 6) == 0.771749
    assert round(float(costs[-1]), 6) == 0.092878
    deep.predict(X, Y, parameters)
    deep.predict(X_test, Y_test, parameters)
    assert capsys.readouterr().out == "Accuracy: 0.9856459330143539\nAccuracy: 0.8\n"


def test_wrong_shapes_are_named():
    A, W, b = testCases.linear_forward_test_case()
    with pytest.raises(ShapeError, match=r"W .*\(any, 3\).*A, \(3, 2\).*\(3, 1\).*pass W.T"):
        deep.linear_forward(A, W.T, b)
    with pytest.raises(ShapeError, match=r"b .*\(1, 1\).*\(2, 1\)"):
        deep.linear_forward(A, W, np.zeros((2, 1)))
    X, p = testCases.L_model_forward_test_case()
    with pytest.raises(ShapeError, match=r"W1 .*\(any, 2\).*X, \(2, 4\)"):
        deep.L_model_forward(X.T, p)
    with pytest.raises(ShapeError, match=r"W2 .*A1, \(3, 2\)"):
        deep.L_model_forward(X, p | {"W2": np.zeros((1, 4))})
    dZ, cache = testCases.linear_backward_test_case()
    with pytest.raises(ShapeError, match=r"dZ .*\(3, 4\).*\(4, 3\).*pass dZ.T"):
        deep.linear_backward(dZ.T, cache)
    with pytest.raises(ShapeError, match=r"dA must have the shape of Z, \(1, 2\), got \(2, 1\)"):
        dnn_utils.relu_backward(np.zeros((2, 1)), np.zeros((1, 2)))
    AL, Y, caches = testCases.L_model_backward_test_case()
    with pytest.raises(ShapeError, match=r"Y .*\(1, 2\)"):
        deep.L_model_backward(AL, np.zeros((1, 3)), caches)
    with pytest.raises(ShapeError, match=r"Z of cache 2 .*\(1, 2\).*\(3, 2\)"):
        deep.L_model_backward(AL, Y, caches[::-1])
    with pytest.raises(ShapeError, match=r"X .*\(5, any\).*\(4, 2\)"):
        deep.L_layer_model(X, Y, [5, 3, 1])
    with pytest.raises(ShapeError, match=r"y .*\(1, 2\)"):
        deep.predict(X, np.zeros((2, 1)), p)


def test_wrong_settings_are_named():
    A, W, b = testCases.linear_forward_test_case()
    with pytest.raises(SettingError, match="activation must be 'sigmoid' or 'relu', got 'tanh'"):
        deep.linear_activation_forward(A, W, b, "tanh")
    with pytest.raises(SettingError, match="caches"):
        deep.L_model_backward([[0.5]], [[1]], [])
    with pytest.raises(SettingError, match="scale must be a number or 'sqrt', got 'he'"):
        deep.initialize_parameters_deep([2, 1], scale="he")
    with pytest.raises(SettingError, match="layer_dims must be at least two"):
        deep.initialize_parameters_deep([2])
    with pytest.raises(SettingError, match=r"layers_dims must be \(n_x, n_h, n_y\), got 4 sizes"):
        deep.two_layer_model(A, b, [3, 2, 2, 1])
    X, p = testCases.L_model_forward_test_case()
    del p["W2"]
    with pytest.raises(SettingError, match="parameters must hold 'W2'; it holds W1, b1, b2"):
        deep.L_model_forward(X, p)


def test_layers_are_laid_out_as_the_kernels_want_them():
    """In C order no step of a training copies the pixels; what is so already is not copied."""
    A, W, b = testCases.linear_forward_test_case()
    _, cache = deep.linear_forward(A, W, b)
    assert all(kept is given for kept, given in zip(cache, (A, W, b), strict=True))
    _, cache = deep.linear_forward(np.asfortranarray(A), np.asfortranarray(W), b)
    assert all(array.flags.c_contiguous for array in cache)
