"""`fastnn train`: every setting that Python has, by its name, trains what Python trains."""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
import pytest

import fastnn
from fastnn import losses, optimizers, schedules
from fastnn.callbacks import EarlyStopping
from fastnn.cli import registry, task, train
from fastnn.cli.hints import closest, unknown_arguments
from fastnn.cli.main import VERBS, main, parse
from fastnn.cli.task import Task
from fastnn.network.loading import load


@pytest.fixture
def rows(monkeypatch):
    """A small task of three classes in place of the digits."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = rng.normal(0, 1, (90, 4)) + y[:, None]
    small = Task("rows", X[:60], y[:60], X[60:], y[60:], ("a", "b", "c"))
    monkeypatch.setattr(train, "load_data", lambda arguments: small)
    return small


def command(*options):
    """Parse a call of `fastnn train` with these options."""
    return parse(["train", *options])


def network(given, arguments):
    """The network that a call describes."""
    from fastnn.cli.network_options import network_settings

    return task.build_network(given, None, arguments.layers, **network_settings(arguments))


def test_every_public_kind_has_a_name():
    for kinds, module, base in (
        (registry.OPTIMIZERS, optimizers, optimizers.Optimizer),
        (registry.SCHEDULES, schedules, schedules.Schedule),
        (registry.LOSSES, losses, losses.Loss),
    ):
        public = [getattr(module, name) for name in module.__all__ if name != "Registered"]
        classes = {one for one in public if isinstance(one, type) and issubclass(one, base)}
        assert set(kinds.values()) == classes - {base}
    assert {"adam", "adamw", "gradient-descent", "rmsprop", "lbfgs"} <= set(registry.OPTIMIZERS)
    assert {"one-cycle", "inverse-time", "warm-up"} <= set(registry.SCHEDULES)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("adamw", optimizers.AdamW()),
        ("AdamW:weight-decay=0.1,beta1=0.8", optimizers.AdamW(beta1=0.8, weight_decay=0.1)),
        ("gradient_descent", optimizers.GradientDescent()),
        ("lbfgs:max_evaluations=None", optimizers.LBFGS()),
    ],
)
def test_an_optimizer_with_settings(text, value):
    assert registry.setting_of(registry.OPTIMIZERS)(text).make() == value


@pytest.mark.parametrize("name", registry.OPTIMIZERS)
def test_each_optimizer_is_what_fit_gets(name):
    from fastnn.cli.fit_options import fit_settings

    kind = registry.OPTIMIZERS[name]
    rate = "learning_rate" in {field.name for field in dataclasses.fields(kind)}
    arguments = command("--optimizer", name, *(["--learning-rate", "0.5"] if rate else []))
    assert fit_settings(arguments)["optimizer"] == (kind(learning_rate=0.5) if rate else kind())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cosine", schedules.Cosine(7)),
        ("cosine:epochs=3", schedules.Cosine(3)),
        ("one-cycle:per=step", schedules.OneCycle(7, per="step")),
        ("step:every=2,factor=0.5", schedules.Step(2, 0.5)),
        ("warm-up:epochs=2,then=cosine", schedules.WarmUp(2, schedules.Cosine(5))),
    ],
)
def test_a_schedule_ends_with_the_training(text, value):
    from fastnn.cli.fit_options import fit_settings

    assert fit_settings(command("--epochs", "7", "--schedule", text))["schedule"] == value


def test_the_network_and_the_training_are_those_of_python(rows, tmp_path, capsys):
    options = [
        "--layers", "6,5", "--activation", "tanh,relu", "--dropout", "0.2,0", "--batch-norm",
        "--init", "glorot", "--loss", "categorical-cross-entropy:label_smoothing=0.1",
        "--dtype", "float64", "--seed", "3", "--epochs", "5", "--batch-size", "16",
        "--optimizer", "nesterov:beta=0.8", "--learning-rate", "0.05", "--schedule", "cosine",
        "--l2", "0.1", "--l1", "0.01", "--clip-norm", "2", "--clip-value", "1",
        "--class-weight", "balanced", "--validation-split", "0.2", "--metrics", "f1,log-loss",
        "--early-stopping", "2", "--threads", "1",
    ]  # fmt: skip
    assert main(["train", *options, "--out", str(tmp_path)]) == 0
    mlp = fastnn.Network.mlp([4, 6, 5, 3], output="softmax", hidden=["tanh", "relu"],
                             dropout=[0.2, 0], batch_norm=True)  # fmt: skip
    net = fastnn.Network(
        [fastnn.Normalization(), *mlp.layers], inputs=4, init="glorot", seed=3, dtype="float64",
        loss=losses.CategoricalCrossEntropy(label_smoothing=0.1),
    )  # fmt: skip
    net.fit(
        rows.X, rows.y, epochs=5, batch_size=16, optimizer=fastnn.Nesterov(0.05, beta=0.8),
        schedule=schedules.Cosine(5), l2=0.1, l1=0.01, clip_norm=2, clip_value=1,
        class_weight="balanced", validation_split=0.2, metrics=["f1", "log_loss"],
        callbacks=[EarlyStopping(patience=2)], progress=False,
    )  # fmt: skip
    saved = load(tmp_path / "model.safetensors")
    assert repr(saved) == repr(net)
    for name, parameter in net.parameters.items():
        np.testing.assert_array_equal(saved.parameters[name], parameter)
    text, told = capsys.readouterr()
    tested = net.evaluate(rows.X_test, rows.y_test)
    assert f"{tested['f1']:.4f} on the test examples" in text
    assert "validation accuracy" in text
    assert "test accuracy  " not in text
    assert "whose weights are kept" in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--lr", "0.1"], "no option --lr; did you mean --learning-rate?"),
        (["--learning_rate", "0.1"], "did you mean --learning-rate?"),
        (["--epoch=3", "--batchsize", "3"], "did you mean --batch-size?"),
        (["--force"], "did you mean --overwrite?"),
        (["--xyz"], "no option --xyz; see fastnn train --help"),
        (["--gpu"], "runs on the CPU"),
        (["cats.h5"], "write --train cats.h5"),
        (["--optimizer", "admw"], "did you mean adamw?"),
        (["--optimizer", "sgd"], "did you mean gradient-descent?"),
        (["--optimizer", "adam:beta=0.5"], "adam takes learning-rate=…, beta1=…"),
        (["--optimizer", "adam:beta1=2"], "beta1"),
        (["--optimizer", "lbfgs", "--learning-rate", "1"], "lbfgs has no learning rate"),
        (["--weight-decay", "0.1"], "adam has no weight decay"),
        (["--schedule", "exponential"], "exponential needs rate; write exponential:rate=…"),
        (["--schedule", "warm-up:epochs=2,then=cosinus"], "did you mean cosine?"),
        (["--dropout", "0.1,0.2,0.3"], "--dropout has 3 values, but --layers has 2"),
        (["--dropout", "1"], "at least 0 and below 1"),
        (["--layers", "none", "--batch-norm"], "--batch-norm needs hidden layers"),
        (["--activation", "rleu"], "did you mean relu?"),
        (["--metrics", "f1,aucroc"], "is not one of accuracy"),
        (["--early-stopping", "--checkpoint", "a"], "does not go with --checkpoint"),
        (["--monitor", "accuracy"], "watched by --early-stopping"),
    ],
)
def test_what_is_wrong_gets_one_sentence_and_2(options, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["train", *options])
    assert caught.value.code == 2
    usage, told = capsys.readouterr().err.splitlines()
    assert usage == "usage: fastnn train [options]"
    assert words in told


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["trian"], "no command 'trian'; did you mean train?"),
        (["fit"], "did you mean train?"),
        (["help"], "did you mean --help?"),
        (["zzz"], "the commands are train, predict"),
        ([], "Start with: fastnn train"),
        (["--epochs", "3"], "the command comes first, like: fastnn train --epochs"),
    ],
)
def test_commands_that_do_not_exist(call, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(call)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_hints_name_only_what_there_is():
    assert unknown_arguments("fastnn tune", ["-j", "2"], ["--processes"]).endswith("--processes?")
    assert unknown_arguments("fastnn x", ["a.csv"], ["--out"]) == (
        "what is 'a.csv' for? see fastnn x --help"
    )
    assert closest("lr", ["beta"]) == ""


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_fits_into_80_columns(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_the_options_of_train_stand_in_groups(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    titles = [line for line in text.splitlines() if line.endswith(":") and line[0] != " "]
    assert titles[1:] == ["data:", "tables:", "network:", "training:",
                          "against overfitting and divergence:", "files:", "examples:"]  # fmt: skip


def test_a_type_of_options_says_what_it_wants():
    with pytest.raises(argparse.ArgumentTypeError, match="takes no settings"):
        registry.setting_of(registry.INITIALIZERS)("he:scale=2")


def test_mixed_precision(rows, tmp_path, capsys):
    out = tmp_path / "out"
    with fastnn.backend("vectorized"):
        assert main(["train", "--precision", "mixed", "--epochs", "2", "--out", str(out)]) == 0
    assert "mixed precision" in capsys.readouterr().out
    assert load(out / "model.safetensors").precision == "mixed"
    for options in (["half"], ["mixed", "--dtype", "float64"]):
        with pytest.raises(SystemExit):
            parse(["train", "--precision", *options])
    assert "--precision mixed rounds float32 numbers" in capsys.readouterr().err
