"""Choice: which kind of column a column of a training table is, or why it is left out."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fastnn.errors import DataError

from .columns import CategoryColumn, Column, DateColumn, NumberColumn
from .values import as_numbers, as_texts, date_format, kind_of, parse_numbers

#: Names of columns that tell rows apart: id, row_id, index, what pandas calls a column without
#: a name; and PassengerId.
ID_NAMES = (
    re.compile(r"(^|[\W_])(id|index|uuid|guid|key)$|^unnamed: \d+$", re.IGNORECASE),
    re.compile(r"[a-z]I[dD]$"),
)
#: Rows from which on a column of distinct numbers can count as one of identifiers.
ENOUGH_ROWS = 20
#: The end of the reason why a category is left out of which no value is frequent.
HARDLY_REPEAT = "different values hardly repeat"
#: A text longer than this is prose, and no category.
LONGEST_VALUE = 200


def choose_column(
    series: Any, what: str, *, category: bool, scale: str | None, max_values: int,
    drop_identifiers: bool,
) -> Column | str:  # fmt: skip
    """Return the encoding of a column of training rows, or why there is none.

    Raises
    ------
    DataError
        If it holds what is neither number, text nor date, or numbers with stray texts between.
    """
    kind = kind_of(series, what)
    if kind == "nothing":
        return "all its values are missing"
    if category or kind == "categories":
        return _category(series, max_values)
    if kind == "dates":
        return _unless_constant(series, DateColumn.learn(series, "ISO8601", what))
    if kind == "numbers":
        return _number(series, what, scale, drop_identifiers)
    return _text(series, what, scale, max_values, drop_identifiers)


def _number(series: Any, what: str, scale: str | None, drop_identifiers: bool) -> Column | str:
    """Return the encoding of a column of numbers."""
    x = as_numbers(series, what)
    if drop_identifiers and _identifies_rows(str(series.name), x):
        return "its numbers identify the rows"
    return _unless_constant(series, NumberColumn.learn(series, what, scale))


def _identifies_rows(name: str, x: np.ndarray[Any, Any]) -> bool:
    """Whether numbers (m,) count the rows, or differ in all and have the name of an identifier."""
    m = len(x)
    if m < ENOUGH_ROWS or np.isnan(x).any() or (x != np.floor(x)).any():
        return False
    counts = x[0] in (0, 1) and bool((np.diff(x) == 1).all())
    named = any(pattern.search(name) for pattern in ID_NAMES)
    return counts or (named and len(np.unique(x)) == m)


def _text(
    series: Any, what: str, scale: str | None, max_values: int, drop_identifiers: bool
) -> Column | str:
    """Return the encoding of a column of text: numbers, dates or categories."""
    numbers, stray = parse_numbers(series)
    if not stray.any():
        return _number(series, what, scale, drop_identifiers)
    check_not_mixed(series, numbers, stray, what, "name the column among the categories")
    form = date_format(series)
    if form is not None:
        return _unless_constant(series, DateColumn.learn(series, form, what))
    return _category(series, max_values)


def check_not_mixed(series: Any, numbers: Any, stray: Any, what: str, mend: str) -> None:
    """Refuse a column of many numbers (m,) in which a few entries are none; `mend` is advice."""
    texts = len(set(series[stray].astype(str)))
    present = numbers[~np.isnan(numbers)]
    distinct, share = len(np.unique(present)), len(present) / (len(present) + stray.sum())
    many = distinct > min(10, len(series) // 3)
    if many and share >= 0.5 and (texts <= 5 or share >= 0.9):
        row = int(stray.argmax())
        more = f" and {int(stray.sum()) - 1} rows more" if stray.sum() > 1 else ""
        raise DataError(
            f"{what} mixes {len(present)} numbers with text, {str(series.iloc[row])!r:.60} in row "
            f"{row}{more}; empty those cells to make them missing, or {mend}"
        )


def _category(series: Any, max_values: int) -> Column | str:
    """Return the encoding of a column of categories."""
    m = len(series)
    column = CategoryColumn.learn(series, min(5, max(2, m // 100)), max_values)
    if any(len(value) > LONGEST_VALUE for value in column.values):
        return f"it holds texts of more than {LONGEST_VALUE} characters"
    distinct = len(as_texts(series).texts)
    if not column.values and (distinct > 1 and not column.missing):
        return f"its {distinct} {HARDLY_REPEAT}"
    return _unless_constant(series, column)


def _unless_constant(series: Any, column: Column) -> Column | str:
    """Return the encoding, unless it gives all rows the same features."""
    encoded = column.encode(series, f"column {column.name!r}")
    if (encoded == encoded[:1]).all():
        return "it is the same in all rows"
    return column
