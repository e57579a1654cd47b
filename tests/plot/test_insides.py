"""Pictures of a network's insides: its mistakes, its activations, its gradients."""

import numpy as np
import pytest

from fastnn import Dense, Network, plot
from fastnn.errors import DataError, SettingError, ShapeError

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def sorter():
    """A network whose logits are its two inputs: it takes the larger one's place for the class."""
    net = Network([Dense(2, "softmax")], inputs=2)
    net.parameters["W1"] = np.eye(2)
    return net


def test_most_wrong_begins_with_the_least_likely_truth():
    X = np.array([[0.0, 1.0], [0.0, 9.0], [3.0, 0.0], [5.0, 0.0]], np.float32)
    ax = plot.most_wrong(sorter(), X, [0, 0, 0, 1], (1, 2), classes=["cat", "dog"])
    assert ax.get_title() == "3 of 4 wrong, the worst first"
    titles = [small.get_title().split("\n")[0] for small in ax.child_axes]
    assert titles == ["cat, not dog", "dog, not cat", "cat, not dog"]
    assert len(plot.most_wrong(sorter(), X, [0, 0, 0, 1], (1, 2), count=1).child_axes) == 1


def test_most_wrong_of_a_faultless_network_is_empty():
    ax = plot.most_wrong(sorter(), np.eye(2, dtype=np.float32), [0, 1], (1, 2))
    assert ax.get_title() == "0 of 2 wrong, the worst first"
    assert not ax.child_axes


def test_most_wrong_refuses_what_does_not_fit():
    X = np.eye(2, dtype=np.float32)
    for arguments, error in (
        (((X, [0, 1], (2, 2)), {}), ShapeError),
        (((X, [0], (1, 2)), {}), ShapeError),
        (((X, [0, 7], (1, 2)), {}), DataError),
        (((X, [0, 1], (1, 2)), {"count": 0}), SettingError),
        (((X, [0, 1], (1, 2)), {"classes": ["cat"]}), SettingError),
    ):
        with pytest.raises(error):
            plot.most_wrong(sorter(), *arguments[0], **arguments[1])


def test_histograms_have_one_row_a_layer():
    net = Network.mlp([2, 4, 3, 1], output="sigmoid")
    X, y = np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 2
    ax = plot.activation_histogram(net, X)
    rows = ["3: sigmoid", "2: relu", "1: relu"]
    assert [label.get_text() for label in ax.get_yticklabels()] == rows
    ax = plot.gradient_histogram(net, X, y)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dW3", "dW2", "dW1"]


def test_a_gradient_of_zeros_is_said():
    net = Network([Dense(3, "tanh"), Dense(1)], inputs=2, init="zeros")
    with pytest.raises(DataError, match="every number is zero"):
        plot.gradient_histogram(net, np.eye(2), np.array([1.0, 2.0]))


def test_the_share_of_zeros_stands_beside_the_row():
    net = Network([Dense(3, "relu"), Dense(1)], inputs=2)
    net.parameters["W1"] = np.array([[1.0, 1.0, -1.0]] * 2)
    ax = plot.gradient_histogram(net, np.ones((5, 2)), np.arange(5.0))
    assert [text.get_text() for text in ax.texts] == ["33 % zero", "33 % zero"]
    ax.figure.canvas.draw()
    assert all(text.get_window_extent().x0 >= ax.get_window_extent().x1 for text in ax.texts)
