"""Metrics of a fit: which number they are, and what is refused before the first step."""

import numpy as np
import pytest

import fastnn
from fastnn import Dense, GradientDescent, Network, losses, metrics
from fastnn.errors import DataError, SettingError
from fastnn.metrics import f1, precision, recall
from fastnn.network.description import state_of

SLOW = {"epochs": 1, "batch_size": None, "optimizer": GradientDescent(1e-12), "progress": False}
BACKENDS = pytest.mark.parametrize("backend", ["vectorized", "jitted"])


def answering(K, output="softmax", **settings):
    """A network that gives a row of a unit matrix the class of its 1."""
    net = Network([Dense(K, output)], inputs=K, **settings)
    net.parameters["W1"] = 8 * np.eye(K)
    net.parameters["b1"] = np.full(K, 0.0 if output == "softmax" else -4.0)
    return net


def asking(answers, K):
    """Rows of a unit matrix, to which such a network gives these answers."""
    return np.eye(K)[answers]


class TestAveraging:
    @BACKENDS
    @pytest.mark.parametrize("metric", [f1, precision, recall])
    def test_of_three_classes_it_is_the_mean_whatever_an_epoch_holds(self, backend, metric):
        sklearn = pytest.importorskip("sklearn.metrics")
        name = metric.__name__
        theirs = getattr(sklearn, f"{name}_score")
        truth, answers = np.array([0, 1, 1, 0, 0]), np.array([0, 1, 0, 0, 0])
        expected = theirs(truth, answers, average="macro", zero_division=0)
        net = answering(3)
        with fastnn.backend(backend):
            net.fit(asking(answers, 3), truth, metrics=[name], **SLOW)
            assert net.history[name][0] == pytest.approx(expected)
            assert net.evaluate(asking(answers, 3), truth)[name] == pytest.approx(expected)
        assert expected != pytest.approx(theirs(truth, answers))

    @pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
    @pytest.mark.parametrize("metric", [f1, precision, recall])
    def test_each_average_has_a_name(self, metric, average):
        rng = np.random.default_rng(0)
        truth, answers = rng.integers(0, 4, (2, 40))
        net, name = answering(4), f"{metric.__name__}_{average}"
        net.fit(asking(answers, 4), truth, metrics=[name], **SLOW)
        assert net.history[name][0] == pytest.approx(metric(truth, answers, average=average))

    def test_of_two_classes_it_is_that_of_class_one(self):
        truth, answers = np.array([0, 1, 1, 0, 0]), np.array([0, 1, 0, 0, 0])
        two = answering(2)
        two.fit(asking(answers, 2), truth, metrics=["f1"], **SLOW)
        one = Network([Dense(1, "sigmoid")], inputs=1)
        one.parameters["W1"], one.parameters["b1"] = [[8.0]], [-4.0]
        one.fit(answers[:, None], truth, metrics=["f1"], **SLOW)
        assert two.history["f1"] == one.history["f1"] == pytest.approx(2 / 3)


class TestRefusedBeforeTheFirstStep:
    """Nothing has changed then: not the weights, not the history, no scaling is learnt."""

    X = np.random.default_rng(0).normal(size=(12, 3))
    SEVERAL = np.random.default_rng(1).integers(0, 2, (12, 3))

    def refused(self, net, y, error, words, **settings):
        before = None if net.inputs is None else net.program.theta.copy()
        with pytest.raises(error, match=words) as caught:
            net.fit(self.X, y, progress=False, **settings)
        assert "\n" not in str(caught.value)
        assert net.history.epochs == 0
        assert net.inputs is None if before is None else (net.program.theta == before).all()

    @pytest.mark.parametrize("name", sorted(set(metrics.NAMES) - {"accuracy", "r2", "mae", "mse"}))
    @pytest.mark.parametrize("inputs", [3, None])
    def test_metrics_of_one_class_where_there_are_several_labels(self, name, inputs):
        net = Network([Dense(3, "sigmoid")], inputs=inputs)
        words = rf"'{name}' needs one class for each example, and 3 sigmoids.* choose from accuracy"
        self.refused(net, self.SEVERAL, SettingError, words, metrics=["accuracy", name])

    @pytest.mark.parametrize(("K", "output"), [(1, "sigmoid"), (2, "softmax"), (3, "softmax")])
    def test_roc_auc_of_validation_data_without_a_class(self, K, output):
        net = Network([fastnn.Normalization(), Dense(K, output)], inputs=3)
        y = np.arange(12) % max(K, 2)
        words = "'roc_auc' cannot be taken of the validation examples: .*none in y_true"
        given = {"validation_data": (self.X, np.zeros(12)), "metrics": ["f1", "roc_auc"]}
        self.refused(net, y, DataError, words, **given)
        assert not state_of(net).scaled

    def test_roc_auc_of_training_data_without_a_class(self):
        net = Network([Dense(1, "sigmoid")], inputs=3)
        words = "'roc_auc' cannot be taken of the training examples"
        self.refused(net, np.ones(12), DataError, words, metrics=["roc_auc"])

    @pytest.mark.parametrize(
        ("given", "words"),
        [(3, "metrics must be a list"), ([["f1"]], "does not exist"), ([max], "function 'max'"),
         (None, "metrics must be a list"), ("f2", "'f2' does not exist; choose one of accuracy")],
    )  # fmt: skip
    def test_what_names_no_metric(self, given, words):
        net = Network([Dense(1, "sigmoid")], inputs=3)
        self.refused(net, np.arange(12) % 2, SettingError, words, metrics=given)

    @pytest.mark.parametrize("name", ["accuracy", "r2", "mae", "mse"])
    def test_what_can_be_taken_of_several_labels_is(self, name):
        net = Network([Dense(3, "sigmoid")], inputs=3)
        net.fit(self.X, self.SEVERAL, epochs=1, metrics=[name], progress=False)
        answers = net.predict(self.X)
        expected = metrics.NAMES[name].function(self.SEVERAL, answers)
        assert net.history[name].shape == (1,)
        assert net.evaluate(self.X, self.SEVERAL)[name] == pytest.approx(expected)


class TestLabelsOfTargets:
    """Metrics compare labels with labels, however a loss has them written."""

    @pytest.mark.parametrize("K", [1, 3])
    def test_smoothed_labels(self, K):
        X = np.eye(3)
        y = X if K == 3 else X[:, 0]
        net = answering(3, "sigmoid", loss=losses.BinaryCrossEntropy(label_smoothing=0.2))
        if K == 1:
            net = Network([Dense(1, "sigmoid")], inputs=3, loss=state_of(net).loss)
            net.parameters["W1"], net.parameters["b1"] = [[8.0], [0.0], [0.0]], [-4.0]
        net.fit(X, y, metrics=["accuracy"], **SLOW)
        assert net.evaluate(X, y)["accuracy"] == 1

    def test_sigmoid_outputs_under_squared_error(self):
        net = answering(3, "sigmoid", loss="squared_error")
        net.fit(np.eye(3), 0.1 + 0.8 * np.eye(3), metrics=["accuracy"], **SLOW)
        assert net.history["accuracy"] == 1
