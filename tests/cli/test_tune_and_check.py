"""The command line's `tune` and `check`: what they print and write, and how they end."""

from __future__ import annotations

import shlex

import h5py
import numpy as np
import pytest

import fastnn
from fastnn.cli import check, data_options, tune
from fastnn.cli.main import main, parse
from fastnn.cli.run_folder import OUT_OPTIONS
from fastnn.cli.verb import given_options


@pytest.fixture
def squares(tmp_path):
    """A file of small images, dark or light."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = (rng.integers(0, 128, (60, 4, 5, 3)) + 127 * y[:, None, None, None]).astype(np.uint8)
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file["train_set_x"], file["train_set_y"] = X, y
        file["list_classes"] = np.array(["dark", "light"], dtype="S")
    return str(tmp_path / "train.h5")


@pytest.mark.medium
def test_check_of_the_digits(capsys):
    assert main(["check"]) == 0
    text = capsys.readouterr().out
    assert "64 → 20 → 7 → 5 → 10 (relu, softmax), 1,547 parameters, float64" in text
    assert "checking  32 examples" in text
    assert "The gradient is right" in text


def test_check_of_images(squares, capsys):
    assert main(["check", "--train", squares, "--layers", "3", "--examples", "7"]) == 0
    text = capsys.readouterr().out
    assert "60 → 3 → 1 (relu, sigmoid)" in text
    assert "checking  7 examples" in text
    assert "W2" in text
    assert "W3" not in text


@pytest.mark.parametrize("seed", range(1, 6))
def test_check_does_not_cry_wolf(seed, capsys):
    assert main(["check", "--seed", str(seed), "--examples", "8"]) == 0, capsys.readouterr().out


@pytest.mark.medium
def test_check_tells_a_wrong_gradient(squares, capsys, monkeypatch):
    right = check.check_gradients

    def doubled(*arguments, **settings):
        report = right(*arguments, **settings)
        report.rows[0].gradient[...] *= 2
        return report

    monkeypatch.setattr(check, "check_gradients", doubled)
    assert main(["check", "--train", squares]) == 1
    assert "The gradient of W1 is wrong" in capsys.readouterr().out


@pytest.mark.medium
def test_tune(squares, tmp_path, capsys):
    pytest.importorskip("optuna")
    pytest.importorskip("matplotlib")
    out, study = tmp_path / "out", tmp_path / "squares.study"
    arguments = ["tune", "--train", squares, "--epochs", "2", "--study", str(study)]
    assert main([*arguments, "--trials", "3", "--out", str(out)]) == 0
    text, told = capsys.readouterr()
    for name in ("learning_rate", "units", "hidden_layers", "batch_size", "l2", "dropout"):
        assert name in text
    assert "3 trials:" in text
    assert "a rough guess: 3 trials of the 30 it takes" in text
    assert f"wrote {out / 'best.safetensors'}" in text
    assert fastnn.load(out / "best.safetensors").inputs == 60
    assert f"wrote {out / 'search.png'}" in text
    assert (out / "search.png").read_bytes().startswith(b"\x89PNG")
    assert told.count("validation accuracy") == 3
    assert main([*arguments, "--trials", "4", "--out", str(out)]) == 0
    text, told = capsys.readouterr()
    assert "4 trials:" in text
    assert told.count("validation accuracy") == 1


@pytest.mark.medium
def test_the_command_that_tune_prints_trains_the_best_network_again(tmp_path, capsys, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    assert main(["tune", "--trials", "3", "--epochs", "2", "--seed", "5"]) == 0
    text = capsys.readouterr().out
    best = float(text.splitlines()[text.splitlines().index("") + 2].split()[-1])
    assert f"validation accuracy {100 * best:.2f}" in text
    command = shlex.split(next(line for line in text.splitlines() if "fastnn train" in line))
    assert main(command[1:]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["2", f"{best:.4f}"] in [[row[0], row[-1]] for row in rows if len(row) == 4]
    saved, trained = (
        fastnn.load(tmp_path / "fastnn-out" / f"{name}.safetensors") for name in ("best", "model")
    )
    np.testing.assert_array_equal(saved.program.theta, trained.program.theta)


def test_given_options_are_those_that_are_not_the_default():
    options = (*data_options.TRAIN_OPTIONS, *OUT_OPTIONS)
    given = ["--images", "a folder", "--image-size", "32", "--overwrite"]
    assert given_options(options, parse(["train", *given])) == given
    assert given_options(options, parse(["train"])) == []


def test_tune_of_which_no_trial_was_finished(squares, tmp_path, capsys, monkeypatch):
    pytest.importorskip("optuna")
    rates = {"learning_rate": fastnn.spaces.Log(1e37, 1e38)}
    monkeypatch.setattr(tune, "SPACE", tune.SPACE | rates)
    arguments = ["tune", "--train", squares, "--trials", "1", "--epochs", "1"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    assert "No trial was finished" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_tune_refuses_a_file_that_is_no_study(squares, tmp_path, capsys):
    pytest.importorskip("optuna")
    arguments = ["tune", "--train", squares, "--study", squares, "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "is not a study file" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--trials", "--epochs", "--processes"])
def test_tune_refuses_none(option, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["tune", option, "0"])
    assert caught.value.code == 2
    assert "is not a whole number of at least 1" in capsys.readouterr().err


def test_tune_without_optuna(squares, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    assert main(["tune", "--train", squares, "--out", str(tmp_path)]) == 1
    assert 'pip install "fastnn[tune]"' in capsys.readouterr().err


@pytest.mark.medium
def test_train_goes_on_from_a_checkpoint(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = ["train", "--layers", "8", "--checkpoint", "state.safetensors"]
    assert main([*settings, "--epochs", "2", "--out", "a"]) == 0
    capsys.readouterr()
    assert main([*settings, "--epochs", "4", "--out", "a"]) == 0
    epochs = [
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:5] == "     "
    ]
    assert epochs == ["goes", "3", "4"]
    assert main(["train", "--layers", "8", "--epochs", "4", "--out", "b"]) == 0
    a, b = (fastnn.load(f"{out}/model.safetensors") for out in "ab")
    np.testing.assert_array_equal(a.program.theta, b.program.theta)
    capsys.readouterr()
    assert main([*settings, "--seed", "1"]) != 0
    assert "another network than these options describe" in capsys.readouterr().err
