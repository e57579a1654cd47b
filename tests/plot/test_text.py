"""Pictures: names as they are written, counts with all digits, and only Axes as `ax`."""

import numpy as np
import pytest

import fastnn
from fastnn import Dense, Network, diagnostics, plot, spaces
from fastnn.errors import DataError, SettingError
from fastnn.tuning.results import Search

pytest.importorskip("matplotlib").use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")
Text = pytest.importorskip("matplotlib.text").Text

NAMES = ["$0-$10", "$x_$", "_50% \\frac{ a$b ½"]
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(30, 2)), RNG.integers(0, 2, 30)


def drawn(ax):
    """Draw the picture, and return all texts that stand in it."""
    ax.figure.canvas.draw()
    return [text for text in ax.figure.findobj(Text) if text.get_text() and text.get_visible()]


def assert_written(ax, name):
    """Check that a name stands in the picture as it is written."""
    found = [text for text in drawn(ax) if name in text.get_text()]
    assert found, name
    assert not any(text.get_parse_math() for text in found)


def trials(name):
    found = [
        {"number": k, "parameters": {name: name}, "score": 0.5 + k, "epochs": 1,
         "state": "finished"} for k in range(3)
    ]  # fmt: skip
    return Search(found, {name: spaces.Choice(name, "other")}, "validation_accuracy")


def net_of(name):
    return Network([Dense(3, "tanh", name=name), Dense(1, "sigmoid")], inputs=2)


PICTURES = {
    "confusion matrix": lambda n: plot.confusion_matrix([0, 1], [0, 1], classes=[n, "other"]),
    "confusion of text": lambda n: plot.confusion_matrix([n, "zz"], ["zz", n]),
    "image": lambda n: plot.image(np.eye(3), label=0, prediction=1, classes=[n, n + "!"]),
    "boundary": lambda n: plot.decision_boundary(
        lambda rows: np.where(rows[:, 0] > 0, n, "zz"), X, np.where(X[:, 0] > 0, n, "zz"), steps=9
    ),
    "most wrong": lambda n: plot.most_wrong(
        Network([Dense(2, "softmax")], inputs=4), RNG.normal(size=(9, 4)),
        RNG.integers(0, 2, 9), (2, 2), classes=[n, n],
    ),
    "search": lambda n: plot.search(trials(n)),
    "signal": lambda n: plot.signal(diagnostics.diagnose(net_of(n), X, Y)),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("picture", PICTURES)
def test_names_stand_as_they_are_written(picture, name):
    assert_written(PICTURES[picture](name), name)


class TestCounts:
    @pytest.mark.parametrize("count", [1, 99_999, 1_234_567, 2**40 + 1])
    def test_have_all_their_digits(self, count):
        ax = plot.confusion_matrix(np.array([[count, 0], [3, count]]))
        texts = [text.get_text() for text in ax.texts]
        assert texts == [str(count), "3", str(count)]
        assert ax.get_title().endswith(f"of {2 * count + 3} are right")

    def test_fit_into_their_cells(self):
        ax = plot.confusion_matrix(np.full((3, 3), 123_456_789))
        ax.figure.canvas.draw()
        width = ax.get_window_extent().width / 3
        assert all(text.get_window_extent().width < width for text in ax.texts)

    @pytest.mark.parametrize(
        ("weight", "text"), [(2.0, "6"), (0.1, "0.3"), (1e6 + 0.5, "3000001.5")]
    )
    def test_sums_of_weights(self, weight, text):
        ax = plot.confusion_matrix(np.diag([3 * weight, 1.0]))
        assert ax.texts[0].get_text() == text

    @pytest.mark.parametrize(
        ("right", "wrong", "text"),
        [
            (999_993, 7, "99.999 %"),
            (1_000_000, 0, "100.0 %"),
            (10**9 - 1, 1, "99.9999999 %"),
            (0, 5, "0.0 %"),
            (1, 10**6, "0.0001 %"),
            (3, 1, "75.0 %"),
        ],
    )
    def test_100_per_cent_is_said_of_all_alone(self, right, wrong, text):
        ax = plot.confusion_matrix(np.array([[right, wrong], [0, 0]]))
        assert ax.get_title() == f"{text} of {right + wrong} are right"


def removed():
    """Return Axes that stand in no figure any more."""
    ax = plt.figure().add_subplot()
    ax.remove()
    return ax


WRONG_AXES = {
    "array": (lambda: plt.figure().subplots(2), r"got ndarray of shape \(2,\); give one of them"),
    "list": (lambda: [plt.figure().add_subplot()], r"got list; give one of them, as in axes\[0\]"),
    "figure": (plt.figure, "got Figure; give one of its axes"),
    "module": (lambda: plt, "got module"),
    "text": (lambda: "ax", "got str"),
    "polar": (lambda: plt.figure().add_subplot(projection="polar"), r"PolarAxes \(polar\)"),
    "3d": (lambda: plt.figure().add_subplot(projection="3d"), r"Axes3D \(3d\)"),
    "removed": (removed, "was removed from its figure"),
}


EVERY = {
    "history": lambda ax: plot.history({"cost": [2.0, 1.0]}, ax=ax),
    "learning_rates": lambda ax: plot.learning_rates({0.1: [2.0, 1.0]}, ax=ax),
    "decision_boundary": lambda ax: plot.decision_boundary(
        lambda rows: rows[:, 0] > 0, X, Y, ax=ax, steps=5
    ),
    "image": lambda ax: plot.image(np.eye(3), ax=ax),
    "activations": lambda ax: plot.activations("relu", ax=ax),
    "confusion_matrix": lambda ax: plot.confusion_matrix(np.eye(2, dtype=int), ax=ax),
    "roc_curve": lambda ax: plot.roc_curve([0, 1], [0.2, 0.3], ax=ax),
    "precision_recall_curve": lambda ax: plot.precision_recall_curve([0, 1], [0.2, 0.3], ax=ax),
    "calibration_curve": lambda ax: plot.calibration_curve([0, 1], [0.2, 0.3], ax=ax),
    "first_layer": lambda ax: plot.first_layer(Network([Dense(2)], inputs=4), (2, 2), ax=ax),
    "most_wrong": lambda ax: plot.most_wrong(
        Network([Dense(2, "softmax")], inputs=4), np.eye(4), [0, 1, 0, 1], (2, 2), ax=ax
    ),
    "signal": lambda ax: plot.signal(diagnostics.diagnose(net_of("a"), X, Y), ax=ax),
    "search": lambda ax: plot.search(trials("a"), ax=ax),
    "gradient_histogram": lambda ax: plot.gradient_histogram(net_of("a"), X, Y, ax=ax),
    "activation_histogram": lambda ax: plot.activation_histogram(net_of("a"), X, ax=ax),
    "range_test": lambda ax: plot.range_test(
        diagnostics.RangeTest(np.array([0.1, 1.0]), np.ones((1, 2))), ax=ax
    ),
    "learning_curve": lambda ax: plot.learning_curve(
        diagnostics.LearningCurve(np.array([1, 2]), np.ones((1, 2)), np.ones((1, 2)), "cost"), ax=ax
    ),
}


#: Every kind in one picture, and in every picture two kinds: all ask the same function.
WRONG = [
    *((name, k) for name in EVERY for k in ("array", "polar")),
    *(("image", k) for k in WRONG_AXES),
]


@pytest.mark.medium
@pytest.mark.parametrize(("name", "kind"), sorted(set(WRONG)))
def test_whatever_is_no_axes_is_refused_in_one_sentence(name, kind):
    make, words = WRONG_AXES[kind]
    with pytest.raises(SettingError, match=words) as caught:
        EVERY[name](make())
    assert str(caught.value).startswith("ax ")
    assert "\n" not in str(caught.value)


@pytest.mark.medium
def test_axes_within_a_figure_of_many_are_taken():
    axes = plt.subplots(2, 2)[1]
    assert plot.history({"cost": [2.0, 1.0]}, ax=axes[1, 0]) is axes[1, 0]
    inset = axes[0, 0].inset_axes((0.5, 0.5, 0.4, 0.4))
    assert plot.confusion_matrix(np.eye(2, dtype=int), ax=inset) is inset


class TestLabelsOfABoundary:
    """Text in any container names the classes; what the model and y say must be of one kind."""

    def model(self, rows):
        return np.where(rows[:, 0] > 0, "up", "down")

    @pytest.mark.parametrize("dtype", [object, "U9"])
    def test_text(self, dtype):
        y = np.where(X[:, 0] > 0, "up", "down").astype(dtype)
        ax = plot.decision_boundary(self.model, X, y, steps=9)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["down", "up"]

    def test_numbers_beside_text_are_refused(self):
        with pytest.raises(DataError, match="y holds numbers but the model's answer text"):
            plot.decision_boundary(self.model, X, Y, steps=9)


def test_a_search_whose_trials_failed_or_diverged_has_nothing_to_draw():
    failed = {"number": 0, "parameters": {"a": 1}, "score": None, "epochs": 0, "state": "failed",
              "error": "ValueError: $"}  # fmt: skip
    with pytest.raises(DataError, match="no trial of this search has a score"):
        fastnn.plot.search(Search([failed], {"a": spaces.Integer(0, 2)}, "cost"))
