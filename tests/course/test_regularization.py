"""Regularisation: the notebook's numbers, plain formulas on every backend, rules and errors."""

import os
from pathlib import Path

import numpy as np
import pytest

from fastnn.course import init_utils, reg_utils, regularization, testCases
from fastnn.errors import DataFileError, MissingExtraError, SettingError, ShapeError


def close(actual, known, rtol=1e-12):
    np.testing.assert_allclose(actual, known, rtol=rtol, atol=1e-15)


def plain_backward(X, Y, A1, W1, A2, W2, A3, W3, lambd=0.0, D1=1, D2=1, keep_prob=1.0):
    """The notebook's formulas."""
    m = X.shape[1]
    dZ3 = A3 - Y
    dA2 = W3.T @ dZ3 * D2 / keep_prob
    dZ2 = dA2 * (A2 > 0)
    dA1 = W2.T @ dZ2 * D1 / keep_prob
    dZ1 = dA1 * (A1 > 0)
    found = {}
    for layer, dZ, A, W in ((3, dZ3, A2, W3), (2, dZ2, A1, W2), (1, dZ1, X, W1)):
        found[f"dZ{layer}"] = dZ
        found[f"dW{layer}"] = dZ @ A.T / m + lambd / m * W
        found[f"db{layer}"] = dZ.sum(axis=1, keepdims=True) / m
        if layer > 1:
            found[f"dA{layer - 1}"] = dA2 if layer == 3 else dA1
    return found


def same(grads, known):
    assert list(grads) == list(known)
    for key, array in known.items():
        close(grads[key], array)


def test_initialize_parameters():
    parameters = reg_utils.initialize_parameters([2, 20, 3, 1])
    np.random.seed(3)
    for layer, shape in ((1, (20, 2)), (2, (3, 20)), (3, (1, 3))):
        known = np.random.randn(*shape) / np.sqrt(shape[1])
        np.testing.assert_array_equal(parameters[f"W{layer}"], known)
        assert not parameters[f"b{layer}"].any()


def test_compute_cost_with_regularization():
    A3, Y, p = testCases.compute_cost_with_regularization_test_case()
    entropy = -np.sum(Y * np.log(A3) + (1 - Y) * np.log(1 - A3)) / 5
    close(reg_utils.compute_cost(A3, Y), entropy)
    squares = sum(np.sum(p[f"W{layer}"] ** 2) for layer in (1, 2, 3))
    found = regularization.compute_cost_with_regularization(A3, Y, p, 0.1)
    close(found, entropy + 0.1 / (2 * 5) * squares)
    assert isinstance(found, float)
    assert reg_utils.compute_cost([[1.0, 0.5]], [[1, 1]]) == pytest.approx(np.log(2) / 2)


def test_backward_propagation_takes_arrays_as_they_are(backend):
    X, Y, cache = testCases.backward_propagation_with_regularization_test_case()
    _, A1, W1, _, _, A2, W2, _, _, A3, W3, _ = cache
    for lambd in (0, 0.7):
        known = plain_backward(X, Y, A1, W1, A2, W2, A3, W3, lambd)
        same(regularization.backward_propagation_with_regularization(X, Y, cache, lambd), known)
        if not lambd:
            same(reg_utils.backward_propagation(X, Y, cache), known)


def test_forward_propagation_with_dropout(backend):
    X, p = testCases.forward_propagation_with_dropout_test_case()
    A3, cache = regularization.forward_propagation_with_dropout(X, p, keep_prob=0.7)
    Z1, D1, A1, W1, _, Z2, D2, A2, _, _, Z3, last, _, b3 = cache
    np.random.seed(1)
    np.testing.assert_array_equal(D1, np.random.rand(2, 5) < 0.7)
    np.testing.assert_array_equal(D2, np.random.rand(3, 5) < 0.7)
    assert D1.dtype == np.bool_
    close(Z1, p["W1"] @ X + p["b1"])
    close(A1, np.maximum(0, Z1) * D1 / 0.7)
    close(Z2, p["W2"] @ A1 + p["b2"])
    close(A2, np.maximum(0, Z2) * D2 / 0.7)
    close(Z3, p["W3"] @ A2 + p["b3"])
    close(A3, 1 / (1 + np.exp(-Z3)))
    assert last is A3
    np.testing.assert_array_equal(W1, p["W1"])
    np.testing.assert_array_equal(b3, p["b3"])


def test_dropout_draws_on_without_a_seed():
    X, p = testCases.forward_propagation_with_dropout_test_case()
    X = np.repeat(X, 20, axis=1)
    masks = [
        regularization.forward_propagation_with_dropout(X, p, 0.5, seed=None)[1][1]
        for _ in range(2)
    ]
    assert (masks[0] != masks[1]).any()
    kept, _ = regularization.forward_propagation_with_dropout(X, p, 1.0)
    np.testing.assert_array_equal(kept, reg_utils.forward_propagation(X, p)[0])


def test_backward_propagation_with_dropout_takes_arrays_as_they_are(backend):
    X, Y, cache = testCases.backward_propagation_with_dropout_test_case()
    _, D1, A1, W1, _, _, D2, A2, W2, _, _, A3, W3, _ = cache
    known = plain_backward(X, Y, A1, W1, A2, W2, A3, W3, 0.0, D1, D2, 0.8)
    same(regularization.backward_propagation_with_dropout(X, Y, cache, 0.8), known)
    whole = [array.astype(int) if array.dtype == bool else array for array in cache]
    same(regularization.backward_propagation_with_dropout(X, Y, whole, 0.8), known)


def test_gradients_are_slopes_of_the_cost(backend, slope):
    X, p = testCases.forward_propagation_with_dropout_test_case()
    Y = np.array([[1, 0, 0, 1, 1]])

    def penalised(q):
        A3, _ = reg_utils.forward_propagation(X, q)
        return regularization.compute_cost_with_regularization(A3, Y, q, 0.7)

    def dropped(q):
        A3, _ = regularization.forward_propagation_with_dropout(X, q, 0.8)
        return reg_utils.compute_cost(A3, Y)

    _, cache = reg_utils.forward_propagation(X, p)
    _, wet = regularization.forward_propagation_with_dropout(X, p, 0.8)
    for cost, grads in (
        (penalised, regularization.backward_propagation_with_regularization(X, Y, cache, 0.7)),
        (dropped, regularization.backward_propagation_with_dropout(X, Y, wet, 0.8)),
    ):
        for key in p:
            np.testing.assert_allclose(grads[f"d{key}"], slope(cost, p, key), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("settings", [{}, {"lambd": 0.7}, {"keep_prob": 0.86}])
def test_model_agrees_on_every_backend_with_single_steps(backend, settings):
    """The model's dropout draws once; the functions draw in every iteration, the same."""
    X, _ = testCases.forward_propagation_with_dropout_test_case()
    Y = np.array([[1, 0, 0, 1, 1]])
    p = reg_utils.initialize_parameters([3, 20, 3, 1])
    for _ in range(5):
        if "keep_prob" in settings:
            _, cache = regularization.forward_propagation_with_dropout(X, p, 0.86)
            grads = regularization.backward_propagation_with_dropout(X, Y, cache, 0.86)
        else:
            _, cache = reg_utils.forward_propagation(X, p)
            lambd = settings.get("lambd", 0)
            grads = regularization.backward_propagation_with_regularization(X, Y, cache, lambd)
        p = reg_utils.update_parameters(p, grads, 0.3)
    after = np.random.rand()
    ours = regularization.model(X, Y, num_iterations=5, print_cost=False, **settings)
    assert list(ours) == list(p)
    for key, array in p.items():
        close(ours[key], array, rtol=1e-11)
    if "keep_prob" in settings:
        assert np.random.rand() == after  # and it leaves the generator where they leave it


@pytest.fixture(scope="session")
def field():
    pytest.importorskip("scipy.io", reason="SciPy is not installed")
    folder = os.environ.get("FASTNN_DATA")
    if not folder:
        pytest.skip("FASTNN_DATA does not name the folder of data.mat")
    path = Path(folder) / "data.mat"
    if not path.exists():
        pytest.skip("the folder that FASTNN_DATA names has no data.mat")
    return reg_utils.load_2D_dataset(path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("way", "train", "test"),
    [("plain", 0.948, 0.915), ("L2", 0.938, 0.93), ("dropout", 0.929, 0.95)],
)
def test_published_accuracies(worked, field, way, train, test):
    found = worked("regularize")[way]
    assert found["train"] == pytest.approx(train, abs=0.0048)
    assert found["test"] == pytest.approx(test, abs=0.0051)


def test_printed_costs(field, capsys):
    X, Y, X_test, Y_test = field
    shapes = [array.shape for array in (X, Y, X_test, Y_test)]
    assert shapes == [(2, 211), (1, 211), (2, 200), (1, 200)]
    for settings, first in (
        ({}, 0.6557412523481002),
        ({"lambd": 0.7}, 0.6974484493131264),
        ({"keep_prob": 0.86}, 0.6543912405149825),
    ):
        regularization.model(X, Y, num_iterations=1, **settings)
        name, cost = capsys.readouterr().out.split(": ")
        assert name == "Cost after iteration 0"
        assert float(cost) == pytest.approx(first, rel=1e-12)  # as the notebook prints it
    regularization.model(X, Y, num_iterations=1, print_cost=False)
    assert capsys.readouterr().out == ""


def test_load_2D_dataset(tmp_path):
    io = pytest.importorskip("scipy.io", reason="SciPy is not installed")
    rng = np.random.RandomState(0)
    held = {"X": rng.randn(5, 2), "y": np.array([[0], [1], [1], [0], [1]], np.uint8)}
    held |= {"Xval": rng.randn(3, 2), "yval": np.array([[1], [0], [1]], np.uint8)}
    io.savemat(tmp_path / "data.mat", held)
    for found, name in zip(reg_utils.load_2D_dataset(tmp_path / "data.mat"), held, strict=True):
        np.testing.assert_array_equal(found, held[name].T)
        assert found.dtype == held[name].dtype
    with pytest.raises(FileNotFoundError, match=r"datasets/data\.mat"):
        reg_utils.load_2D_dataset()
    io.savemat(tmp_path / "part.mat", {key: held[key] for key in ("X", "y", "Xval")})
    with pytest.raises(DataFileError, match=r"part\.mat' lacks yval"):
        reg_utils.load_2D_dataset(tmp_path / "part.mat")
    io.savemat(tmp_path / "short.mat", held | {"y": held["y"][:4]})
    with pytest.raises(DataFileError, match="one label for each"):
        reg_utils.load_2D_dataset(tmp_path / "short.mat")
    io.savemat(tmp_path / "text.mat", held | {"y": "text"})
    with pytest.raises(DataFileError, match="must hold y as a matrix of real numbers"):
        reg_utils.load_2D_dataset(tmp_path / "text.mat")
    whole = (tmp_path / "data.mat").read_bytes()
    for part in (b"", b"<!DOCTYPE html>" * 20, whole[:100], whole[:150], whole[: len(whole) // 2]):
        (tmp_path / "bad.mat").write_bytes(part)
        with pytest.raises(DataFileError, match=r"bad\.mat'"):
            reg_utils.load_2D_dataset(tmp_path / "bad.mat")


def test_missing_scipy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(MissingExtraError, match=r"load_2D_dataset needs scipy.*fastnn\[sklearn\]"):
        reg_utils.load_2D_dataset(tmp_path / "data.mat")


def test_reexports():
    for name in ("forward_propagation", "predict", "predict_dec", "relu", "sigmoid"):
        assert getattr(reg_utils, name) is getattr(init_utils, name)


def test_a_run_that_explodes_goes_on_without_a_word(backend, capsys):
    X, Y = np.array([[1.0, -2, 3], [2, 0, 1]]), np.array([[1, 0, 0]])
    regularization.model(X, Y, learning_rate=1e200, num_iterations=4, lambd=0.5)
    assert capsys.readouterr().out.count("Cost after iteration") == 1


def test_wrong_shapes_are_named():
    X, Y, cache = testCases.backward_propagation_with_dropout_test_case()
    with pytest.raises(ShapeError, match=r"D1 .*\(2, 5\).*by W1, \(2, 3\).*\(5, 2\).*pass D1.T"):
        regularization.backward_propagation_with_dropout(
            X, Y, [cache[0], cache[1].T, *cache[2:]], 0.8
        )
    A3, Y, p = testCases.compute_cost_with_regularization_test_case()
    with pytest.raises(ShapeError, match=r"Y .*\(1, 5\).*\(5, 1\)"):
        regularization.compute_cost_with_regularization(A3, Y.T, p, 0.1)
    with pytest.raises(ShapeError, match=r"Y .*\(1, 5\).*X, \(3, 5\)"):
        regularization.model(X, np.zeros((2, 5)))
    with pytest.raises(ShapeError, match=r"W1 .*\(any, 5\)"):
        regularization.forward_propagation_with_dropout(X.T, p)


def test_wrong_settings_are_named():
    X, Y, cache = testCases.backward_propagation_with_dropout_test_case()
    A3, _, p = testCases.compute_cost_with_regularization_test_case()
    for keep_prob in (0, -0.5, 1.5, float("nan")):
        with pytest.raises(SettingError, match="keep_prob must be above 0 and at most 1"):
            regularization.forward_propagation_with_dropout(X, p, keep_prob)
        with pytest.raises(SettingError, match="keep_prob must be above 0 and at most 1"):
            regularization.backward_propagation_with_dropout(X, Y, cache, keep_prob)
        with pytest.raises(SettingError, match="keep_prob must be above 0 and at most 1"):
            regularization.model(X, Y, keep_prob=keep_prob)
    plain = testCases.backward_propagation_with_regularization_test_case()
    for call in (
        lambda: regularization.compute_cost_with_regularization(A3, Y, p, -0.1),
        lambda: regularization.backward_propagation_with_regularization(*plain, -0.1),
        lambda: regularization.model(X, Y, lambd=-0.1),
    ):
        with pytest.raises(SettingError, match=r"lambd must not be negative, got -0\.1"):
            call()
    with pytest.raises(SettingError, match="one at a time"):
        regularization.model(X, Y, lambd=0.7, keep_prob=0.8)
    with pytest.raises(SettingError, match=r"no D in the last.*got 12 arrays"):
        regularization.backward_propagation_with_dropout(*plain, 0.8)
