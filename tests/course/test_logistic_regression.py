"""Logistic regression: the notebook's printed numbers, its rules, its errors."""

import numpy as np
import pytest

from fastnn.course import logistic_regression as lr
from fastnn.course import testCases
from fastnn.errors import DataError, ShapeError

W, B = np.array([[1], [2]]), 2
X, Y = np.array([[1, 2, -1], [3, 4, -3.2]]), np.array([[1, 0, 1]])


def close(actual, known, rtol=1e-10):
    np.testing.assert_allclose(actual, known, rtol=rtol)


def test_sigmoid(backend):
    np.testing.assert_allclose(lr.sigmoid([0, 2]), [0.5, 0.88079708], atol=5e-9)
    assert lr.sigmoid(0) == 0.5
    assert np.ndim(lr.sigmoid(True)) == 0
    assert lr.sigmoid(np.zeros((2, 3, 4))).shape == (2, 3, 4)
    assert lr.sigmoid([-1000.0, 1000.0]).tolist() == [0.0, 1.0]
    assert np.isnan(lr.sigmoid([np.nan, 0.0])).tolist() == [True, False]
    table = np.arange(6.0).reshape(2, 3).T
    close(lr.sigmoid(table), 1 / (1 + np.exp(-table)))


def test_initialize_with_zeros():
    w, b = lr.initialize_with_zeros(testCases.initialize_with_zeros_test_case())
    assert w.shape == (3, 1)
    assert not w.any()
    assert b == 0.0
    assert isinstance(b, float)


def test_propagate(backend):
    grads, cost = lr.propagate(W, B, X, Y)
    np.testing.assert_allclose(grads["dw"], [[0.99845601], [2.39507239]], atol=5e-9)
    close(grads["db"], 0.001455578136784208)
    close(cost, 5.801545319394553)
    assert grads["dw"].shape == (2, 1)


def test_optimize(backend):
    params, grads, costs = lr.optimize(W, B, X, Y, num_iterations=100, learning_rate=0.009)
    np.testing.assert_allclose(params["w"], [[0.19033591], [0.12259159]], atol=5e-9)
    close(params["b"], 1.9253598300845747)
    np.testing.assert_allclose(grads["dw"], [[0.67752042], [1.41625495]], atol=5e-9)
    close(grads["db"], 0.21919450454067657)
    close(costs, [5.801545319394553])
    assert W.tolist() == [[1], [2]]


def test_optimize_takes_steps_of_the_gradient_before_them():
    w, b, X, Y = testCases.optimize_test_case()
    params, grads, _ = lr.optimize(w, b, X, Y, num_iterations=1, learning_rate=0.5)
    close(params["w"], w - 0.5 * grads["dw"])
    close(params["b"], b - 0.5 * grads["db"])
    params, grads, costs = lr.optimize(w, b, X, Y, num_iterations=0)
    assert params["w"] is not w
    assert (grads, costs) == ({}, [])


def test_predict(backend):
    p = lr.predict([[0.1124579], [0.23106775]], -0.3, [[1.0, -1.1, -3.2], [1.2, 2.0, 0.1]])
    assert p.tolist() == [[1, 1, 0]]


def test_predict_is_strict():
    assert lr.predict([[1.0]], 0, [[0.0, 1e-12]]).tolist() == [[0, 1]]


def test_gradient_is_the_slope_of_the_cost(backend, slope):
    w, b, X, Y = testCases.propagate_test_case()
    grads, _ = lr.propagate(w, b, X, Y)
    theta = {"w": w, "b": np.array([[b]])}
    for key in theta:
        known = slope(lambda t: lr.propagate(t["w"], t["b"], X, Y)[1], theta, key)
        np.testing.assert_allclose(
            grads[f"d{key}"], np.squeeze(known) if key == "b" else known, rtol=1e-7
        )


def test_any_memory_order_and_dtype(backend):
    known = lr.propagate(W, B, X, Y)
    odd = np.zeros((4, 6))[::2, ::2]
    odd[...] = X
    odd.flags.writeable = False
    for same in (np.asfortranarray(X), odd, X.tolist()):
        grads, cost = lr.propagate(W.astype(np.int8), np.array([[B]]), same, Y.astype(bool))
        close(cost, known[1], rtol=1e-14)
        close(grads["dw"], known[0]["dw"], rtol=1e-14)


def test_real_valued_labels_are_taken(backend):
    _, cost = lr.propagate([[0.0]], 0.0, [[1.0, 2.0]], [[0.3, -4.5]])
    close(cost, np.log(2))


def test_infinite_cost_without_a_warning(backend):
    _, cost = lr.propagate([[1000.0]], 0.0, [[1.0, 2.0]], [[0, 1]])
    assert not np.isfinite(cost)


def test_print_cost(capsys):
    lr.optimize(W, B, X, Y, num_iterations=101)
    assert capsys.readouterr().out == ""
    lr.optimize(W, B, X, Y, num_iterations=101, print_cost=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Cost after iteration 0: 5.801545"
    assert len(lines) == 2


def test_model(capsys):
    result = lr.model(X, Y, X[:, :2], Y[:, :2], num_iterations=10, learning_rate=0.1)
    assert capsys.readouterr().out == ""
    assert list(result) == [
        "costs",
        "Y_prediction_test",
        "Y_prediction_train",
        "w",
        "b",
        "learning_rate",
        "num_iterations",
    ]
    assert result["Y_prediction_train"].shape == (1, 3)
    assert (result["learning_rate"], result["num_iterations"]) == (0.1, 10)
    lr.model(X, Y, X, Y, num_iterations=1, print_cost=True)
    out = capsys.readouterr().out
    assert out.startswith("Cost after iteration 0: 0.693147\n")
    assert out.splitlines()[1].startswith("train accuracy: ")


@pytest.mark.slow
def test_first_costs_of_the_cats(fast_backend, mixed_cats, flat_cats):
    for (X, Y, *_), known in (
        (mixed_cats, [0.693147, 0.709726]),
        (flat_cats, [0.693147, 0.584508]),
    ):
        *_, costs = lr.optimize(np.zeros((12288, 1)), 0.0, X, Y, 101, 0.005)
        assert np.round(costs, 6).tolist() == known


@pytest.mark.long
def test_cats_flattened_as_in_the_notes(fast_backend, mixed_cats, capsys):
    result = lr.model(*mixed_cats, 2000, 0.005, print_cost=True)
    costs = np.round(result["costs"], 6)
    assert costs[[0, 1, 2, 18, 19]].tolist() == [0.693147, 0.709726, 0.657712, 0.338704, 0.332664]
    out = capsys.readouterr().out
    assert "Cost after iteration 1900: 0.332664" in out
    assert "train accuracy: 91.38755980861244 %" in out
    assert "test accuracy: 34.0 %" in out


@pytest.mark.long
def test_cats_flattened_right(fast_backend, flat_cats, capsys):
    result = lr.model(*flat_cats, 2000, 0.005, print_cost=True)
    costs = np.round(result["costs"], 6)
    assert costs[[0, 1, 19]].tolist() == [0.693147, 0.584508, 0.140872]
    out = capsys.readouterr().out
    assert "train accuracy: 99.04306220095694 %" in out
    assert "test accuracy: 70.0 %" in out


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lr.propagate(W, B, X.T, Y), ["w", "(3, 1)", "(2, 1)", "X, (3, 2)"]),
        (lambda: lr.propagate(W.T, B, X, Y), ["w", "pass w.T"]),
        (lambda: lr.propagate(W, B, X, Y.T), ["Y", "(1, 3)", "(3, 1)", "pass Y.T"]),
        (lambda: lr.propagate(W, B, X, Y[0, :2]), ["Y", "(1, 3)", "(1, 2)"]),
        (lambda: lr.propagate(W, B, X[:, :2], Y), ["Y", "(1, 2)", "(1, 3)"]),
        (lambda: lr.propagate(W, [1, 2], X, Y), ["b", "one number", "(2,)"]),
        (lambda: lr.predict(W, B, np.zeros((5, 8, 8, 3))), ["X", "reshape(len(X), -1).T"]),
        (lambda: lr.model(X, Y, X.T, Y), ["X_test", "(2, any)", "(3, 2)"]),
        (lambda: lr.model(X, Y, X, Y.T), ["Y_test", "pass Y_test.T"]),
    ],
)
def test_wrong_shapes(call, words):
    with pytest.raises(ShapeError) as error:
        call()
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("bad", [["a", "b"], [1j, 2], [[1, 2], [3]], [None, object()]])
def test_what_is_no_array_of_real_numbers(bad):
    with pytest.raises(DataError, match="z must"):
        lr.sigmoid(bad)
