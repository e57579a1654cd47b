"""The task of a verb: images or table rows with their labels, and the network for them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnn.data import Dataset, digits, load_h5, load_image_folder, split
from fastnn.errors import DataError
from fastnn.initializers import Initializer
from fastnn.layers import BatchNorm, Dense, Dropout, Layer, Normalization, Rescaling
from fastnn.losses import Loss
from fastnn.network import Network
from fastnn.network.description import perceptron, state_of
from fastnn.saving import model_file

from .output import make_folder, readable
from .stored_images import StoredImages
from .table import TableSource

Array = np.ndarray[Any, Any]
Described = tuple[tuple[int, ...], tuple[str, ...]]  # the examples' shape, and the classes

#: The largest pixels that image formats have; 16 is that of the bundled digits.
PIXEL_MAXIMA = (1, 16, 255, 65535)
#: Pixels on a side that pictures of a folder get, as those of the course's cats.
IMAGE_SIZE = 64


class Task(NamedTuple):
    """What there is to learn: images or table rows as stored, their labels, the classes.

    X and X_test are arrays (m, …), or `StoredImages`.

    `table` is there where the rows were encoded from a table; for a regression there are no
    classes, and y is in the target's own unit.
    """

    name: str
    X: Any
    y: Array
    X_test: Any
    y_test: Array
    classes: tuple[str, ...]
    table: TableSource | None = None

    def close(self) -> None:
        """Close the files of images that stayed there."""
        for images in (self.X, self.X_test):
            if isinstance(images, StoredImages):
                images.close()


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
    described = (data.X.shape, data.classes), (other.X.shape, other.classes)
    _check_pair(*described, str(train), test)
    return Task(name, data.X, data.y, other.X, other.y, classes)


def load_stored_task(train: str, test: str) -> Task:
    """Return the task of two files of the course's layout whose images stay there."""
    with ExitStack() as opened:
        X, X_test = (opened.enter_context(closing(StoredImages(path))) for path in (train, test))
        data, other = X.labels, X_test.labels
        _check_pair((X.shape, data.classes), (X_test.shape, other.classes), train, test)
        opened.pop_all()
    classes = tuple(map(readable, data.classes))
    return Task(readable(data.name), X, data.y, X_test, other.y, classes)


def read_examples(path: str, image_size: int) -> Dataset:
    """Read a file of the course's layout, or a folder of pictures, made squares of that size."""
    return load_image_folder(path, image_size) if Path(path).is_dir() else load_h5(path)


def _check_pair(mine: Described, theirs: Described, train: str, test: str) -> None:
    """Refuse test examples of another shape, or of other classes, than the training examples."""
    for what, own, other in (
        ("examples of shape", mine[0][1:], theirs[0][1:]),
        ("the classes", mine[1], theirs[1]),
    ):
        if own != other:
            raise DataError(
                f"'{test}' has {what} {other}, but '{train}' has {own}; are these files a pair?"
            )


def find_pixel_max(X: Any) -> int | None:
    """Return the largest pixel of the images' format; None for tables and other numbers.

    That of images which stay in their file is told by their dtype.
    """
    if isinstance(X, StoredImages):
        return X.pixel_max
    if X.ndim < 3 or X.min() < 0:
        return None
    largest = X.max()
    return next((pixel_max for pixel_max in PIXEL_MAXIMA if largest <= pixel_max), None)


def build_network(
    task: Task,
    pixel_max: int | None,
    layers: Sequence[int],
    seed: int,
    *,
    hidden: str | Sequence[str] = "relu",
    dropout: float | Sequence[float] = 0.0,
    batch_norm: bool = False,
    init: str | Initializer = "he",
    loss: Loss | None = None,
    dtype: str = "float32",
    precision: str = "float32",
) -> Network:
    """Return the network: inputs scaled in the first layer, one sigmoid or a softmax at the end.

    A table's columns are scaled already; a regression has one output without activation, and
    learns z-scores of its target.
    `layers` are the units of the hidden layers; what follows is as `Network.mlp` takes it.
    """
    first: list[Layer] = []
    if task.table is None and pixel_max is None:
        first = [Normalization(per_feature=task.X.ndim < 3)]
    elif pixel_max is not None:
        # Around 0: with pixels 0 … 1 half of the trials with 20, 7, 5 units on cats got stuck.
        first = [Rescaling(1 / pixel_max, -0.5)]
    n, K = int(np.prod(task.X.shape[1:])), len(task.classes)
    output = {0: "identity", 2: "sigmoid"}.get(K, "softmax")
    sizes = [n, *layers, 1 if K in (0, 2) else K]
    rest = perceptron(sizes, output, hidden=hidden, dropout=dropout, batch_norm=batch_norm)
    return Network(
        [*first, *rest], inputs=n, loss=loss, init=init, seed=seed, dtype=dtype,
        scale_target=not K, precision=precision,
    )  # fmt: skip


def format_task(task: Task) -> str:
    """Return the line about the data."""
    shape = " × ".join(map(str, task.X.shape[1:]))
    kind = "images" if task.X.ndim > 2 else "rows"
    number = "numbers" if task.table is None else "features"
    size = f"{shape} pixels" if task.X.ndim > 2 else f"{shape} {number} each"
    names = ", ".join(task.classes[:10]) + (", …" if len(task.classes) > 10 else "")
    return (
        f"{task.name}: {len(task.X):,} training {kind}, {len(task.X_test):,} test {kind}, {size}"
        + (", read from the file" if isinstance(task.X, StoredImages) else "")
        + (f"; {len(task.classes)} classes: {names}" if names else "")
    )


def format_network(net: Network, pixel_max: int | None) -> str:
    """Return the line about the network."""
    dense = [layer for layer in net.layers if isinstance(layer, Dense)]
    sizes = " → ".join(str(n) for n in (net.inputs, *(layer.units for layer in dense)))
    inputs = f"; pixels 0 … {pixel_max} scaled to −½ … ½" if pixel_max else ""
    inputs = "; inputs normalised" if isinstance(net.layers[0], Normalization) else inputs
    functions = ", ".join(dict.fromkeys(_functions(net)))
    rates = dict.fromkeys(f"{one.rate:g}" for one in net.layers if isinstance(one, Dropout))
    more = [f"dropout {', '.join(rates)}"] if rates else []
    more += ["batch norm"] if any(isinstance(layer, BatchNorm) for layer in net.layers) else []
    count = sum(parameter.size for parameter in net.parameters.values())
    kind = "mixed precision" if net.precision == "mixed" else net.dtype.name
    facts = [f"{sizes} ({functions})", *more, f"{count:,} parameters", kind]
    return f"{', '.join(facts)}{inputs}"


def _functions(net: Network) -> list[str]:
    """Return the names of the hidden layers' activations that change anything, and the output's."""
    names = [getattr(layer, "activation", getattr(layer, "function", "")) for layer in net.layers]
    return [name for name in names[:-1] if name not in ("", "identity")] + names[-1:]


def write_model(net: Network, task: Task, pixel_max: int | None, model: Path, **more: str) -> None:
    """Write the model file, with the notes by which `fastnn predict` makes inputs fit it.

    `more` are further notes.
    """
    notes: dict[str, Any] = {"data": task.name, "classes": list(task.classes), **more}
    if pixel_max is not None:
        notes |= {"image_shape": list(task.X.shape[1:]), "pixel_max": pixel_max}
    if task.table is not None:
        notes |= {"table": task.table.notes()}
    make_folder(model.parent)
    model_file.save(state_of(net), model, notes=notes)
