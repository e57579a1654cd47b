"""load_image and flatten_images."""

import builtins
import errno
import os

import numpy as np
import pytest

from fastnn.data import flatten_images, load_image
from fastnn.errors import DataFileError, MissingExtraError, SettingError, ShapeError

LEFT_RIGHT = np.zeros((4, 8, 3), np.uint8)
LEFT_RIGHT[:, :4] = (250, 10, 20)  # red half, blue half
LEFT_RIGHT[:, 4:] = (20, 10, 250)


@pytest.fixture
def pil():
    return pytest.importorskip("PIL.Image", reason="Pillow is not installed")


@pytest.fixture
def save(pil, tmp_path):
    def save(array, name="picture.png", mode=None, **kwargs):
        path = tmp_path / name
        image = pil.fromarray(np.asarray(array))
        (image.convert(mode) if mode else image).save(path, **kwargs)
        return path

    return save


def test_reads_pixels_as_they_are(save):
    pixels = load_image(save(LEFT_RIGHT), (4, 8))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, LEFT_RIGHT)
    assert pixels.flags.writeable


@pytest.mark.parametrize(
    ("size", "shape"), [(6, (6, 6, 3)), ((2, 5), (2, 5, 3)), ([3, 9], (3, 9, 3))]
)
def test_resizes_to_height_and_width(save, size, shape):
    pixels = load_image(save(LEFT_RIGHT), size)
    assert pixels.shape == shape
    assert pixels[0, 0, 0] > 200 > pixels[0, -1, 0]


def test_grayscale(save):
    pixels = load_image(save(LEFT_RIGHT), (4, 8), grayscale=True)
    assert pixels.shape == (4, 8)
    assert pixels[0, 0] == round(0.299 * 250 + 0.587 * 10 + 0.114 * 20)


def test_gray_palette_and_cmyk_become_rgb(save):
    gray = np.arange(32, dtype=np.uint8).reshape(4, 8)
    assert (load_image(save(gray), (4, 8)) == gray[..., None]).all()
    np.testing.assert_array_equal(load_image(save(LEFT_RIGHT, mode="P"), (4, 8)).shape, (4, 8, 3))
    cmyk = load_image(save(LEFT_RIGHT, "p.tif", mode="CMYK"), (4, 8))
    np.testing.assert_array_equal(cmyk, LEFT_RIGHT)


def test_exif_orientation(pil, tmp_path):
    image = pil.fromarray(LEFT_RIGHT)
    exif = pil.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to see it upright
    image.save(tmp_path / "turned.png", exif=exif)
    pixels = load_image(tmp_path / "turned.png", (8, 4))
    np.testing.assert_array_equal(pixels, np.rot90(LEFT_RIGHT, -1))


def test_transparency_lies_on_white(save):
    alpha = np.concatenate([LEFT_RIGHT, np.zeros((4, 8, 1), np.uint8)], axis=2)
    alpha[:, 4:, 3] = 255
    pixels = load_image(save(alpha), (4, 8))
    assert (pixels[:, :4] == 255).all()
    np.testing.assert_array_equal(pixels[:, 4:], LEFT_RIGHT[:, 4:])


def test_sixteen_bits_keep_the_upper_eight(save):
    deep = (np.arange(32, dtype=np.uint16) * 2048).reshape(4, 8)
    pixels = load_image(save(deep), (4, 8))
    np.testing.assert_array_equal(pixels[..., 0], deep // 256)


def test_float_pixels_are_refused(save):
    path = save(np.ones((4, 8), np.float32), "p.tif")
    with pytest.raises(DataFileError, match=r"p\.tif' holds floating-point pixels, whose range"):
        load_image(path, 4)


def test_unreadable(tmp_path, save):
    page = tmp_path / "page.png"
    page.write_bytes(b"<html></html>")
    with pytest.raises(
        DataFileError, match=r"page\.png' cannot be read as a picture; .*Pillow says"
    ):
        load_image(page, 4)
    noise = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)
    for name in ("cut.png", "cut.jpg", "cut.gif", "cut.tif", "cut.bmp"):
        path = save(noise, name)
        path.write_bytes(path.read_bytes()[:500])
        with pytest.raises(DataFileError, match="cannot be read as a picture"):
            load_image(path, 4)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_what_the_system_refuses_is_no_damage(save, pil, monkeypatch, code):
    def failing(*arguments, **keywords):
        raise OSError(code, os.strerror(code))

    path = save(LEFT_RIGHT)
    monkeypatch.setattr(pil, "open", failing)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        load_image(path, 2)
    assert not isinstance(caught.value, DataFileError)


def test_bomb(save, pil, monkeypatch):
    path = save(LEFT_RIGHT)
    monkeypatch.setattr(pil, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataFileError, match=r"picture\.png' is refused: Image size \(32 pixels\)"):
        load_image(path, 4)


def test_missing(pil, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*none\.png'"):
        load_image(tmp_path / "none.png", 4)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "size must be a whole number of at least 1, got 0"),
        (2.5, "size must be a whole number of at least 1, got 2.5"),
        (True, "size must be a whole number of at least 1, got True"),
        ((4, 0), "width must be a whole number of at least 1, got 0"),
        ((-1, 4), "height must be a whole number of at least 1, got -1"),
        ((1, 2, 3), r"size must be one number or \(height, width\), got \(1, 2, 3\)"),
    ],
)
def test_size(save, size, message):
    with pytest.raises(SettingError, match=message):
        load_image(save(LEFT_RIGHT), size)


def test_without_pillow(tmp_path, monkeypatch):
    (tmp_path / "p.png").write_bytes(b"")
    monkeypatch.setitem(builtins.__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(MissingExtraError, match=r"reading images needs PIL; .*fastnn\[plot\]"):
        load_image(tmp_path / "p.png", 4)


def test_flatten_is_one_example_a_row_and_a_view():
    images = np.arange(2 * 3 * 4 * 3).reshape(2, 3, 4, 3)
    flat = flatten_images(images)
    assert flat.shape == (2, 36)
    assert flat.base is not None
    assert np.shares_memory(flat, images)
    for i in range(2):
        np.testing.assert_array_equal(flat[i], images[i].ravel())
    # The trap: the shape of a column per example, but pixels of several images in each.
    trap = images.reshape(3 * 4 * 3, 2)
    assert trap.shape == flat.T.shape
    assert not np.array_equal(trap, flat.T)
    np.testing.assert_array_equal(images.reshape(2, -1).T, flat.T)


def test_flatten_other_shapes():
    assert flatten_images(np.zeros((5, 8, 8), np.uint8)).dtype == np.uint8
    assert flatten_images(np.zeros((5, 8, 8))).shape == (5, 64)
    assert flatten_images(np.zeros((5, 8))).shape == (5, 8)
    assert flatten_images(np.zeros((0, 8, 8, 3))).shape == (0, 192)
    with pytest.raises(ShapeError, match=r"images must be a stack .* got shape \(7,\)"):
        flatten_images(np.zeros(7))
