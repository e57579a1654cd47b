"""`fastnn predict`: your own pictures named by the network, or the rows of your own table."""

from __future__ import annotations

import argparse
import csv
import io
import math
from typing import Any, NamedTuple

import numpy as np

from fastnn.data import flatten_images, load_image
from fastnn.errors import ModelFileError
from fastnn.loading import load_with_notes
from fastnn.network import Network

from .bag import is_bag, predict_bag
from .output import print_note, print_result
from .predict_table import predict_table
from .table import SEPARATOR
from .verb import Verb, option

Array = np.ndarray[Any, Any]


class ImageFormat(NamedTuple):
    """The shape of the training images, their largest pixel, and the names of their classes."""

    shape: tuple[int, ...]
    pixel_max: int
    classes: tuple[str, ...]

    @property
    def grey(self) -> bool:
        """Whether a pixel is one number."""
        return len(self.shape) == 2 or self.shape[2] == 1


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each picture: file, class, probability; of a table's rows a CSV."""
    net, notes = load_with_notes(arguments.model)
    if is_bag(net):
        return predict_bag(net, arguments)
    if "table" in notes:
        return predict_table(net, notes, arguments)
    image_format = read_image_format(net, notes, arguments.model)
    X = load_pictures(arguments.images, image_format, invert=arguments.invert)
    print_note(format_preprocessing(image_format, arguments.invert))
    P = net.predict_proba(X)
    if arguments.csv:
        print_csv(arguments.images, image_format.classes, P)
        return 0
    names = [image_format.classes[k] for k in P.argmax(axis=1)]
    widths = [max(map(len, column)) for column in (arguments.images, names)]
    for file, name, p in zip(arguments.images, names, P.max(axis=1), strict=True):
        print_result(f"{file:<{widths[0]}}  {name:<{widths[1]}}  {100 * p:5.1f} %")
    return 0


def print_csv(files: list[str], classes: tuple[str, ...], P: Array) -> None:
    """Print a table for other programs: file, class, and the probability of every class."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "class", *(f"probability of {name}" for name in classes)])
    for file, p in zip(files, P, strict=True):
        writer.writerow([file, classes[int(p.argmax())], *(f"{value:.6g}" for value in p)])
    print_result(text.getvalue().rstrip("\n"))


def read_image_format(net: Network, notes: dict[str, Any], path: str) -> ImageFormat:
    """Return the format of the training images from the notes in the model file."""
    shape, pixel_max, classes = (notes.get(key) for key in ("image_shape", "pixel_max", "classes"))
    if shape is None or pixel_max is None or classes is None:
        raise ModelFileError(
            f"'{path}' does not say how its training images looked; `fastnn predict` takes models "
            "that `fastnn train` wrote for images"
        )
    good = (
        isinstance(shape, list)
        and all(type(n) is int and n > 0 for n in shape)
        and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)))
        and math.prod(shape) == net.inputs
        and type(pixel_max) is int
        and pixel_max > 0
        and isinstance(classes, list)
        and all(isinstance(name, str) for name in classes)
        and len(classes) == max(net.outputs, 2)
    )
    if not good:
        raise ModelFileError(
            f"'{path}' does not fit together: images of shape {shape!r:.60} up to "
            f"{pixel_max!r:.20} and classes {classes!r:.60} for {net.inputs} inputs and "
            f"{net.outputs} outputs; train anew"
        )
    return ImageFormat(tuple(shape), pixel_max, tuple(classes))


def load_pictures(paths: list[str], image_format: ImageFormat, *, invert: bool) -> Array:
    """Return the pictures as rows (m, n) with the training images' size, colours and range."""
    height, width = image_format.shape[:2]
    images = np.stack(
        [load_image(path, (height, width), grayscale=image_format.grey) for path in paths]
    )
    if invert:
        images = 255 - images
    rows = flatten_images(images)
    pixel_max = image_format.pixel_max
    return rows if pixel_max == 255 else rows * np.float32(pixel_max / 255)


def format_preprocessing(image_format: ImageFormat, invert: bool) -> str:
    """Return the line that says what was done to the pictures."""
    height, width = image_format.shape[:2]
    colours = "grey" if image_format.grey else "colour"
    hint = "inverted" if invert else "light stays light (--invert turns it dark)"
    return f"resized to {height} × {width}, {colours}, pixels 0 … {image_format.pixel_max}; {hint}"


VERB = Verb(
    "say what a saved network sees in pictures, or predicts for the rows of a table",
    run,
    options=(
        option("model", metavar="MODEL", help="written by `fastnn train`"),
        option("images", metavar="FILE", nargs="+",
               help="PNG or JPEG files; or one CSV or Parquet file of rows"),
        option("--invert", action="store_true", help="turn light into dark"),
        option("--csv", action="store_true",
               help="print a CSV table with the probability of every class, as of rows anyway"),
        SEPARATOR,
    ),
    examples="""\
examples:
  fastnn predict fastnn-out/model.safetensors three.png seven.jpg
  fastnn predict fastnn-out/model.safetensors --invert scan.png
      ink on white paper, for the bundled digits, which are light on dark
  fastnn predict fastnn-out/model.safetensors new.csv > predictions.csv
      rows with the columns of the table that the network was trained on

Pictures are stretched to the size of the training images, and made grey if
those were.
""",
)  # fmt: skip
