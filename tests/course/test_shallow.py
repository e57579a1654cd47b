"""One hidden layer: the notebook's numbers, gradients by differences, rules and errors."""

import numpy as np
import pytest

from fastnn.course import planar_utils, shallow, testCases, testCases_v2
from fastnn.errors import SettingError, ShapeError


def test_layer_sizes():
    assert shallow.layer_sizes(*testCases.layer_sizes_test_case()) == (5, 4, 2)


def test_initialize_parameters():
    parameters = shallow.initialize_parameters(*testCases.initialize_parameters_test_case())
    assert list(parameters) == ["W1", "b1", "W2", "b2"]
    assert [array.shape for array in parameters.values()] == [(4, 2), (4, 1), (1, 4), (1, 1)]
    np.random.seed(2)
    np.testing.assert_array_equal(parameters["W1"], np.random.randn(4, 2) * 0.01)
    np.testing.assert_array_equal(parameters["W2"], np.random.randn(1, 4) * 0.01)
    assert not parameters["b1"].any()
    assert not parameters["b2"].any()


def test_seed_none_draws_on():
    np.random.seed(5)
    known = np.random.randn(20)
    np.random.seed(5)
    first, second = (shallow.initialize_parameters(2, 2, 3, seed=None) for _ in range(2))
    np.testing.assert_allclose(first["W1"].ravel(), known[:4] * 0.01, rtol=1e-15)
    np.testing.assert_allclose(second["W2"].ravel(), known[14:20] * 0.01, rtol=1e-15)


def test_forward_propagation(backend):
    X, p = testCases.forward_propagation_test_case()
    A2, cache = shallow.forward_propagation(X, p)
    Z1 = p["W1"] @ X + p["b1"]
    Z2 = p["W2"] @ np.tanh(Z1) + p["b2"]
    known = {"Z1": Z1, "A1": np.tanh(Z1), "Z2": Z2, "A2": 1 / (1 + np.exp(-Z2))}
    assert list(cache) == list(known)
    for key, array in known.items():
        np.testing.assert_allclose(cache[key], array, rtol=1e-12)
    assert A2 is cache["A2"]


def test_compute_cost_takes_old_and_new_calls():
    A2, Y = testCases_v2.compute_cost_test_case()
    known = -(np.log(0.75) + np.log(0.75) + np.log(0.5)) / 3
    cost = shallow.compute_cost(A2, Y)
    assert isinstance(cost, float)
    assert cost == pytest.approx(known, rel=1e-14)
    assert shallow.compute_cost(A2, Y, {"W1": 0}) == cost
    # J's own formula for several outputs: the sum over them, the mean over examples.
    assert shallow.compute_cost(np.vstack([A2, A2]), np.vstack([Y, Y])) == pytest.approx(2 * cost)


def test_backward_propagation_uses_the_arrays_given(backend):
    p, cache, X, Y = testCases.backward_propagation_test_case()
    rng = np.random.RandomState(3)
    cache = {"A1": rng.randn(4, 3), "A2": rng.rand(1, 3)}  # no forward pass gives these
    grads = shallow.backward_propagation({"W2": p["W2"]}, cache, X, Y)
    dZ2 = cache["A2"] - Y
    dZ1 = p["W2"].T @ dZ2 * (1 - cache["A1"] ** 2)
    known = {
        "dW1": dZ1 @ X.T / 3,
        "db1": dZ1.sum(axis=1, keepdims=True) / 3,
        "dW2": dZ2 @ cache["A1"].T / 3,
        "db2": dZ2.sum(axis=1, keepdims=True) / 3,
    }
    assert list(grads) == list(known)
    for key, array in known.items():
        np.testing.assert_allclose(grads[key], array, rtol=1e-12)


def test_gradients_are_slopes_of_the_cost(backend, slope):
    p, _, X, Y = testCases.backward_propagation_test_case()
    _, cache = shallow.forward_propagation(X, p)
    grads = shallow.backward_propagation(p, cache, X, Y)
    for key in p:
        known = slope(
            lambda q: shallow.compute_cost(shallow.forward_propagation(X, q)[0], Y), p, key
        )
        np.testing.assert_allclose(grads[f"d{key}"], known, rtol=1e-6, atol=1e-9)


def test_update_parameters_returns_new_ones(backend):
    p, grads = testCases.update_parameters_test_case()
    before = {key: array.copy() for key, array in p.items()}
    updated = shallow.update_parameters(p, grads)
    assert list(updated) == list(p)
    for key in p:
        np.testing.assert_allclose(updated[key], before[key] - 1.2 * grads[f"d{key}"], rtol=1e-14)
        np.testing.assert_array_equal(p[key], before[key])
        assert not np.shares_memory(updated[key], p[key])


FLOWER = ["Cost after iteration 0: 0.693162", "Cost after iteration 1000: 0.258625"]


@pytest.mark.medium
def test_first_costs_of_the_flower(fast_backend, capsys):
    """As the notebook prints them."""
    shallow.nn_model(
        *planar_utils.load_planar_dataset(), n_h=4, num_iterations=1001, print_cost=True
    )
    assert capsys.readouterr().out.splitlines() == FLOWER


@pytest.mark.long
def test_nn_model_on_the_flower(fast_backend, capsys):
    """The costs are those the notebook prints, and 90 % of the flower."""
    X, Y = planar_utils.load_planar_dataset()
    parameters = shallow.nn_model(X, Y, n_h=4, num_iterations=10000, print_cost=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == FLOWER
    assert len(lines) == 10
    assert np.mean(shallow.predict(parameters, X) == Y) == pytest.approx(0.9, abs=0.01)


def test_nn_model_is_silent_unless_asked(capsys):
    X, Y = testCases.nn_model_test_case()
    shallow.nn_model(X, Y, 4, num_iterations=2)
    assert capsys.readouterr().out == ""


def test_nn_model_of_the_older_edition(capsys):
    X, Y = planar_utils.load_planar_dataset()
    shallow.nn_model(X, Y, n_h=4, num_iterations=2001, print_cost=True, edition=2017)
    assert capsys.readouterr().out.splitlines() == [
        "Cost after iteration 0: 0.693048",
        "Cost after iteration 1000: 0.288083",
        "Cost after iteration 2000: 0.254385",
    ]


@pytest.mark.parametrize(("edition", "seed"), [(2021, 3), (2020, 2), (2017, 2)])
def test_nn_model_agrees_with_plain_formulas(backend, edition, seed):
    X, Y = testCases.nn_model_test_case()
    p = shallow.initialize_parameters(2, 4, 1, seed=seed)
    for _ in range(30):
        A1 = np.tanh(p["W1"] @ X + p["b1"])
        dZ2 = 1 / (1 + np.exp(-(p["W2"] @ A1 + p["b2"]))) - Y
        dZ1 = p["W2"].T @ dZ2 * (1 - A1**2)
        for layer, dZ, A in ((1, dZ1, X), (2, dZ2, A1)):
            p[f"W{layer}"] = p[f"W{layer}"] - 1.2 * dZ @ A.T / 3
            p[f"b{layer}"] = p[f"b{layer}"] - 1.2 * dZ.sum(axis=1, keepdims=True) / 3
    ours = shallow.nn_model(X, Y, 4, num_iterations=30, edition=edition)
    for key, array in p.items():
        np.testing.assert_allclose(ours[key], array, rtol=1e-10, atol=1e-15)


def test_predict_is_strict_and_boolean(backend):
    p, X = testCases.predict_test_case()
    assert shallow.predict(p, X).dtype == bool
    zeros = {key: np.zeros_like(array) for key, array in p.items()}
    assert shallow.predict(zeros, X).tolist() == [[False, False, False]]


def test_missing_keys_are_named():
    X, p = testCases.forward_propagation_test_case()
    del p["b2"]
    with pytest.raises(SettingError, match=r"parameters must hold 'b2'; it holds W1, b1, W2"):
        shallow.forward_propagation(X, p)
    p, cache, X, Y = testCases.backward_propagation_test_case()
    del cache["A1"]
    with pytest.raises(SettingError, match="cache must hold 'A1'"):
        shallow.backward_propagation(p, cache, X, Y)
    with pytest.raises(SettingError, match="grads must hold 'dW1'"):
        shallow.update_parameters(p, {})
    with pytest.raises(SettingError, match="parameters must hold 'W1'; it holds nothing"):
        shallow.update_parameters({}, {})


def test_wrong_shapes_are_named():
    X, p = testCases.forward_propagation_test_case()
    with pytest.raises(ShapeError, match=r"X must have shape \(2, any\).*W1, \(4, 2\).*pass X.T"):
        shallow.forward_propagation(X.T, p)
    with pytest.raises(ShapeError, match=r"W2 .*\(any, 4\).*\(1, 3\)"):
        shallow.forward_propagation(X, p | {"W2": np.zeros((1, 3))})
    with pytest.raises(ShapeError, match=r"b1 must have two axes.*b1.reshape\(-1, 1\)"):
        shallow.forward_propagation(X, p | {"b1": np.zeros(4)})
    with pytest.raises(ShapeError, match=r"Y .*\(1, 3\).*\(3, 1\)"):
        shallow.compute_cost(np.full((1, 3), 0.5), np.zeros((3, 1)))
    with pytest.raises(ShapeError, match=r"Y .*\(any, 3\)"):
        shallow.nn_model(X, np.zeros((1, 4)), 4)
    p, cache, X, Y = testCases.backward_propagation_test_case()
    with pytest.raises(ShapeError, match=r"A1 .*\(4, 3\).*\(3, 4\).*pass A1.T"):
        shallow.backward_propagation(p, cache | {"A1": cache["A1"].T}, X, Y)
    p, grads = testCases.update_parameters_test_case()
    with pytest.raises(ShapeError, match=r"dW1 .*that of W1.*pass dW1.T"):
        shallow.update_parameters(p, grads | {"dW1": grads["dW1"].T})
    with pytest.raises(SettingError, match="at least two whole numbers from 1 on"):
        shallow.initialize_parameters(2, 0, 1)
