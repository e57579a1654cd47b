"""Images as arrays: a picture file to pixels, and a stack of images to one row per example."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn import _check
from fastnn._extras import require
from fastnn.errors import DataFileError, SettingError, ShapeError

from ._check import existing_file, is_of_the_system, whole_number

__all__ = ["flatten_images", "load_image"]

# What Pillow's plugins let through on damaged files.
DAMAGE = (
    OSError,
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
    animation the first frame is read, of 16-bit pixels the upper 8 bits.

    Parameters
    ----------
    path : str or path
        A picture in any format that Pillow reads.
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
        If the file is not a picture that Pillow can read.
    SettingError
        If `size` is not one or two positive whole numbers.
    MissingExtraError
        If Pillow is not installed.
    """
    height, width = _height_width(size)
    path = existing_file(path)
    pil = require("PIL.Image", extra="plot", purpose="reading images")
    try:
        with pil.open(path) as picture:
            image = _upright_rgb(picture, path)
    except DataFileError:
        raise
    except pil.DecompressionBombError as error:
        raise DataFileError(f"'{path}' is refused: {error}") from error
    except DAMAGE as error:
        if is_of_the_system(error):
            raise
        raise DataFileError(
            f"'{path}' cannot be read as a picture; is it damaged or of another kind? "
            f"(Pillow says: {error})"
        ) from error
    image = image.convert("L") if grayscale else image
    return np.array(image.resize((width, height), pil.Resampling.BICUBIC), dtype=np.uint8)


def _height_width(size: object) -> tuple[int, int]:
    """Return (height, width) from a number or a pair."""
    if isinstance(size, (tuple, list)):
        if len(size) != 2:
            raise SettingError(f"size must be one number or (height, width), got {size!r}")
        return whole_number("height", size[0], least=1), whole_number("width", size[1], least=1)
    side = whole_number("size", size, least=1)
    return side, side


def _upright_rgb(picture: Any, path: Path) -> Any:
    """Return a Pillow image in RGB, turned as EXIF says, on white."""
    pil = require("PIL.Image", extra="plot", purpose="reading images")
    operations = require("PIL.ImageOps", extra="plot", purpose="reading images")
    image = operations.exif_transpose(picture)
    if image.mode == "F":
        raise DataFileError(
            f"'{path}' holds floating-point pixels, whose range is unknown; save it with 8 bits"
        )
    if image.mode.startswith("I"):  # convert() would clip 16 bits at 255: nearly all white
        upper = np.clip(np.asarray(image) // 256, 0, 255).astype(np.uint8)
        return pil.fromarray(upper).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = pil.new("RGBA", image.size, "white")
        return pil.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


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
    stack = _check.array(images, "images")
    if stack.ndim < 2:
        raise ShapeError(
            f"images must be a stack (m, h, w, …) of at least two axes, got shape {stack.shape}"
        )
    return stack.reshape(len(stack), math.prod(stack.shape[1:]))
