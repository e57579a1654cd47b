"""The learning rate of each epoch in histories, checkpoints and logs."""

import csv
import math

import builders
import numpy as np
import pytest

import fastnn
from fastnn import Adam, callbacks, plot, schedules
from fastnn.network.description import state_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 3)), RNG.integers(0, 2, 24)


def fitted(network=None, **settings):
    """The history of a fit of three epochs with four steps each."""
    network = network or builders.network(3, inputs=3)
    settings = {"epochs": 3, "batch_size": 7, "progress": False} | settings
    with fastnn.backend("vectorized"):
        return network.fit(X, Y, **settings)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (None, [1, 1, 1]),
        (schedules.InverseTime(1), [1, 1 / 2, 1 / 3]),
        # Of each epoch's last step, which begins after three of its four steps.
        (schedules.InverseTime(1, per="step"), [1 / 1.75, 1 / 2.75, 1 / 3.75]),
        (schedules.WarmUp(2, per="step"), [1 / 2, 1, 1]),
        (schedules.Cosine(2), [1, 1 / 2, 0]),
    ],
)
def test_a_history_holds_the_rate_of_each_epochs_last_step(schedule, factors):
    history = fitted(optimizer=Adam(0.02), schedule=schedule)
    np.testing.assert_allclose(
        history["learning_rate"], 0.02 * np.array(factors), rtol=1e-12, atol=1e-15
    )


def test_a_plateaus_rates_are_those_that_its_epochs_took():
    plateau = schedules.Plateau("accuracy", 0.5, 1)
    history = fitted(schedule=plateau, optimizer=Adam(0.01), epochs=6)
    factors = [plateau.follow(history["accuracy"][:epoch]) for epoch in range(6)]
    assert min(factors) < 1
    np.testing.assert_array_equal(history["learning_rate"], 0.01 * np.array(factors))


def test_it_is_told_apart_from_what_a_fit_measures(capfd):
    history = fitted(progress=True)
    assert list(history) == ["cost", "accuracy", "learning_rate"]
    assert "rate" not in repr(history)
    assert "cost" in (shown := capfd.readouterr().err)
    assert "rate" not in shown
    pytest.importorskip("matplotlib")
    ax = plot.history(history)
    assert [line.get_label() for line in ax.lines] == ["cost"]


def test_lbfgs_has_none():
    pytest.importorskip("scipy")
    network = builders.network(3, inputs=3)
    assert "learning_rate" not in fitted(network, optimizer=fastnn.LBFGS())
    fitted(network, optimizer=Adam(0.01), epochs=2)
    rates = network.history["learning_rate"]
    assert np.isnan(rates[:-2]).all()
    assert rates[-2:].tolist() == [0.01, 0.01]


def test_checkpoints_and_logs_hold_it(tmp_path):
    network = builders.network(3, inputs=3)
    both = [callbacks.Checkpoint(tmp_path / "net.h5"), callbacks.CSVLogger(tmp_path / "log.csv")]
    fitted(network, schedule=schedules.Exponential(0.5), callbacks=both)
    loaded = fastnn.load(tmp_path / "net.h5")
    np.testing.assert_array_equal(loaded.history["learning_rate"], [1e-3, 5e-4, 2.5e-4])
    with open(tmp_path / "log.csv", newline="") as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert rates == [1e-3, 5e-4, 2.5e-4]


def test_a_checkpoint_with_an_impossible_rate_is_refused(tmp_path):
    for wrong in (-0.1, math.inf):
        network = builders.network(3, inputs=3)
        fitted(network)
        state_of(network).history.extend({"learning_rate": [wrong] * 3})
        callbacks.Checkpoint(tmp_path / "net.h5")(network, network.history)
        with pytest.raises(fastnn.errors.ModelFileError, match="holds what is no rate"):
            fastnn.load(tmp_path / "net.h5")


def test_a_history_from_before_it_was_recorded_goes_on():
    network = builders.network(3, inputs=3)
    fitted(network)
    del state_of(network).history._curves["learning_rate"]
    fitted(network, epochs=1)
    np.testing.assert_array_equal(network.history["learning_rate"], [np.nan] * 3 + [1e-3])
