"""Notebooks as they are: import lines, names with two meanings, older calls, types of scalars."""

import importlib

import numpy as np
import pytest

from fastnn.course import (
    deep,
    dnn_app_utils,
    gc_utils,
    gradient_checking,
    init_utils,
    logistic_regression,
    opt_utils,
    opt_utils_v1a,
    optimization,
    reg_utils,
    regularization,
    shallow,
    testCases,
)
from fastnn.errors import SettingError, ShapeError

#: Files of the course's notebooks, and names that their import lines hold.
IMPORTS = {
    "opt_utils": ["load_params_and_grads", "initialize_parameters", "compute_cost", "load_dataset"],
    "opt_utils_v1a": ["load_params_and_grads", "forward_propagation", "predict_dec", "predict"],
    "dnn_utils_v2": ["sigmoid", "sigmoid_backward", "relu", "relu_backward"],
    "dnn_app_utils_v2": ["load_data", "initialize_parameters_deep", "print_mislabeled_images"],
    "dnn_app_utils_v3": ["load_data", "L_model_forward", "predict"],
    "testCases_v2": ["layer_sizes_test_case", "compute_cost_test_case"],
    "testCases_v3": ["linear_forward_test_case", "print_grads"],
    "testCases_v4": ["L_model_backward_test_case", "print_grads"],
    "testCases_v4a": ["L_model_forward_test_case_2hidden", "update_parameters_test_case"],
    "test_cases": ["gradient_check_n_test_case"],
    "testCases": ["print_grads", "update_parameters_with_adam_test_case"],
    "init_utils": ["load_cat_dataset", "load_dataset", "plot_decision_boundary"],
    "reg_utils": ["load_2D_dataset", "initialize_parameters", "update_parameters"],
}


@pytest.mark.parametrize("name", IMPORTS)
def test_names_of_an_import_line_exist(name):
    module = importlib.import_module(f"fastnn.course.{name}")
    assert set(IMPORTS[name]) <= set(module.__all__)
    assert all(callable(getattr(module, wanted)) for wanted in module.__all__)


def test_load_params_and_grads_draws_from_its_seed():
    found, shapes = opt_utils.load_params_and_grads(), [(2, 3), (2, 1), (3, 3), (3, 1)] * 2
    np.random.seed(1)
    for array, shape in zip(found, shapes, strict=True):
        np.testing.assert_array_equal(array, np.random.randn(*shape))
    np.random.seed(4)
    first = opt_utils_v1a.load_params_and_grads(seed=None)[0]
    np.testing.assert_array_equal(first, opt_utils.load_params_and_grads(seed=4)[0])


def test_print_grads_shows_what_the_lecture_calls_dA1(capsys):
    now = {"dA0": 0, "dA1": 1.5, "dW1": 2, "db1": 3}
    older = {"dA1": 0, "dA2": 1.5, "dW1": 2, "db1": 3}
    for grads in (now, older):
        testCases.print_grads(grads)
        assert capsys.readouterr().out == "dW1 = 2\ndb1 = 3\ndA1 = 1.5\n"
    with pytest.raises(SettingError, match="grads must hold 'dW1'"):
        testCases.print_grads({})
    for given in (None, [1, 2], "dW1"):
        with pytest.raises(SettingError, match="grads must be a dict of arrays, got a"):
            testCases.print_grads(given)


def test_cats_as_columns(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    (tmp_path / "datasets").mkdir()
    monkeypatch.chdir(tmp_path)
    X = np.random.RandomState(0).randint(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    for part in ("train", "test"):
        with h5py.File(f"datasets/{part}_catvnoncat.h5", "w") as file:
            file[f"{part}_set_x"], file[f"{part}_set_y"] = X, [0, 1, 1]
            file["list_classes"] = np.array([b"non-cat", b"cat"])
    train, labels, test, _, classes = init_utils.load_cat_dataset()
    for i in range(3):
        np.testing.assert_allclose(train[:, i], X[i].reshape(-1) / 255, rtol=1e-15)
    np.testing.assert_array_equal(train, test)
    assert (labels.tolist(), classes[1]) == ([[0, 1, 1]], b"cat")


# One function name with two meanings in two helper files


def test_initialize_parameters_deep_is_that_of_its_file():
    np.random.seed(1)
    p = dnn_app_utils.initialize_parameters_deep([5, 4, 3])
    np.random.seed(1)
    for layer, (n_prev, n) in enumerate([(5, 4), (4, 3)], start=1):
        W = np.random.randn(n, n_prev) / np.sqrt(n_prev)
        np.testing.assert_array_equal(p[f"W{layer}"], W)
        assert not p[f"b{layer}"].any()
    assert np.abs(deep.initialize_parameters_deep([5, 4, 3])["W1"]).max() < 0.05


def test_initialize_parameters_are_those_of_their_files():
    np.random.seed(3)
    W1 = np.random.randn(4, 5)
    np.testing.assert_allclose(
        opt_utils.initialize_parameters([5, 4, 1])["W1"], W1 * np.sqrt(2 / 5), rtol=1e-15
    )
    np.testing.assert_array_equal(reg_utils.initialize_parameters([5, 4, 1])["W1"], W1 / np.sqrt(5))
    found = deep.initialize_parameters(5, 4, 1)["W1"]
    np.random.seed(1)
    np.testing.assert_array_equal(found, np.random.randn(4, 5) * 0.01)


def test_gradients_of_the_last_layer_are_those_of_their_files():
    X, Y, cache = testCases.backward_propagation_with_regularization_test_case()
    m = Y.shape[1]
    np.testing.assert_allclose(reg_utils.backward_propagation(X, Y, cache)["dZ3"], cache[9] - Y)
    for module in (init_utils, opt_utils, opt_utils_v1a):
        np.testing.assert_allclose(
            module.backward_propagation(X, Y, cache)["dz3"], (cache[9] - Y) / m
        )


# Types of scalars, as the notebooks of 2021 test them


def test_scalars_have_the_types_that_notebooks_test():
    w, b, X, Y = testCases.propagate_test_case()
    grads, _ = logistic_regression.propagate(w, b, X, Y)
    assert type(grads["db"]) is np.float64
    params, _, _ = logistic_regression.optimize(w, b, X, Y, 3)
    assert type(params["b"]) is np.float64
    A3, Y, p = testCases.compute_cost_with_regularization_test_case()
    cost = regularization.compute_cost_with_regularization(A3, Y, p, 0.1)
    assert type(cost) is np.float64
    assert cost.shape == ()
    X, _ = testCases.L_model_forward_test_case()
    for model in (deep.two_layer_model, deep.L_layer_model):
        _, costs = model(X, np.array([[1, 0]]), (4, 3, 1), num_iterations=101)
        assert [type(cost) for cost in costs] == [np.ndarray] * 2
        assert all(cost.shape == () and cost.dtype == np.float64 for cost in costs)
    assert type(shallow.compute_cost([[0.5]], [[1]])) is float
    X, Y, p = testCases.gradient_check_n_test_case()
    _, cache = gradient_checking.forward_propagation_n(X, Y, p)
    grads = gradient_checking.backward_propagation_n(X, Y, cache)
    assert type(gradient_checking.gradient_check_n(p, grads, X, Y)) is np.float64
    assert type(gradient_checking.gradient_check(2, 4)) is np.float64


# A row given flat

FLAT = {
    "shallow": (shallow.compute_cost, "mean"),
    "deep": (deep.compute_cost, "mean"),
    "init_utils": (init_utils.compute_loss, "mean"),
    "reg_utils": (reg_utils.compute_cost, "mean"),
    "opt_utils": (opt_utils.compute_cost, "mean"),
    "opt_utils_v1a": (opt_utils_v1a.compute_cost, "sum"),
}


@pytest.mark.parametrize("name", FLAT)
def test_a_row_of_probabilities_or_labels_may_be_flat(name):
    cost, kind = FLAT[name]
    A, Y = np.array([0.9, 0.2, 0.7, 0.6, 0.1]), np.array([[1, 0, 1, 0, 0]])
    right = getattr(np, kind)(-np.log(np.where(Y[0] == 1, A, 1 - A)))
    for a, y in ((A, Y), (A, Y[0]), (A[None], Y[0]), (A[None], Y)):
        assert cost(a, y) == pytest.approx(right, rel=1e-14)
    with pytest.raises(
        ShapeError, match=r"Y must have shape \(1, 5\), that of [Aa]\w+, \(1, 5\), got"
    ):
        cost(A, Y[0, :4])
    with pytest.raises(ShapeError):
        cost(np.vstack([A, A]), Y[0])


def test_labels_may_be_flat_on_the_way_back():
    X, y, cache = testCases.backward_propagation_n_test_case()
    flat = gradient_checking.backward_propagation_n(X, y, cache)
    for key, array in reg_utils.backward_propagation(X, y.reshape(1, -1), cache).items():
        np.testing.assert_array_equal(flat[key], array)
    w, b, X, Y = testCases.propagate_test_case()
    grads, cost = logistic_regression.propagate(w, b, X, Y[0])
    known, right = logistic_regression.propagate(w, b, X, Y)
    assert cost == right
    np.testing.assert_array_equal(grads["dw"], known["dw"])


# Calls of the older edition


def test_adam_of_the_older_edition_returns_three_values():
    parameters, grads, v, s = testCases.update_parameters_with_adam_test_case()
    now = optimization.update_parameters_with_adam(parameters, grads, v, s, t=2)
    older = optimization.update_parameters_with_adam(parameters, grads, v, s, t=2, edition=2017)
    assert (len(now), len(older)) == (5, 3)
    for mine, theirs in zip(now, older, strict=False):
        for key in mine:
            np.testing.assert_array_equal(mine[key], theirs[key])


@pytest.mark.parametrize("model", [deep.two_layer_model, deep.L_layer_model])
def test_models_of_the_older_edition_return_parameters_alone(model):
    X, _ = testCases.L_model_forward_test_case()
    Y = np.array([[1, 0]])
    now, _ = model(X, Y, (4, 3, 1), num_iterations=3)
    older = model(X, Y, (4, 3, 1), num_iterations=3, edition=2018)
    assert older.keys() == now.keys()
    assert all((older[key] == now[key]).all() for key in now)


def test_the_older_gradient_check_always_prints(capsys):
    X, Y, p = testCases.gradient_check_n_test_case()
    _, cache = gradient_checking.forward_propagation_n(X, Y, p)
    grads = gradient_checking.backward_propagation_n(X, Y, cache)
    now = gradient_checking.gradient_check_n(p, grads, X, Y)
    assert capsys.readouterr().out == ""
    assert gradient_checking.gradient_check_n(p, grads, X, Y, edition=2017) == now
    assert f"difference = {float(now)!r}" in capsys.readouterr().out


def test_parameters_with_costs_get_one_sentence():
    X, _ = testCases.L_model_forward_test_case()
    both = deep.L_layer_model(X, np.array([[1, 0]]), (4, 3, 1), num_iterations=1)
    for call in (
        lambda: deep.predict(X, np.array([[1, 0]]), both),
        lambda: deep.L_model_forward(X, both),
        lambda: shallow.predict(both, X),
        lambda: init_utils.predict(X, np.array([[1, 0]]), both),
        lambda: gc_utils.dictionary_to_vector(both),
        lambda: optimization.initialize_adam(both),
    ):
        with pytest.raises(SettingError, match=r"parameters must be a dict .* write parameters, c"):
            call()
    with pytest.raises(SettingError, match="grads must be a dict of arrays, got a list"):
        deep.update_parameters(both[0], [], 0.1)


@pytest.mark.parametrize("edition", [2016, 2022, "2021", None])
def test_an_unknown_edition_is_named(edition):
    X, Y = testCases.nn_model_test_case()
    with pytest.raises(SettingError, match="edition must be 2021, or 2017"):
        shallow.nn_model(X, Y, 4, edition=edition)
    with pytest.raises(SettingError, match="edition"):
        deep.L_layer_model(X, Y, (2, 1), edition=edition)


# Predictions name classes


def test_predictions_are_integers_that_index_classes():
    classes = np.array([b"non-cat", b"cat"])
    w, b, X, Y = testCases.propagate_test_case()
    model = logistic_regression.model(X, Y, X, Y, num_iterations=10)
    for key in ("Y_prediction_train", "Y_prediction_test"):
        assert classes[model[key][0, 1]] in classes
    found = logistic_regression.predict(w, b, X)
    right = (1 / (1 + np.exp(-(w.T @ X + b))) > 0.5).astype(int)
    np.testing.assert_array_equal(found, right)
    X, p = testCases.L_model_forward_test_case()
    for module in (deep, init_utils):
        assert module.predict(X, np.array([[1, 0]]), p).dtype == np.int64
