"""Images as arrays: a picture file to pixels, and a stack of images to one row per example."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._runtime.optional import require
from fastnn._validation import arguments
from fastnn._validation.data_files import existing_file, is_system_error
from fastnn.errors import DataError, DataFileError, SettingError, ShapeError
from fastnn.row_sources import RowSource, find

__all__ = ["flatten_images", "image_rows", "load_image"]

#: Formats that are opened, as Pillow names them: pictures of the web, of cameras and of science.
#: Others run programs (EPS), name other files, or take any bytes for a picture.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "PPM", "JPEG2000", "ICO")

# What Pillow's plugins let through on damaged files.
DAMAGE = (
    OSError,
    ImportError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
)


def load_image(
    path: str | os.PathLike[str], size: int | tuple[int, int], *, grayscale: bool = False
) -> NDArray[np.uint8]:
    """Read a picture file and resize it (needs Pillow).

    The picture is turned upright as its EXIF data say, laid on white where it is transparent,
    and stretched to `size` by bicubic interpolation without keeping its proportions. Of an
    animation the first frame is read, of 16-bit pixels the upper 8 bits. Pixels of 32 bits are
    taken where all are whole numbers from 0 to 255, for their range is unknown otherwise.

    Parameters
    ----------
    path : str or path
        A picture: PNG, JPEG, GIF, WebP, AVIF, BMP, TIFF, PPM, JPEG 2000 or ICO.
    size : int or (height, width)
        The size in pixels; one number makes a square.
    grayscale : bool, default False
        Return the brightness (ITU-R 601: 0.299 R + 0.587 G + 0.114 B) instead of colours.

    Returns
    -------
    ndarray of uint8, (h, w, 3) or, if grayscale, (h, w)
        The pixels, 0 … 255. For a network, one image is a stack of one: `image[None]`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If the system does not let it be read.
    DataFileError
        If the file is not a picture in one of those formats that Pillow can read, or holds
        pixels that cannot be told as 8 bits: 32-bit ones of another range, or 16-bit colours of
        which one is transparent.
    SettingError
        If `size` is not one or two positive whole numbers.
    MissingExtraError
        If Pillow is not installed.
    """
    height, width = height_width(size)
    path = existing_file(path)
    pil = require("PIL.Image", extra="plot", purpose="reading images")
    try:
        pil.init()  # an older Pillow, or a build, lacks some formats
        with pil.open(path, formats=[name for name in FORMATS if name in pil.OPEN]) as picture:
            image = _upright_rgb(picture, path)
    except DataFileError:
        raise
    except pil.DecompressionBombError as error:
        raise DataFileError(f"'{path}' is refused: {error}") from error
    except DAMAGE as error:
        if is_system_error(error):
            raise
        raise DataFileError(
            f"'{path}' cannot be read as a picture; is it damaged, or none of "
            f"{', '.join(FORMATS)}? (Pillow says: {error})"
        ) from error
    image = image.convert("L") if grayscale else image
    return np.array(image.resize((width, height), pil.Resampling.BICUBIC), dtype=np.uint8)


def height_width(size: object) -> tuple[int, int]:
    """Return (height, width) from a number or a pair."""
    if isinstance(size, (tuple, list)):
        if len(size) != 2:
            raise SettingError(f"size must be one number or (height, width), got {size!r}")
        height = arguments.integer(size[0], "height", least=1)
        return height, arguments.integer(size[1], "width", least=1)
    side = arguments.integer(size, "size", least=1)
    return side, side


def _upright_rgb(picture: Any, path: Path) -> Any:
    """Return a Pillow image in RGB, turned as EXIF says, on white."""
    pil = require("PIL.Image", extra="plot", purpose="reading images")
    operations = require("PIL.ImageOps", extra="plot", purpose="reading images")
    stored = " ".join(str(tile[3]) for tile in picture.tile)  # known until the pixels are read
    image = operations.exif_transpose(picture)
    if image.mode == "F" or image.mode.startswith("I"):
        return pil.fromarray(_eight_bits(image, stored, path)).convert("RGB")
    if "RGB;16" in stored and "transparency" in image.info:
        raise DataFileError(
            f"'{path}' has 16-bit colours of which one is transparent, but Pillow reads 8 bits of "
            "them, by which that one cannot be told; save it with 8 bits or an alpha channel"
        )
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = pil.new("RGBA", image.size, "white")
        return pil.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Any, stored: str, path: Path) -> NDArray[np.uint8]:
    """Return the pixels of a grey image of more bits as uint8, the transparent value white.

    convert() would clip them at 255: nearly all of 16 bits would be white.
    """
    pixels = np.asarray(image)
    if ";16" in stored or image.mode.startswith("I;16"):
        bits = 12 if "I;12" in stored else 16
        upper = (pixels >> (bits - 8)).astype(np.uint8)
    elif (pixels == np.clip(np.floor(pixels), 0, 255)).all():
        upper = pixels.astype(np.uint8)
    else:
        kind = "floating-point" if image.mode == "F" else "32-bit integer"
        raise DataFileError(
            f"'{path}' holds {kind} pixels, whose range is unknown, from {pixels.min():g} to "
            f"{pixels.max():g}; save it with 8 or 16 bits"
        )
    if "transparency" in image.info:
        upper[pixels == image.info["transparency"]] = 255
    return upper


def flatten_images(images: ArrayLike) -> NDArray[Any]:
    """Lay each image out as one row: (m, h, w, 3) or (m, h, w) becomes (m, h·w·3) or (m, h·w).

    Beware of the trap in some course notes, `images.reshape(h * w * 3, m)`: the shape looks
    right and a column per example was meant, but NumPy fills it in memory order, so that each
    column holds pixels of many images and no network can learn from it. Columns are
    `images.reshape(m, -1).T`; fastnn wants the rows, without `.T`.

    Parameters
    ----------
    images : array_like, (m, …)
        Any number of axes from 2 on, any dtype. A single image must come as `image[None]`.

    Returns
    -------
    ndarray, (m, n)
        A view where the memory order allows one (it does for what the loaders return), else a
        copy; n is the product of the other axes, the last one running fastest.

    Raises
    ------
    ShapeError
        If `images` has fewer than two axes.
    """
    stack = arguments.array(images, "images")
    if stack.ndim < 2:
        raise ShapeError(
            f"images must be a stack (m, h, w, …) of at least two axes, got shape {stack.shape}"
        )
    return stack.reshape(len(stack), math.prod(stack.shape[1:]))


def image_rows(images: Any) -> RowSource:
    """Return images in a file as rows that `fit`, `predict` and `evaluate` read in windows.

    What `flatten_images` is for images in memory: (m, h, w, 3) becomes (m, h·w·3), and nothing is
    read yet. Networks take the result in the place of X.

    Parameters
    ----------
    images : data set (m, …)
        A data set of h5py, an array of zarr or dask, or another object with a shape, a dtype and
        slices.

    Returns
    -------
    RowSource
        Of shape (m, n). It closes what it has opened at the end of a `with` block.

    Raises
    ------
    ShapeError
        If there are fewer than two axes, or no images.
    DataError
        If they lie in memory, where `flatten_images` is for them, or are no numbers.
    """
    found = find(images, "images", flatten=True)
    if found is None:
        raise DataError(
            f"images of type {type(images).__name__} lie in memory; give "
            "fastnn.data.flatten_images(images)"
        )
    return found
