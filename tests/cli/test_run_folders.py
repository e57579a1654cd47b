"""`fastnn train`: no model is replaced unasked, a checkpoint goes on, and a poor result is said."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from fastnn.cli import train, verdict
from fastnn.cli.main import main
from fastnn.cli.task import Task
from fastnn.history import History

SHORT = ["train", "--layers", "3", "--epochs", "2"]


@pytest.fixture(autouse=True)
def rows(monkeypatch, tmp_path):
    """A small task of two classes in place of the digits, in a folder of its own; no pictures."""
    X = np.random.default_rng(0).normal(0, 1, (60, 3))
    y = (X[:, 0] > 0).astype(int)
    small = Task("rows", X[:40], y[:40], X[40:], y[40:], ("low", "high"))
    monkeypatch.setattr(train, "load_data", lambda arguments: small)
    monkeypatch.setattr(train, "write_picture", lambda path, size, draw: "no picture")
    monkeypatch.chdir(tmp_path)
    return small


def model(folder):
    """The bytes of the model in a folder."""
    return (folder / "model.safetensors").read_bytes()


def test_runs_are_numbered(tmp_path, capsys):
    assert main(SHORT) == 0
    first = model(tmp_path / "fastnn-out")
    capsys.readouterr()
    for k in (2, 3):
        assert main([*SHORT, "--seed", str(k)]) == 0
        text, told = capsys.readouterr()
        assert f"fastnn-out/model.safetensors exists; this run writes to fastnn-out-{k} " in told
        assert f"wrote fastnn-out-{k}/model.safetensors" in text
    assert model(tmp_path / "fastnn-out") == first != model(tmp_path / "fastnn-out-2")


def test_overwrite_replaces(tmp_path):
    assert main(SHORT) == 0
    first = model(tmp_path / "fastnn-out")
    assert main([*SHORT, "--seed", "1", "--overwrite"]) == 0
    assert model(tmp_path / "fastnn-out") != first
    assert not (tmp_path / "fastnn-out-2").exists()


def test_a_folder_that_was_named_is_refused_and_kept(tmp_path, capsys):
    named = [*SHORT, "--out", "mine"]
    assert main(named) == 0
    first = model(tmp_path / "mine")
    capsys.readouterr()
    assert main([*named, "--seed", "1"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("fastnn: 'mine/model.safetensors' exists already; add --overwrite")
    assert model(tmp_path / "mine") == first
    assert main([*named, "--seed", "1", "--overwrite"]) == 0
    assert model(tmp_path / "mine") != first


def test_a_folder_with_other_files_is_taken(tmp_path):
    (tmp_path / "fastnn-out").mkdir()
    (tmp_path / "fastnn-out" / "search.png").write_bytes(b"")
    assert main(SHORT) == 0
    assert (tmp_path / "fastnn-out" / "model.safetensors").exists()


def test_a_checkpoint_goes_on_in_its_own_folder_alone(tmp_path, capsys):
    assert main(["train", "--layers", "4", "--epochs", "1"]) == 0  # another network
    other = model(tmp_path / "fastnn-out")
    kept = [*SHORT, "--checkpoint", "state.safetensors"]
    assert main(kept) == 0
    assert main([*kept, "--epochs", "3"]) == 0
    assert sorted(path.name for path in tmp_path.glob("fastnn-out*")) == [
        "fastnn-out",
        "fastnn-out-2",
    ]
    assert model(tmp_path / "fastnn-out") == other
    capsys.readouterr()
    assert main([*kept, "--epochs", "3"]) == 0
    text = capsys.readouterr().out
    assert "nothing left to do: state.safetensors holds 3 epochs" in text
    assert "test accuracy" in text
    assert "trained in" not in text


def test_on_terminals_long_lines_are_folded_between_words(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert main([*SHORT, "--clip-norm", "1", "--schedule", "cosine", "--l2", "0.1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[: lines.index("")])) <= 60
    assert any(line.startswith(" " * 10 + "rate 0.001") for line in lines)


def test_a_network_that_learnt_nothing(rows, capsys):
    slow = ["--optimizer", "gradient-descent", "--learning-rate", "1e-12", "--init", "zeros"]
    assert main([*SHORT, *slow]) == 0
    text = capsys.readouterr().out
    common = max(np.mean(rows.y), 1 - np.mean(rows.y))
    name = rows.classes[int(np.mean(rows.y) > 0.5)]
    says = re.search(
        r"learnt nothing yet: always answering '(\w+)' would be right for ([\d.]+) %", text
    )
    assert (says[1], float(says[2])) == (name, pytest.approx(100 * common, abs=0.01))
    assert "--learning-rate" in text


def test_a_network_that_exploded(capsys):
    wild = ["--optimizer", "gradient-descent", "--learning-rate", "1e30"]
    assert main([*SHORT, *wild]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("fastnn: the cost exploded in its first epoch")
    assert "try --learning-rate 1e+29" in told


class TestVerdicts:
    y = np.array([0, 0, 0, 1])

    @pytest.mark.parametrize(
        ("accuracies", "words"),
        [((0.75, 0.9), "learnt nothing"), ((0.9, 0.5), "On the test examples"), ((0.9, 0.8), None)],
    )
    def test_of_classes(self, accuracies, words):
        says = verdict.judge_classes(accuracies, self.y, np.array([0, 1]), ("cat", "dog"))
        assert says is None if words is None else "'cat'" in says and words in says

    @pytest.mark.parametrize(
        ("errors", "words"),
        [((2.0, 0.1), "learnt nothing"), ((0.1, 9.0), "On the test examples"), ((0.1, 0.1), None)],
    )
    def test_of_values(self, errors, words):
        y = np.array([1.0, 3.0])  # mean 2, variance 1
        says = verdict.judge_values(errors, y, np.array([1.0, 2.0]))  # mean square about 2: ½
        assert says is None if words is None else " 2" in says and words in says

    @pytest.mark.parametrize(("costs", "rose"), [([1.0, 2.0], True), ([2.0, 3.0, 1.0], False)])
    def test_of_costs(self, costs, rose):
        history = History()
        history.extend({"cost": costs})
        says = verdict.judge_cost(history, 0.5)
        assert (says is not None) == rose
        if rose:
            assert says == (
                "The cost rose from 1 to 2. Likely cause: a learning rate that is too high; try "
                "--learning-rate 0.05, or --clip-norm 1."
            )


def test_the_learning_rate_has_a_column_where_it_changes(capsys):
    assert main([*SHORT, "--schedule", "step:every=1,factor=0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    k = next(k for k, line in enumerate(lines) if "epoch  " in line)
    assert lines[k].endswith("learning rate")
    assert [line.split()[-1] for line in lines[k + 1 : k + 3]] == ["0.001", "0.0005"]
    assert main([*SHORT, "--overwrite"]) == 0
    assert "learning rate\n" not in capsys.readouterr().out
