"""`fastnn train`: from image files to a trained network, its file and its picture."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from fastnn import plot
from fastnn.data import flatten_images
from fastnn.errors import SettingError
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.loading import load
from fastnn.optimizers import Adam, GradientDescent
from fastnn.plot._text import disable_mathtext, format_percent
from fastnn.saving import model_file
from fastnn.saving.atomic_write import find_folder

from .option_types import batch_size, count, hidden_units, nonnegative, one_of, positive, seed
from .output import make_folder, print_note, print_result, write_picture
from .task import (
    IMAGE_SIZE,
    Task,
    build_network,
    find_pixel_max,
    format_network,
    format_task,
    load_task,
)
from .verb import OUT, Verb, option

#: Lines about the progress of a training, beside the one after the first epoch.
N_REPORTS = 10
#: The optimisers by the names that the option takes.
OPTIMIZERS: dict[str, type[Adam | GradientDescent]] = {
    "adam": Adam,
    "gradient-descent": GradientDescent,
}


def run(arguments: argparse.Namespace) -> int:
    """Train, report, save and draw; 130 if Ctrl-C ended the training early."""
    task = load_task(
        arguments.train or arguments.images, arguments.test, arguments.seed, arguments.image_size
    )
    make_folder(arguments.out)
    pixel_max = find_pixel_max(task.X)
    net = build_network(task, pixel_max, arguments.layers, arguments.seed)
    net = resume(net, arguments.checkpoint)
    model = arguments.out / "model.safetensors"
    for path in (model, arguments.checkpoint):
        if path is not None:
            find_folder(path)  # what cannot be written is refused before the training
    print_result(format_task(task))
    print_result(format_network(net, pixel_max))
    began = time.perf_counter()
    try:
        interrupted = train(net, task, arguments)
    except (OSError, KeyboardInterrupt):  # a closed pipe or a full disk loses nothing
        if net.history.epochs:
            write_model(net, task, pixel_max, model)
        raise
    seconds = time.perf_counter() - began
    write_model(net, task, pixel_max, model)  # before anything that can fail
    if interrupted:
        print_note(f"stopped by Ctrl-C after epoch {net.history.epochs}; what was learnt is saved")
    print_result("")
    print_result(format_scores(net, task, seconds))
    print_result(f"wrote {model}")
    if net.history.epochs:
        print_result(draw_history(net, task, arguments.out / "history.png"))
    return 130 if interrupted else 0


def resume(net: Network, path: str | None) -> Network:
    """Return the network of the checkpoint, if there is one; refuse one that is described else."""
    if path is None or not Path(path).exists():
        return net
    found = load(path)
    if (repr(found), found.seed) != (repr(net), net.seed):
        raise SettingError(
            f"'{path}' holds another network than these options describe: {found!r} with seed "
            f"{found.seed}; give the options of the run that it is from, or another file"
        )
    return found


def train(net: Network, task: Task, arguments: argparse.Namespace) -> bool:
    """Train in some fits, a line after each; together they do what a single fit would.

    Return whether Ctrl-C ended them.
    """
    kind = OPTIMIZERS[arguments.optimizer]
    rate = arguments.learning_rate
    optimizer = kind() if rate is None else kind(rate)
    batch = min(arguments.batch_size or len(task.X), len(task.X))
    l2 = f", L2 {arguments.l2:g}" if arguments.l2 else ""
    print_result(
        f"training  {arguments.epochs} epochs in steps of {batch} examples, "
        f"{arguments.optimizer} with learning rate {optimizer.learning_rate:g}{l2}"
    )
    X, X_test = flatten_images(task.X), flatten_images(task.X_test)
    print_result(f"\n{'epoch':>6}  {'cost':>8}  {'accuracy':>8}  {'test accuracy':>13}")
    for stop in report_epochs(arguments.epochs):
        if stop <= net.history.epochs:  # the checkpoint holds these epochs already
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
            print_result(f"{net.history.epochs:6}  {cost:8.4f}  {right:8.4f}  {tested:13.4f}")
        if history.interrupted:
            return True
        if arguments.checkpoint is not None:
            model_file.checkpoint(state_of(net), arguments.checkpoint)
    return False


def report_epochs(epochs: int) -> list[int]:
    """The epochs after which there is a line: the first, and about ten at equal distances."""
    return sorted({1, *(-(-epochs * k // N_REPORTS) for k in range(1, N_REPORTS + 1))})


def format_scores(net: Network, task: Task, seconds: float) -> str:
    """Return the line about how well it went."""
    right = net.evaluate(flatten_images(task.X), task.y)["accuracy"]
    tested = net.evaluate(flatten_images(task.X_test), task.y_test)["accuracy"]
    return (
        f"train accuracy {format_percent(right, 2)}, test accuracy {format_percent(tested, 2)}, "
        f"trained in {seconds:.1f} s"
    )


def write_model(net: Network, task: Task, pixel_max: int | None, model: Path) -> None:
    """Write the model file, with the notes by which `fastnn predict` makes pictures fit it."""
    notes: dict[str, Any] = {"data": task.name, "classes": list(task.classes)}
    if pixel_max is not None:
        notes |= {"image_shape": list(task.X.shape[1:]), "pixel_max": pixel_max}
    make_folder(model.parent)
    model_file.save(state_of(net), model, notes=notes)


def draw_history(net: Network, task: Task, path: Path) -> str:
    """Write the picture of the training; return the line that reports it."""

    def draw(ax: Any) -> None:
        plot.history(net.history, ax=ax)
        disable_mathtext(ax.set_title(f"{task.name}: validation on the test images"))

    return write_picture(path, (6.4, 4.4), draw)


def usage_error(arguments: argparse.Namespace) -> str | None:
    """Return what is wrong with arguments that name the training images twice or not at all."""
    if arguments.train is not None and arguments.images is not None:
        return "--train and --images both name the training images; give one of them"
    if arguments.test is not None and arguments.train is None and arguments.images is None:
        return "--test needs --train: a network is tested on images like those it learnt"
    return None


VERB = Verb(
    "train a network on images, save and draw it",
    run,
    options=(
        option("--train", metavar="FILE.h5",
               help="training images (default: the bundled digits)"),
        option("--images", metavar="FOLDER",
               help="training images: a folder with a subfolder of pictures for each class"),
        option("--test", metavar="FILE.h5",
               help="test images, a file or a folder (default: a fifth of the training images)"),
        option("--image-size", metavar="N", type=count, default=IMAGE_SIZE,
               help=f"pixels on a side that pictures of a folder get (default: {IMAGE_SIZE})"),
        option("--layers", metavar="N,N", type=hidden_units, default=(128, 64),
               help="units of the hidden layers, or none (default: 128,64)"),
        option("--epochs", metavar="N", type=count, default=40,
               help="passes over the training images (default: 40)"),
        option("--learning-rate", metavar="R", type=positive,
               help="step size (default: 0.001 for adam, 0.01 for gradient-descent)"),
        option("--batch-size", metavar="N", type=batch_size, default=32,
               help="examples in a step, or full for all (default: 32)"),
        option("--optimizer", metavar="NAME", type=one_of(tuple(OPTIMIZERS)), default="adam",
               help=f"{' or '.join(OPTIMIZERS)} (default: adam)"),
        option("--l2", metavar="λ", type=nonnegative, default=0.0,
               help="strength of the penalty λ/(2m) Σ W² (default: 0)"),
        option("--checkpoint", metavar="FILE",
               help="keep the state of the training in this file, and go on from it"),
        option("--seed", metavar="N", type=seed, default=0,
               help="of the split, the first weights and the shuffles (default: 0)"),
        OUT,
    ),
    usage_error=usage_error,
    examples="""\
examples:
  fastnn train
      the bundled digits; writes fastnn-out/model.safetensors and fastnn-out/history.png
  fastnn train --train train_cats.h5 --test test_cats.h5 --layers 20,7,5
      images of your own, in the course's HDF5 layout: train_set_x, train_set_y, list_classes
  fastnn train --images flowers
      pictures of your own, PNG or JPEG: flowers/daisy/1.jpg, flowers/rose/2.jpg …
  fastnn train --layers none --optimizer gradient-descent --learning-rate 0.1 --batch-size full
      logistic regression as in the first course: no hidden layer, all examples in every step
""",
)  # fmt: skip
