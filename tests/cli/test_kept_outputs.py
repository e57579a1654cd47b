"""The command line: what was trained is kept, whatever the files are called and whatever fails."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from fastnn.cli import epoch_table, task, train
from fastnn.cli.main import main
from fastnn.cli.output import readable, write_picture
from fastnn.network.loading import load, load_with_notes

pytestmark = pytest.mark.medium

CLASSES = ["$0-$10", "$x_$", "50%"]


def images(path, classes=CLASSES):
    """Write images of as many classes, and return the arguments of a short training on them."""
    y = np.arange(30) % len(classes)
    X = np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = X, y
        file["list_classes"] = np.array(classes, "S")
    return ["train", "--train", str(path), "--epochs", "2", "--layers", "3"]


def run(arguments, **environment):
    """Run the command line in a process of its own; return its exit code and its stderr."""
    known = {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fastnn", *arguments], env=os.environ | known | environment,
        capture_output=True, timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.decode(errors="replace")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such file names")
@pytest.mark.parametrize("name", [b"\xff\xfe.h5", b"caf\xe9 $1.h5", "Größe.h5".encode()])
def test_names_of_any_bytes(tmp_path, name):
    arguments = images(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    out = tmp_path / "out"
    assert main([*arguments, "--out", str(out)]) == 0
    notes = load_with_notes(out / "model.safetensors")[1]
    assert notes["data"] == name.decode(errors="replace").removesuffix(".h5")
    assert notes["classes"] == CLASSES
    assert (out / "history.png").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the locale is Linux's")
def test_an_ascii_locale(tmp_path):
    arguments = images(tmp_path / "Größe.h5")
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    code, told = run([*arguments, "--out", str(tmp_path / "out")], **ascii_only)
    assert code == 0, told
    assert load_with_notes(tmp_path / "out" / "model.safetensors")[1]["data"] == "Größe"


def test_text_that_no_encoding_knows():
    assert readable("Größe") == "Größe"
    assert readable("Gr\udcc3\udcb6\udcc3\udc9fe") == "Größe"  # as an ASCII locale decodes it
    assert readable("a\udcff") == "a�"
    assert readable("a\ud800") == "a?"


class TestWhatFailsAfterwards:
    def trained(self, tmp_path):
        return load(tmp_path / "out" / "model.safetensors").history is not None

    @pytest.mark.parametrize("error", [OSError(28, "No space left"), RuntimeError("$"), ValueError])
    def test_a_picture(self, tmp_path, capsys, monkeypatch, error):
        pytest.importorskip("matplotlib")

        def fail(*arguments, **settings):
            raise error

        monkeypatch.setattr(train.plot, "history", fail)
        assert main([*images(tmp_path / "a.h5"), "--out", str(tmp_path / "out")]) == 0
        assert "history.png was not written" in capsys.readouterr().out
        assert self.trained(tmp_path)

    def test_the_place_of_the_picture(self, tmp_path, capsys):
        pytest.importorskip("matplotlib")
        (tmp_path / "out" / "history.png").mkdir(parents=True)
        assert main([*images(tmp_path / "a.h5"), "--out", str(tmp_path / "out")]) == 0
        assert "history.png was not written" in capsys.readouterr().out
        assert self.trained(tmp_path)

    @pytest.mark.parametrize("epochs", [1, 2])
    def test_whoever_reads_the_output(self, tmp_path, monkeypatch, epochs):
        """`fastnn train | head`: the pipe is closed in the middle of the training, or at its end.

        The command line puts a file in the place of stdout then, until the process ends.
        """
        monkeypatch.setattr(sys, "stdout", sys.stdout)
        arguments, whole, print_result = (
            images(tmp_path / "a.h5"),
            train.train,
            epoch_table.print_result,
        )

        def closed(net, task, given):
            def narrow(line):
                if net.history.epochs >= epochs:
                    raise BrokenPipeError
                print_result(line)

            monkeypatch.setattr(epoch_table, "print_result", narrow)
            return whole(net, task, given)

        monkeypatch.setattr(train, "train", closed)
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
        sys.stdout.close()
        assert self.trained(tmp_path)

    def test_scores(self, tmp_path, monkeypatch):
        def fail(*arguments):
            raise RuntimeError

        monkeypatch.setattr(train, "format_scores", fail)
        with pytest.raises(RuntimeError):
            main([*images(tmp_path / "a.h5"), "--out", str(tmp_path / "out")])
        assert self.trained(tmp_path)

    def test_a_folder_that_somebody_removed(self, tmp_path, monkeypatch):
        whole = train.train

        def removed(*arguments):
            (tmp_path / "out").rmdir()
            return whole(*arguments)

        monkeypatch.setattr(train, "train", removed)
        assert main([*images(tmp_path / "a.h5"), "--out", str(tmp_path / "out")]) == 0
        assert self.trained(tmp_path)


@pytest.mark.parametrize("taken", ["model", "checkpoint"])
def test_a_file_that_cannot_be_written_is_refused_before_the_training(
    tmp_path, capsys, monkeypatch, taken
):
    out, extra = tmp_path / "out", []
    if taken == "model":
        (out / "model.safetensors").mkdir(parents=True)
    else:
        extra = ["--checkpoint", str(tmp_path / "none" / "c.h5")]
    monkeypatch.setattr(train, "train", None)  # it must not begin
    assert main([*images(tmp_path / "a.h5"), "--out", str(out), *extra]) == 1
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("fastnn: ")
    assert "is no ordinary file" in told or "there is no folder" in told


def test_a_diverged_training_leaves_the_model_of_the_last_one(tmp_path):
    arguments = [*images(tmp_path / "a.h5"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    before = (tmp_path / "out" / "model.safetensors").read_bytes()
    wild = ["--optimizer", "gradient-descent", "--learning-rate", "1e30"]
    assert main([*arguments, *wild, "--overwrite"]) == 1
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


def test_shares_are_not_rounded_to_100_per_cent(tmp_path, monkeypatch):
    class Net:
        def evaluate(self, X, y):
            return {"accuracy": 1 - 7e-6}

    given = task.Task("a", np.zeros((1, 2)), [0], np.zeros((1, 2)), [0], ("a", "b"))
    assert "train accuracy 99.999 %, test accuracy 99.999 %" in train.format_scores(
        Net(), given, 1.0
    )


def test_a_picture_that_fails_is_one_line(tmp_path):
    pytest.importorskip("matplotlib")

    def draw(ax):
        raise RuntimeError("two\nlines")

    told = write_picture(tmp_path / "a.png", (3, 3), draw)
    assert told == f"{tmp_path / 'a.png'} was not written: two lines"
