"""load_image_folder: pictures of several sizes and kinds, one subfolder for each class."""

import numpy as np
import pytest

from fastnn.data import load_image, load_image_folder
from fastnn.errors import DataFileError, SettingError

pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


@pytest.fixture
def flowers(tmp_path):
    """A folder of two classes: colours, grey, with alpha, of several sizes; and litter."""
    folder = tmp_path / "flowers"
    rng = np.random.default_rng(0)
    for name, shape in (
        ("rose/b.png", (7, 9, 3)),
        ("rose/a.jpg", (12, 5, 3)),
        ("rose/more/c.PNG", (4, 4)),
        ("daisy/1.png", (20, 31, 4)),
        ("daisy/2.bmp", (3, 3, 3)),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pil.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    (folder / ".DS_Store").write_bytes(b"0")
    (folder / "rose" / "Thumbs.db").write_bytes(b"0")
    (folder / "README.txt").write_text("where they are from")
    return folder


FILES = "daisy/1.png", "daisy/2.bmp", "rose/a.jpg", "rose/b.png", "rose/more/c.PNG"


@pytest.mark.parametrize("grayscale", [False, True])
def test_reads_what_load_image_reads(flowers, grayscale):
    data = load_image_folder(flowers, (6, 8), grayscale=grayscale)
    assert data.classes == ("daisy", "rose")
    assert data.name == "flowers"
    assert data.y.tolist() == [0, 0, 1, 1, 1]
    assert data.X.dtype == np.uint8
    one_by_one = [load_image(flowers / name, (6, 8), grayscale=grayscale) for name in FILES]
    np.testing.assert_array_equal(data.X, np.stack(one_by_one))


def test_a_damaged_picture_is_named(flowers):
    (flowers / "rose" / "broken.png").write_bytes((flowers / "rose" / "b.png").read_bytes()[:60])
    with pytest.raises(DataFileError, match=r"rose/broken\.png' cannot be read .* remove it"):
        load_image_folder(flowers, 4)


def test_unreadable_files_are_left_out_if_asked(flowers):
    (flowers / "rose" / "0.png").write_bytes(b"no picture")
    (flowers / "rose" / "notes.txt").write_text("nor this")
    with pytest.raises(DataFileError, match=r"0\.png' cannot .* \(and 1 more like it\)"):
        load_image_folder(flowers, 4)
    with pytest.warns(UserWarning, match=r"left out 2 files: .*0\.png"):
        data = load_image_folder(flowers, 4, skip_unreadable=True)
    np.testing.assert_array_equal(data.X[2], load_image(flowers / "rose/a.jpg", 4))
    assert data.y.tolist() == [0, 0, 1, 1, 1]


def test_a_class_of_unreadable_files_is_refused(flowers):
    (flowers / "tulip").mkdir()
    (flowers / "tulip" / "1.png").write_bytes(b"no picture")
    with (
        pytest.warns(UserWarning, match="left out 1 file: "),
        pytest.raises(DataFileError, match="tulip' holds no picture"),
    ):
        load_image_folder(flowers, 4, skip_unreadable=True)


def test_folders_that_are_none(flowers, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        load_image_folder(tmp_path / "nowhere", 4)
    with pytest.raises(DataFileError, match=r"is no folder; load_image reads"):
        load_image_folder(flowers / "rose" / "b.png", 4)
    with pytest.raises(DataFileError, match="has no subfolders"):
        load_image_folder(flowers / "daisy", 4)
    with pytest.raises(SettingError, match="height"):
        load_image_folder(flowers, (0, 4))
    (flowers / "tulip").mkdir()
    with pytest.raises(DataFileError, match="tulip' holds no picture"):
        load_image_folder(flowers, 4)


def test_a_picture_beside_the_classes_is_named(flowers):
    (flowers / "1.png").write_bytes((flowers / "rose" / "b.png").read_bytes())
    with pytest.raises(DataFileError, match=r"picture '1\.png' beside .* daisy, rose; move it"):
        load_image_folder(flowers, 4)


def test_parts_are_no_classes(flowers, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    flowers.rename(whole / "train")
    (whole / "test" / "rose").mkdir(parents=True)
    (whole / "test" / "rose" / "1.png").write_bytes(
        (whole / "train" / "rose" / "b.png").read_bytes()
    )
    (whole / "train" / "README.txt").unlink()
    with pytest.raises(DataFileError, match=r"are test, train, which are parts .*whole/test'"):
        load_image_folder(whole, 4)
    assert len(load_image_folder(whole / "train", 4)) == 5
