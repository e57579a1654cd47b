"""Bags on the command line: tables by `TabularClassifier` and `TabularRegressor`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

from fastnn._runtime.text import plural
from fastnn.data.tables import Table, read_frame
from fastnn.data.tables.targets import ClassTarget, NumberTarget, Target
from fastnn.data.tables.values import pandas
from fastnn.errors import DataError, SettingError
from fastnn.plot._text import format_percent

from .option_types import count, positive
from .output import fold, print_fact, print_result
from .predict_table import class_columns, only_table, print_predictions, score_line
from .run_folder import claim_folder
from .table import format_majority, format_values, load_frames, text_columns
from .verb import Option, given_options, grouped, option
from .verdict import judge_classes

__all__ = ["BAG_OPTIONS", "bag_usage_error", "is_bag", "predict_bag", "train_bag"]

Array = np.ndarray[Any, Any]
MODEL = "model.safetensors"
#: What a bag takes of the options about a network and its training.
SHARED = ("--seed", "--threads")


def bag_size(text: str) -> int | str:
    """A number of networks, or auto."""
    return text if text == "auto" else count(text)


BAG_OPTIONS = grouped(
    "tables",
    option("--bag", metavar="N", type=bag_size, nargs="?", const="auto",
           help="train a bag of N networks on different rows, whose settings follow from the table "
           "(default: 8 below 1,000 rows, else 4)"),
    option("--max-time", metavar="S", type=positive,
           help="seconds after which a bag is used as it is"),
)  # fmt: skip


def bag_usage_error(arguments: argparse.Namespace, others: tuple[Option, ...]) -> str | None:
    """Return what is wrong with options about a bag, or None; others: those of one network."""
    if arguments.bag is None:
        return None if arguments.max_time is None else "--max-time is about a bag; add --bag"
    if arguments.table is None:
        return "--bag is about a table; name its file with --table"
    given = given_options(tuple(one for one in others if one.flag not in SHARED), arguments)
    if given:
        return f"{given[0]} is about one network, and a bag has its own settings; leave one out"
    return None


def train_bag(arguments: argparse.Namespace) -> int:
    """Train a bag on the table, report, and save; 130 if Ctrl-C ended the training early."""
    from fastnn.tabular import TabularClassifier, TabularRegressor  # what they import is an extra

    if arguments.ranks.size > 1:
        raise SettingError("--bag trains on one rank; start it without mpiexec")
    train, frame, y_test = load_frames(arguments)
    kind = TabularClassifier if train.classes else TabularRegressor
    model = kind(
        bag=arguments.bag, categorical=list(arguments.categories), max_time=arguments.max_time,
        random_state=arguments.seed, verbose=1,
    )  # fmt: skip
    out = claim_folder(arguments, (MODEL,))
    rows = f"{plural(len(train), 'row')} to train on, {plural(len(y_test), 'row')} to test on"
    print_fact("data", f"{train.name}: {rows}")
    asked = "a class" if train.classes else "a number"
    print_fact("target", f"{train.target.name}, {asked}")
    began = time.perf_counter()
    model.fit(train.frame, pandas().Series(_targets(train, train.y), name=train.target.name))
    seconds = time.perf_counter() - began
    model.save(out / MODEL)
    print_result(f"\n{model.report_}\n")
    print_result(f"trained in {seconds:.1f} s")
    print_result(_scores(model, train, frame, y_test))
    print_result(f"wrote {out / MODEL}")
    return 130 if any(net.history.interrupted for net in model.networks_) else 0


def _targets(table: Table, y: Array) -> Array:
    """Return targets as the estimator learns them: classes by name."""
    return np.array(table.classes, object)[y] if table.classes else y


def _scores(model: Any, train: Table, frame: Any, y_test: Array) -> str:
    """Return the lines about how well it went."""
    if not train.classes:
        return format_values(model, train.frame, train.y, frame, y_test)
    right = [
        float(np.mean(model.predict(rows) == _targets(train, y)))
        for rows, y in ((train.frame, train.y), (frame, y_test))
    ]
    line = (
        f"train accuracy {format_percent(right[0], 2)}, test accuracy "
        f"{format_percent(right[1], 2)}\n{format_majority(train.y, y_test, train.classes)}"
    )
    warning = judge_classes((right[0], right[1]), train.y, y_test, train.classes)
    return line if warning is None else f"{line}\n\n{fold(warning, sys.stdout)}\n"


def is_bag(model: Any) -> bool:
    """Return whether what a file gave is an estimator of tables."""
    return hasattr(model, "encoder_")


def predict_bag(model: Any, arguments: argparse.Namespace) -> int:
    """Print a CSV of predictions, in the order of the rows; a score where the target is known."""
    path = only_table(arguments)
    classes = [str(name) for name in getattr(model, "classes_", ())]
    target: Target = NumberTarget(model._targets[0])
    if classes:
        target = ClassTarget(target.name, tuple(classes))
    texts = [*text_columns(model.encoder_), *(each.name for each in model._statistics)]
    frame = read_frame(path, separator=arguments.separator, target=target.name, texts=texts)
    try:
        outputs = model.predict_proba(frame) if classes else model.predict(frame)
    except DataError as error:
        raise DataError(f"'{path}': {error}") from error
    if outputs.ndim == 2 and not classes:
        columns = dict(zip(model._targets, outputs.T, strict=True))
        print_predictions({f"prediction of {name}": each for name, each in columns.items()}, None)
        return 0
    if not classes:
        print_predictions({"prediction": outputs}, score_line(target, frame, outputs))
        return 0
    score = score_line(target, frame, outputs.argmax(axis=1))
    print_predictions(class_columns(classes, outputs), score)
    return 0
