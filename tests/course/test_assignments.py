"""The assignments as programs, and every exercise of course 2 on its inputs."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from fastnn import errors
from fastnn.course import (
    assignments,
    deep,
    gc_utils,
    gradient_checking,
    init_utils,
    initialization,
    opt_utils,
    optimization,
    planar_utils,
    reg_utils,
    regularization,
    testCases,
)
from fastnn.course._core import dataset_scores


@pytest.mark.medium
def test_all_run_quickly(capsys):
    """As in the checks of every change: what has no files is passed over."""
    assignments.main(["--quick"])
    out = capsys.readouterr().out
    for name, (title, _) in assignments.ASSIGNMENTS.items():
        assert f"{title} ({name})\n    " in out
    assert "    right:      difference 1.19e-07\n    wrong:      difference 0.285\n" in out
    assert "    zeros:  cost 0.6931, 50.0% train, 50.0% test\n" in out


def test_missing_files_are_named_and_passed_over(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    assignments.main(["cat_logistic", "cat_deep", "check_gradients", "--quick"])
    out = capsys.readouterr().out
    assert out.count("passed over: ") == 2
    assert out.count("train_catvnoncat.h5") == 2
    assert "name the folder of the files by FASTNN_DATA" in out
    assert "difference 0.285" in out
    monkeypatch.delenv("FASTNN_DATA")
    assert dataset_scores.course_file("data.mat") == Path("datasets") / "data.mat"


def test_missing_extra_is_named_and_passed_over(monkeypatch, capsys):
    def missing(path):
        raise errors.MissingExtraError("load_2D_dataset needs scipy")

    monkeypatch.setattr(reg_utils, "load_2D_dataset", missing)
    assignments.main(["regularize"])
    assert "    passed over: load_2D_dataset needs scipy\n" in capsys.readouterr().out


def test_unknown_names_are_refused(capsys):
    with pytest.raises(SystemExit):
        assignments.main(["cats"])
    assert "there is no assignment 'cats'; there are cat_logistic" in capsys.readouterr().err


def test_scores_are_of_the_right_sets():
    p = {"W1": [[1.0, 0.0]], "b1": [[0.0]]}  # says 1 where the first feature is above 0
    X, X_test = np.array([[1.0, -1.0], [0, 0]]), np.array([[1.0, 1.0, -1.0, -1.0], [0] * 4])
    sets = X, np.array([[1, 0]]), X_test, np.array([[1, 0, 0, 0]])
    found = dataset_scores.three_layer_scores(p, sets)
    assert (found["train"], found["test"]) == (1.0, 0.75)
    assert found["cost"] == pytest.approx(np.log1p(np.exp(-1)))
    assert list(dataset_scores.three_layer_scores(p, sets[:2])) == ["cost", "train"]
    assert list(dataset_scores.format_scores({"a": found})) == [
        "a: cost 0.3133, 100.0% train, 75.0% test"
    ]


def test_steps_are_those_of_the_notebooks():
    """The assignments give them, a notebook leaves them out."""
    for model, name, steps in (
        (initialization.model, "num_iterations", 15000),
        (regularization.model, "num_iterations", 30000),
        (optimization.model, "num_epochs", 5000),
    ):
        assert inspect.signature(model).parameters[name].default == steps


@pytest.mark.long
def test_initialize_leaves_zeros_where_they_are(worked):
    assert worked("initialize")["zeros"]["cost"] == pytest.approx(np.log(2))


def test_check_gradients_by_its_numbers():
    found = assignments.check_gradients()
    assert found["right"]["difference"] < 2e-7
    assert found["wrong"]["difference"] == pytest.approx(0.285, abs=5e-4)


@pytest.mark.long
def test_planar_by_its_numbers(worked):
    found = worked("planar")
    # The notebook prints about these; editions differ by an example or two.
    shares = [numbers["train"] for numbers in found.values()]
    assert shares == pytest.approx([0.675, 0.6725, 0.9075, 0.905, 0.9125, 0.905, 0.905], abs=0.015)


@pytest.mark.long
def test_cats_by_their_numbers(cats, two_layers, four_layers, monkeypatch):
    """The deep networks are those of test_deep: cat_deep asks for the same trainings."""

    def instead(trained, sizes):
        def model(X, Y, asked, *, num_iterations):
            assert (X.shape, Y.shape) == ((12288, 209), (1, 209))
            assert (asked, num_iterations) == (sizes, 2500)
            return trained

        return model

    monkeypatch.setattr(deep, "two_layer_model", instead(two_layers, [12288, 7, 1]))
    monkeypatch.setattr(deep, "L_layer_model", instead(four_layers, [12288, 20, 7, 5, 1]))
    found = assignments.cat_logistic() | assignments.cat_deep()
    assert found["one unit"]["cost"] == pytest.approx(0.140872, abs=5e-7)
    known = {"one unit": (0.9904, 0.7), "2 layers": (1.0, 0.72), "4 layers": (0.9856, 0.8)}
    for name, (train, test) in known.items():
        assert found[name]["train"] == pytest.approx(train, abs=1e-4)
        assert found[name]["test"] == pytest.approx(test)


@pytest.mark.parametrize("model", [deep.two_layer_model, deep.L_layer_model])
def test_deep_models_have_the_rate_of_the_notebook(model):
    assert inspect.signature(model).parameters["learning_rate"].default == 0.0075


CALLS = [
    (initialization.initialize_parameters_zeros, None),
    (initialization.initialize_parameters_random, None),
    (initialization.initialize_parameters_he, None),
    (regularization.compute_cost_with_regularization, (0.1,)),
    (regularization.backward_propagation_with_regularization, (0.7,)),
    (regularization.forward_propagation_with_dropout, (0.7,)),
    (regularization.backward_propagation_with_dropout, (0.8,)),
    (gradient_checking.gradient_check, ()),
    (gradient_checking.forward_propagation_n, ()),
    (gradient_checking.backward_propagation_n, ()),
    (optimization.update_parameters_with_gd, ()),
    (optimization.random_mini_batches, ()),
    (optimization.initialize_velocity, None),
    (optimization.update_parameters_with_momentum, (0.9, 0.01)),
    (optimization.initialize_adam, None),
    (optimization.update_parameters_with_adam, (2,)),
    (optimization.update_lr, ()),
    (optimization.schedule_lr_decay, ()),
]


@pytest.mark.parametrize(("function", "more"), CALLS, ids=lambda v: getattr(v, "__name__", ""))
def test_every_exercise_runs_on_its_inputs(function, more):
    make = getattr(testCases, f"{function.__name__}_test_case")
    state = np.random.get_state()[1].copy()
    inputs, again = make(), make()
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_equal(inputs, again)
    function(inputs) if more is None else function(*inputs, *more)


def test_gradient_check_n_runs_on_its_inputs():
    X, Y, parameters = testCases.gradient_check_n_test_case()
    _, cache = gradient_checking.forward_propagation_n(X, Y, parameters)
    gradients = gradient_checking.backward_propagation_n(X, Y, cache)
    assert gradient_checking.gradient_check_n(parameters, gradients, X, Y) < 2e-7


MODULES = (
    assignments,
    gc_utils,
    gradient_checking,
    init_utils,
    initialization,
    opt_utils,
    optimization,
    reg_utils,
    regularization,
)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_documented(module):
    for name in module.__all__:
        assert inspect.getdoc(getattr(module, name)), name


def test_boundaries_are_drawn_from_every_helper_module():
    for module in (init_utils, reg_utils, opt_utils):
        assert module.plot_decision_boundary is planar_utils.plot_decision_boundary
