"""Checkpoints: training that goes on from a file as if it had never stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Network,
    Normalization,
    callbacks,
    schedules,
)
from fastnn.errors import ModelFileError, SettingError
from fastnn.network.description import state_of
from fastnn.saving import model_file

RNG = np.random.default_rng(5)
X = RNG.normal(1, 2, (75, 4))
y = (X[:, 0] * X[:, 1] > 0).astype(int)
VALID = RNG.normal(1, 2, (30, 4)), RNG.integers(0, 2, 30)


def deep(**settings):
    layers = [Normalization(), Dense(6), BatchNorm(), Activation("relu"), Dropout(0.3)]
    return Network([*layers, GaussianNoise(0.1), Dense(1, "sigmoid")], seed=2, **settings)


CASES = {
    "gradient descent": {"optimizer": fastnn.GradientDescent(0.1)},
    "momentum": {"optimizer": fastnn.Momentum(0.1), "l2": 0.3},
    "nesterov": {"optimizer": fastnn.Nesterov(0.1), "clip_norm": 0.5},
    "rmsprop": {"optimizer": fastnn.RMSprop(0.01)},
    "adam": {"metrics": ["f1"], "validation_split": 0.3},
    "adamw": {"optimizer": fastnn.AdamW(0.01, weight_decay=0.1), "batch_size": None},
    "plateau": {
        "schedule": schedules.Plateau("validation_cost", 0.5, 1), "validation_data": VALID,
    },
    "warm-up": {"schedule": schedules.WarmUp(2, schedules.Step(2, 0.3)), "shuffle": False},
    "by step": {"schedule": schedules.Cosine(9, per="step"), "batch_size": 11},
    "one cycle": {"schedule": schedules.OneCycle(7, per="step")},
    "decay": {"schedule": schedules.InverseTime(1), "sample_weight": np.arange(75) % 3},
}  # fmt: skip


def same(one, other):
    """Whether two networks hold the same bits and would train alike."""
    assert one.program.theta.tobytes() == other.program.theta.tobytes()
    assert state_of(one).training.slots.tobytes() == state_of(other).training.slots.tobytes()
    for key, value in model_file._averages(one.program).items():
        np.testing.assert_array_equal(model_file._averages(other.program)[key], value)
    ours, theirs = vars(state_of(one).training), vars(state_of(other).training)
    for key in set(ours) - {"slots"}:
        assert np.array_equal(ours[key], theirs[key]), key
    assert one.history == other.history
    assert list(one.history) == list(other.history)
    assert state_of(one).metrics == state_of(other).metrics


@pytest.mark.medium
@pytest.mark.parametrize("ending", ["safetensors", "h5"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_going_on_equals_never_having_stopped(case, dtype, ending, tmp_path):
    settings = {"batch_size": 16, "progress": False, **CASES[case]}
    path = tmp_path / f"state.{ending}"
    whole = deep(dtype=dtype)
    whole.fit(X, y, epochs=7, **settings)
    half = deep(dtype=dtype)
    half.fit(X, y, epochs=4, callbacks=[callbacks.Checkpoint(path, every=3)], **settings)
    loaded = fastnn.load(path)
    assert loaded.history.epochs == 3
    loaded.fit(X, y, epochs=4, **settings)
    same(loaded, whole)


def test_a_checkpoint_after_other_fits_goes_on(tmp_path):
    """A Plateau that began after a fit without validation."""
    plateau = schedules.Plateau("validation_cost", 0.5, 1)
    settings = {"batch_size": 16, "progress": False}
    whole = deep()
    whole.fit(X, y, epochs=3, **settings)
    loaded = whole.copy()
    whole.fit(X, y, epochs=6, schedule=plateau, validation_data=VALID, **settings)
    loaded.fit(
        X, y, epochs=3, schedule=plateau, validation_data=VALID, **settings,
        callbacks=[callbacks.Checkpoint(tmp_path / "a.safetensors")],
    )  # fmt: skip
    loaded = fastnn.load(tmp_path / "a.safetensors")
    loaded.fit(X, y, epochs=3, schedule=plateau, validation_data=VALID, **settings)
    same(loaded, whole)


def test_plateau_sees_every_validation_whatever_came_before():
    plateau = schedules.Plateau("validation_cost", 0.1, 1)
    found = []
    for before in (None, VALID):
        net = deep()
        settings = {"batch_size": 16, "progress": False, "optimizer": fastnn.Adam(0.1)}
        net.fit(X, y, epochs=3, validation_data=before, **settings)
        net.fit(X, y, epochs=6, validation_data=VALID, schedule=plateau, **settings)
        found.append(net.program.theta)
    np.testing.assert_array_equal(*found)


def test_save_holds_no_slots_and_no_history(tmp_path):
    net = deep()
    net.fit(X, y, epochs=2, progress=False)
    net.save(tmp_path / "net.safetensors")
    model_file.checkpoint(state_of(net), tmp_path / "state.safetensors")
    loaded = fastnn.load(tmp_path / "net.safetensors")
    assert state_of(loaded).training.slots.size == loaded.history.epochs == 0
    data = (tmp_path / "net.safetensors").read_bytes()
    assert b"slot" not in data
    assert b"training" not in data
    state = fastnn.load(tmp_path / "state.safetensors")
    np.testing.assert_array_equal(state.predict_proba(X), loaded.predict_proba(X))
    assert state_of(state).training.slots.any()


def test_every_counts_over_all_fits(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        model_file, "checkpoint", lambda state, path: written.append(state.training.epoch)
    )
    net = deep()
    for _ in range(2):
        net.fit(X, y, epochs=5, progress=False, callbacks=[callbacks.Checkpoint("a", every=3)])
    assert written == [3, 6, 9]


def test_lbfgs_goes_on_from_its_weights(tmp_path):
    pytest.importorskip("scipy")
    net = Network([Dense(1, "sigmoid")])
    net.fit(X, y, epochs=5, optimizer=fastnn.LBFGS(), progress=False,
            callbacks=[callbacks.Checkpoint(tmp_path / "a.safetensors", every=2)])  # fmt: skip
    loaded = fastnn.load(tmp_path / "a.safetensors")
    assert state_of(loaded).training.epoch == loaded.history.epochs == 4
    np.testing.assert_array_equal(loaded.history["cost"], net.history["cost"][:4])
    loaded.fit(X, y, epochs=5, optimizer=fastnn.LBFGS(), progress=False)
    assert loaded.history["cost"][-1] <= net.history["cost"][3]


def test_with_the_other_callbacks(tmp_path):
    """The checkpoint holds the last epoch, early stopping then brings the best back."""
    path, log = tmp_path / "a.safetensors", tmp_path / "a.csv"
    stop, seen = callbacks.EarlyStopping(patience=2), []
    net = Network([Dense(30, "relu"), Dense(1, "sigmoid")])
    history = net.fit(
        X, y, epochs=300, validation_data=VALID, optimizer=fastnn.Adam(0.1), progress=False,
        callbacks=[
            stop, callbacks.TimeLimit(60), callbacks.CSVLogger(log), callbacks.Checkpoint(path),
            lambda network, history: seen.append(network.program.theta.copy()),
        ],
    )  # fmt: skip
    assert history.epochs < 300
    assert len(log.read_text().splitlines()) == history.epochs + 1
    loaded = fastnn.load(path)
    assert loaded.history.epochs == history.epochs
    np.testing.assert_array_equal(net.program.theta, seen[stop.best_epoch])
    np.testing.assert_array_equal(loaded.program.theta, seen[-1])


def test_a_log_goes_on_as_if_training_had_never_stopped(tmp_path):
    """Killed within the line of epoch 12, of which a 1 is left, and gone on from epoch 8 on."""
    whole, part, path = tmp_path / "whole.csv", tmp_path / "part.csv", tmp_path / "a.safetensors"
    settings = {"validation_data": VALID, "progress": False}
    deep().fit(X, y, epochs=14, callbacks=[callbacks.CSVLogger(whole)], **settings)
    net = deep()
    logger, keeper = callbacks.CSVLogger(part), callbacks.Checkpoint(path, every=8)
    net.fit(X, y, epochs=13, callbacks=[logger, keeper], **settings)
    text = part.read_bytes()
    part.write_bytes(text[: text.rindex(b"12,") + 1])
    fastnn.load(path).fit(X, y, epochs=6, callbacks=[callbacks.CSVLogger(part)], **settings)
    assert part.read_bytes() == whole.read_bytes()


def test_an_exception_in_a_callback_leaves_the_last_finished_epoch():
    def fail(network, history):
        if history.epochs == 3:
            raise RuntimeError("mine")

    settings = {"batch_size": 16, "progress": False}
    net, three = deep(), deep()
    with pytest.raises(RuntimeError, match="mine"):
        net.fit(X, y, epochs=9, callbacks=[fail], **settings)
    three.fit(X, y, epochs=3, **settings)
    same(net, three)
    net.fit(X, y, epochs=2, **settings)
    three.fit(X, y, epochs=2, **settings)
    same(net, three)


@dataclass(frozen=True)
class Own(fastnn.GradientDescent):
    pass


@dataclass(frozen=True)
class OwnSchedule(schedules.Schedule):
    function: object = abs

    def factor(self, time):
        return 1.0


@pytest.mark.parametrize(
    ("error", "words", "path", "settings"),
    [
        (SettingError, "optimizer .* class that a file", "a", {"optimizer": Own()}),
        (SettingError, "schedule .* field function is", "a", {"schedule": OwnSchedule()}),
        (FileNotFoundError, "no folder", "none/a", {}),
    ],
)
def test_what_cannot_be_saved_is_said_before_the_first_step(error, words, path, settings, tmp_path):
    net = deep(inputs=4)
    with pytest.raises(error, match=words):
        net.fit(X, y, epochs=3, progress=False, **settings,
                callbacks=[callbacks.Checkpoint(tmp_path / path)])  # fmt: skip
    assert net.history.epochs == 0
    assert not list(tmp_path.iterdir())
    with pytest.raises(SettingError, match="every"):
        callbacks.Checkpoint(tmp_path, every=0)


WRONG = {
    "epoch": -1,
    "counters": [1],
    "since": [True, 0],
    "metrics": ["magic"],
    "curves": ["none"],
    "interrupted": 1,
    "optimizer": {"class": "Adam", "learning_rate": -1.0},
    "schedule": {"class": "WarmUp", "epochs": 1, "then": {"class": "os.system"}},
}


@pytest.mark.parametrize("key", WRONG)
def test_a_forged_training_is_refused(key, tmp_path):
    net, path = deep(), tmp_path / "a.safetensors"
    net.fit(X, y, epochs=1, progress=False)
    tensors = model_file.tensors_of(state_of(net)) | model_file._checkpoints.tensors(state_of(net))
    metadata = model_file._training(state_of(net))
    training = {**json.loads(metadata["training"]), key: WRONG[key]}
    model_file.write(path, tensors, {**metadata, "training": json.dumps(training)})
    with pytest.raises(ModelFileError):
        fastnn.load(path)
    model_file.write(path, tensors, metadata)
    same(fastnn.load(path), net)
    short = {name: tensor for name, tensor in tensors.items() if name != "slot2.W1"}
    model_file.write(path, short, metadata)
    with pytest.raises(ModelFileError, match="lacks slots of its optimizer Adam"):
        fastnn.load(path)
