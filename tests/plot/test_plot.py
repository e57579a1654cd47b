"""What the pictures show: lines, bars, colours, titles, and what they refuse to draw."""

from __future__ import annotations

import doctest
import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from fastnn.kernels.opcodes import Activation  # noqa: E402
from matplotlib import colors  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402

from fastnn import kernels, plot  # noqa: E402
from fastnn.errors import DataError, MissingExtraError, SettingError, ShapeError  # noqa: E402

SQUARE = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
ROWS = [
    {"name": "sigmoid", "loops": 2e-3, "vectorized": 2e-5, "jitted": 3e-6},
    {"name": "adam", "loops": None, "vectorized": 1.5, "jitted": 0.25},
]
CALLS = {
    "history": lambda ax: plot.history({"cost": [0.7, 0.5]}, ax=ax),
    "learning_rates": lambda ax: plot.learning_rates({0.1: [0.7, 0.5]}, ax=ax),
    "decision_boundary": lambda ax: plot.decision_boundary(
        lambda rows: rows[:, 0] > 0.5, SQUARE, [0, 0, 1, 1], ax=ax, steps=20
    ),
    "image": lambda ax: plot.image(np.eye(4), ax=ax),
    "activations": lambda ax: plot.activations(ax=ax),
    "descent": lambda ax: plot.descent([(1, 1), (0, 0)], lambda w, b: w * w + b * b, ax=ax),
    "comparison": lambda ax: plot.comparison(ROWS, ax=ax),
}


class Circle:
    """Class 1 outside the unit circle."""

    def predict(self, rows):
        return (self.predict_proba(rows)[:, 1] > 0.5).astype(int)

    def predict_proba(self, rows):
        p = 1 / (1 + np.exp(1 - (rows**2).sum(axis=1)))
        return np.column_stack([1 - p, p])


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


def twin(ax):
    return next((one for one in ax.figure.axes if one is not ax), None)


def texts(ax):
    return [text.get_text() for text in ax.texts]


# Common to all


def test_every_public_function_is_called_below():
    assert set(CALLS) <= set(plot.__all__)


@pytest.mark.parametrize("name", CALLS)
def test_given_axes_are_drawn_on_and_returned(name):
    ax = plt.subplots()[1]
    before = len(ax.get_children())
    assert CALLS[name](ax) is ax
    assert len(ax.get_children()) > before
    assert plt.get_fignums() == [ax.figure.number]
    ax.figure.canvas.draw()


@pytest.mark.medium
@pytest.mark.parametrize("name", CALLS)
def test_without_axes_a_figure_is_made(name):
    ax = CALLS[name](None)
    assert ax.figure.number in plt.get_fignums()
    ax.figure.canvas.draw()


@pytest.mark.parametrize("name", CALLS)
def test_without_matplotlib_the_install_command_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingExtraError, match=r'pip install "fastnn\[plot\]"'):
        CALLS[name](None)


@pytest.mark.medium
def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, fastnn.plot; sys.exit('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-P", "-c", code], check=False, timeout=300)
    assert run.returncode == 0


@pytest.mark.medium
@pytest.mark.parametrize("name", plot.__all__)
def test_docstring_examples_give_what_they_say(name):
    function = getattr(plot, name)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
    examples = finder.find(function, name, module=inspect.getmodule(function))
    assert sum(len(one.examples) for one in examples) > 1
    for one in examples:
        assert runner.run(one).failed == 0


# history


def test_history_draws_costs_left_and_accuracies_right():
    record = {
        "cost": [0.7, 0.5, 0.4],
        "validation_cost": [0.8, 0.6, 0.5],
        "accuracy": [0.5, 0.7, 0.8],
        "validation_accuracy": [0.4, 0.6, 0.7],
    }
    ax = plot.history(record)
    right = twin(ax)
    for axes, key in ((ax, "cost"), (ax, "validation_cost"), (right, "accuracy")):
        drawn = line(axes, key.replace("_", " "))
        np.testing.assert_array_equal(drawn.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(drawn.get_ydata(), record[key])
    assert line(ax, "validation cost").get_linestyle() == "--"
    assert line(ax, "cost").get_linestyle() == "-"
    assert line(right, "validation accuracy").get_color() == line(right, "accuracy").get_color()
    assert (ax.get_ylabel(), right.get_ylabel(), ax.get_xlabel()) == ("cost", "accuracy", "epoch")
    assert len(ax.get_legend().get_texts()) == 4


def test_history_legend_lies_outside_the_axes():
    ax = plot.history({"cost": [0.7, 0.5], "accuracy": [0.5, 0.7]})
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y1 < ax.xaxis.label.get_window_extent().y0


def test_history_of_the_cost_alone_has_one_axis_and_no_legend():
    ax = plot.history({"cost": [0.7, 0.5]})
    assert twin(ax) is None
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    ("cost", "scale"),
    [([1.0, 0.011], "linear"), ([1.0, 0.009], "log"), ([1.0, 0.0], "linear"), ([5, -5], "linear")],
)
def test_history_is_logarithmic_above_two_decades(cost, scale):
    assert plot.history({"cost": cost}).get_yscale() == scale


def test_history_bridges_epochs_without_validation():
    ax = plot.history({"cost": [3.0, 2.0, 1.0], "validation_cost": [3.5, np.nan, 1.5]})
    np.testing.assert_array_equal(line(ax, "validation cost").get_xdata(), [1, 3])


def test_history_leaves_out_a_validation_that_is_all_nan():
    ax = plot.history({"cost": [3.0, 2.0], "validation_cost": [np.nan, np.nan]})
    assert [one.get_label() for one in ax.lines] == ["cost"]


def test_history_of_one_epoch_shows_a_point():
    ax = plot.history({"cost": [0.69]})
    assert line(ax, "cost").get_marker() == "o"
    assert list(ax.get_xticks()) == [1]


def test_history_of_15000_epochs_shows_a_line_without_markers():
    ax = plot.history({"cost": np.linspace(1.0, 0.5, 15000)})
    assert line(ax, "cost").get_marker() in {"", "None"}
    assert line(ax, "cost").get_xdata()[-1] == 15000


def test_history_of_a_constant_cost_is_not_magnified():
    low, high = plot.history({"cost": [0.5, 0.5 + 1e-12]}).get_ylim()
    assert high - low > 0.01


def test_history_keeps_a_constant_accuracy_off_a_constant_cost():
    ax = plot.history({"cost": [0.7] * 5, "accuracy": [0.5] * 5})
    ax.figure.canvas.draw()
    heights = [one.transData.transform((1, v))[1] for one, v in ((ax, 0.7), (twin(ax), 0.5))]
    assert abs(heights[0] - heights[1]) > 10


def test_history_accuracy_axis_has_no_tick_above_100_per_cent():
    right = twin(plot.history({"cost": [0.7, 0.1], "accuracy": [0.6, 1.0]}))
    low, high = right.get_ylim()
    assert max(tick for tick in right.get_yticks() if low <= tick <= high) <= 1.0 + 1e-9
    assert right.yaxis.get_major_formatter()(0.5, 0).startswith("50")


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ({}, DataError, 'no "cost"'),
        ({"cost": []}, DataError, "at least one epoch"),
        ({"cost": [np.nan, np.inf]}, DataError, "no finite number"),
        ({"cost": [[1.0, 2.0]]}, ShapeError, r"got \(1, 2\)"),
        ({"cost": ["high"]}, DataError, "must hold numbers"),
        ({"cost": [1.0], "accuracy": [[0.5]]}, ShapeError, r'history\["accuracy"\]'),
    ],
)
def test_history_refuses(record, error, message):
    with pytest.raises(error, match=message):
        plot.history(record)


# learning_rates


def test_learning_rates_are_drawn_in_order_over_iterations():
    ax = plot.learning_rates({0.1: [0.7, 0.3], 0.001: [0.7, 0.69, 0.68]}, every=100)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0.001", "0.1"]
    np.testing.assert_array_equal(line(ax, "0.001").get_xdata(), [0, 100, 200])
    np.testing.assert_array_equal(line(ax, "0.1").get_ydata(), [0.7, 0.3])
    assert ax.get_xlabel() == "iteration"


def test_learning_rates_of_histories_are_drawn_over_epochs_from_1():
    ax = plot.learning_rates({0.1: {"cost": np.array([0.7, 0.3, 0.2])}})
    assert ax.get_xlabel() == "epoch"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3])


@pytest.mark.parametrize("epochs", [2, 3, 40])
def test_ticks_of_epochs_are_whole_numbers(epochs):
    cost = np.linspace(1, 0.5, epochs)
    for ax in (plot.learning_rates({0.1: {"cost": cost}}), plot.history({"cost": cost})):
        ticks = ax.get_xticks()
        np.testing.assert_array_equal(ticks, np.round(ticks))


def test_learning_rates_accept_histories():
    ax = plot.learning_rates({0.1: {"cost": np.array([0.7, 0.3])}})
    np.testing.assert_array_equal(line(ax, "0.1").get_ydata(), [0.7, 0.3])
    assert ax.get_xlabel() == "epoch"


def test_learning_rates_survive_one_that_diverges():
    ax = plot.learning_rates({0.1: [0.7, 0.5], 10.0: [0.7, 900.0, np.inf]})
    assert ax.get_yscale() == "log"
    assert np.isnan(line(ax, "10").get_ydata()[-1])


def test_learning_rates_tell_many_curves_apart():
    ax = plot.learning_rates({10.0**-k: [1.0, 0.9] for k in range(14)})
    assert len({(one.get_color(), one.get_linestyle()) for one in ax.lines}) == 14


@pytest.mark.parametrize(
    ("costs", "every", "error", "message"),
    [
        ({}, 1, DataError, "at least one learning rate"),
        ([0.7, 0.5], 1, DataError, "got list"),
        ({"fast": [0.7]}, 1, DataError, "must be a learning rate"),
        ({0.1: []}, 1, DataError, r"costs\[0.1\] is empty"),
        ({0.1: {"costs": [1.0]}}, 1, DataError, 'no "cost"'),
        ({0.1: [0.7]}, 0, SettingError, "every must be at least 1 iteration, got 0"),
    ],
)
def test_learning_rates_refuse(costs, every, error, message):
    with pytest.raises(error, match=message):
        plot.learning_rates(costs, every=every)


# decision_boundary


def test_decision_boundary_fills_each_class_once_and_shows_the_points():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.arange(60) % 3
    ax = plot.decision_boundary(lambda rows: (rows[:, 0] > 0).astype(int) * 2, X, y, steps=30)
    regions = [one for one in ax.collections if hasattr(one, "levels")]
    dots = [one for one in ax.collections if not hasattr(one, "levels")]
    assert len(regions) == 2  # class 1 is predicted nowhere
    assert [one.get_label() for one in dots] == ["0", "1", "2"]
    for label, one in enumerate(dots):
        np.testing.assert_array_equal(one.get_offsets(), X[y == label])
    assert len({colors.to_hex(one.get_facecolor()[0]) for one in dots}) == 3
    fills = [colors.to_hex(one.get_facecolor()[0]) for one in regions]
    assert fills == [colors.to_hex(dots[k].get_facecolor()[0]) for k in (0, 2)]


def test_decision_boundary_draws_the_even_line_where_it_is():
    X = np.array([[-2.0, -2.0], [2.0, 2.0], [0.0, 0.1]])
    model = Circle()
    ax = plot.decision_boundary(model, X, model.predict(X), steps=101)
    (even,) = [one for one in ax.collections if list(getattr(one, "levels", [])) == [0.5]]
    radii = np.hypot(*even.get_paths()[0].vertices.T)
    np.testing.assert_allclose(radii, 1.0, atol=0.02)


def test_decision_boundary_without_a_crossing_has_no_even_line():
    X = 0.1 * SQUARE
    ax = plot.decision_boundary(Circle(), X, [0, 0, 0, 0], steps=20)
    assert not [one for one in ax.collections if list(getattr(one, "levels", [])) == [0.5]]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_decision_boundary_takes_labels_as_text(shape):
    y = np.array(["no", "no", "yes", "yes"]).reshape(shape)
    ax = plot.decision_boundary(
        lambda rows: np.where(rows[:, 0] > 0.5, "yes", "no"), SQUARE, y, steps=20
    )
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no", "yes"]


def test_decision_boundary_takes_one_hot_labels():
    ax = plot.decision_boundary(lambda rows: np.zeros(len(rows), int), SQUARE, np.eye(4), steps=5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1", "2", "3"]


def test_decision_boundary_gives_twelve_classes_twelve_colours():
    X = np.random.default_rng(1).normal(size=(24, 2))
    ax = plot.decision_boundary(lambda rows: np.zeros(len(rows)), X, np.arange(24) % 12, steps=5)
    dots = [one for one in ax.collections if not hasattr(one, "levels")]
    assert len({colors.to_hex(one.get_facecolor()[0]) for one in dots}) == 12


def test_decision_boundary_margin_is_in_standard_deviations():
    X = SQUARE * [1000.0, 0.001]
    seen = []
    plot.decision_boundary(lambda rows: seen.append(rows) or rows[:, 0] > 0, X, [0, 0, 1, 1])
    np.testing.assert_allclose(seen[0].min(axis=0), -0.25 * np.array([1000.0, 0.001]))
    assert seen[0].shape == (200 * 200, 2)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": SQUARE.T[:, :3]}, ShapeError, r"X must have shape \(m, 2\), got \(2, 3\); is the"),
        ({"X": SQUARE * np.nan}, DataError, "X must be finite.*row 0"),
        ({"X": [["a", "b"]]}, DataError, "array of numbers"),
        ({"y": [0, 1]}, ShapeError, r"y must have shape \(4,\).*got \(2,\)"),
        ({"steps": 1}, SettingError, "steps must be at least 2, got 1"),
        ({"margin": -1.0}, SettingError, "margin must not be negative"),
        ({"model": 3}, SettingError, "predict method or be callable, got int"),
        ({"model": lambda rows: rows}, ShapeError, r"one label for each of the 100 rows.*\(100, 2"),
        ({"model": lambda rows: np.arange(len(rows))}, DataError, "at most 20 classes, got 100"),
    ],
)
def test_decision_boundary_refuses(change, error, message):
    settings = {"model": lambda rows: rows[:, 0] > 0, "X": SQUARE, "y": [0, 0, 1, 1], "steps": 10}
    with pytest.raises(error, match=message):
        plot.decision_boundary(**(settings | change))


# image


@pytest.mark.parametrize(
    ("label", "prediction", "title", "red"),
    [
        (1, 1, "label: cat\nprediction: cat", False),
        (np.array([1]), 0.0, "label: cat\nprediction: non-cat", True),
        (0, None, "label: non-cat", False),
        (None, 1, "prediction: cat", False),
        (None, None, "", False),
    ],
)
def test_image_title_is_red_only_where_label_and_prediction_differ(label, prediction, title, red):
    names = [b"non-cat", "cat"]
    ax = plot.image(np.eye(4), label=label, prediction=prediction, classes=names)
    assert ax.get_title() == title
    r, g, b = colors.to_rgb(ax.title.get_color())
    assert (r > 2 * max(g, b)) == red


def test_image_without_classes_compares_numbers_and_text():
    assert plot.image(np.eye(4), label=7, prediction=7.0).title.get_color() == "#000000"
    assert plot.image(np.eye(4), label="7a", prediction="7b").title.get_color() != "#000000"


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32"])
def test_image_colours_of_every_kind_look_alike(dtype):
    pixels = np.arange(48, dtype=dtype).reshape(4, 4, 3) * 5
    np.testing.assert_allclose(plot.image(pixels).images[0].get_array(), pixels / 255.0, rtol=1e-6)


def test_image_leaves_floats_from_0_to_1_alone():
    pixels = np.linspace(0, 1, 48).reshape(4, 4, 3)
    np.testing.assert_allclose(plot.image(pixels).images[0].get_array(), pixels)


@pytest.mark.parametrize(
    ("pixels", "limits"),
    [(np.eye(4) * 16, (0, 16)), (np.eye(4) - 2, (-2, -1)), (np.eye(4)[:, :, None], (0, 1))],
)
def test_image_stretches_greys_to_their_largest_value(pixels, limits):
    shown = plot.image(pixels).images[0]
    assert shown.get_clim() == limits
    assert shown.get_array().shape == (4, 4)


def test_image_of_zeros_is_black():
    shown = plot.image(np.zeros((4, 4), np.uint8)).images[0]
    assert shown.to_rgba(shown.get_array())[..., :3].max() == 0


@pytest.mark.parametrize(
    ("pixels", "settings", "error", "message"),
    [
        (np.zeros(64), {}, ShapeError, r"got \(64,\); give a flat row its shape back"),
        (np.zeros((4, 4, 2)), {}, ShapeError, r"got \(4, 4, 2\)"),
        (np.zeros((0, 4)), {}, ShapeError, r"got \(0, 4\)"),
        (np.full((4, 4), np.nan), {}, DataError, "finite numbers"),
        (np.full((4, 4), "x"), {}, DataError, "must hold numbers"),
        (np.full((4, 4, 3), -1.5), {}, DataError, "got -1.5…-1.5; undo the standardisation"),
        (np.eye(4), {"label": 2, "classes": ["a", "b"]}, DataError, "position in classes, 0…1"),
        (np.eye(4), {"label": "a", "classes": ["a", "b"]}, DataError, "got 'a'"),
        (np.eye(4), {"prediction": [1, 2]}, ShapeError, r"prediction must be one value.*\(2,\)"),
    ],
)
def test_image_refuses(pixels, settings, error, message):
    with pytest.raises(error, match=message):
        plot.image(pixels, **settings)


# activations


def test_activations_are_the_functions_and_their_derivatives():
    ax = plot.activations()
    z = np.linspace(-5, 5, 1001)
    s = 1 / (1 + np.exp(-z))
    expected = {
        "sigmoid": (s, s * (1 - s)),
        "tanh": (np.tanh(z), 1 - np.tanh(z) ** 2),
        "relu": (np.maximum(z, 0), z > 0),
    }
    for name, (g, slope) in expected.items():
        solid, dashed = line(ax, name), line(ax, f"{name}, g'")
        np.testing.assert_allclose(solid.get_xdata(), z)
        np.testing.assert_allclose(solid.get_ydata(), g, atol=1e-12)
        np.testing.assert_allclose(dashed.get_ydata(), slope, atol=1e-12)
        assert solid.get_color() == dashed.get_color()
        assert (solid.is_dashed(), dashed.is_dashed()) == (False, True)
    assert len(ax.lines) == 8
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
    ]


def test_activations_come_from_the_kernels(monkeypatch):
    ops = kernels.get("vectorized")
    kernel = ops.activations[Activation.TANH]._replace(forward=lambda Z, A: A.fill(0.25))
    monkeypatch.setitem(ops.activations, Activation.TANH, kernel)
    assert set(line(plot.activations("tanh"), "tanh").get_ydata()) == {0.25}


@pytest.mark.parametrize("names", [["relu", "rely"], ["softmax"], ["dense"], [3]])
def test_activations_refuse_what_is_none(names):
    with pytest.raises(SettingError, match=r"sigmoid.*got " + repr(names[-1])):
        plot.activations(names)


def test_activations_refuse_no_name():
    with pytest.raises(SettingError, match="at least one name"):
        plot.activations([])


# descent

PATH = np.array([[2.0, 1.0], [1.0, 0.5], [0.2, 0.1]])


def test_descent_draws_path_ends_and_contours():
    ax = plot.descent(PATH, lambda w, b: w**2 + b**2, levels=12)
    np.testing.assert_array_equal(np.column_stack(line(ax, "path").get_data()), PATH)
    assert (line(ax, "start").get_xydata() == PATH[0]).all()
    assert (line(ax, "end").get_xydata() == PATH[-1]).all()
    contours = [one for one in ax.collections if hasattr(one, "levels")]
    assert contours[0].filled
    assert len(contours[0].levels) == 13
    assert twin(ax).get_ylabel() == "cost J(w, b)"


def test_descent_evaluates_an_averaging_cost_point_by_point():
    # With as many examples as grid points along an axis, arrays would broadcast to nonsense.
    x = np.linspace(-1, 1, 81)
    ax = plot.descent(PATH, lambda w, b: np.mean((w * x + b) ** 2), margin=0.0)
    levels = next(one for one in ax.collections if hasattr(one, "levels")).levels
    corners = [w * w * np.mean(x * x) + b * b for w in PATH[[0, -1], 0] for b in PATH[[0, -1], 1]]
    np.testing.assert_allclose([levels[0], levels[-1]], [min(corners), max(corners)], rtol=1e-9)


def test_descent_without_surface_draws_the_path_alone():
    ax = plot.descent(PATH)
    assert len(ax.collections) == 0
    assert twin(ax) is None
    assert len(ax.lines) == 3


def test_descent_marks_few_steps_and_not_thousands():
    assert line(plot.descent(PATH), "path").get_marker() == "."
    assert line(plot.descent(np.zeros((5000, 2))), "path").get_marker() in {"", "None"}


@pytest.mark.medium
@pytest.mark.parametrize(
    "surface", [lambda w, b: 3.0, lambda w, b: [[w * b]], lambda w, b: np.nan if w > 1 else w]
)
def test_descent_survives_odd_surfaces(surface):
    ax = plot.descent([(1.0, 1.0)], surface)
    ax.figure.canvas.draw()
    assert [one for one in ax.collections if hasattr(one, "levels")]


@pytest.mark.parametrize(
    ("path", "settings", "error", "message"),
    [
        (PATH.T, {}, ShapeError, r"path must have shape \(m, 2\), got \(2, 3\); one row"),
        (np.empty((0, 2)), {}, ShapeError, r"got \(0, 2\)"),
        ([(0.0, np.inf)], {}, DataError, "path must be finite"),
        (PATH, {"surface": lambda w, b: np.nan}, DataError, "surface must return finite costs"),
        (PATH, {"surface": lambda w, b: np.zeros(3)}, ShapeError, r"one cost.*\(3,\)"),
        (PATH, {"levels": 1}, SettingError, "levels must be at least 2, got 1"),
        (PATH, {"margin": -0.1}, SettingError, "margin must not be negative"),
    ],
)
def test_descent_refuses(path, settings, error, message):
    with pytest.raises(error, match=message):
        plot.descent(path, **settings)


# comparison


def test_comparison_draws_a_bar_for_each_time_on_a_log_axis():
    ax = plot.comparison(ROWS)
    assert ax.get_xscale() == "log"
    ends = {
        bars.get_label(): [bar.get_x() + bar.get_width() for bar in bars] for bars in ax.containers
    }
    left = ax.get_xlim()[0]
    np.testing.assert_allclose(ends["loops"], [2e-3, left])  # nothing where nothing was measured
    np.testing.assert_allclose(ends["vectorized"], [2e-5, 1.5])
    np.testing.assert_allclose(ends["jitted"], [3e-6, 0.25])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["sigmoid", "adam"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row at the top


def test_comparison_annotates_time_and_ratio_to_loops():
    assert texts(plot.comparison(ROWS)) == [
        "2 ms",
        "not measured",
        "20 µs  ×100",
        "1.5 s",
        "3 µs  ×667",
        "250 ms",
    ]


@pytest.mark.parametrize(
    ("loops", "jitted", "caption"),
    [
        (1.0, 1 / 999.7, "1 ms  ×1000"),
        (40.0, 1.2e-3, "1.2 ms  ×33300"),
        (1e-3, 123.4e-6, "123 µs  ×8.1"),
        (9e-8, 310e-9, "310 ns  ×0.29"),
        (200.0, 99.96, "100 s  ×2"),
        (1.0, 0.99996e-6, "1 µs  ×1000000"),
    ],
)
def test_comparison_writes_three_digits(loops, jitted, caption):
    row = {"name": "op", "loops": loops, "jitted": jitted}
    assert texts(plot.comparison([row]))[-1] == caption


def test_comparison_annotations_stay_inside_eight_rows_and_apart():
    rows = [ROWS[0] | {"name": f"row {k}"} for k in range(8)]
    rows[3]["name"] = "a training step of the network with layers [2, 10, 5, 1] on circles"
    ax = plot.comparison(rows)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert max(box.x1 for box in boxes) < ax.get_window_extent().x1
    boxes.sort(key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))
    assert "\n" in ax.get_yticklabels()[3].get_text()
    assert min(label.get_window_extent().x0 for label in ax.get_yticklabels()) >= 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "at least one mapping"),
        (ROWS[0], "sequence with at least one mapping"),
        ([{"loops": 1.0}], r'rows\[0\] has no "name"'),
        ([{"name": "a"}], 'at least one time under "loops"'),
        ([{"name": "a", "jitted": 0.0}], r'rows\[0\]\["jitted"\] must be seconds above 0.*got 0.0'),
        ([{"name": "a", "loops": np.nan}], "got nan"),
        ([{"name": "a", "loops": "fast"}], "seconds or None, got 'fast'"),
    ],
)
def test_comparison_refuses(rows, message):
    with pytest.raises(DataError, match=message):
        plot.comparison(rows)
