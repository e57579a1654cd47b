"""The command line: what it prints and writes, and how it ends."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from fastnn.kernels.jitted.loader.cpu import CPU

import fastnn
from fastnn.cli import compare, epoch_table, info, predict, task, train
from fastnn.cli.main import VERBS, load_verbs, main
from fastnn.cli.verb import Verb
from fastnn.data import digits
from fastnn.errors import MissingExtraError
from fastnn.network.description import state_of
from fastnn.network.loading import load, load_with_notes
from fastnn.saving import model_file

DATA = os.environ.get("FASTNN_DATA")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder that `fastnn train` wrote for the digits, a few epochs."""
    out = tmp_path_factory.mktemp("trained")
    assert main(["train", "--epochs", "5", "--out", str(out)]) == 0
    return out


def write_h5(path, X, y, classes, kind="train"):
    with h5py.File(path, "w") as file:
        file[f"{kind}_set_x"], file[f"{kind}_set_y"] = X, y
        file["list_classes"] = np.array(classes, dtype="S")
    return str(path)


@pytest.fixture
def squares(tmp_path):
    """Files of colour images, dark or light, for training and testing."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = (rng.integers(0, 128, (60, 4, 5, 3)) + 127 * y[:, None, None, None]).astype(np.uint8)
    train = write_h5(tmp_path / "train.h5", X[:40], y[:40], ["dark", "light"])
    test = write_h5(tmp_path / "test.h5", X[40:], y[40:], ["dark", "light"], "test")
    return train, test


# train


@pytest.mark.medium
def test_digits_by_default(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    out = tmp_path / "made" / "out"
    assert main(["train", "--out", str(out)]) == 0
    text, told = capsys.readouterr()
    assert "digits: 1,438 training images, 359 test images, 8 × 8 pixels; 10 classes: 0, 1" in text
    assert "64 → 128 → 64 → 10 (relu, softmax), 17,226 parameters" in text
    table = [line for line in text.splitlines() if re.match(r" +\d+  ", line)]
    assert [int(line.split()[0]) for line in table] == [1, *range(4, 41, 4)]
    accuracy = re.search(r"test accuracy ([\d.]+) %", text)
    assert accuracy is not None
    assert float(accuracy[1]) >= 96
    assert float(accuracy[1]) == pytest.approx(100 * float(table[-1].split()[-1]), abs=0.01)
    assert f"wrote {out / 'model.safetensors'}" in text
    assert (out / "history.png").read_bytes().startswith(b"\x89PNG")
    net, notes = load_with_notes(out / "model.safetensors")
    assert net.inputs == 64
    assert notes == {
        "data": "digits",
        "classes": list("0123456789"),
        "image_shape": [8, 8],
        "pixel_max": 16,
    }
    assert told == "" or "compiles" in told


@pytest.mark.medium
def test_fits_in_pieces_are_one_fit(trained):
    net = load(trained / "model.safetensors")
    digits_task = task.load_task(None, None, 0)
    same = task.build_network(digits_task, 16, (128, 64), 0)
    same.fit(digits_task.X.reshape(-1, 64), digits_task.y, epochs=5, batch_size=32, progress=False)
    for name, parameter in same.parameters.items():
        np.testing.assert_array_equal(net.parameters[name], parameter)


@pytest.mark.medium
def test_two_classes_from_files(squares, tmp_path, capsys):
    train, test = squares
    arguments = ["train", "--train", train, "--test", test, "--layers", "6,3", "--epochs", "30"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "train: 40 training images, 20 test images, 4 × 5 × 3 pixels; 2 classes: dark" in text
    assert "60 → 6 → 3 → 1 (relu, sigmoid)" in text
    assert "pixels 0 … 255" in text
    assert "test accuracy 100.00 %" in text


def test_a_fifth_is_held_out_and_settings_are_heard(squares, tmp_path, capsys):
    arguments = ["train", "--train", squares[0], "--out", str(tmp_path), "--layers", "none"]
    arguments += ["--epochs", "2", "--l2", "3", "--batch-size", "full"]
    arguments += ["--optimizer", "gradient-descent"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "32 training images, 8 test images, 4 × 5 × 3 pixels" in text
    assert "60 → 1 (sigmoid)" in text
    assert "2 epochs, 32 examples a step, gradient-descent with learning rate 0.01, L2 3" in text


@pytest.mark.medium
def test_seed_decides(squares, tmp_path):
    models = []
    for seed in ("1", "1", "2"):
        main(
            [
                "train",
                "--train",
                squares[0],
                "--epochs",
                "1",
                "--seed",
                seed,
                "--overwrite",
                "--out",
                str(tmp_path),
            ]
        )
        models.append((tmp_path / "model.safetensors").read_bytes())
    assert models[0] == models[1] != models[2]


@pytest.mark.parametrize(
    ("X", "full"),
    [
        (np.full((2, 3, 3), 16, np.uint8), 16),
        (np.full((2, 3, 3), 17, np.uint8), 255),
        (np.full((2, 3, 3), 0.5), 1),
        (np.full((2, 3, 3), 4000, np.uint16), 65535),
        (np.full((2, 3, 3), -0.5), None),
        (np.full((2, 3), 1.0), None),
    ],
)
def test_pixel_range(X, full):
    assert task.find_pixel_max(X) == full


@pytest.mark.medium
def test_a_table_is_normalised(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X, y = rng.normal(50, 9, (50, 4)), np.arange(50) % 3
    path = write_h5(tmp_path / "table.h5", X, y, ["a", "b", "c"])
    assert main(["train", "--train", path, "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert "rows, 4 numbers each" in capsys.readouterr().out
    net, notes = load_with_notes(tmp_path / "model.safetensors")
    assert net.layers[0] == fastnn.Normalization()
    assert "image_shape" not in notes
    assert main(["predict", str(tmp_path / "model.safetensors"), "any.png"]) == 1
    assert "does not say how its training images looked" in capsys.readouterr().err


@pytest.mark.parametrize("epochs", [1, 2, 7, 10, 40, 95])
def test_marks_end_with_the_last_epoch(epochs):
    marks = epoch_table.report_epochs(epochs)
    assert (marks[0], marks[-1]) == (1, epochs)
    assert len(marks) <= 11


@pytest.mark.medium
def test_without_matplotlib_it_goes_on(squares, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["train", "--train", squares[0], "--epochs", "1", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "history.png was not written: drawing it needs matplotlib" in text
    assert 'pip install "fastnn[plot]"' in text
    assert (tmp_path / "model.safetensors").exists()


@pytest.mark.medium
def test_ctrl_c_keeps_what_was_learnt(squares, tmp_path, capsys, monkeypatch):
    fit = fastnn.Network.fit

    def interrupted(self, *args, **settings):
        history = fit(self, *args, **{**settings, "epochs": 3})
        history.interrupted = True
        return history

    monkeypatch.setattr(fastnn.Network, "fit", interrupted)
    assert main(["train", "--train", squares[0], "--out", str(tmp_path)]) == 130
    text, told = capsys.readouterr()
    assert [line.split()[0] for line in text.splitlines() if re.match(r" +\d+  ", line)] == [
        "1",
        "3",
    ]
    assert "stopped by Ctrl-C after 3 epochs; what was learnt is saved" in told
    assert load(tmp_path / "model.safetensors").inputs == 60


# predict


def picture(path, pixels, size=None):
    image = pytest.importorskip("PIL.Image")
    shown = image.fromarray(np.asarray(pixels, np.uint8))
    (shown if size is None else shown.resize(size, image.Resampling.NEAREST)).save(path)
    return str(path)


def test_predict_says_file_class_and_probability(trained, tmp_path, capsys):
    X, _ = digits()
    net = load(trained / "model.safetensors")
    paths = [picture(tmp_path / f"{k}.png", np.round(X[k] * (255 / 16))) for k in range(3)]
    assert main(["predict", str(trained / "model.safetensors"), *paths]) == 0
    text, told = capsys.readouterr()
    P = net.predict_proba(X[:3].reshape(3, 64))
    for line, path, p in zip(text.splitlines(), paths, P, strict=True):
        file, name, percent, sign = line.split()
        assert (file, name, sign) == (path, str(p.argmax()), "%")
        assert float(percent) == pytest.approx(100 * p.max(), abs=1)
    assert "resized to 8 × 8, grey, pixels 0 … 16" in told


def test_predict_resizes_and_inverts(trained, tmp_path, capsys):
    X, _ = digits()
    dark = picture(tmp_path / "dark.png", 255 - np.round(X[0] * (255 / 16)), (48, 64))
    model = str(trained / "model.safetensors")
    assert main(["predict", model, "--invert", dark]) == 0
    assert capsys.readouterr().out.split()[1] == "0"
    form = predict.read_image_format(*load_with_notes(model), model)
    plain, inverted = (predict.load_pictures([dark], form, invert=flag) for flag in (False, True))
    np.testing.assert_allclose(plain + inverted, 16, rtol=1e-6)


@pytest.mark.medium
def test_predict_of_two_classes_in_colour(squares, tmp_path, capsys):
    main(
        ["train", "--train", squares[0], "--epochs", "30", "--layers", "4", "--out", str(tmp_path)]
    )
    capsys.readouterr()
    paths = [picture(tmp_path / f"{v}.png", np.full((9, 9, 3), v)) for v in (10, 240)]
    assert main(["predict", str(tmp_path / "model.safetensors"), *paths]) == 0
    text = capsys.readouterr().out
    assert [line.split()[1] for line in text.splitlines()] == ["dark", "light"]
    assert all(float(line.split()[2]) > 50 for line in text.splitlines())


@pytest.mark.parametrize(
    "change",
    [{"image_shape": [8, 9]}, {"image_shape": [64]}, {"image_shape": "8"}, {"pixel_max": 0},
     {"pixel_max": "16"}, {"classes": ["a"]}, {"classes": [0] * 10}, {"image_shape": [4, 4, 4]}],
)  # fmt: skip
def test_notes_that_do_not_fit_are_refused(trained, tmp_path, capsys, change):
    net, notes = load_with_notes(trained / "model.safetensors")
    model_file.save(state_of(net), tmp_path / "forged", notes={**notes, **change})
    assert main(["predict", str(tmp_path / "forged"), "any.png"]) == 1
    assert "does not fit together" in capsys.readouterr().err


# compare and info


def test_compare_prints_the_table_and_draws_it(tmp_path, capsys, monkeypatch):
    pytest.importorskip("matplotlib")
    row = {"name": "dot", "dtype": "float64", "loops": 0.6, "vectorized": 1e-3, "jitted": 1e-3}
    asked = []

    def measured(*, quick, note):
        note("dot")
        asked.append(quick)
        return [row]

    monkeypatch.setattr(compare, "compare", measured)
    assert main(["compare", "--quick", "--out", str(tmp_path)]) == 0
    text, told = capsys.readouterr()
    assert asked == [True]
    assert "600 ms" in text
    assert "measuring dot" in told
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_info(capsys):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in lines)
    assert facts["fastnn"] == fastnn.__version__
    assert facts["NumPy"] == np.__version__
    assert facts["backends"].split(", ")[0] == "loops"
    assert facts["backends"].count("(default)") == 1
    assert re.search(r"\(\d+ files, [\d.]+ MB\)$", facts["kernel cache"])
    assert list(facts)[:2] == ["fastnn", "Python"]


@pytest.mark.parametrize(
    ("cpu", "words"),
    [
        (CPU(64, 32, True, True, True), "multiplied by the CPU"),
        (CPU(64, 32, True, True, False), "multiplied as float32"),
        (CPU(32, 16, True, False, True), "multiplied as float32"),  # rounds alone
    ],
)
def test_info_says_how_mixed_precision_multiplies(cpu, words, monkeypatch):
    from fastnn._runtime import versions

    monkeypatch.setattr(versions, "detect_cpu", lambda: cpu)
    monkeypatch.setattr(versions, "no_compiler", lambda: None)
    assert versions.collect()["bfloat16"].startswith(words)


def test_info_says_what_is_not_installed(monkeypatch):
    from fastnn._runtime import versions

    def version(package):
        raise versions.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(versions.metadata, "version", version)
    assert versions.collect()["SciPy"] == "not installed"
    assert repr(versions.show_versions()) == str(versions.show_versions())


# How it ends


def test_errors_to_mend_are_one_sentence_and_1(squares, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("no picture, no model, no data")
    other = write_h5(tmp_path / "other.h5", np.zeros((4, 2, 2)), [0, 1, 0, 1], ["a", "b"])
    train, out = squares[0], str(tmp_path / "out")
    calls = {
        "there is no file": ["train", "--train", "none.h5"],
        "not an HDF5 file": ["train", "--train", str(text)],
        "are these files a pair": ["train", "--train", train, "--test", other, "--out", out],
        "choose another with --out": ["train", "--train", train, "--out", str(text)],
        "there is no model file": ["predict", "none", "none.png"],
        "is not a usable model file": ["predict", str(text), "none.png"],
        "try --learning-rate 1e+29": ["train", "--train", train, "--optimizer", "gradient-descent",
                                "--learning-rate", "1e30", "--out", out],
    }  # fmt: skip
    for words, call in calls.items():
        assert main(call) == 1, call
        told = capsys.readouterr().err.strip().splitlines()
        assert words in told[-1]
        assert told[-1].startswith("fastnn: ")


@pytest.mark.parametrize(
    "call",
    [[], ["fly"], ["train", "--epochs", "0"], ["train", "--epochs", "x"], ["predict", "model"],
     ["train", "--layers", "3,x"], ["train", "--layers", "3,0"], ["train", "--optimizer", "sgd"],
     ["train", "--learning-rate", "-1"], ["train", "--learning-rate", "nan"],
     ["train", "--batch-size", "0"], ["train", "--l2", "-1"], ["train", "--seed", "-1"],
     ["train", "--test", "test.h5"]],
)  # fmt: skip
def test_bad_usage_exits_with_2(call, capsys):
    with pytest.raises(SystemExit) as caught:
        main(call)
    assert caught.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["train"], ["predict"], ["compare"], ["info"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    if command and command != ["info"]:
        assert f"fastnn {command[0]}" in text.partition("examples:")[2]


def test_a_verb_is_imported_alone_and_all_of_them_for_the_help():
    assert tuple(load_verbs(["info", "--help"])) == ("info",)
    assert tuple(load_verbs([])) == tuple(load_verbs(["--version"])) == VERBS
    modules = {path.stem for path in Path(train.__file__).parent.glob("*.py")}
    loaded = {name: importlib.import_module(f"fastnn.cli.{name}") for name in modules}
    assert {name for name, module in loaded.items() if hasattr(module, "VERB")} == set(VERBS)


def test_ctrl_c_ends_with_130(capsys, monkeypatch):
    def run(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "VERB", Verb("fail", run))
    assert main(["info"]) == 130
    assert "stopped by Ctrl-C" in capsys.readouterr().err


def test_missing_extra_is_an_error_to_mend(capsys, monkeypatch):
    def run(arguments):
        raise MissingExtraError("reading images needs PIL; install it with: pip install …")

    monkeypatch.setattr(info, "VERB", Verb("fail", run))
    assert main(["info"]) == 1
    assert capsys.readouterr().err.startswith("fastnn: reading images needs PIL")


def python_m(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-P", "-m", "fastnn", *arguments],
        capture_output=True, text=True, check=False, timeout=300, **options,
    )  # fmt: skip


@pytest.mark.medium
def test_python_m_fastnn():
    result = python_m("--version")
    assert (result.returncode, result.stdout) == (0, f"fastnn {fastnn.__version__}\n")
    result = python_m("predict", "none", "none.png")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr


@pytest.mark.medium
@pytest.mark.skipif(not DATA, reason="FASTNN_DATA names no folder with the course's data")
def test_cats(tmp_path, capsys):
    train, test = (os.path.join(str(DATA), f"{part}_catvnoncat.h5") for part in ("train", "test"))
    arguments = ["train", "--train", train, "--test", test, "--layers", "20,7,5"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert (
        "209 training images, 50 test images, 64 × 64 × 3 pixels; 2 classes: non-cat, cat" in text
    )
    accuracy = re.search(r"train accuracy ([\d.]+) %, test accuracy ([\d.]+) %", text)
    assert accuracy is not None
    assert float(accuracy[1]) > 85
    assert float(accuracy[2]) > 60
