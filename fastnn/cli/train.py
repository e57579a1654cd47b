"""`fastnn train`: from image files to a trained network, its file and its picture."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnn import plot
from fastnn.data import Dataset, digits, flatten_images, load_h5, split
from fastnn.errors import DataError, SettingError
from fastnn.layers import Dense, Layer, Normalization, Rescaling
from fastnn.network import Network
from fastnn.optimizers import Adam, GradientDescent
from fastnn.plot._text import as_written, percent
from fastnn.saving import model_file
from fastnn.saving.atomic_write import find_folder

from .output import make_folder, readable, write_picture

Array = np.ndarray[Any, Any]
Print = Callable[[str], None]

RANGES = (1, 16, 255, 65535)  # largest pixels that image formats have; 16: the bundled digits
LINES = 10


class Task(NamedTuple):
    """What there is to learn: images or table rows as stored, their labels, the classes."""

    name: str
    X: Array
    y: Array
    X_test: Array
    y_test: Array
    classes: tuple[str, ...]


def run(arguments: argparse.Namespace, say: Print, note: Print) -> int:
    """Train, report, save and draw; 130 if Ctrl-C ended the training early."""
    task = gather(arguments.train, arguments.test, arguments.seed)
    make_folder(arguments.out)
    full = pixel_range(task.X)
    net = network(task, full, arguments.layers, arguments.seed)
    net = resumed(net, arguments.checkpoint)
    model = arguments.out / "model.safetensors"
    for path in (model, arguments.checkpoint):
        if path is not None:
            find_folder(path)  # what cannot be written is refused before the training
    say(described(task))
    say(structure(net, full))
    began = time.perf_counter()
    try:
        interrupted = train(net, task, arguments, say)
    except (OSError, KeyboardInterrupt):  # a closed pipe or a full disk loses nothing
        if net.history.epochs:
            keep(net, task, full, model)
        raise
    seconds = time.perf_counter() - began
    keep(net, task, full, model)  # before anything that can fail
    if interrupted:
        note(f"stopped by Ctrl-C after epoch {net.history.epochs}; what was learnt is saved")
    say("")
    say(scores(net, task, seconds))
    say(f"wrote {model}")
    if net.history.epochs:
        say(picture(net, task, arguments.out))
    return 130 if interrupted else 0


def gather(train: str | None, test: str | None, seed: int) -> Task:
    """Read the files, or the bundled digits; hold a fifth out where there is no test file."""
    data = digits() if train is None else load_h5(train)
    if len(data.classes) < 2:
        raise DataError(f"'{train}' names the classes {data.classes}; at least two are needed")
    name, classes = readable(data.name), tuple(map(readable, data.classes))
    if test is None:
        X, X_test, y, y_test = split(data.X, data.y, test=0.2, seed=seed)
        return Task(name, X, y, X_test, y_test, classes)
    other = load_h5(test)
    _match(data, other, str(train), test)
    return Task(name, data.X, data.y, other.X, other.y, classes)


def _match(data: Dataset, other: Dataset, train: str, test: str) -> None:
    """Refuse test examples of another kind than the training examples."""
    for what, mine, theirs in (
        ("examples of shape", data.X.shape[1:], other.X.shape[1:]),
        ("the classes", data.classes, other.classes),
    ):
        if mine != theirs:
            raise DataError(
                f"'{test}' has {what} {theirs}, but '{train}' has {mine}; are these files a pair?"
            )


def pixel_range(X: Array) -> int | None:
    """Return the largest value that such images can hold; None for tables and other numbers."""
    if X.ndim < 3 or X.min() < 0:
        return None
    top = X.max()
    return next((full for full in RANGES if top <= full), None)


def network(task: Task, full: int | None, hidden: Sequence[int], seed: int) -> Network:
    """Return the network: inputs scaled in the first layer, one sigmoid or a softmax at the end."""
    layers: list[Layer] = []
    if full is None:
        layers.append(Normalization(per_feature=task.X.ndim < 3))
    else:
        # Around 0: with pixels 0 … 1 half of the trials with 20, 7, 5 units on cats got stuck.
        layers.append(Rescaling(1 / full, -0.5))
    layers += [Dense(units, "relu") for units in hidden]
    K = len(task.classes)
    layers.append(Dense(1, "sigmoid") if K == 2 else Dense(K, "softmax"))
    return Network(layers, inputs=int(np.prod(task.X.shape[1:])), seed=seed)


def resumed(net: Network, path: str | None) -> Network:
    """Return the network of the checkpoint, if there is one; refuse one that is described else."""
    if path is None or not Path(path).exists():
        return net
    found = model_file.load(path)
    if (repr(found), found.seed) != (repr(net), net.seed):
        raise SettingError(
            f"'{path}' holds another network than these options describe: {found!r} with seed "
            f"{found.seed}; give the options of the run that it is from, or another file"
        )
    return found


def described(task: Task) -> str:
    """The line about the data."""
    shape = " × ".join(map(str, task.X.shape[1:]))
    kind = f"images of {shape}" if task.X.ndim > 2 else f"rows of {shape} numbers"
    names = ", ".join(task.classes[:10]) + (", …" if len(task.classes) > 10 else "")
    return (
        f"data      {task.name}: {len(task.X)} {kind} to learn from, {len(task.X_test)} to test; "
        f"{len(task.classes)} classes: {names}"
    )


def structure(net: Network, full: int | None) -> str:
    """The line about the network."""
    dense = [layer for layer in net.layers if isinstance(layer, Dense)]
    sizes = " → ".join(str(n) for n in (net.inputs, *(layer.units for layer in dense)))
    inputs = f"pixels 0 … {full} scaled to −½ … ½" if full else "inputs normalised"
    hidden = "relu, " if len(dense) > 1 else ""
    count = sum(parameter.size for parameter in net.parameters.values())
    return (
        f"network   {sizes} ({hidden}{dense[-1].activation}), {count:,} parameters, "
        f"{net.dtype.name}; {inputs}"
    )


def train(net: Network, task: Task, arguments: argparse.Namespace, say: Print) -> bool:
    """Train in some fits, a line after each; together they do what a single fit would.

    Return whether Ctrl-C ended them.
    """
    kind = {"adam": Adam, "gradient-descent": GradientDescent}[arguments.optimizer]
    rate = arguments.learning_rate
    optimizer = kind() if rate is None else kind(rate)
    batch = min(arguments.batch_size or len(task.X), len(task.X))
    l2 = f", L2 {arguments.l2:g}" if arguments.l2 else ""
    say(
        f"training  {arguments.epochs} epochs in steps of {batch} examples, "
        f"{arguments.optimizer} with learning rate {optimizer.learning_rate:g}{l2}"
    )
    X, X_test = flatten_images(task.X), flatten_images(task.X_test)
    say(f"\n{'epoch':>6}  {'cost':>8}  {'accuracy':>8}  {'test accuracy':>13}")
    for stop in marks(arguments.epochs):
        if stop <= net.history.epochs:  # so far the checkpoint has come
            continue
        history = net.fit(
            X,
            task.y,
            epochs=stop - net.history.epochs,
            batch_size=arguments.batch_size,
            optimizer=optimizer,
            l2=arguments.l2,
            validation_data=(X_test, task.y_test),
            progress=False,
        )
        if history.epochs:
            cost, right, tested = (
                history[name][-1] for name in ("cost", "accuracy", "validation_accuracy")
            )
            say(f"{net.history.epochs:6}  {cost:8.4f}  {right:8.4f}  {tested:13.4f}")
        if history.interrupted:
            return True
        if arguments.checkpoint is not None:
            model_file.checkpoint(net, arguments.checkpoint)
    return False


def marks(epochs: int) -> list[int]:
    """The epochs after which there is a line: the first, and about ten at equal distances."""
    return sorted({1, *(-(-epochs * k // LINES) for k in range(1, LINES + 1))})


def scores(net: Network, task: Task, seconds: float) -> str:
    """The line about how well it went."""
    right = net.evaluate(flatten_images(task.X), task.y)["accuracy"]
    tested = net.evaluate(flatten_images(task.X_test), task.y_test)["accuracy"]
    return (
        f"train accuracy {percent(right, 2)}, test accuracy {percent(tested, 2)}, "
        f"trained in {seconds:.1f} s"
    )


def keep(net: Network, task: Task, full: int | None, model: Path) -> None:
    """Write the model, with what it needs to be used."""
    notes: dict[str, Any] = {"data": task.name, "classes": list(task.classes)}
    if full is not None:
        notes |= {"image_shape": list(task.X.shape[1:]), "pixel_max": full}
    make_folder(model.parent)
    model_file.save(net, model, notes=notes)


def picture(net: Network, task: Task, out: Path) -> str:
    """Draw the training; return the line that reports it."""

    def draw(ax: Any) -> None:
        plot.history(net.history, ax=ax)
        as_written(ax.set_title(f"{task.name}: validation on the test images"))

    return write_picture(out / "history.png", (6.4, 4.4), draw)
