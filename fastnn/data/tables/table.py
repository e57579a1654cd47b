"""Table: a table read from a file, as features and targets, and the encoding that made them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._validation import arguments
from fastnn.errors import DataError, SettingError

from ..splits import split
from .encoder import TableEncoder, as_frame, missing_column
from .files import read_frame
from .targets import Target, learn_target

__all__ = ["Table", "load_table"]


class Table:
    """Rows of a table as features and targets; unpacks as `X, y = table`.

    Attributes
    ----------
    X : ndarray (m, n)
        The features, in the encoder's dtype.
    y : ndarray (m,)
        int64 labels 0 … K − 1 of a classification; float64 numbers of a regression, in the
        column's own unit.
    feature_names : tuple of str
        One name for each feature.
    classes : tuple of str
        The names of the classes in the order of their labels; none for a regression.
    task : str
        "classification" or "regression".
    encoder : TableEncoder
        Makes features of other tables with these columns.
    target : ClassTarget or NumberTarget
        Makes targets of other tables: `target.encode(frame[target.name])`.
    frame : DataFrame
        The columns that features were made from, as read.
    name : str
        What the table is called.
    """

    def __init__(
        self, frame: Any, y: NDArray[Any], target: Target, encoder: TableEncoder, name: str
    ) -> None:
        self.X = encoder.transform(frame)
        self.frame, self.y, self.target, self.encoder, self.name = frame, y, target, encoder, name

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        target: str,
        *,
        task: str = "auto",
        features: Sequence[str] | None = None,
        drop: Sequence[str] = (),
        encoder: TableEncoder | None = None,
        name: str = "table",
    ) -> Table:
        """Return the table of a DataFrame; arguments and errors are those of `load_table`.

        encoder: settings by which columns are encoded, `TableEncoder()` by default; it is fitted.
        """
        frame = as_frame(frame)
        for column in [target, *_listed(features or (), "features"), *_listed(drop, "drop")]:
            if column not in frame.columns:
                raise DataError(f"the table has {missing_column(column, frame.columns)}")
        found = learn_target(frame[target], task)
        chosen = list(frame.columns) if features is None else list(features)
        if features is not None and target in features:
            raise SettingError(f"features names the target {target!r}; leave it out there")
        kept = frame[[column for column in chosen if column not in (target, *drop)]]
        encoder = TableEncoder() if encoder is None else encoder
        return cls(kept, found.encode(frame[target]), found, encoder.fit(kept), name)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name for each feature."""
        return self.encoder.feature_names

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; none for a regression."""
        return self.target.classes

    @property
    def task(self) -> str:
        """What is asked for, "classification" or "regression"."""
        return self.target.task

    def split(self, *, test: float = 0.2, seed: int = 0) -> tuple[Table, Table]:
        """Return the table of training rows and that of test rows, drawn as `data.split` draws.

        Columns are encoded anew, by what the training rows alone hold; both tables share that
        encoder. Errors are those of `data.split`, and of `TableEncoder.fit`.
        """
        rows = np.arange(len(self))[:, None]
        parts = split(rows, self.y, test=test, seed=seed, stratify=self.task == "classification")
        train, rest = (part[:, 0] for part in parts[:2])
        frame = self.frame.iloc[train]
        encoder = TableEncoder(**self.encoder.get_params()).fit(frame)

        def part(rows: NDArray[np.int64]) -> Table:
            frame = self.frame.iloc[rows]
            return Table(frame, self.y[rows], self.target, encoder, self.name)

        return part(train), part(rest)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.X, self.y))

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        asked = f"{len(self.classes)} classes" if self.classes else "a number"
        return (
            f"Table({self.name!r}, X {self.X.shape} {self.X.dtype}, target {self.target.name!r}: "
            f"{asked})"
        )


def _listed(names: Sequence[str], argument: str) -> list[str]:
    """Return names of columns as a list."""
    return arguments.as_list(names, argument, "['age', 'income']")


def load_table(
    path: str | os.PathLike[str],
    target: str,
    *,
    task: str = "auto",
    features: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categories: Sequence[str] = (),
    separator: str | None = None,
    dtype: str = "float32",
) -> Table:
    """Read a CSV or Parquet file as features and targets (needs pandas; pyarrow for Parquet).

    What becomes of the columns is decided by what they hold, as `TableEncoder` says, and
    `print(table.encoder.report())` tells. The encoding is learnt from all rows; `table.split()`
    learns it from the training rows alone, for a score on rows that nothing was learnt from.

    Parameters
    ----------
    path : str or path
        CSV, TSV or Parquet; text may be packed, as ``data.csv.gz``.
    target : str
        The column to predict.
    task : {"auto", "classification", "regression"}
        auto: texts, bools and at most 10 different whole numbers are classes, other numbers are a
        regression.
    features : sequence of str, optional
        The columns to predict from; all others by default.
    drop : sequence of str
        Columns to leave out.
    categories : sequence of str
        Columns whose numbers name categories, as a postcode does.
    separator : str, optional
        Of a CSV file; by default the likely one of ``, ; tab |``.
    dtype : {"float32", "float64"}
        Of the features.

    Returns
    -------
    Table
        With X (m, n), y (m,), feature_names, classes, encoder; unpacks as `X, y = table`.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or the system does not let it be read.
    DataFileError
        If the file is no table, has no rows, or two columns of one name.
    DataError
        If it has no such column, a target is missing or the same in all rows, a column mixes
        numbers with text, or none is left.
    SettingError
        If a setting is none of these.
    MissingExtraError
        If pandas or pyarrow is not installed.

    Examples
    --------
    >>> train, test = fastnn.data.load_table("titanic.csv", "Survived").split(test=0.2)
    >>> net = fastnn.Network.mlp([train.X.shape[1], 32, 1], output="sigmoid")
    >>> net.fit(train.X, train.y, validation_data=tuple(test))
    """
    texts = _listed(categories, "categories")
    frame = read_frame(path, separator=separator, target=target, texts=texts)
    encoder = TableEncoder(categories=texts, dtype=dtype)
    name = Path(path).name.partition(".")[0] or "table"
    try:
        return Table.from_frame(
            frame, target, task=task, features=features, drop=drop, encoder=encoder, name=name
        )
    except DataError as error:
        raise DataError(f"'{path}': {error}") from error
