"""The helper modules: data sets, pictures, re-exports and the exercises' inputs."""

import inspect

import numpy as np
import pytest

from fastnn.course import (
    deep,
    dnn_app_utils,
    dnn_utils,
    logistic_regression,
    lr_utils,
    planar_utils,
    shallow,
    testCases,
    testCases_v2,
)
from fastnn.errors import ShapeError


def write_h5(path, part, images, labels):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file[f"{part}_set_x"], file[f"{part}_set_y"] = images, labels
        file["list_classes"] = np.array([b"non-cat", b"cat"])
    return path


def test_load_dataset(tmp_path):
    rng = np.random.RandomState(0)
    X, T = (rng.randint(0, 256, (m, 4, 4, 3)).astype(np.uint8) for m in (3, 2))
    paths = (
        write_h5(tmp_path / "a.h5", "train", X, [0, 1, 1]),
        write_h5(tmp_path / "b.h5", "test", T, [1, 0]),
    )
    for load in (lr_utils.load_dataset, dnn_app_utils.load_data):
        train_x, train_y, test_x, test_y, classes = load(*paths)
        np.testing.assert_array_equal(train_x, X)
        np.testing.assert_array_equal(test_x, T)
        assert train_x.dtype == np.uint8
        assert train_y.tolist() == [[0, 1, 1]]
        assert test_y.tolist() == [[1, 0]]
        assert [name.decode("utf-8") for name in classes] == ["non-cat", "cat"]


def test_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="train_catvnoncat"):
        lr_utils.load_dataset()


def test_cat_set(cats):
    train_x, train_y, test_x, test_y, classes = cats
    assert (train_x.shape, test_x.shape) == ((209, 64, 64, 3), (50, 64, 64, 3))
    assert (train_y.shape, test_y.shape) == ((1, 209), (1, 50))
    assert classes.tolist() == [b"non-cat", b"cat"]


def test_planar_dataset_is_the_flower():
    X, Y = planar_utils.load_planar_dataset()
    after = np.random.rand()
    np.random.seed(1)
    for j in range(2):
        t = np.linspace(j * 3.12, (j + 1) * 3.12, 200) + np.random.randn(200) * 0.2
        r = 4 * np.sin(4 * t) + np.random.randn(200) * 0.2
        half = slice(200 * j, 200 * (j + 1))
        np.testing.assert_allclose(X[:, half], [r * np.sin(t), r * np.cos(t)], rtol=1e-15)
        assert (Y[:, half] == j).all()
    assert after == np.random.rand()  # the global generator stands where the notebook leaves it
    assert (X.shape, Y.shape, Y.dtype) == ((2, 400), (1, 400), np.uint8)


def test_extra_datasets():
    pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    np.random.seed(3)
    sets = planar_utils.load_extra_datasets()
    again = planar_utils.load_extra_datasets()
    shapes = [(X.shape, y.shape) for X, y in sets]
    assert shapes == [((200, 2), (200,))] * 4 + [((200, 2), (200, 2))]
    assert [len(np.unique(y)) for _, y in sets[:4]] == [2, 2, 6, 2]
    assert not np.array_equal(sets[0][0], again[0][0])  # drawn from the global generator
    np.testing.assert_array_equal(sets[2][0], again[2][0])  # blobs have a seed of their own


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def test_plot_decision_boundary_draws_where_the_notebook_stands(pyplot):
    X, Y = planar_utils.load_planar_dataset()
    parameters = shallow.nn_model(X, Y, 3, num_iterations=20)
    first = pyplot.subplot(1, 2, 1)
    ax = planar_utils.plot_decision_boundary(lambda x: shallow.predict(parameters, x.T), X, Y)
    assert ax is first
    assert len(ax.collections) > 2
    with pytest.raises(ShapeError, match=r"X must have shape \(2, any\).*pass X.T"):
        planar_utils.plot_decision_boundary(lambda x: x[:, 0] > 0, X.T, Y)
    with pytest.raises(ShapeError, match=r"y must have shape \(1, 400\)"):
        planar_utils.plot_decision_boundary(lambda x: x[:, 0] > 0, X, Y[:, :5])


def test_print_mislabeled_images(pyplot):
    X = np.random.RandomState(0).rand(4 * 4 * 3, 3)
    y, p = np.array([[0, 1, 1]]), np.array([[1.0, 1.0, 0.0]])
    axes = dnn_app_utils.print_mislabeled_images([b"non-cat", b"cat"], X, y, p)
    titles = [ax.get_title() for ax in axes]
    assert titles == ["label: non-cat\nprediction: cat", "label: cat\nprediction: non-cat"]
    drawn = axes[1].images[0].get_array()
    np.testing.assert_allclose(drawn, X[:, 2].reshape(4, 4, 3))
    assert dnn_app_utils.print_mislabeled_images([b"a", b"b"], X, y, y) == []
    with pytest.raises(ShapeError, match=r"square image.*\(5, 3\)"):
        dnn_app_utils.print_mislabeled_images([b"a", b"b"], X[:5], y, p)


def test_reexports_are_the_same_functions():
    for module in (deep, dnn_utils):
        for name in set(module.__all__) - {"initialize_parameters_deep"}:
            assert getattr(dnn_app_utils, name) is getattr(module, name)
    assert planar_utils.sigmoid is logistic_regression.sigmoid


def calls():
    lr, s, d = logistic_regression, shallow, deep
    deep_cases = [
        (lr.initialize_with_zeros, "initialize_with_zeros", ()),
        (lr.propagate, "propagate", ()),
        (lr.optimize, "optimize", ()),
        (d.initialize_parameters_deep, "initialize_parameters_deep", None),
        (d.linear_forward, "linear_forward", ()),
        (d.linear_activation_forward, "linear_activation_forward", ("relu",)),
        (d.L_model_forward, "L_model_forward", ()),
        (d.linear_backward, "linear_backward", ()),
        (d.linear_activation_backward, "linear_activation_backward", ("sigmoid",)),
        (d.L_model_backward, "L_model_backward", ()),
        (d.update_parameters, "update_parameters", (0.1,)),
    ]
    shallow_cases = [
        (s.layer_sizes, "layer_sizes", ()),
        (s.initialize_parameters, "initialize_parameters", ()),
        (s.forward_propagation, "forward_propagation", ()),
        (s.compute_cost, "compute_cost", ()),
        (s.backward_propagation, "backward_propagation", ()),
        (s.update_parameters, "update_parameters", ()),
        (s.nn_model, "nn_model", (4, 3)),
        (s.predict, "predict", ()),
    ]
    return [(testCases, *case) for case in deep_cases] + [
        (testCases_v2, *case) for case in shallow_cases
    ]


@pytest.mark.parametrize(
    ("module", "function", "name", "more"), calls(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_exercise_runs_on_its_inputs(module, function, name, more):
    state = np.random.get_state()[1].copy()
    inputs, again = (getattr(module, f"{name}_test_case")() for _ in range(2))
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.testing.assert_equal(inputs, again)
    if more is None or not isinstance(inputs, tuple):
        function(inputs)
    else:
        function(*inputs, *more)


def test_no_private_name_escapes_into_the_notebook():
    for module in (logistic_regression, shallow, deep, dnn_utils, planar_utils, lr_utils):
        for name in module.__all__:
            assert inspect.getdoc(getattr(module, name)), name
