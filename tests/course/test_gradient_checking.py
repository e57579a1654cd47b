"""Gradient checking: the notebook's numbers, vectors and dictionaries, rules and errors."""

import numpy as np
import pytest

from fastnn.course import gc_utils, gradient_checking, init_utils, testCases
from fastnn.errors import DataError, SettingError, ShapeError


@pytest.fixture
def case():
    """The net, its inputs and its gradients, drawn as the published numbers want them."""
    np.random.seed(1)
    X, Y = np.random.randn(4, 3), np.array([1, 1, 0])
    parameters = {}
    for layer, (n_prev, n) in enumerate(((4, 5), (5, 3), (3, 1)), start=1):
        parameters[f"W{layer}"] = np.random.randn(n, n_prev)
        parameters[f"b{layer}"] = np.random.randn(n, 1)
    _, cache = gradient_checking.forward_propagation_n(X, Y, parameters)
    return X, Y, parameters, gradient_checking.backward_propagation_n(X, Y, cache)


def test_the_exercise_is_the_published_one(case):
    X, Y, parameters, _ = case
    np.testing.assert_equal(testCases.gradient_check_n_test_case(), (X, Y, parameters))


def test_one_number():
    x, theta = testCases.gradient_check_test_case()
    assert gradient_checking.forward_propagation(x, theta) == 8.0
    assert gradient_checking.backward_propagation(x, theta) == 2.0
    # The notebook prints 2.919335883291695e-10.
    assert gradient_checking.gradient_check(x, theta) == pytest.approx(2.919335883291695e-10)
    assert isinstance(gradient_checking.gradient_check(x, theta), float)


def test_many_numbers_and_zero():
    x, theta = np.array([[1.0, 2], [3, 4]]), np.array([[0.5, 0.25], [1, 2]])
    np.testing.assert_array_equal(gradient_checking.forward_propagation(x, theta), x * theta)
    np.testing.assert_array_equal(gradient_checking.backward_propagation(x, theta), x)
    assert gradient_checking.backward_propagation(x, theta) is not x
    assert gradient_checking.backward_propagation(3, theta).tolist() == [[3, 3], [3, 3]]
    assert gradient_checking.gradient_check(x, theta) < 1e-7
    assert gradient_checking.gradient_check(0, 4) == 0.0
    with pytest.raises(ShapeError, match=r"theta must have the shape of x, \(2, 2\).*\(3,\)"):
        gradient_checking.gradient_check(x, np.zeros(3))


def test_wrong_derivative_is_found(monkeypatch):
    monkeypatch.setattr(gradient_checking, "backward_propagation", lambda x, theta: 3.0 * x)
    assert gradient_checking.gradient_check(2, 4) == pytest.approx(0.5, rel=1e-6)


def test_published_numbers(fast_backend, case):
    X, Y, parameters, right = case
    found = gradient_checking.gradient_check_n(parameters, right, X, Y)
    assert found < 2e-7
    assert found == pytest.approx(1.19e-7, rel=0.01)  # the notebook prints 1.1885552035482147e-07
    wrong = right | {"dW2": 2 * right["dW2"], "db1": 4 * right["db1"]}
    found = gradient_checking.gradient_check_n(parameters, wrong, X, Y)
    assert found == pytest.approx(0.2850931567, abs=1e-9)
    assert isinstance(found, float)


def test_every_matrix_counts(backend):
    X, Y, parameters = testCases.gradient_check_n_test_case()
    _, cache = gradient_checking.forward_propagation_n(X, Y, parameters)
    right = gradient_checking.backward_propagation_n(X, Y, cache)
    before = {key: array.copy() for key, array in parameters.items()}
    for key in parameters:
        wrong = right | {f"d{key}": right[f"d{key}"] * 1.01}
        assert gradient_checking.gradient_check_n(parameters, wrong, X, Y) > 1e-5, key
    assert gradient_checking.gradient_check_n(parameters, right, X, Y) < 2e-7
    np.testing.assert_equal(parameters, before)


def test_forward_and_backward_n(backend):
    X, Y, p = testCases.forward_propagation_n_test_case()
    cost, cache = gradient_checking.forward_propagation_n(X, Y, p)
    a3, known = init_utils.forward_propagation(X, p)
    np.testing.assert_equal(cache, known)
    assert cost == pytest.approx(-np.sum(Y * np.log(a3) + (1 - Y) * np.log(1 - a3)) / 3, rel=1e-12)
    X, Y, cache = testCases.backward_propagation_n_test_case()
    _, A1, _, _, _, A2, W2, _, _, A3, W3, _ = cache
    grads = gradient_checking.backward_propagation_n(X, Y, cache)
    dZ2 = W3.T @ (A3 - Y) * (A2 > 0)
    np.testing.assert_allclose(grads["dW2"], dZ2 @ A1.T / 3, rtol=1e-12)
    dZ1 = W2.T @ dZ2 * (A1 > 0)
    np.testing.assert_allclose(grads["db1"], dZ1.sum(axis=1, keepdims=True) / 3, rtol=1e-12)
    np.testing.assert_equal(
        grads, gradient_checking.backward_propagation_n(X, Y.reshape(1, 3), cache)
    )


def test_vectors_and_dictionaries(case):
    _, _, parameters, gradients = case
    theta, keys = gc_utils.dictionary_to_vector(parameters)
    assert theta.shape == (47, 1)
    assert keys[:21] == ["W1"] * 20 + ["b1"]
    assert len(keys) == 47
    assert theta[5, 0] == parameters["W1"][1, 1]
    for column in (theta, theta[:, 0]):
        again = gc_utils.vector_to_dictionary(column)
        np.testing.assert_equal(again, parameters)
        assert list(again) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    again["W1"][:] = 0
    assert theta.all()  # arrays of their own
    column = gc_utils.gradients_to_vector(gradients)
    assert column.shape == (47, 1)
    np.testing.assert_array_equal(column[20:25], gradients["db1"])
    turned = {key: np.asfortranarray(array) for key, array in parameters.items()}
    np.testing.assert_array_equal(gc_utils.dictionary_to_vector(turned)[0], theta)


def test_other_networks():
    rng = np.random.RandomState(2)
    shapes = {"W1": (3, 2), "b1": (3, 1), "W2": (1, 3), "b2": (1, 1)}
    p = gc_utils.vector_to_dictionary(rng.randn(13), shapes=shapes)
    assert {key: array.shape for key, array in p.items()} == shapes
    X, Y = rng.randn(2, 6), np.array([[1, 0, 1, 1, 0, 0]])
    _, cache = gradient_checking.forward_propagation_n(X, Y, p)
    grads = gradient_checking.backward_propagation_n(X, Y, cache)
    assert gradient_checking.gradient_check_n(p, grads, X, Y) < 2e-7


def test_verdict_is_printed_only_when_asked_for(case, capsys):
    X, Y, parameters, right = case
    gradient_checking.gradient_check(2, 4)
    gradient_checking.gradient_check_n(parameters, right, X, Y)
    assert capsys.readouterr().out == ""
    found = gradient_checking.gradient_check(2, 4, 1e-7, True)
    assert capsys.readouterr().out == f"The backward propagation is right: difference = {found}\n"
    wrong = right | {"dW2": 2 * right["dW2"]}
    found = gradient_checking.gradient_check_n(parameters, wrong, X, Y, 1e-7, True)
    known = f"There is a mistake in the backward propagation: difference = {found}\n"
    assert capsys.readouterr().out == known


def test_wrong_input_is_named(case):
    X, Y, parameters, grads = case
    check = gradient_checking.gradient_check_n
    with pytest.raises(ShapeError, match=r"W1 .*\(any, 3\).*X, \(3, 4\)"):
        check(parameters, grads, X.T, Y)
    with pytest.raises(ShapeError, match=r"Y .*\(1, 3\).*one label for each"):
        check(parameters, grads, X, [[1, 0]])
    with pytest.raises(ShapeError, match=r"dW2 .*the shape of W2, \(3, 5\), got \(5, 3\)"):
        check(parameters, grads | {"dW2": grads["dW2"].T}, X, Y)
    with pytest.raises(SettingError, match="gradients must hold 'db3'"):
        check(parameters, {key: grads[key] for key in grads if key != "db3"}, X, Y)
    with pytest.raises(SettingError, match="gradients must hold 'dW1'"):
        gc_utils.gradients_to_vector({})
    for epsilon in (0, -1e-7, float("nan")):
        with pytest.raises(SettingError, match="epsilon must be above 0"):
            check(parameters, grads, X, Y, epsilon)
        with pytest.raises(SettingError, match="epsilon must be above 0"):
            gradient_checking.gradient_check(2, 4, epsilon)
    with pytest.raises(ShapeError, match=r"theta must hold 47 numbers, for W1 \(5, 4\).*\(46,\)"):
        gc_utils.vector_to_dictionary(np.zeros(46))
    with pytest.raises(DataError, match="theta must hold real numbers"):
        gc_utils.vector_to_dictionary(["a"])
    with pytest.raises(SettingError, match="parameters must hold 'b1'"):
        gc_utils.dictionary_to_vector({"W1": np.zeros((1, 1))})
