"""Report: what became of the columns of a table, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastnn._runtime.text import plural

from .columns import CategoryColumn, Column, DateColumn, NumberColumn

#: Columns that a line names; of the others it gives the number.
MOST_NAMES = 8


def encoding_lines(columns: Sequence[Column], dropped: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return pairs of a label and a line: one for each kind of column, and for the dropped ones."""
    numbers = [column for column in columns if isinstance(column, NumberColumn)]
    categories = [column for column in columns if isinstance(column, CategoryColumn)]
    dates = [column for column in columns if isinstance(column, DateColumn)]
    lines = [
        *([("number", _number_line(numbers))] if numbers else []),
        *([("category", _category_line(categories))] if categories else []),
        *([("date", _date_line(dates))] if dates else []),
    ]
    if dropped:
        lines.append(("left out", _some([f"{name} ({why})" for name, why in dropped.items()])))
    return lines


def _some(texts: Sequence[str]) -> str:
    """Return texts with commas between, the first few of many."""
    rest = len(texts) - MOST_NAMES
    return ", ".join(texts[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _number_line(columns: Sequence[NumberColumn]) -> str:
    """Return what became of the numbers."""
    line = _some([column.name for column in columns])
    if columns[0].clip:
        line += "; scaled by median and quartiles, outliers bounded"
    elif any(column.factor != 1 for column in columns):
        line += "; scaled by mean and deviation"
    filled = [
        f"{column.name} in {plural(column.missing, 'row')}" for column in columns if column.missing
    ]
    if filled:
        line += f"; missing {_some(filled)}: the median, and a feature that says so"
    return line


def _category_line(columns: Sequence[CategoryColumn]) -> str:
    """Return what became of the categories."""
    told = []
    for column in columns:
        parts = [plural(len(column.values), "value")]
        parts += [f"{plural(column.other, 'row')} of rarer ones together"] if column.other else []
        parts += [f"{plural(column.missing, 'row')} without"] if column.missing else []
        told.append(f"{column.name} ({', '.join(parts)})")
    features = sum(len(column.features) for column in columns)
    return f"{_some(told)}; {plural(features, 'feature')} of 0 and 1"


def _date_line(columns: Sequence[DateColumn]) -> str:
    """Return what became of the dates."""
    told = []
    for column in columns:
        form = "" if column.format == "ISO8601" else f"read as {column.format}; "
        missing = f", missing in {plural(column.missing, 'row')}" if column.missing else ""
        told.append(f"{column.name} ({form}{', '.join(('days', *column.parts))}{missing})")
    return _some(told)


def _rows(count: int) -> str:
    """Return a number of rows as text."""
    return plural(count, "row")
