"""What the pictures of metrics, diagnostics and weights show, and what they refuse to draw."""

import doctest
import inspect
import sys

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

from fastnn import Dense, Network, metrics, plot  # noqa: E402
from fastnn.diagnostics import (  # noqa: E402
    LayerSignal,
    LearningCurve,
    RangeTest,
    Signal,
    depth_experiment,
    diagnose,
    signal,
)
from fastnn.errors import (  # noqa: E402
    DataError,
    MissingExtraError,
    SettingError,
    ShapeError,
)

NET = Network([Dense(4, "tanh"), Dense(3, "relu"), Dense(1, "sigmoid")], inputs=6)
X = np.random.default_rng(0).normal(size=(20, 6))
CURVE = LearningCurve(
    np.array([10, 20, 40]),
    np.array([[0.9, 0.92, 0.95], [1.0, 0.96, 0.95]]),
    np.array([[0.5, 0.7, 0.8], [0.7, 0.75, 0.9]]),
    "accuracy",
)
RANGE = RangeTest(
    np.array([0.01, 0.1, 0.3, 1.0, 3.0]),
    np.array(
        [[0.7, 0.6, 0.4, 0.9, np.inf], [0.8, 0.5, 0.3, 2.0, 9.0], [0.75, 0.55, 0.35, 1.0, 8.0]]
    ),
)
LABELS, SHARES = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
CALLS = {
    "calibration_curve": lambda ax: plot.calibration_curve(LABELS, SHARES, ax=ax),
    "confusion_matrix": lambda ax: plot.confusion_matrix([0, 1, 1], [0, 1, 0], ax=ax),
    "first_layer": lambda ax: plot.first_layer(NET, (2, 3), ax=ax),
    "learning_curve": lambda ax: plot.learning_curve(CURVE, ax=ax),
    "precision_recall_curve": lambda ax: plot.precision_recall_curve(LABELS, SHARES, ax=ax),
    "range_test": lambda ax: plot.range_test(RANGE, ax=ax),
    "roc_curve": lambda ax: plot.roc_curve(LABELS, SHARES, ax=ax),
    "signal": lambda ax: plot.signal(diagnose(NET, X, X[:, 0] > 0), ax=ax),
}


def line(ax, label):
    return next(one for one in ax.lines if one.get_label() == label)


@pytest.mark.parametrize("name", CALLS)
class TestAll:
    def test_is_public(self, name):
        assert name in plot.__all__

    def test_given_axes_are_drawn_on_and_returned(self, name):
        ax = plt.subplots()[1]
        before = len(ax.get_children())
        assert CALLS[name](ax) is ax
        assert len(ax.get_children()) > before
        assert plt.get_fignums() == [ax.figure.number]
        ax.figure.canvas.draw()

    @pytest.mark.medium
    def test_without_axes_a_figure_is_made(self, name):
        ax = CALLS[name](None)
        assert ax.figure.number in plt.get_fignums()
        ax.figure.canvas.draw()

    def test_without_matplotlib_the_install_command_is_named(self, name, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
        with pytest.raises(MissingExtraError, match=r'pip install "fastnn\[plot\]"'):
            CALLS[name](None)

    def test_docstring_examples_give_what_they_say(self, name):
        function = getattr(plot, name)
        finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
        examples = finder.find(function, name, module=inspect.getmodule(function))
        assert sum(len(one.examples) for one in examples) > 1
        assert all(runner.run(one).failed == 0 for one in examples)


class TestConfusionMatrix:
    TRUE, GUESS = ["cat", "dog", "cat", "cat"], ["cat", "dog", "dog", "cat"]

    def test_cells(self):
        ax = plot.confusion_matrix(self.TRUE, self.GUESS)
        cells = {text.get_position(): text.get_text() for text in ax.texts}
        assert cells == {(0, 0): "2", (1, 0): "1", (1, 1): "1"}
        shares = ax.images[0].get_array()
        np.testing.assert_allclose(shares, [[2 / 3, 1 / 3], [0, 1]])
        assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog"]
        assert ax.get_title() == "75.0 % of 4 are right"

    def test_a_matrix_is_taken_too(self):
        matrix = metrics.confusion_matrix(self.TRUE, self.GUESS)
        ax = plot.confusion_matrix(matrix, classes=["a", "b"])
        assert [text.get_text() for text in ax.texts] == ["2", "1", "1"]
        assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]

    @pytest.mark.medium
    def test_text_is_white_on_dark_cells_only(self):
        ax = plot.confusion_matrix([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])
        assert [text.get_color() for text in ax.texts] == ["white", "black", "white"]

    def test_a_class_that_never_occurs_stays_empty(self):
        ax = plot.confusion_matrix([0, 0], [0, 1])
        np.testing.assert_array_equal(ax.images[0].get_array()[1], [0, 0])

    def test_many_classes_have_no_numbers(self):
        ax = plot.confusion_matrix(np.arange(25), np.arange(25))
        assert not ax.texts

    @pytest.mark.parametrize(
        ("call", "error", "sentence"),
        [
            (lambda: plot.confusion_matrix([0, 1]), ShapeError, r"\(K, K\).* give y_pred"),
            (lambda: plot.confusion_matrix(-np.eye(2)), DataError, "not negative"),
            (lambda: plot.confusion_matrix(np.zeros((2, 2))), DataError, "not all zero"),
            (lambda: plot.confusion_matrix([0, 1], [0]), ShapeError, "2 rows"),
            (lambda: plot.confusion_matrix([0, 1], [0, 1], classes="a"), SettingError, "1 names"),
        ],
    )
    def test_bad_input(self, call, error, sentence):
        with pytest.raises(error, match=sentence):
            call()
        assert not plt.get_fignums()


class TestFirstLayer:
    def test_each_unit_is_an_image(self):
        W = np.zeros((4, 3))
        W[:, 0] = [1, 0, 0, -1]
        W[0, 1] = 0.01  # on a scale of its own
        picture = plot.first_layer(W, (2, 2), columns=2).images[0].get_array()
        assert picture.shape == (5, 5, 3)
        red, white = picture[0, 0], np.ones(3)
        assert red[0] > 2 * red[2]
        np.testing.assert_array_equal(picture[0, 1], white)
        assert picture[1, 1, 2] > 2 * picture[1, 1, 0]
        np.testing.assert_allclose(picture[0, 3], red)
        np.testing.assert_array_equal(picture[3:, :2].reshape(-1, 3), np.ones((4, 3)))
        np.testing.assert_array_equal(picture[:, 2], np.full((5, 3), 0.75))  # the edge is seen

    def test_rows_are_read_as_images_are_flattened(self):
        W = np.arange(1.0, 7.0)[:, None]
        picture = plot.first_layer(W, (2, 3)).images[0].get_array()
        assert (np.diff(picture[..., 1].ravel()) < 0).all()

    def test_colours(self):
        W = np.random.default_rng(0).normal(size=(4 * 4 * 3, 1))
        picture = plot.first_layer(W, (4, 4, 3)).images[0].get_array()
        image = W.reshape(4, 4, 3)
        np.testing.assert_allclose(picture, (image - image.min()) / np.ptp(image))

    def test_networks_and_counts(self):
        assert plot.first_layer(NET, (3, 2)).get_title() == "weights of 4 units"
        assert plot.first_layer(NET, (3, 2), units=1).get_title() == "weights of 1 unit"
        assert plot.first_layer(np.ones((4, 150)), (2, 2)).get_title() == "weights of 100 units"

    @pytest.mark.parametrize(
        ("settings", "error", "sentence"),
        [
            ({"shape": (4, 4)}, ShapeError, r"16 inputs, but the weights have shape \(6, 4\)"),
            ({"shape": (6,)}, SettingError, r"\(h, w\)"),
            ({"shape": (3, 1, 2)}, SettingError, r"\(h, w\)"),
            ({"units": 0}, SettingError, "units must be"),
            ({"columns": 1.5}, SettingError, "columns must be"),
        ],
    )
    def test_bad_input(self, settings, error, sentence):
        with pytest.raises(error, match=sentence):
            plot.first_layer(NET, **{"shape": (2, 3), **settings})
        assert not plt.get_fignums()


class TestLearningCurve:
    def test_means_and_bands(self):
        ax = plot.learning_curve(CURVE)
        np.testing.assert_allclose(line(ax, "train").get_ydata(), [0.95, 0.94, 0.95])
        np.testing.assert_allclose(line(ax, "dev").get_ydata(), [0.6, 0.725, 0.85])
        np.testing.assert_array_equal(line(ax, "dev").get_xdata(), [10, 20, 40])
        edges = ax.collections[1].get_paths()[0].vertices
        assert {(10.0, 0.5), (10.0, 0.7), (40.0, 0.9)} <= set(map(tuple, edges))
        assert ax.get_ylabel() == "accuracy"

    def test_one_seed_has_no_band(self):
        one = LearningCurve(CURVE.sizes, CURVE.train[:1], CURVE.dev[:1], "cost")
        assert not plot.learning_curve(one).collections


class TestRangeTest:
    def test_median_band_and_suggestion(self):
        ax = plot.range_test(RANGE)
        median = line(ax, "median of 3 seeds")
        np.testing.assert_allclose(median.get_ydata()[:4], [0.75, 0.55, 0.35, 1.0])
        np.testing.assert_allclose(line(ax, "suggestion 0.1").get_xdata(), [0.1, 0.1])
        edges = set(map(tuple, np.round(ax.collections[0].get_paths()[0].vertices, 6)))
        assert {(0.3, 0.3), (0.3, 0.4), (1.0, 2.0)} <= edges
        assert ax.get_xscale() == "log"

    def test_what_shoots_up_leaves_the_picture(self):
        ax = plot.range_test(RANGE)
        top = ax.get_ylim()[1]
        assert 0.8 < top < 2
        assert line(ax, "median of 3 seeds").get_ydata()[-1] > top
        edges = ax.collections[0].get_paths()[0].vertices
        assert edges[edges[:, 0] == 3.0][:, 1].max() > top

    def test_a_cost_over_decades_has_a_logarithmic_axis(self):
        steep = RangeTest(RANGE.rates, np.array([[5, 1, 0.01, 0.1, 50]]))
        ax = plot.range_test(steep)
        assert ax.get_yscale() == "log"
        assert not ax.collections
        assert line(ax, "one seed")

    def test_trial_fits_optimiser_and_batch_size(self):
        trials = np.array([0.3, 1.0]), np.array([[0.1, 0.06], [0.2, 0.08]])
        ax = plot.range_test(RangeTest(RANGE.rates, RANGE.costs, "Adam", 64, 1, *trials))
        assert ax.get_title() == "Adam, batches of 64"
        np.testing.assert_allclose(line(ax, "final cost after 1 epoch").get_ydata(), [0.15, 0.07])
        assert line(ax, "suggestion 1").get_xdata()[0] == 1.0
        assert ax.get_ylim()[0] < 0.07
        assert plot.range_test(RANGE).get_title() == ""

    def test_nothing_finite(self):
        with pytest.raises(DataError, match="no cost of the range test is finite"):
            plot.range_test(RangeTest(RANGE.rates, np.full((1, 5), np.inf)))


class TestSignal:
    def test_mean_and_spread(self):
        found = signal(NET, X)
        ax = plot.signal(found)
        bars = ax.containers[0]
        np.testing.assert_allclose(bars.lines[0].get_ydata(), [row.mean for row in found.layers])
        ends = bars.lines[2][0].get_segments()[1][:, 1]
        row = found.layers[1]
        np.testing.assert_allclose(ends, [row.mean - row.spread, row.mean + row.spread])
        assert [t.get_text() for t in ax.get_xticklabels()] == ["dense1", "dense2", "dense3"]
        assert len(ax.figure.axes) == 1

    def test_gradients_stand_at_the_right(self):
        found = diagnose(NET, X, X[:, 0] > 0)
        ax = plot.signal(found)
        right = next(one for one in ax.figure.axes if one is not ax)
        assert right.get_yscale() == "log"
        norms = [row.gradient for row in found.layers]
        np.testing.assert_allclose(line(right, "‖dW‖").get_ydata(), norms)
        low, high = right.get_ylim()
        assert high >= 1000 * low * (1 - 1e-9)

    def test_vanishing_spread_on_a_logarithmic_axis(self):
        rows = [LayerSignal(f"dense{k}", 0.0, 10.0**-k, 0.0, 0.0) for k in range(4)]
        ax = plot.signal(Signal(tuple(rows)))
        assert ax.get_yscale() == "log"
        np.testing.assert_allclose(line(ax, "spread of A").get_ydata(), [1, 0.1, 0.01, 0.001])

    def test_no_spread_at_all(self):
        rows = (LayerSignal("dense1", 0.5, 0.0, 0.0, 0.0),)
        plot.signal(Signal(rows)).figure.canvas.draw()

    def test_several_networks(self):
        found = depth_experiment(6, width=8)
        ax = plot.signal(found)
        assert ax.get_yscale() == "log"
        for name, spreads in found.spreads.items():
            np.testing.assert_allclose(line(ax, name).get_ydata(), spreads)
            np.testing.assert_array_equal(line(ax, name).get_xdata(), np.arange(1, 7))

    def test_empty(self):
        with pytest.raises(DataError, match="empty"):
            plot.signal({})

    def test_the_legend_is_clear_of_slanted_names(self):
        rows = [LayerSignal(f"hidden layer {k}", 0.0, 1.0, 0.0, 0.0) for k in range(10)]
        ax = plot.signal(Signal(tuple(rows)))
        ax.figure.canvas.draw()
        top = ax.get_legend().get_window_extent().y1
        assert all(name.get_window_extent().y0 >= top for name in ax.get_xticklabels())


@pytest.mark.parametrize("name", ["learning_curve", "range_test", "signal"])
def test_results_of_something_else_are_refused(name):
    with pytest.raises(DataError, match=rf"fastnn.diagnostics.{name} returns, got list"):
        getattr(plot, name)([0.5])
    assert not plt.get_fignums()
