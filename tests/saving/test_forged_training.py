"""Checkpoints with right checksums that hold what no training leaves are refused at load."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastnn
from fastnn import Activation, BatchNorm, Dense, Network, Normalization, schedules
from fastnn.errors import ModelFileError
from fastnn.network.description import state_of
from fastnn.saving import model_file

ENDINGS = ("safetensors", "h5")
RNG = np.random.default_rng(5)
X = RNG.normal(1, 2, (40, 4))
Y = (X[:, 0] > 1).astype(int)
NAN, INF = np.nan, np.inf


def trained(optimizer=None, dtype="float32", **settings):
    layers = [Normalization(), Dense(5), BatchNorm(), Activation("relu"), Dense(1, "sigmoid")]
    net = Network(layers, seed=2, dtype=dtype)
    net.fit(X, Y, epochs=3, batch_size=16, optimizer=optimizer, progress=False, **settings)
    return net


def forged(net, path, change=None, **training):
    """Write a checkpoint with right checksums in which tensors or parts of the training differ."""
    tensors = model_file.tensors_of(state_of(net)) | model_file._checkpoints.tensors(state_of(net))
    tensors = {name: np.array(tensor) for name, tensor in tensors.items()}
    if change is not None:
        change(tensors)
    metadata = model_file._training(state_of(net))
    described = {**json.loads(metadata["training"]), **training}
    model_file.write(path, tensors, {**metadata, "training": json.dumps(described)})


def put(name, value):
    """A change: one number of that tensor."""

    def change(tensors):
        tensors[name].flat[-1] = value

    return change


OPTIMIZERS = {
    "momentum": (fastnn.Momentum(0.1), {"slot1.W1": [NAN, INF, -INF]}),
    "nesterov": (fastnn.Nesterov(0.1), {"slot1.b1": [NAN, INF]}),
    "rmsprop": (fastnn.RMSprop(0.01), {"slot1.W2": [NAN, INF, -1e-9]}),
    "adam": (fastnn.Adam(), {"slot1.W1": [NAN, -INF], "slot2.b1": [NAN, INF, -1e-9]}),
    "adamw": (fastnn.AdamW(), {"slot1.gamma1": [NAN], "slot2.beta1": [INF, -1.0]}),
}
CASES = [
    (kind, name, value)
    for kind, (_, slots) in OPTIMIZERS.items()
    for name, values in slots.items()
    for value in values
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "name", "value"), CASES)
def test_slots_that_are_not_finite_or_negative_squares(tmp_path, kind, name, value, dtype, ending):
    net, path = trained(OPTIMIZERS[kind][0], dtype), tmp_path / f"a.{ending}"
    forged(net, path, put(name, value))
    words = "negative numbers" if value < 0 and np.isfinite(value) else "not finite"
    with pytest.raises(ModelFileError, match=rf"'{name}' holds (numbers that are )?{words}"):
        fastnn.load(path)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_slots_that_may_be_negative_or_zero_load(tmp_path, kind):
    net, path = trained(OPTIMIZERS[kind][0]), tmp_path / "a.safetensors"

    def change(tensors):
        squares = model_file._checkpoints.squares(state_of(net))
        for name in tensors:
            if name.startswith("slot"):
                tensors[name][...] = 0 if name in squares else -1

    forged(net, path, change)
    loaded = fastnn.load(path)
    loaded.fit(X, Y, epochs=2, batch_size=16, optimizer=OPTIMIZERS[kind][0], progress=False)
    assert np.isfinite(loaded.program.theta).all()


TENSORS = {
    "variance": (put("variance1", -1e-6), "'variance1' holds negative numbers"),
    "variance nan": (put("variance1", NAN), "not finite"),
    "mean": (put("mean1", INF), "not finite"),
    "shift": (put("input.shift", NAN), "not finite"),
    "factor": (put("input.factor", INF), "not finite"),
    "weights": (put("W1", NAN), "not finite"),
    "cost nan": (put("history.cost", NAN), "a cost that is not finite"),
    "cost inf": (put("history.cost", INF), "a cost that is not finite"),
    "accuracy": (put("history.accuracy", 1.5), "'accuracy' leaves 0 … 1"),
    "accuracy inf": (put("history.accuracy", INF), "'accuracy' leaves 0 … 1"),
    "accuracy negative": (put("history.accuracy", -0.5), "'accuracy' leaves 0 … 1"),
    "longer curve": (
        lambda tensors: tensors.update({"history.accuracy": np.zeros(4)}), "has 4 epochs",
    ),
    "longer history": (
        lambda tensors: tensors.update({"history.cost": np.zeros(9)}), "history has 9 epochs",
    ),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("case", TENSORS)
def test_numbers_that_no_training_leaves(tmp_path, case, ending):
    change, words = TENSORS[case]
    path = tmp_path / f"a.{ending}"
    forged(trained(), path, change)
    with pytest.raises(ModelFileError, match=words):
        fastnn.load(path)


ADAM = {"class": "Adam", "learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
TRAININGS = {
    "updates": {"counters": [-1, 1]},
    "too many updates": {"counters": [2**63, 1]},
    "flag": {"counters": [9, 2]},
    "fractional updates": {"counters": [1.5, 1]},
    "epoch": {"epoch": 2},
    "too many epochs": {"epoch": 2**63},
    "schedule of the future": {"since": [4, 0]},
    "more recorded than there is": {"since": [0, 4]},
    "no curves": {"curves": []},
    "no rate": {"optimizer": ADAM | {"learning_rate": 0}},
    "negative rate": {"optimizer": ADAM | {"learning_rate": -1e-3}},
    "rate that is no number": {"optimizer": ADAM | {"learning_rate": "1"}},
    "rate that is true": {"optimizer": ADAM | {"learning_rate": True}},
    "huge rate": {"optimizer": ADAM | {"learning_rate": 10**400}},
    "beta1": {"optimizer": ADAM | {"beta1": 1.0}},
    "beta2": {"optimizer": ADAM | {"beta2": -0.1}},
    "epsilon": {"optimizer": ADAM | {"epsilon": 0.0}},
    "decay": {"optimizer": ADAM | {"class": "AdamW", "weight_decay": -1.0}},
    "schedule": {"schedule": {"class": "Step", "epochs": 0, "factor": 0.5}},
    "factor": {"schedule": {"class": "Exponential", "decay": -1.0}},
}


@pytest.mark.parametrize("case", TRAININGS)
def test_counters_and_rates_out_of_range(tmp_path, case):
    path = tmp_path / "a.safetensors"
    forged(trained(), path, **TRAININGS[case])
    with pytest.raises(ModelFileError):
        fastnn.load(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_trainings_do_leave_loads(tmp_path, ending):
    """Unmeasured epochs, infinite held-out costs, and epochs that Ctrl-C cut short."""
    path = tmp_path / f"a.{ending}"
    net = trained(schedule=schedules.Exponential(0.5), validation_data=(X, Y), metrics=["f1"])
    state_of(net).training.epoch += 1

    def change(tensors):
        tensors["history.validation_cost"][:] = [INF, NAN, 1]
        tensors["history.validation_f1"][:] = NAN

    forged(net, path, change)
    loaded = fastnn.load(path)
    np.testing.assert_array_equal(loaded.history["validation_cost"], [INF, NAN, 1])
    loaded.fit(X, Y, epochs=1, progress=False)
    assert loaded.history.epochs == 4
