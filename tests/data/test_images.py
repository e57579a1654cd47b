"""load_image and flatten_images."""

import builtins
import errno
import os
import struct
import zlib

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


def png(pixels, depth, colour, transparent):
    """The bytes of a PNG file of pixels (h, w, …), with one transparent value or colour."""
    kind = {8: ">u1", 16: ">u2"}[depth]
    rows = b"".join(b"\0" + row.astype(kind).tobytes() for row in pixels)
    size = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, 0)
    chunks = {b"IHDR": size, b"tRNS": np.array(transparent, ">u2").tobytes()}
    chunks |= {b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


class TestTransparentValues:
    """One value of a picture without alpha stands for nothing, which is white here."""

    @pytest.mark.parametrize(("depth", "scale"), [(8, 1), (16, 256)])
    def test_of_grey(self, depth, scale, tmp_path):
        grey = np.array([[3, 100], [0, 255]]) * scale + (232 if depth == 16 else 0)
        grey[1, 1] = 2**depth - 1
        (tmp_path / "p.png").write_bytes(png(grey, depth, 0, grey[0, 0]))
        right = [[255, 100], [0, 255]]  # 1000 of 65535 in the first place
        np.testing.assert_array_equal(load_image(tmp_path / "p.png", 2)[..., 1], right)

    def test_of_grey_is_that_value_alone(self, tmp_path):
        grey = np.array([[1000, 1001], [999, 768]])
        (tmp_path / "p.png").write_bytes(png(grey, 16, 0, 1000))
        np.testing.assert_array_equal(load_image(tmp_path / "p.png", 2)[..., 0], [[255, 3], [3, 3]])

    def test_of_colours(self, tmp_path):
        colours = np.array([[[1, 2, 3], [4, 5, 6]]])
        (tmp_path / "p.png").write_bytes(png(colours, 8, 2, [1, 2, 3]))
        right = [[[255, 255, 255], [4, 5, 6]]]
        np.testing.assert_array_equal(load_image(tmp_path / "p.png", (1, 2)), right)
        (tmp_path / "p.png").write_bytes(png(colours * 256, 16, 2, [256, 512, 768]))
        with pytest.raises(DataFileError, match="16-bit colours of which one is transparent"):
            load_image(tmp_path / "p.png", 2)

    def test_of_a_palette(self, pil, tmp_path):
        image = pil.fromarray(np.array([[0, 1]], np.uint8), "P")
        image.putpalette([10, 20, 30, 40, 50, 60])
        image.save(tmp_path / "p.png", transparency=b"\x00\x80")  # all, and about half
        pixels = load_image(tmp_path / "p.png", (1, 2))
        right = [[255, 255, 255], np.round(255 - (255 - np.array([40, 50, 60])) * 128 / 255)]
        np.testing.assert_allclose(pixels[0], right, atol=1)
        image.save(tmp_path / "p.gif", transparency=1)
        np.testing.assert_array_equal(
            load_image(tmp_path / "p.gif", (1, 2))[0], [[10, 20, 30], [255, 255, 255]]
        )


class TestPixelsOfManyBits:
    @pytest.mark.parametrize("dtype", ["int32", "float32"])
    @pytest.mark.parametrize("name", ["p.tif", "p.tiff"])
    def test_whole_numbers_up_to_255_are_taken_as_they_are(self, name, dtype, save):
        grey = np.arange(224, 256, dtype=dtype).reshape(4, 8)
        np.testing.assert_array_equal(load_image(save(grey, name), (4, 8))[..., 2], grey)

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            (np.array([[0, 256]], np.int32), "32-bit integer pixels, .* from 0 to 256"),
            (np.array([[-1, 9]], np.int32), "32-bit integer pixels, .* from -1 to 9"),
            (np.array([[0, 0.5]], np.float32), "floating-point pixels, .* from 0 to 0.5"),
            (np.array([[1, np.nan]], np.float32), "floating-point pixels"),
        ],
    )
    def test_others_are_refused(self, values, words, save):
        with pytest.raises(DataFileError, match=rf"p\.tif' holds {words}"):
            load_image(save(values, "p.tif"), 4)

    @pytest.mark.parametrize("name", ["p.png", "p.tif", "p.pgm", "p.jp2"])
    def test_sixteen_bits_of_every_format(self, name, save, pil):
        if name == "p.jp2" and not pytest.importorskip("PIL.features").check("jpg_2000"):
            pytest.skip("this Pillow lacks JPEG 2000")
        deep = (np.arange(32, dtype=np.uint16) * 2048 + 77).reshape(4, 8)
        np.testing.assert_array_equal(load_image(save(deep, name), (4, 8))[..., 0], deep // 256)

    def test_twelve_bits_keep_the_upper_eight(self, tmp_path):
        """A TIFF of four pixels, two in three bytes."""
        grey = np.array([[0x000, 0x7F1, 0x80F, 0xFFF]])
        text = "".join(f"{value:03x}" for value in grey[0])
        tags = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 6}
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, v) for tag, v in tags.items())
        data = struct.pack("<2sHI", b"II", 42, 14) + bytes.fromhex(text)
        file = data + struct.pack("<H", len(tags)) + entries + bytes(4)
        (tmp_path / "p.tif").write_bytes(file)
        np.testing.assert_array_equal(load_image(tmp_path / "p.tif", (1, 4))[..., 0], grey >> 4)


#: Modes in which Pillow opens files, and what grey 200 (or nearly red, in LAB) is in them.
MODES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "I", "F", "I;16"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_that_a_file_can_have(mode, pil, tmp_path):
    value = 255 if mode == "1" else 200 * 257 if mode == "I;16" else 200
    if mode == "LAB":  # L = 80 of 100, no colour: grey 198
        image = pil.merge("LAB", [pil.new("L", (3, 2), v) for v in (204, 128, 128)])
    elif mode in ("1", "I", "F", "I;16", "L"):
        image = pil.new(mode, (3, 2), value)
    else:
        image = pil.new("RGB", (3, 2), (200,) * 3).convert(
            "P" if mode == "PA" else mode.rstrip("X")
        )
        image = image.convert(mode)
    image.save(tmp_path / "p.tif")
    with pil.open(tmp_path / "p.tif") as again:
        assert again.mode == {"RGBX": "RGB"}.get(mode, mode)
    pixels = load_image(tmp_path / "p.tif", (2, 3))
    np.testing.assert_allclose(pixels, 255 if mode == "1" else 200, atol=4)


def test_formats_are_named(pil, tmp_path):
    page = tmp_path / "p.eps"
    pil.new("RGB", (2, 2)).save(page)
    with pytest.raises(DataFileError, match=r"none of PNG, JPEG, .*Pillow says"):
        load_image(page, 2)
    for name in ("p.png", "p.jpg", "p.gif", "p.webp", "p.bmp", "p.tif", "p.ppm", "p.ico"):
        pil.new("RGB", (16, 16), "red").save(tmp_path / name)
        assert load_image(tmp_path / name, 2)[0, 0, 0] > 250


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
