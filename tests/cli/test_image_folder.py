"""The command line on a folder of pictures: trained, and asked for a picture."""

import numpy as np
import pytest

from fastnn.cli.main import main

pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


@pytest.fixture
def shades(tmp_path):
    """A folder of dark and light pictures of several sizes."""
    rng = np.random.default_rng(0)
    for i in range(40):
        shape = (*rng.integers(3, 9, 2), 3)
        folder = tmp_path / "shades" / ("dark", "light")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = (rng.integers(0, 100, shape) + 150 * (i % 2)).astype(np.uint8)
        pil.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path / "shades"


@pytest.mark.medium
@pytest.mark.parametrize("flag", ["--images", "--train"])
def test_train_and_predict(shades, flag, tmp_path, capsys):
    options = ["--image-size", "5", "--layers", "4", "--epochs", "30", "--out", str(tmp_path)]
    assert main(["train", flag, str(shades), *options]) == 0
    text = capsys.readouterr().out
    assert (
        "shades: 32 training images, 8 test images, 5 × 5 × 3 pixels; 2 classes: dark, light"
        in text
    )
    assert "test accuracy 100" in text
    pictures = [str(shades / "dark" / "0.png"), str(shades / "light" / "1.png")]
    assert main(["predict", str(tmp_path / "model.safetensors"), *pictures]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["dark", "light"]


def test_what_is_wrong_is_one_sentence(shades, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--images", str(shades), "--train", str(shades)])
    assert "both name the training images" in capsys.readouterr().err
    (shades / "dark" / "0.png").write_bytes(b"no picture")
    out = tmp_path / "out"
    assert main(["train", "--images", str(shades), "--out", str(out)]) == 1
    text, told = capsys.readouterr()
    assert text == ""
    assert "0.png' cannot be read as a picture" in told
    assert not out.exists()
