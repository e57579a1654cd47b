"""The options that name the data, and the task that they ask for."""

from __future__ import annotations

import argparse

from .option_types import count, window
from .table import TABLE_OPTIONS, load_rows, table_usage_error
from .task import IMAGE_SIZE, Task, load_stored_task, load_task
from .verb import grouped, option

__all__ = ["DATA_OPTIONS", "TRAIN_OPTIONS", "WINDOW", "data_usage_error", "load_data"]

#: The training examples alone.
TRAIN_OPTIONS = grouped(
    "data",
    option("--train", metavar="FILE.h5",
           help="training images (default: the bundled digits)"),
    option("--images", metavar="FOLDER",
           help="training images: a folder with a subfolder of pictures for each class"),
    option("--image-size", metavar="N", type=count, default=IMAGE_SIZE,
           help=f"pixels on a side that pictures of a folder get (default: {IMAGE_SIZE})"),
)  # fmt: skip

DATA_OPTIONS = TRAIN_OPTIONS + grouped(
    "data",
    option("--test", metavar="FILE.h5",
           help="test images, a file or a folder, or test rows (default: a fifth of the training "
           "examples)"),
) + TABLE_OPTIONS  # fmt: skip

(WINDOW,) = grouped(
    "data",
    option("--window", metavar="SIZE", type=window,
           help="leave the images in their files and read them in windows of that size, like "
           "256MB, for data larger than memory"),
)  # fmt: skip


def load_data(arguments: argparse.Namespace) -> Task:
    """Return the task: training and test examples, by the options."""
    if getattr(arguments, "table", None) is not None:
        rows = load_rows(arguments)
        return Task(*rows[:5], rows.source.target.classes, rows.source)
    test = getattr(arguments, "test", None)
    if test is not None and getattr(arguments, "window", None) is not None:
        return load_stored_task(arguments.train, test)
    source = arguments.train or arguments.images
    return load_task(source, test, arguments.seed, arguments.image_size)


def data_usage_error(arguments: argparse.Namespace) -> str | None:
    """Return what is wrong with options that name the training examples twice or not at all."""
    if hasattr(arguments, "table"):
        wrong = table_usage_error(arguments)
        if wrong is None and getattr(arguments, "window", None) is not None:
            wrong = _window_usage_error(arguments)
        if wrong is not None or arguments.table is not None:
            return wrong
    if arguments.train is not None and arguments.images is not None:
        return "--train and --images both name the training images; give one of them"
    if getattr(arguments, "test", None) is None:
        return None
    if arguments.train is None and arguments.images is None:
        return "--test needs --train: a network is tested on images like those it learnt"
    return None


def _window_usage_error(arguments: argparse.Namespace) -> str | None:
    """Return why images cannot stay in their files, or None."""
    if arguments.train is None:
        return "--window reads images from the HDF5 file that --train names; name one"
    if arguments.test is None:
        return "--window needs --test: images that stay in their file are not divided"
    return None
