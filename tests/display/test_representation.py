"""What describes a network, its layers and settings: no default is said, and code makes it anew."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest

import fastnn
from fastnn import (
    LBFGS,
    Activation,
    Adam,
    AdamW,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    GradientDescent,
    Momentum,
    Network,
    Normalization,
    Rescaling,
    initializers,
    losses,
    schedules,
)
from fastnn._display.short_repr import every_field

NAMES = {
    **vars(schedules), **vars(losses), **vars(initializers), **vars(fastnn),
    "Momentum": Momentum, "Network": Network,
}  # fmt: skip

SHORT = {
    "Dense(3)": Dense(3),
    "Dense(3, activation='relu')": Dense(3, "relu"),
    "Dense(1, use_bias=False, init=Random(scale=2.0), name='a')": Dense(
        1, use_bias=False, init=initializers.Random(2.0), name="a"
    ),
    "Dense(2, max_norm=3.0)": Dense(2, max_norm=3.0),
    "Activation('tanh')": Activation("tanh"),
    "Dropout(0.5)": Dropout(0.5),
    "GaussianNoise(0.25)": GaussianNoise(0.25),
    "BatchNorm()": BatchNorm(),
    "BatchNorm(momentum=0.5)": BatchNorm(0.5),
    "Rescaling(0.5)": Rescaling(0.5),
    "Rescaling(0.5, offset=1.0)": Rescaling(0.5, 1.0),
    "Normalization(per_feature=False)": Normalization(False),
    "Adam()": Adam(),
    "Adam(learning_rate=0.01)": Adam(0.01),
    "AdamW(beta1=0.8, weight_decay=0.1)": AdamW(beta1=0.8, weight_decay=0.1),
    "GradientDescent()": GradientDescent(0.01),
    "Momentum(beta=0.5)": Momentum(beta=0.5),
    "LBFGS(memory=5)": LBFGS(memory=5),
    "InverseTime(0.1)": schedules.InverseTime(0.1),
    "InverseTime(0.1, per='step')": schedules.InverseTime(0.1, per="step"),
    "Step(3, factor=0.5)": schedules.Step(3, 0.5),
    "Cosine(epochs=9)": schedules.Cosine(9),
    "WarmUp(2, then=Cosine())": schedules.WarmUp(2, schedules.Cosine()),
    "Huber(delta=2.0)": losses.Huber(2.0),
    "SquaredError()": losses.SquaredError(),
    "BinaryCrossEntropy(label_smoothing=0.1)": losses.BinaryCrossEntropy(0.1),
    "Random()": initializers.Random(),
}


@pytest.mark.parametrize("text", SHORT)
def test_settings_say_what_differs_from_the_defaults_as_code(text):
    made = SHORT[text]
    assert repr(made) == text
    assert eval(text, NAMES) == made


def test_all_fields_are_told_where_they_are_asked_for():
    """Digests of studies are of this text; it is what dataclasses write."""
    plain = dataclasses.make_dataclass(
        "Rescaling", [("scale", float), ("offset", float, 0.0)], frozen=True
    )
    with every_field():
        assert repr(Rescaling(0.5)) == repr(plain(0.5))
        assert repr([Dense(2)]) == (
            "[Dense(units=2, activation='identity', use_bias=True, init=None, max_norm=None, "
            "name=None)]"
        )
        assert repr(Network([Dropout(0.5), Dense(1)], inputs=3, seed=7)) == (
            f"Network([Dropout(rate=0.5), {Dense(1)!r}], inputs=3, loss='squared_error', "
            "dtype='float32')"
        )
    assert repr(Rescaling(0.5)) == "Rescaling(0.5)"


NETWORKS = {
    "Network([Dense(2)])": Network([Dense(2)]),
    "Network([Dense(2)], inputs=3)": Network.mlp([3, 2], output="identity"),
    "Network([Dense(1, activation='sigmoid')], loss='squared_error')": Network(
        [Dense(1, "sigmoid")], loss="squared_error"
    ),
    "Network([Dense(1, activation='sigmoid')])": Network(
        [Dense(1, "sigmoid")], loss="binary_cross_entropy"
    ),
    "Network([Dense(1)], loss=Huber(delta=2.0), init='zeros', seed=3, dtype='float64')": Network(
        [Dense(1)], loss=losses.Huber(2.0), init="zeros", seed=3, dtype="float64"
    ),
    "Network([Dense(1)], loss='huber', init=Random(scale=3.0))": Network(
        [Dense(1)], loss="huber", init=initializers.Random(3.0)
    ),
}


@pytest.mark.parametrize("text", NETWORKS)
def test_networks_say_what_differs_from_the_defaults_as_code(text):
    net = NETWORKS[text]
    assert repr(net) == text
    twin = eval(text, NAMES)
    assert repr(twin) == text
    twin, net = (one if one.inputs else one.copy().build(3) for one in (twin, net))
    for name, value in net.parameters.items():
        np.testing.assert_array_equal(twin.parameters[name], value)


class Cells(HTMLParser):
    """The text of table cells, row by row; fails where elements are not closed in turn."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_a_notebook_shows_the_summary_as_a_table():
    net = Network.mlp([4, 3, 2], output="softmax", batch_norm=True, dropout=0.5)
    assert Cells(net._repr_html_()).rows == [
        ["layer", "output", "parameters"],
        ["input", "(m, 4)", ""],
        ["Dense identity", "(m, 3)", "15"],
        ["BatchNorm()", "(m, 3)", "6"],
        ["Activation('relu')", "(m, 3)", "0"],
        ["Dropout(0.5)", "(m, 3)", "0"],
        ["Dense softmax", "(m, 2)", "8"],
    ]
    assert "29 parameters, loss categorical_cross_entropy, float32" in net._repr_html_()
    assert sum(value.size for value in net.parameters.values()) == 29
    assert "29 parameters" in net.summary()
    assert "not trained yet" in net._repr_html_()


def test_names_are_no_markup():
    net = Network([Dense(1, name="<script>alert(1)</script>")])
    assert "<script" not in net._repr_html_()
    assert Cells(net._repr_html_()).rows[-1][0] == "Dense '<script>alert(1)</script>' identity"
