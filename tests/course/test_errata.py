"""The errata of the notes, each demonstrated: what the notes say fails, what is right holds."""

import numpy as np
import pytest

from fastnn._runtime.backend import active
from fastnn.course import deep, dnn_utils, shallow, testCases
from fastnn.course import logistic_regression as lr
from fastnn.course.errata import ERRATA

TESTED = []


def erratum(key):
    TESTED.append(key)
    return lambda test: test


def test_every_erratum_has_a_test_and_a_sentence():
    assert sorted(TESTED) == sorted(slip.key for slip in ERRATA)
    assert len(set(TESTED)) == len(TESTED) == 13
    for slip in ERRATA:
        assert slip.notes.endswith(".")
        assert slip.right.endswith(".")


@erratum("reshape")
def test_reshape_mixes_images():
    images = np.arange(2 * 2 * 2 * 3).reshape(2, 2, 2, 3)
    right, notes = images.reshape(2, -1).T, images.reshape(-1, 2)
    assert right.shape == notes.shape
    np.testing.assert_array_equal(right[:, 1], images[1].ravel())
    assert set(images[1].ravel()) & set(notes[:, 0])  # column 0 holds pixels of image 1


def test_reshape_on_the_cats(cats):
    images = cats[0]
    assert images.reshape(209, -1).T[:5, 0].tolist() == [17, 31, 56, 22, 33]
    assert images.reshape(-1, 209)[:5, 0].tolist() == [17, 71, 49, 38, 70]


@erratum("format")
def test_two_places_need_two_values():
    with pytest.raises(IndexError):
        "{} {}".format(*[0.5])
    assert f"{0.5}" == "0.5"


@erratum("print_cost")
def test_print_cost_is_respected(capsys):
    X, Y = testCases.nn_model_test_case()
    lr.model(X, Y, X, Y, num_iterations=1)
    shallow.nn_model(X, Y, 2, num_iterations=1)
    deep.two_layer_model(X, Y, (2, 2, 1), num_iterations=1)
    deep.L_layer_model(X, Y, [2, 2, 1], num_iterations=1)
    assert capsys.readouterr().out == ""


@erratum("db")
def test_db_has_its_share_of_one_over_m(slope):
    w, b, X, Y = testCases.propagate_test_case()
    grads, _ = lr.propagate(w, b, X, Y)
    known = slope(lambda t: lr.propagate(w, t["b"], X, Y)[1], {"b": np.array([[b]])}, "b")[0, 0]
    assert grads["db"] == pytest.approx(known, rel=1e-6)
    summed = np.sum(lr.sigmoid(w.T @ X + b) - Y)
    assert summed == pytest.approx(3 * grads["db"])
    assert summed != pytest.approx(known, rel=0.1)


@erratum("dW2")
def test_dW2_comes_from_dZ2():
    p, _, X, Y = testCases.backward_propagation_test_case()
    _, cache = shallow.forward_propagation(X, p)
    grads = shallow.backward_propagation(p, cache, X, Y)
    dZ2 = cache["A2"] - Y
    dZ1 = p["W2"].T @ dZ2 * (1 - cache["A1"] ** 2)
    np.testing.assert_allclose(grads["dW2"], dZ2 @ cache["A1"].T / 3)
    assert (dZ1 @ cache["A1"].T).shape != p["W2"].shape


@erratum("randn")
def test_randn_takes_sizes_one_by_one():
    with pytest.raises(TypeError):
        np.random.randn((2, 1))
    assert deep.initialize_parameters_deep([1, 2])["W1"].shape == np.random.randn(2, 1).shape


@erratum("dz")
def test_dz_is_a_minus_y():
    z, step = 0.7, 1e-6
    for y in (0, 1):
        a = float(lr.sigmoid(z))
        cost = [
            -(y * np.log(q) + (1 - y) * np.log(1 - q)) for q in lr.sigmoid([z - step, z + step])
        ]
        by_z = (cost[1] - cost[0]) / (2 * step)
        by_a = -y / a + (1 - y) / (1 - a)
        assert by_z == pytest.approx(a - y, rel=1e-7)
        assert float(dnn_utils.sigmoid_backward(by_a, z)) == pytest.approx(a - y, rel=1e-12)
        assert by_z != pytest.approx((1 / a - 1 / (1 - a)) * a * (1 - a), rel=1e-3)


@erratum("parentheses")
def test_cost_has_parentheses():
    Y, AL = testCases.compute_cost_test_case()
    one, other = Y * np.log(AL), (1 - Y) * np.log(1 - AL)
    assert deep.compute_cost(AL, Y) == pytest.approx(-(one + other).sum() / 3)
    assert deep.compute_cost(AL, Y) != pytest.approx(-one.sum() / 3 + other.sum())


@erratum("predictions")
def test_every_example_keeps_its_own_prediction():
    w, b, X = np.array([[1.0]]), 0.0, np.array([[3.0, -1.0, -2.0]])
    overwritten = np.zeros((1, 3))
    for i in range(3):
        overwritten[:] = lr.sigmoid(w.T @ X + b)[0, i] > 0.5
    assert overwritten.tolist() == [[0, 0, 0]]
    assert lr.predict(w, b, X).tolist() == [[1, 0, 0]]


@erratum("collapse")
def test_the_first_layer_stands_at_the_right():
    rng = np.random.RandomState(0)
    W1, W2, x = rng.randn(2, 2), rng.randn(2, 2), rng.randn(2, 1)
    zero = np.zeros((2, 1))
    two = deep.linear_forward(deep.linear_forward(x, W1, zero)[0], W2, zero)[0]
    np.testing.assert_allclose(two, W2 @ W1 @ x)
    assert not np.allclose(two, W1 @ W2 @ x)


@erratum("shapes")
def test_shapes_of_the_second_layer():
    with pytest.raises(ValueError, match="mismatch"):
        np.ones((4, 1)) @ np.ones((4, 1))
    X, p = testCases.forward_propagation_test_case()
    assert p["W2"].shape == (1, 4)
    assert shallow.forward_propagation(X, p)[0].shape == (1, 3)


@erratum("for loop")
def test_no_loop_over_the_examples(monkeypatch):
    calls = []
    ops = active()
    forward = ops.dense_forward
    monkeypatch.setattr(ops, "dense_forward", lambda *args: calls.append(1) or forward(*args))
    _, p = testCases.L_model_forward_test_case()
    for m in (1, 50):
        deep.L_model_forward(np.ones((4, m)), p)
    assert len(calls) == 2 * 2  # two layers, whatever m


@erratum("relu")
def test_relu_has_a_derivative_at_zero(backend):
    assert dnn_utils.relu_backward([[5.0, 5.0]], [[0.0, -0.0]]).tolist() == [[0, 0]]
