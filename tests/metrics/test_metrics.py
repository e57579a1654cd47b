"""Metrics: scikit-learn's values where it is installed, frozen numbers everywhere."""

import warnings

import numpy as np
import pytest

from fastnn import Dense, Network, metrics
from fastnn.errors import DataError, SettingError, ShapeError

TRUE, GUESS = [0, 1, 2, 2, 1, 0, 2], [0, 2, 2, 2, 1, 1, 0]
PROB = [[0.7, 0.2, 0.1], [0.1, 0.5, 0.4], [0.2, 0.2, 0.6]]


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn.metrics")


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 200)
    guess = np.where(rng.random(200) < 0.6, truth, rng.integers(0, 4, 200))
    return truth, guess, rng.random(200)


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(2)
    truth = rng.normal(3, 2, (50, 3))
    return truth, truth + rng.normal(size=(50, 3)), rng.random(50)


class TestFrozen:
    """Numbers worked out by hand."""

    def test_accuracy(self):
        assert metrics.accuracy(TRUE, GUESS) == pytest.approx(4 / 7)
        assert metrics.accuracy([0, 1], [0, 0], sample_weight=[3, 1]) == 0.75
        assert metrics.accuracy([[0, 1], [1, 1]], [[0, 1], [1, 0]]) == 0.5

    def test_confusion_matrix(self):
        found = metrics.confusion_matrix(TRUE, GUESS)
        np.testing.assert_array_equal(found, [[1, 1, 0], [0, 1, 1], [1, 0, 2]])
        assert found.dtype == np.int64

    def test_precision_recall_f1(self):
        np.testing.assert_allclose(metrics.precision(TRUE, GUESS), [1 / 2, 1 / 2, 2 / 3])
        np.testing.assert_allclose(metrics.recall(TRUE, GUESS), [1 / 2, 1 / 2, 2 / 3])
        np.testing.assert_allclose(metrics.f1([1, 1, 0], [1, 0, 0]), [2 / 3, 2 / 3])

    def test_log_loss(self):
        expected = -(np.log(0.7) + np.log(0.5) + np.log(0.6)) / 3
        assert metrics.log_loss([0, 1, 2], PROB) == pytest.approx(expected)
        assert metrics.log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-np.log([0.8, 0.6]).mean())

    def test_roc_auc(self):
        assert metrics.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
        assert metrics.roc_auc([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5]) == 0.5
        assert metrics.roc_auc([0, 0, 1], [0.1, 0.5, 0.5]) == 0.75

    def test_values(self):
        assert metrics.mse([1, 2], [1, 4]) == 2
        assert metrics.mae([1, 2], [1, 4], sample_weight=[1, 3]) == 1.5
        assert metrics.r2([1, 2, 3], [1, 2, 4]) == 0.5


class TestConstantTargets:
    """R² of a target that never changes is 1 or 0, whatever its mean is rounded to."""

    @pytest.mark.parametrize("value", [0.1, 0.3, 1e300, -7.7, 0.0])
    @pytest.mark.parametrize("m", [1, 3, 7, 10])
    def test_one_target(self, value, m):
        truth = np.full(m, value)
        assert metrics.r2(truth, truth) == 1
        assert metrics.r2(truth, truth / 2 + 0.5) == 0

    def test_several_targets(self):
        truth = np.column_stack([np.full(3, 0.1), [1.0, 2, 3]])
        assert metrics.r2(truth, truth + np.array([0.1, 0])) == 0.5
        assert metrics.r2(truth, truth) == 1

    @pytest.mark.parametrize("size", [1e-200, 1e307])
    def test_the_unit_of_the_values_does_not_count(self, size):
        truth, guess = np.array([1.0, 2, 3, 9]), np.array([1.0, 3, 2, 8])
        assert metrics.r2(size * truth, size * guess) == pytest.approx(metrics.r2(truth, guess))

    def test_rows_of_weight_0_do_not_count(self):
        assert metrics.r2([0.1, 0.1, 0.1, 5], [0.2] * 4, sample_weight=[1, 1, 1, 0]) == 0


class TestAgainstScikitLearn:
    @pytest.mark.parametrize("weighted", [False, True])
    def test_counts(self, sklearn, labels, weighted):
        truth, guess, w = labels
        given = {"sample_weight": w} if weighted else {}
        assert metrics.accuracy(truth, guess, **given) == pytest.approx(
            sklearn.accuracy_score(truth, guess, **given)
        )
        np.testing.assert_allclose(
            metrics.confusion_matrix(truth, guess, labels=[2, 0, 3, 1], **given),
            sklearn.confusion_matrix(truth, guess, labels=[2, 0, 3, 1], **given),
        )

    @pytest.mark.parametrize("average", [None, "macro", "weighted", "micro"])
    @pytest.mark.parametrize("name", ["precision", "recall", "f1"])
    def test_per_class(self, sklearn, labels, name, average):
        theirs = getattr(sklearn, f"{name}_score")
        # Class 4 is never predicted, class 5 never occurs.
        truth, guess = np.append(labels[0], [4, 0]), np.append(labels[1], [0, 5])
        expected = theirs(truth, guess, average=average, zero_division=0)
        found = getattr(metrics, name)(truth, guess, average=average)
        np.testing.assert_allclose(found, expected)

    def test_text_labels(self, sklearn):
        truth, guess = ["cat", "dog", "cat", "emu"], ["cat", "cat", "cat", "emu"]
        np.testing.assert_array_equal(
            metrics.confusion_matrix(truth, guess), sklearn.confusion_matrix(truth, guess)
        )

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_log_loss(self, sklearn, labels, dtype, weighted):
        rng, given = np.random.default_rng(3), {"sample_weight": labels[2]} if weighted else {}
        p = rng.dirichlet(np.ones(4), 200).astype(dtype)
        p[:3] = np.eye(4, dtype=dtype)[(labels[0][:3] + 1) % 4]  # sure and wrong
        expected = sklearn.log_loss(labels[0], p, **given)
        assert metrics.log_loss(labels[0], p, **given) == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("ties", [False, True])
    def test_roc_auc(self, sklearn, labels, ties):
        rng = np.random.default_rng(4)
        truth, score = labels[0] > 1, rng.random(200) + 0.3 * (labels[0] > 1)
        p = rng.dirichlet(np.ones(4), 200)
        if ties:
            score, p = np.round(score, 1), np.round(p * 4) + 1
            p /= p.sum(axis=1, keepdims=True)
        assert metrics.roc_auc(truth, score) == pytest.approx(sklearn.roc_auc_score(truth, score))
        expected = sklearn.roc_auc_score(labels[0], p, multi_class="ovr")
        assert metrics.roc_auc(labels[0], p) == pytest.approx(expected)

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize(
        ("name", "theirs"),
        [("r2", "r2_score"), ("mae", "mean_absolute_error"), ("mse", "mean_squared_error")],
    )
    def test_values(self, sklearn, values, name, theirs, weighted):
        truth, guess, w = values
        given = {"sample_weight": w} if weighted else {}
        for a, b in ((truth, guess), (truth[:, 0], guess[:, 0])):
            expected = getattr(sklearn, theirs)(a, b, **given)
            assert getattr(metrics, name)(a, b, **given) == pytest.approx(expected)

    def test_r2_of_a_constant(self, sklearn):
        for guess in ([2, 2, 2], [2, 2, 3]):
            expected = sklearn.r2_score([2, 2, 2], guess)
            assert metrics.r2([2, 2, 2], guess) == expected


class TestUndefined:
    def test_zero_division_is_zero_and_silent(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(metrics.precision([0, 1], [0, 0]), [0.5, 0])
            np.testing.assert_array_equal(metrics.recall([0, 0], [0, 1]), [0.5, 0])
            assert metrics.f1([0, 0], [0, 0], labels=[0, 1])[1] == 0

    def test_r2_of_one_example(self):
        assert metrics.r2([2], [2]) == 1
        assert metrics.r2([2], [3]) == 0

    def test_log_loss_stays_finite(self):
        assert metrics.log_loss([0, 1], [1.0, 1.0]) < 40

    def test_log_loss_of_classes_that_do_not_all_occur(self):
        assert metrics.log_loss([0, 2], PROB[::2]) == pytest.approx(-np.log([0.7, 0.6]).mean())
        found = metrics.log_loss(["b", "b"], [0.2, 0.4], labels=["a", "b"])
        assert found == pytest.approx(-np.log([0.2, 0.4]).mean())


class TestReport:
    def test_numbers(self):
        report = metrics.classification_report(TRUE, GUESS, classes=["cat", "dog", "emu"])
        np.testing.assert_allclose(report.precision, metrics.precision(TRUE, GUESS))
        np.testing.assert_array_equal(report.support, [2, 2, 3])
        assert report.accuracy == pytest.approx(4 / 7)
        assert report.average()[0] == pytest.approx(5 / 9)
        assert report.average("weighted")[1] == pytest.approx(4 / 7)

    def test_prints_a_line_for_each_class(self):
        lines = str(metrics.classification_report(TRUE, GUESS, classes=["cat", "dog", "emu"]))
        lines = lines.splitlines()
        assert lines[0].split() == ["precision", "recall", "f1", "examples"]
        assert lines[3].split() == ["emu", "0.667", "0.667", "0.667", "3"]
        assert lines[-1].split() == ["accuracy", "0.571", "7"]

    def test_names_must_be_as_many_as_classes(self):
        with pytest.raises(SettingError, match="2 names for 3 classes"):
            metrics.classification_report(TRUE, GUESS, classes=["cat", "dog"])


class TestNames:
    def test_each_gives_one_number_from_what_it_needs(self):
        y, p, v = np.array([0, 1, 1, 0]), np.array([0.2, 0.7, 0.4, 0.1]), np.arange(4.0)
        inputs = {"labels": (y, p > 0.5), "probabilities": (y, p), "values": (v, v + 1)}
        for name, metric in metrics.NAMES.items():
            assert isinstance(metric.function(*inputs[metric.needs]), float), name

    def test_of_two_classes_the_second_counts(self):
        y, guess = [0, 0, 0, 1], [0, 0, 1, 1]
        assert metrics.NAMES["precision"].function(y, guess) == 0.5
        assert metrics.NAMES["recall"].function([0, 0], [0, 1]) == 0

    def test_of_more_classes_the_mean_has_a_name(self):
        found = metrics.NAMES["f1_macro"].function(TRUE, GUESS)
        assert found == pytest.approx(metrics.f1(TRUE, GUESS).mean())
        with pytest.raises(DataError, match=r"2, which is not among the classes 0, 1"):
            metrics.NAMES["f1"].function(TRUE, GUESS)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: metrics.accuracy([0, 1], [0]), ShapeError, "2 rows but y_pred has 1"),
        (lambda: metrics.accuracy([], []), DataError, "are empty"),
        (lambda: metrics.accuracy([[0, 1]], [[0, 1, 1]]), ShapeError, r"\(1, 2\) but y_pred"),
        (lambda: metrics.accuracy(np.eye(3), [0, 1, 2]), ShapeError, r"argmax\(axis=1\)"),
        (lambda: metrics.accuracy([0, np.nan], [0, 1]), DataError, r"y_true\[1\] is NaN"),
        (lambda: metrics.accuracy(["a"], [1]), DataError, "holds text but y_pred numbers"),
        (lambda: metrics.mse([1, 2], [1]), ShapeError, "2 rows but y_pred has 1"),
        (lambda: metrics.mse(np.ones((2, 2)), np.ones((2, 3))), ShapeError, "must agree"),
        (lambda: metrics.r2([], []), DataError, "are empty"),
        (lambda: metrics.mae([1, np.inf], [1, 1]), DataError, "y_true"),
        (lambda: metrics.mse([1, 2], [1, 1], sample_weight=[-1, 1]), DataError, "negative"),
        (
            lambda: metrics.confusion_matrix([0, 7], [0, 0], labels=[0, 1]),
            DataError,
            r"y_true\[1\] is 7, which is not among the classes 0, 1",
        ),
        (lambda: metrics.f1([0], [0], labels=[0, 0]), SettingError, "each class once"),
        (lambda: metrics.f1([0], [0], average="mean"), SettingError, "average must be"),
        (lambda: metrics.log_loss([0, 1], [0.5, 1.5]), DataError, r"\[0, 1\], but row 1"),
        (lambda: metrics.log_loss([0], [[0.5, 0.2]]), DataError, "adds up to 0.7"),
        (lambda: metrics.log_loss([], np.ones((0, 2))), DataError, "are empty"),
        (lambda: metrics.log_loss([5, 6, 7], [0.5, 0.5, 0.5]), DataError, "3 classes but y_prob"),
        (lambda: metrics.roc_auc([1, 1], [0.2, 0.4]), DataError, "column 0 has none"),
        (lambda: metrics.roc_auc([1, 0], [0.2]), ShapeError, "y_score has 1"),
    ],
)
def test_bad_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


@pytest.mark.parametrize("name", ["accuracy", "f1", "log_loss"])
def test_metrics_of_classes_are_refused_where_outputs_are_values(name):
    net = Network([Dense(1)])
    with pytest.raises(SettingError, match=f"'{name}' is one of classes.* choose from r2, mae"):
        net.fit(np.eye(4), np.arange(4.0), metrics=[name], progress=False)
    net.fit(np.eye(4), np.arange(4.0), epochs=1, metrics=["r2"], progress=False)
