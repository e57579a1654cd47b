"""`fastnn train --window`: images that stay in their file."""

import h5py
import numpy as np
import pytest

from fastnn.cli.main import main
from fastnn.network.loading import load_with_notes

pytest.importorskip("matplotlib")


@pytest.fixture
def squares(tmp_path):
    """Files of colour images, dark or light: 40 to train on, 20 to test with."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = (rng.integers(0, 128, (60, 4, 5, 3)) + 127 * y[:, None, None, None]).astype(np.uint8)
    found = []
    for name, part in (("train", slice(40)), ("test", slice(40, 60))):
        found.append(str(tmp_path / f"{name}.h5"))
        with h5py.File(found[-1], "w") as file:
            file.create_dataset(
                f"{name}_set_x", data=X[part], chunks=(8, 4, 5, 3), compression="gzip"
            )
            file[f"{name}_set_y"], file["list_classes"] = y[part], np.array([b"dark", b"light"])
    return found


@pytest.mark.medium
def test_a_window_smaller_than_the_file(squares, tmp_path, capsys):
    train, test = squares
    options = ["--epochs", "3", "--layers", "4", "--batch-size", "8", "--out", str(tmp_path / "o")]
    assert main(["train", "--train", train, "--test", test, "--window", "2KB", *options]) == 0
    text, _ = capsys.readouterr()
    assert "train: 40 training images, 20 test images, 4 × 5 × 3 pixels, read from the file" in text
    assert "pixels 0 … 255 scaled" in text
    assert "test accuracy" in text
    net, notes = load_with_notes(tmp_path / "o" / "model.safetensors")
    assert notes["image_shape"] == [4, 5, 3]
    assert notes["pixel_max"] == 255
    assert net.inputs == 60
    for path in squares:  # closed again
        with h5py.File(path, "r+"):
            pass


@pytest.mark.medium
def test_what_fits_gives_the_model_without_a_window(squares, tmp_path):
    train, test = squares
    models = []
    for name, more in (("plain", []), ("window", ["--window", "1000000"])):
        options = ["--epochs", "2", "--layers", "4", "--out", str(tmp_path / name), *more]
        assert main(["train", "--train", train, "--test", test, *options]) == 0
        models.append((tmp_path / name / "model.safetensors").read_bytes())
    assert models[0] == models[1]


def test_what_does_not_go_together(squares, tmp_path, capsys):
    train, test = squares
    for options, words in (
        (["--window", "1MB"], "--window reads images from the HDF5 file that --train names"),
        (["--window", "1MB", "--train", train], "--window needs --test: images that stay"),
        (["--window", "much", "--train", train], 'window must be bytes or a text like "256 MB"'),
        (["--window", "0", "--train", train, "--test", test], "window"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["train", *options, "--out", str(tmp_path / "o")])
        assert words in capsys.readouterr().err


def test_a_window_smaller_than_a_batch(squares, tmp_path, capsys):
    train, test = squares
    options = ["--window", "300B", "--out", str(tmp_path / "o")]
    assert main(["train", "--train", train, "--test", test, *options]) != 0
    assert "fewer than a batch of 32; give a larger window" in capsys.readouterr().err


def test_a_pair_that_is_none(squares, tmp_path, capsys):
    train, _ = squares
    other = str(tmp_path / "other.h5")
    with h5py.File(other, "w") as file:
        file["test_set_x"], file["test_set_y"] = np.zeros((4, 3, 3), np.uint8), [0, 1, 0, 1]
        file["list_classes"] = np.array([b"dark", b"light"])
    assert main(["train", "--train", train, "--test", other, "--window", "1MB"]) != 0
    assert "are these files a pair?" in capsys.readouterr().err
