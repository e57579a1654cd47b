"""`fastnn predict`: your own pictures, made like the training images and named by the network."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastnn.data import flatten_images, load_image
from fastnn.errors import ModelFileError
from fastnn.network import Network
from fastnn.saving import model_file

Array = np.ndarray[Any, Any]
Print = Callable[[str], None]


class Form(NamedTuple):
    """How the training images looked, and what their classes are called."""

    shape: tuple[int, ...]
    full: int
    classes: tuple[str, ...]

    @property
    def grey(self) -> bool:
        """Whether a pixel is one number."""
        return len(self.shape) == 2 or self.shape[2] == 1


def run(arguments: argparse.Namespace, say: Print, note: Print) -> int:
    """Print one line for each picture: file, class, probability."""
    net, notes = model_file.read(arguments.model)
    form = understand(net, notes, arguments.model)
    X = pictures(arguments.images, form, invert=arguments.invert)
    note(told(form, arguments.invert))
    P = net.predict_proba(X)
    names = [form.classes[k] for k in P.argmax(axis=1)]
    wide = [max(map(len, column)) for column in (arguments.images, names)]
    for file, name, p in zip(arguments.images, names, P.max(axis=1), strict=True):
        say(f"{file:<{wide[0]}}  {name:<{wide[1]}}  {100 * p:5.1f} %")
    return 0


def understand(net: Network, notes: dict[str, Any], path: str) -> Form:
    """Return the form of the training images from the notes in the model file."""
    shape, full, classes = (notes.get(key) for key in ("image_shape", "pixel_max", "classes"))
    if shape is None or full is None or classes is None:
        raise ModelFileError(
            f"'{path}' does not say how its training images looked; `fastnn predict` takes models "
            "that `fastnn train` wrote for images"
        )
    good = (
        isinstance(shape, list)
        and all(type(n) is int and n > 0 for n in shape)
        and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)))
        and math.prod(shape) == net.inputs
        and type(full) is int
        and full > 0
        and isinstance(classes, list)
        and all(isinstance(name, str) for name in classes)
        and len(classes) == max(net.outputs, 2)
    )
    if not good:
        raise ModelFileError(
            f"'{path}' does not fit together: images of shape {shape!r:.60} up to {full!r:.20} and "
            f"classes {classes!r:.60} for {net.inputs} inputs and {net.outputs} outputs; train anew"
        )
    return Form(tuple(shape), full, tuple(classes))


def pictures(paths: list[str], form: Form, *, invert: bool) -> Array:
    """Return the pictures as rows (m, n) with the training images' size, colours and range."""
    size = form.shape[0], form.shape[1]
    images = np.stack([load_image(path, size, grayscale=form.grey) for path in paths])
    if invert:
        images = 255 - images
    rows = flatten_images(images)
    return rows if form.full == 255 else rows * np.float32(form.full / 255)


def told(form: Form, invert: bool) -> str:
    """The line that says what was done to the pictures."""
    height, width = form.shape[:2]
    colours = "grey" if form.grey else "colour"
    hint = "inverted" if invert else "light stays light (--invert turns it dark)"
    return f"resized to {height} × {width}, {colours}, pixels 0 … {form.full}; {hint}"
