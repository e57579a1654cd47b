"""The task of a verb: images or table rows with their labels, and the network for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnn.data import Dataset, digits, load_h5, load_image_folder, split
from fastnn.errors import DataError
from fastnn.layers import Dense, Layer, Normalization, Rescaling
from fastnn.network import Network

from .output import readable

Array = np.ndarray[Any, Any]

#: The largest pixels that image formats have; 16 is that of the bundled digits.
PIXEL_MAXIMA = (1, 16, 255, 65535)
#: Pixels on a side that pictures of a folder get, as those of the course's cats.
IMAGE_SIZE = 64


class Task(NamedTuple):
    """What there is to learn: images or table rows as stored, their labels, the classes."""

    name: str
    X: Array
    y: Array
    X_test: Array
    y_test: Array
    classes: tuple[str, ...]


def load_task(train: str | None, test: str | None, seed: int, image_size: int = IMAGE_SIZE) -> Task:
    """Read the files, or the bundled digits; hold a fifth out where there is no test file."""
    data = digits() if train is None else read_examples(train, image_size)
    if len(data.classes) < 2:
        raise DataError(f"'{train}' names the classes {data.classes}; at least two are needed")
    name, classes = readable(data.name), tuple(map(readable, data.classes))
    if test is None:
        X, X_test, y, y_test = split(data.X, data.y, test=0.2, seed=seed)
        return Task(name, X, y, X_test, y_test, classes)
    other = read_examples(test, image_size)
    _check_pair(data, other, str(train), test)
    return Task(name, data.X, data.y, other.X, other.y, classes)


def read_examples(path: str, image_size: int) -> Dataset:
    """Read a file of the course's layout, or a folder of pictures, made squares of that size."""
    return load_image_folder(path, image_size) if Path(path).is_dir() else load_h5(path)


def _check_pair(data: Dataset, other: Dataset, train: str, test: str) -> None:
    """Refuse test examples of another shape, or of other classes, than the training examples."""
    for what, mine, theirs in (
        ("examples of shape", data.X.shape[1:], other.X.shape[1:]),
        ("the classes", data.classes, other.classes),
    ):
        if mine != theirs:
            raise DataError(
                f"'{test}' has {what} {theirs}, but '{train}' has {mine}; are these files a pair?"
            )


def find_pixel_max(X: Array) -> int | None:
    """Return the largest pixel of the images' format; None for tables and other numbers."""
    if X.ndim < 3 or X.min() < 0:
        return None
    largest = X.max()
    return next((pixel_max for pixel_max in PIXEL_MAXIMA if largest <= pixel_max), None)


def build_network(task: Task, pixel_max: int | None, hidden: Sequence[int], seed: int) -> Network:
    """Return the network: inputs scaled in the first layer, one sigmoid or a softmax at the end."""
    layers: list[Layer] = []
    if pixel_max is None:
        layers.append(Normalization(per_feature=task.X.ndim < 3))
    else:
        # Around 0: with pixels 0 … 1 half of the trials with 20, 7, 5 units on cats got stuck.
        layers.append(Rescaling(1 / pixel_max, -0.5))
    layers += [Dense(units, "relu") for units in hidden]
    K = len(task.classes)
    layers.append(Dense(1, "sigmoid") if K == 2 else Dense(K, "softmax"))
    return Network(layers, inputs=int(np.prod(task.X.shape[1:])), seed=seed)


def format_task(task: Task) -> str:
    """Return the line about the data."""
    shape = " × ".join(map(str, task.X.shape[1:]))
    kind = f"images of {shape}" if task.X.ndim > 2 else f"rows of {shape} numbers"
    names = ", ".join(task.classes[:10]) + (", …" if len(task.classes) > 10 else "")
    return (
        f"data      {task.name}: {len(task.X)} {kind} to learn from, {len(task.X_test)} to test; "
        f"{len(task.classes)} classes: {names}"
    )


def format_network(net: Network, pixel_max: int | None) -> str:
    """Return the line about the network."""
    dense = [layer for layer in net.layers if isinstance(layer, Dense)]
    sizes = " → ".join(str(n) for n in (net.inputs, *(layer.units for layer in dense)))
    inputs = f"pixels 0 … {pixel_max} scaled to −½ … ½" if pixel_max else "inputs normalised"
    hidden = "relu, " if len(dense) > 1 else ""
    count = sum(parameter.size for parameter in net.parameters.values())
    return (
        f"network   {sizes} ({hidden}{dense[-1].activation}), {count:,} parameters, "
        f"{net.dtype.name}; {inputs}"
    )
