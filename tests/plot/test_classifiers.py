"""ROC, precision–recall and calibration curves: scikit-learn's points, areas and scores."""

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
sk = pytest.importorskip("sklearn.metrics")
calibration = pytest.importorskip("sklearn.calibration")
linear = pytest.importorskip("sklearn.linear_model")

from matplotlib import pyplot as plt  # noqa: E402

from fastnn import Network, data, plot  # noqa: E402
from fastnn.errors import DataError, SettingError, ShapeError  # noqa: E402

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 60)
#: Scores with many ties.
P = np.round(np.clip(0.25 + 0.4 * Y + RNG.normal(0, 0.25, 60), 0, 1), 1)
W = RNG.integers(0, 4, 60)  # as counts, zeros too
THREE = RNG.integers(0, 3, 90)
S = RNG.random((90, 3)) + np.eye(3)[THREE]
S /= S.sum(axis=1, keepdims=True)
WAYS = [plot.roc_curve, plot.precision_recall_curve, plot.calibration_curve]


def curves(ax):
    """The curves without the line to compare them with."""
    lines = [x for x in ax.lines if not x.get_label().startswith(("chance", "perfectly"))]
    return [(line.get_xdata(), line.get_ydata()) for line in lines]


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("w", [None, W])
class TestNumbers:
    def test_roc(self, w):
        ax = plot.roc_curve(Y, P, sample_weight=w)
        x, y, _ = sk.roc_curve(Y, P, sample_weight=w, drop_intermediate=False)
        np.testing.assert_allclose(curves(ax)[0], (x, y), atol=1e-15)
        area = sk.roc_auc_score(Y, P, sample_weight=w)
        assert labels(ax) == [f"AUC {area:.3f}", "chance"]

    def test_precision_recall(self, w):
        ax = plot.precision_recall_curve(Y, P, sample_weight=w)
        precision, recall, _ = sk.precision_recall_curve(Y, P, sample_weight=w)
        x, y = curves(ax)[0]
        # Theirs comes from recall 1 down, and ends in a precision of 1 by definition.
        np.testing.assert_allclose(x[1:], recall[-2::-1], atol=1e-15)
        np.testing.assert_allclose(y[1:], precision[-2::-1], atol=1e-15)
        assert (x[0], y[0]) == (0, y[1])
        area = sk.average_precision_score(Y, P, sample_weight=w)
        assert np.diff(x) @ y[1:] == pytest.approx(area)
        share = np.average(Y, weights=w)
        assert labels(ax) == [f"AP {area:.3f}", f"chance {share:.3f}"]

    @pytest.mark.parametrize("bins", [1, 5, 10])
    def test_calibration(self, w, bins):
        ax = plot.calibration_curve(Y, P, bins=bins, sample_weight=w)
        repeated = (Y, P) if w is None else (np.repeat(Y, w), np.repeat(P, w))
        true, predicted = calibration.calibration_curve(*repeated, n_bins=bins)
        np.testing.assert_allclose(curves(ax)[0], (predicted, true), atol=1e-15)
        score = sk.brier_score_loss(Y, P, sample_weight=w)
        assert labels(ax) == [f"Brier {score:.3f}", "perfectly calibrated"]


class TestClasses:
    def test_of_many_each_has_a_curve_against_the_rest(self):
        ax = plot.roc_curve(THREE, S)
        for k, found in enumerate(curves(ax)):
            x, y, _ = sk.roc_curve(k == THREE, S[:, k], drop_intermediate=False)
            np.testing.assert_allclose(found, (x, y), atol=1e-15)
        areas = [sk.roc_auc_score(k == THREE, S[:, k]) for k in range(3)]
        assert labels(ax)[:3] == [f"{k}: AUC {area:.3f}" for k, area in enumerate(areas)]
        assert ax.get_title() == f"mean AUC {np.mean(areas):.3f}"

    def test_one_hot_rows_and_several_labels_at_a_time(self):
        one_hot = np.eye(3, dtype=int)[THREE]
        for way in WAYS:
            expected, found = way(THREE, S), way(one_hot, S)
            for a, b in zip(curves(expected), curves(found), strict=True):
                np.testing.assert_array_equal(a, b)
        several = RNG.integers(0, 2, (90, 3))
        ax = plot.roc_curve(several, 3 * S)
        assert labels(ax)[1] == f"1: AUC {sk.roc_auc_score(several[:, 1], S[:, 1]):.3f}"

    def test_names(self):
        text = np.array(["no", "yes"])[Y]
        assert labels(plot.roc_curve(text, P))[0].startswith("yes: AUC")
        assert labels(plot.roc_curve(Y, P, classes=["$a$", "$b$"]))[0].startswith("$b$: AUC")
        named = labels(plot.calibration_curve(THREE, S, classes=["a", "b", "c"]))
        assert [name[:8] for name in named[:3]] == ["a: Brier", "b: Brier", "c: Brier"]

    def test_many_are_not_named(self):
        y = np.arange(50) % 25
        ax = plot.precision_recall_curve(y, RNG.random((50, 25)))
        assert len(curves(ax)) == 25
        assert ax.get_legend() is None or not labels(ax)


@pytest.mark.parametrize("way", WAYS)
class TestClassifiers:
    def test_networks(self, way):
        X, y = data.moons(80, 0.2, seed=1)
        net = Network.mlp([2, 8, 1], output="sigmoid")
        for labels_ in (y, y.reshape(-1, 1), y.astype(float)):
            expected, found = way(y, net.predict_proba(X)[:, 1]), way(net, X, labels_)
            np.testing.assert_allclose(curves(found)[0], curves(expected)[0])

    def test_several_sigmoids(self, way):
        X, y = RNG.normal(size=(50, 4)), RNG.integers(0, 2, (50, 3))
        assert len(curves(way(Network.mlp([4, 3], output="sigmoid"), X, y))) == 3

    def test_axes_are_drawn_on_and_returned(self, way):
        ax = plt.subplots()[1]
        assert way(Y, P, ax=ax) is ax
        ax.figure.canvas.draw()

    @pytest.mark.parametrize(
        ("given", "settings", "error", "words"),
        [
            ((Y, P[:5]), {}, ShapeError, "60|5"),
            ((Y, P, Y), {}, SettingError, "first of three must be a classifier, got ndarray"),
            ((Network.mlp([2, 1], output="sigmoid"), P), {}, SettingError, "with X and y"),
            ((Y, P), {"classes": ["a"]}, SettingError, "1 names for 2 classes"),
            ((Y, P), {"sample_weight": -P}, DataError, "sample_weight"),
            ((Y, np.where(P > 0.5, np.nan, P)), {}, DataError, "(?i)nan"),
            ((np.eye(3, dtype=int)[THREE] * 2, S), {}, ShapeError, "must hold 0 and 1"),
        ],
    )
    def test_bad_input(self, way, given, settings, error, words):
        with pytest.raises(error, match=words):
            way(*given, **settings)
        assert not plt.get_fignums()


class TestRefusals:
    @pytest.mark.parametrize("way", WAYS[:2])
    def test_a_class_without_examples_or_with_all(self, way):
        with pytest.raises(DataError, match="the positive class has no examples"):
            way(np.zeros(60, int), P)
        with pytest.raises(DataError, match="the positive class has only examples"):
            way(Y, P, sample_weight=Y)
        with pytest.raises(DataError, match="class 2 has no examples"):
            way(THREE[:60] % 2, S[:60])
        assert not plt.get_fignums()

    def test_what_is_no_probability(self):
        with pytest.raises(DataError, match=r"\[0, 1\]"):
            plot.calibration_curve(Y, P + 1)
        with pytest.raises(SettingError, match="bins"):
            plot.calibration_curve(Y, P, bins=0)

    def test_outputs_that_are_no_probabilities(self):
        with pytest.raises(SettingError):
            plot.roc_curve(Network.mlp([2, 1], output="identity"), np.ones((3, 2)), [0, 1, 1])


def test_estimators_with_text_labels():
    X, y = data.moons(80, 0.2, seed=1)
    text = np.array(["zebra", "ant"])[y]
    model = linear.LogisticRegression().fit(X, text)
    ax = plot.roc_curve(model, X, text)
    area = sk.roc_auc_score(text == "zebra", model.predict_proba(X)[:, 1])
    assert labels(ax)[0] == f"zebra: AUC {area:.3f}"
    ax = plot.confusion_matrix(model, X, text)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ant", "zebra"]


class TestConfusionMatrixOfAClassifier:
    def test_is_that_of_its_answers(self):
        X, y = RNG.normal(size=(40, 4)), RNG.integers(0, 2, 40)
        net = Network.mlp([4, 3], output="softmax")
        expected = sk.confusion_matrix(y, net.predict(X), labels=range(3))
        for given in (y, np.eye(3)[y], y.reshape(-1, 1)):
            ax = plot.confusion_matrix(net, X, given)
            cells = np.zeros((3, 3), int)
            for text in ax.texts:
                j, i = text.get_position()
                cells[i, j] = int(text.get_text())
            np.testing.assert_array_equal(cells, expected)
        named = plot.confusion_matrix(net, X, y, classes=["a", "b", "c"]).get_yticklabels()
        assert [text.get_text() for text in named] == ["a", "b", "c"]

    def test_bad_input(self):
        with pytest.raises(SettingError, match="a classifier, X and y; got Network without y"):
            plot.confusion_matrix(Network.mlp([2, 1], output="sigmoid"), np.ones((2, 2)))
        with pytest.raises(SettingError, match="got list with y"):
            plot.confusion_matrix([1, 0], [1, 0], [1, 0])
