"""Tables on the command line: read, encoded, and what a model file must know of them."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from fastnn.data.tables import Table, TableEncoder, load_table, read_frame
from fastnn.data.tables.encoder import missing_column
from fastnn.data.tables.targets import TASKS, ClassTarget, NumberTarget, Target
from fastnn.errors import DataError, FastnnError, ModelFileError
from fastnn.metrics import mae, mse, r2
from fastnn.network import Network
from fastnn.plot._text import format_percent

from .option_types import one_of
from .verb import grouped, option
from .verdict import judge_values

__all__ = ["TABLE_OPTIONS", "TableSource", "load_frames", "load_rows", "table_usage_error"]

Array = np.ndarray[Any, Any]


def column_names(text: str) -> tuple[str, ...]:
    """Names of columns with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _separator(text: str) -> str:
    r"""A separator of cells; \t and tab are a tab."""
    return "\t" if text in ("\\t", "tab") else text


SEPARATOR = option(
    "--separator", metavar="C", type=_separator,
    help="between the cells of a line of text (default: the likely one of , ; tab |)",
)  # fmt: skip

TABLE_OPTIONS = grouped(
    "tables",
    option("--table", metavar="FILE",
           help="rows to train on: CSV, TSV or Parquet, text also packed as .gz"),
    option("--target", metavar="COLUMN",
           help="the column to predict"),
    option("--task", metavar="NAME", type=one_of(TASKS), default="auto",
           help="classification or regression (default: text and up to 10 different whole numbers "
           "are classes)"),
    option("--features", metavar="A,B", type=column_names,
           help="the columns to predict from (default: all others)"),
    option("--drop", metavar="A,B", type=column_names, default=(),
           help="columns to leave out"),
    option("--categories", metavar="A,B", type=column_names, default=(),
           help="columns whose numbers name categories, as postcodes do"),
    SEPARATOR,
)  # fmt: skip


def table_usage_error(arguments: argparse.Namespace) -> str | None:
    """Return what is wrong with options about a table, or None."""
    if arguments.table is None:
        given = {**vars(arguments), "task": arguments.task != "auto"}
        for name in ("target", "task", "features", "drop", "categories", "separator"):
            if given[name]:
                return f"--{name} is about a table; name its file with --table"
        return None
    if arguments.train is not None or arguments.images is not None:
        return "--table and images do not go together; give one of them"
    if arguments.target is None:
        return "--table needs --target, the name of the column to predict"
    return None


@dataclasses.dataclass(frozen=True)
class TableSource:
    """What examples were made by, where they are rows of a table.

    Attributes
    ----------
    encoder : TableEncoder
        Makes rows (m, n) of tables.
    target : ClassTarget or NumberTarget
        What is asked for.
    """

    encoder: TableEncoder
    target: Target

    @property
    def regression(self) -> bool:
        """Whether a number is asked for."""
        return not isinstance(self.target, ClassTarget)

    def facts(self) -> list[tuple[str, str]]:
        """Return pairs of a label and a line: what is asked for, and what became of the columns."""
        name, encoded = self.target.name, self.encoder.report().splitlines()
        if self.regression:
            asked = f"{name}, a number; the network learns its z-scores"
        else:
            numbers = all(_is_number(each) for each in self.target.classes)
            hint = "; --task regression would take it as a number" if numbers else ""
            asked = f"{name}, a class{hint}"
        return [("target", asked), *((line[:10].strip(), line[10:]) for line in encoded)]

    def read(self, path: str, separator: str | None) -> tuple[Any, Array]:
        """Return the columns of a table, and its rows (m, n) as they were encoded for training."""
        frame = read_frame(
            path, separator=separator, target=self.target.name, texts=text_columns(self.encoder)
        )
        try:
            return frame, self.encoder.transform(frame)
        except DataError as error:
            raise DataError(f"'{path}': {error}") from error

    def notes(self) -> dict[str, Any]:
        """Return what a model file must know of the table, as plain data."""
        return {
            "target": self.target.name,
            "task": self.target.task,
            "encoder": self.encoder.config(),
        }

    @classmethod
    def from_notes(cls, notes: dict[str, Any], net: Network, path: str) -> TableSource:
        """Return the source that a model file describes; ModelFileError if it fits no network."""
        try:
            table, classes = notes["table"], notes["classes"]
            encoder = TableEncoder.from_config(table["encoder"])
            name, task = table["target"], table["task"]
        except (KeyError, TypeError, FastnnError) as error:
            raise ModelFileError(
                f"'{path}' does not say how its table is read ({error})"
            ) from error
        fits = (
            isinstance(name, str)
            and isinstance(classes, list)
            and all(isinstance(each, str) for each in classes)
            and len(set(classes)) == len(classes)
            and task == ("classification" if classes else "regression")
            and len(classes) != 1
            and len(encoder.feature_names) == net.inputs
            and net.outputs == (1 if len(classes) in (0, 2) else len(classes))
        )
        if not fits:
            raise ModelFileError(
                f"'{path}' does not fit together: {len(encoder.feature_names)} features and the "
                f"classes {classes!r:.60} for {net.inputs} inputs and {net.outputs} outputs; "
                "train anew"
            )
        return cls(encoder, ClassTarget(name, tuple(classes)) if classes else NumberTarget(name))


def _is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def format_values(net: Network, X: Array, y: Array, X_test: Array, y_test: Array) -> str:
    """Return the lines about a regression, in the target's unit."""
    P, P_test = net.predict(X), net.predict(X_test)
    errors = mse(y, P), mse(y_test, P_test)
    mean = float(y.mean())
    always = float(np.sqrt(np.mean((y_test - mean) ** 2)))
    line = (
        f"train RMSE {errors[0] ** 0.5:,.5g}, test RMSE {errors[1] ** 0.5:,.5g} (always "
        f"answering the mean, {mean:,.5g}: {always:,.5g}), test mean absolute error "
        f"{mae(y_test, P_test):,.5g}"
    )
    line += f", test R² {r2(y_test, P_test):.4f}" if np.ptp(y_test) > 0 else ""
    warning = judge_values(errors, y, y_test)
    return line if warning is None else f"{line}\n\n{warning}\n"


def format_majority(y: Array, y_test: Array, classes: tuple[str, ...]) -> str:
    """Return the line about the class that is most common in the training rows."""
    common = int(np.bincount(y).argmax())
    share = format_percent(float(np.mean(y_test == common)), 2)
    return f"always answering '{classes[common]}': test accuracy {share}"


class Rows(NamedTuple):
    """Training and test rows of a table, and what they were made by."""

    name: str
    X: Array
    y: Array
    X_test: Array
    y_test: Array
    source: TableSource


def load_rows(arguments: argparse.Namespace) -> Rows:
    """Read the table of the options, encoded; hold a fifth out where no file has test rows."""
    train, frame, y_test = load_frames(arguments)
    try:
        X_test = train.encoder.transform(frame)
    except DataError as error:
        raise DataError(f"'{getattr(arguments, 'test', None)}': {error}") from error
    source = TableSource(train.encoder, train.target)
    return Rows(train.name, train.X, train.y, X_test, y_test, source)


def load_frames(arguments: argparse.Namespace) -> tuple[Table, Any, Array]:
    """Return the table of training rows, and the columns and targets of test rows."""
    whole = load_table(
        arguments.table,
        arguments.target,
        task=arguments.task,
        features=arguments.features,
        drop=arguments.drop,
        categories=arguments.categories,
        separator=arguments.separator,
    )
    if getattr(arguments, "test", None) is None:
        train, test = whole.split(test=0.2, seed=arguments.seed)
        return train, test.frame, test.y
    return whole, *_test_rows(whole, arguments)


def _test_rows(table: Table, arguments: argparse.Namespace) -> tuple[Any, Array]:
    """Return columns and targets of the file of test rows, as the training rows were read."""
    path, target = arguments.test, arguments.target
    frame = read_frame(
        path, separator=arguments.separator, target=target, texts=text_columns(table.encoder)
    )
    try:
        if target not in frame.columns:
            raise DataError(f"the table has {missing_column(target, list(frame.columns))}")
        return frame, table.target.encode(frame[target])
    except DataError as error:
        raise DataError(f"'{path}': {error}") from error


def text_columns(encoder: TableEncoder) -> list[str]:
    """Return the columns that are to be read as text: categories, but those of True and False."""
    values = {column.name: getattr(column, "values", None) for column in encoder.columns}
    bools = {"True", "False"}
    return [name for name, of in values.items() if of is not None and not set(of) <= bools]
