"""The command line: models for other programs, what shells complete, and how a warm-up goes on."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys

import numpy as np
import pytest

import fastnn
from fastnn.cli import predict, warmup
from fastnn.cli.main import VERBS, main
from fastnn.network.description import state_of
from fastnn.saving import model_file


@pytest.fixture
def model(tmp_path):
    """A model of two classes of images of 3 × 3, as `fastnn train` writes it."""
    net = fastnn.Network.mlp([9, 4, 1], output="sigmoid", rescale=1 / 255, seed=1)
    notes = {"classes": ["cat", "dog"], "image_shape": [3, 3], "pixel_max": 255, "data": "pets"}
    model_file.save(state_of(net), tmp_path / "pets.safetensors", notes=notes)
    return str(tmp_path / "pets.safetensors"), net


@pytest.mark.medium
def test_an_onnx_file_gives_the_same_probabilities(model, tmp_path, capsys):
    runtime = pytest.importorskip("onnxruntime")
    path, net = model
    target = tmp_path / "pets.onnx"
    assert main(["export", path, "--onnx", str(target), "--input-dtype", "uint8"]) == 0
    text, told = capsys.readouterr()
    assert text == f"wrote {target}\n"
    assert "X: uint8, rows of 9 numbers: images of 3 × 3, flattened, pixels 0 … 255" in told
    assert "probabilities, a column for each class: cat, dog" in told
    X = np.random.default_rng(0).integers(0, 256, (5, 9), dtype=np.uint8)
    session = runtime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"X": X})[0], net.predict_proba(X), atol=1e-5)


def test_an_export_replaces_nothing_unasked(model, tmp_path, capsys):
    pytest.importorskip("onnx")
    target = tmp_path / "pets.onnx"
    target.write_bytes(b"mine")
    call = ["export", model[0], "--onnx", str(target)]
    assert main(call) == 1
    assert "exists already; add --overwrite" in capsys.readouterr().err
    assert target.read_bytes() == b"mine"
    assert main([*call, "--overwrite"]) == 0
    assert target.read_bytes() != b"mine"
    assert main(["export", model[0], "--onnx", str(tmp_path / "none" / "a.onnx")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_an_export_needs_to_know_what_to_write(model, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["export", model[0]])
    assert caught.value.code == 2
    assert "--onnx" in capsys.readouterr().err


def test_predictions_as_a_table(model, tmp_path, capsys, monkeypatch):
    rows = np.random.default_rng(0).integers(0, 256, (2, 9)).astype(np.float32)
    monkeypatch.setattr(predict, "load_pictures", lambda *paths, **settings: rows)
    assert main(["predict", model[0], "--csv", "a,b.png", "c.png"]) == 0
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    P = model[1].predict_proba(rows)
    assert [row["file"] for row in read] == ["a,b.png", "c.png"]
    assert [row["class"] for row in read] == [("cat", "dog")[p.argmax()] for p in P]
    for row, p in zip(read, P, strict=True):
        shares = [float(row[f"probability of {name}"]) for name in ("cat", "dog")]
        np.testing.assert_allclose(shares, p, rtol=1e-5)


class TestCompletion:
    @pytest.fixture(autouse=True)
    def _needs_shtab(self):
        pytest.importorskip("shtab")

    def script(self, shell, capsys):
        with pytest.raises(SystemExit) as caught:
            main(["--print-completion", shell])
        assert not caught.value.code
        return capsys.readouterr().out

    @pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
    def test_bash_completes_commands_and_options(self, capsys, tmp_path):
        lines = [self.script("bash", capsys)]
        for words in (["fastnn", ""], ["fastnn", "train", "--opt"], ["fastnn", "tune", "--st"]):
            lines += [
                f"COMP_WORDS=({' '.join(map(repr, words))}); COMP_CWORD={len(words) - 1}",
                '_shtab_fastnn; echo "${COMPREPLY[@]}"',
            ]
        done = subprocess.run(
            ["bash", "-c", "\n".join(lines)], capture_output=True, text=True, check=True
        )
        commands, options, others = done.stdout.splitlines()
        assert set(VERBS) <= set(commands.split())
        assert options == "--optimizer"
        assert others == "--study"

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_other_shells(self, shell, capsys):
        text = self.script(shell, capsys)
        assert all(verb in text for verb in VERBS)
        assert "early-stopping" in text

    def test_a_shell_that_is_not_known(self, capsys):
        with pytest.raises(SystemExit) as caught:
            main(["--print-completion", "cmd"])
        assert caught.value.code == 2
        assert "no completion for 'cmd'; there is bash" in capsys.readouterr().err


def test_completion_without_shtab(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as caught:
        main(["--print-completion", "bash"])
    assert caught.value.code == 1
    assert 'pip install "fastnn[completion]"' in capsys.readouterr().err


class TestWarmUp:
    @pytest.fixture
    def slow(self, monkeypatch):
        """A cache of 3 kernels of which 1 is kept; `warmup` ends once somebody has looked twice."""
        backend = warmup.kernels.get("jitted")
        looks = []

        def count_kept(dtype):
            looks.append(dtype)
            return min(len(looks), 3), 3

        def compile_them(dtypes):
            while looks.count(dtypes[0]) < 3:
                pass

        monkeypatch.setattr(backend, "count_kept", count_kept)
        monkeypatch.setattr(warmup, "warmup", compile_them)
        monkeypatch.setattr(warmup, "DTYPES", ("float32",))
        monkeypatch.setattr(warmup, "LOOK", 0.001)
        monkeypatch.setattr(warmup, "LINE", 0.0)

    def test_lines_in_a_log(self, slow, capsys):
        assert main(["warmup"]) == 0
        text, told = capsys.readouterr()
        assert "compiling 2 float32 kernels …" in told
        assert "2 of 3 after 0 s" in told
        assert text.startswith("Compiled 2 kernels in 0 s. ")

    def test_a_bar_on_a_terminal(self, slow, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm")
        assert main(["warmup"]) == 0
        assert "3/3" in capsys.readouterr().err

    def test_nothing_to_do(self, capsys, monkeypatch):
        backend = warmup.kernels.get("jitted")
        monkeypatch.setattr(backend, "count_kept", lambda dtype: (3, 3))
        monkeypatch.setattr(warmup, "warmup", lambda dtypes: None)
        assert main(["warmup"]) == 0
        text, told = capsys.readouterr()
        assert "compiling" not in told
        assert text.startswith("The kernels of float32 and float64 networks are ready")


@pytest.mark.medium
def test_kept_kernels_are_counted(tmp_path):
    backend = warmup.kernels.get("jitted")
    fastnn.Network.mlp([2, 1], output="sigmoid").predict(np.zeros((3, 2)))
    kept, total = backend.count_kept("float32")
    assert 0 < kept <= total
    assert warmup.kernels.get("vectorized").count_kept("float32") == (0, 0)
