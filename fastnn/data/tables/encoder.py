"""TableEncoder: the columns of a table as features, learnt from training rows, kept as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastnn._habits.answers import near
from fastnn._runtime.text import Text
from fastnn._validation import arguments
from fastnn.errors import DataError, NotBuiltError, SettingError

from . import config
from .choice import choose_column
from .columns import Column
from .report import encoding_lines
from .values import pandas

__all__ = ["TableEncoder"]

SCALES = ("robust", "standard", None)


class TableEncoder:
    """Turns the columns of a table into features for a network (needs pandas).

    Numbers are scaled; a missing one is the median, and a feature of its own says where. Texts,
    categories and bools are features of 0 and 1 for the frequent values, with one for all other
    values and one for missing ones. Dates are days, and their place in the month, week and day.
    Columns that are constant, empty, or differ in every row like names and numbers of rows are
    left out. `print(encoder.report())` says what became of each column.

    Fit it on training rows alone. It fits into a scikit-learn pipeline before an estimator.

    Parameters
    ----------
    categories : sequence of str, optional
        Columns whose numbers name categories, as a postcode does.
    scale : {"robust", "standard", None}
        Of numbers. robust: (x − median) / (upper − lower quartile), outliers within ±3 by
        z / √(1 + (z/3)²); standard: (x − μ) / σ; None leaves them as they are.
    max_values : int
        Most values of a category that get a feature; the others share one.
    dtype : {"float32", "float64"}
        Of the features.
    drop_identifiers : bool
        Whether columns of numbers that count the rows or name them are left out, as long as others
        are left.

    Attributes
    ----------
    columns : tuple of Column
        The encoded columns in the order of the table, frozen dataclasses of `data.tables.columns`.
    dropped : dict of str to str
        The columns that were left out, and why.
    feature_names : tuple of str
        One name for each feature.

    Raises
    ------
    SettingError
        If a setting is none of these.
    MissingExtraError
        If pandas is not installed.

    Examples
    --------
    >>> encoder = TableEncoder().fit(train)
    >>> net.fit(encoder.transform(train), y)
    >>> net.predict(encoder.transform(new))  # columns are found by name, in any order
    """

    def __init__(
        self,
        *,
        categories: Sequence[str] = (),
        scale: str | None = "robust",
        max_values: int = 50,
        dtype: str = "float32",
        drop_identifiers: bool = True,
    ) -> None:
        if scale not in SCALES:
            raise SettingError(f"scale must be 'robust', 'standard' or None, got {scale!r}")
        arguments.as_list(categories, "categories", "['postcode']")
        arguments.integer(max_values, "max_values", least=1)
        arguments.dtype(dtype)
        arguments.flag(drop_identifiers, "drop_identifiers")
        # As they were given, for scikit-learn's clone compares them.
        self.categories, self.scale = categories, scale
        self.max_values, self.dtype = max_values, dtype
        self.drop_identifiers = drop_identifiers
        self._columns: tuple[Column, ...] | None = None
        self.dropped: dict[str, str] = {}

    def fit(self, table: Any, y: Any = None) -> Self:
        """Learn from the columns of a table of training rows, and return the encoder itself.

        Parameters
        ----------
        table : DataFrame, table of Arrow or Polars, mapping of columns, or array (m, n)
            At least one row; the columns of an array are called x0, x1 …
        y : ignored
            For scikit-learn's pipelines.

        Raises
        ------
        DataError
            If names stand there twice, a column mixes numbers with text, a number is infinite,
            values are no numbers, texts or dates, or no column is left.
        """
        frame = as_frame(table)
        if not len(frame):
            raise DataError("the table has no rows; an encoding is learnt from some")
        unknown = [name for name in self.categories if name not in frame.columns]
        if unknown:
            raise DataError(f"categories names {missing_column(unknown[0], frame.columns)}")
        chosen = self._choose(frame, self.drop_identifiers)
        if self.drop_identifiers and all(isinstance(each, str) for each in chosen.values()):
            chosen = self._choose(frame, False)
        dropped = {name: why for name, why in chosen.items() if isinstance(why, str)}
        if len(dropped) == len(chosen):
            told = "; ".join(f"{name}: {why}" for name, why in list(dropped.items())[:5])
            raise DataError(f"no column can be learnt from ({told or 'there is none'})")
        self._columns = tuple(each for each in chosen.values() if not isinstance(each, str))
        self.dropped = dropped
        return self

    def _choose(self, frame: Any, drop_identifiers: bool) -> dict[str, Column | str]:
        """Return the encoding of each column of a frame by its name, or why it is left out."""
        return {
            name: choose_column(
                frame[name],
                f"column {name!r}",
                category=name in self.categories,
                scale=self.scale,
                max_values=self.max_values,
                drop_identifiers=drop_identifiers,
            )
            for name in frame.columns
        }

    def transform(self, table: Any) -> NDArray[Any]:
        """Return the features (m, n) of the rows of a table.

        Columns are found by their names, in any order; those that are not needed may be there.

        Raises
        ------
        NotBuiltError
            Before `fit`.
        DataError
            If a column is missing, or holds what is no number or date where such were learnt.
        """
        frame = as_frame(table)
        for column in self.columns:
            if column.name not in frame.columns:
                raise DataError(f"the table has {missing_column(column.name, frame.columns)}")
        out = np.empty((len(frame), len(self.feature_names)), self.dtype)
        end = 0
        for column in self.columns:
            what = f"column {column.name!r}"
            begin, end = end, end + len(column.features)
            with np.errstate(over="ignore"):
                out[:, begin:end] = column.encode(frame[column.name], what)
            if not np.isfinite(out[:, begin:end]).all():
                raise DataError(f"{what} holds numbers that are too large for {self.dtype}")
        return out

    def fit_transform(self, table: Any, y: Any = None) -> NDArray[Any]:
        """Learn from a table and return its features (m, n); for training rows only."""
        frame = as_frame(table)
        return self.fit(frame).transform(frame)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The encoded columns."""
        if self._columns is None:
            raise NotBuiltError("this TableEncoder has learnt nothing yet; call fit with a table")
        return self._columns

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The name of each feature."""
        return tuple(name for column in self.columns for name in column.features)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the features as scikit-learn asks for them."""
        return np.array(self.feature_names, dtype=object)

    def report(self) -> str:
        """Return what became of the columns: a line for each kind, and for what was left out."""
        lines = encoding_lines(self.columns, self.dropped)
        return Text("\n".join(f"{label:<10}{line}" for label, line in lines))

    def config(self) -> dict[str, Any]:
        """Return settings and columns as plain data, which JSON can say."""
        settings = {
            "categories": [str(name) for name in self.categories],
            "scale": self.scale,
            "max_values": int(self.max_values),
            "dtype": arguments.dtype(self.dtype).name,
            "drop_identifiers": bool(self.drop_identifiers),
        }
        return {"settings": settings, "columns": config.columns_config(self.columns)}

    @classmethod
    def from_config(cls, data: Any) -> TableEncoder:
        """Return the encoder of data that `config` returned; they are checked first.

        Raises
        ------
        DataError
            If they describe no encoder.
        """
        settings, columns = config.checked(data)
        encoder = cls(**settings)
        encoder._columns = columns
        return encoder

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings by name, for scikit-learn."""
        return {name: getattr(self, name) for name in config.SETTINGS}

    def set_params(self, **settings: Any) -> Self:
        """Change settings by name, for scikit-learn; what was learnt is forgotten."""
        type(self).__init__(self, **{**self.get_params(), **settings})
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return self._columns is not None

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="transformer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(string=True, categorical=True, allow_nan=True),
        )

    def __repr__(self) -> str:
        fitted = "" if self._columns is None else f" of {len(self._columns)} columns"
        settings = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"<TableEncoder({settings}){fitted}>"


def as_frame(table: Any) -> Any:
    """Return a table as a DataFrame whose columns are named by texts that differ.

    Raises
    ------
    DataError
        If a name stands there twice, or it is no table.
    """
    pd = pandas("reading tables")
    if hasattr(table, "to_pandas"):
        table = table.to_pandas()
    if not isinstance(table, pd.DataFrame):
        if not isinstance(table, Mapping):
            array = arguments.array(table, "the table")
            if array.ndim != 2:
                raise DataError(f"a table has rows and columns, (m, n), got shape {array.shape}")
            table = {f"x{j}": column for j, column in enumerate(array.T)}
        try:
            table = pd.DataFrame(table)
        except ValueError as error:
            raise DataError(f"these columns make no table ({error})") from error
    names = [str(name) for name in table.columns]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise DataError(f"the table has {names.count(twice[0])} columns {twice[0]!r}; rename them")
    frame = table.set_axis(names, axis=1)
    arrow = [
        name for name, dtype in zip(names, table.dtypes, strict=True)
        if type(dtype).__name__ == "ArrowDtype" and dtype.kind not in "biufM"
    ]  # fmt: skip
    return frame.astype(dict.fromkeys(arrow, object)) if arrow else frame


def missing_column(name: str, names: Sequence[str]) -> str:
    """Return a sentence's end about a column that is not there: what is there, and a near miss."""
    names = list(names)
    nearest = near(name, names)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"no column {name!r}, it has: {shown or 'none'}{hint}"
