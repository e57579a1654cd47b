"""Columns: how one column of a table becomes features, learnt from training rows, kept as data.

Each kind is a frozen dataclass of text, numbers and tuples of text: its fields are what a model
file holds of it. `learn` makes one from a column of pandas, `encode` applies it to another column,
and `features` names what comes out. A new kind is a class like these and its entry in `KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .values import as_dates, as_numbers, as_texts

__all__ = ["KINDS", "CategoryColumn", "Column", "DateColumn", "NumberColumn"]

Features = NDArray[np.float64]
#: Largest distance from the median, in interquartile ranges, that a robustly scaled number keeps.
CLIP = 3.0
#: What else a truth value is where bools were learnt, or 0 and 1 as categories.
TRUTHS = {"True": "1", "False": "0", "1": "True", "0": "False"}
#: Periods of the parts of a date: how many steps until it is as at the beginning.
PERIODS = {"month": 12.0, "day": 31.0, "weekday": 7.0, "hour": 24.0}


@dataclass(frozen=True)
class NumberColumn:
    """A number: z = (x − shift) · factor, then z / √(1 + (z/clip)²) where clip is not 0.

    A missing number is the median of the training rows; if some were missing there, a second
    feature says where (1) and where not (0). The smooth clip, that of RealMLP (Holzmüller et al.,
    NeurIPS 2024), keeps outliers in order and within ±clip.

    Attributes
    ----------
    name : str
        Of the column.
    median, shift, factor, clip : float
        In the column's unit, its inverse, and without unit.
    missing : int
        Training rows in which it was missing.
    """

    name: str
    median: float
    shift: float
    factor: float
    clip: float
    missing: int

    @classmethod
    def learn(cls, series: Any, what: str, scale: str | None) -> NumberColumn:
        """Learn from a column that holds a number; scale is "robust", "standard" or None."""
        x = as_numbers(series, what)
        present = x[~np.isnan(x)]
        shift, factor, clip = _scaling(present, scale)
        missing = len(x) - len(present)
        return cls(str(series.name), float(np.median(present)), shift, factor, clip, missing)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return (self.name, f"{self.name} (missing)") if self.missing else (self.name,)

    def encode(self, series: Any, what: str) -> Features:
        """Return the features (m, 1 or 2)."""
        x = as_numbers(series, what)
        missing = np.isnan(x)
        with np.errstate(over="ignore"):  # what is beyond float64 ends at the clip
            z = (np.where(missing, self.median, x) - self.shift) * self.factor
            z = np.clip(z, -1e300, 1e300)
        z = z / np.hypot(1.0, z / self.clip) if self.clip else z
        return np.column_stack([z, missing]) if self.missing else z[:, None]


def _scaling(x: Features, scale: str | None) -> tuple[float, float, float]:
    """Return shift, factor and clip for numbers (m,), m ≥ 1."""
    if scale is None:
        return 0.0, 1.0, 0.0
    big = float(np.abs(x).max()) or 1.0  # by which squares and differences stay finite
    x = x / big
    if scale == "standard":
        shift, spread, clip = float(x.mean()), float(x.std()), 0.0
    else:
        low, middle, high = (float(q) for q in np.quantile(x, [0.25, 0.5, 0.75]))
        shift, clip = middle, CLIP
        spread = high - low or (float(x.max()) - float(x.min())) / 2
    # Rounding of a number that never changes, or so little that its inverse is not finite.
    if spread <= 1e-12 * abs(shift) or spread * big < 1e-300:
        return shift * big, 1.0, clip
    return shift * big, 1 / (spread * big), clip


@dataclass(frozen=True)
class CategoryColumn:
    """A category, a text or a bool: one feature of 0 and 1 for each frequent value.

    All other values, rare in the training rows or never seen there, are together one more feature
    if there were rare ones, and so are missing values if some were missing. What the training rows
    had nothing of is 0 in all features, for a weight that was never trained must not count.
    Bools are the texts True and False; where no other value is frequent, 1 and 0 are them too.

    Attributes
    ----------
    name : str
        Of the column.
    values : tuple of str
        The frequent values as text, from the most frequent on.
    other, missing : int
        Training rows with a rare value, and with none.
    """

    name: str
    values: tuple[str, ...]
    other: int
    missing: int

    @classmethod
    def learn(cls, series: Any, min_rows: int, max_values: int) -> CategoryColumn:
        """Learn from a column; a value is frequent if min_rows have it, and it is of the first."""
        codes, texts = as_texts(series)
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        order = sorted(range(len(texts)), key=lambda k: (-counts[k], texts[k]))
        frequent = [k for k in order if counts[k] >= min_rows][:max_values]
        other = int(counts.sum() - counts[frequent].sum())
        values = tuple(texts[k] for k in frequent)
        return cls(str(series.name), values, other, int((codes < 0).sum()))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return (
            *(f"{self.name} = {value}" for value in self.values),
            *((f"{self.name} (other)",) if self.other else ()),
            *((f"{self.name} (missing)",) if self.missing else ()),
        )

    @property
    def places(self) -> dict[str, int]:
        """The feature of each text that has one of its own."""
        found = {value: k for k, value in enumerate(self.values)}
        if set(found) <= {"True", "False"} or set(found) <= {"0", "1"}:
            found |= {TRUTHS[value]: k for value, k in found.items()}
        return found

    def encode(self, series: Any, what: str) -> Features:
        """Return the features (m, n) of 0 and 1."""
        codes, texts = as_texts(series)
        K, place = len(self.values), self.places
        none = len(self.features)  # a column that is cut off below
        other, missing = (K if self.other else none), (none - 1 if self.missing else none)
        columns = np.array([*(place.get(text, other) for text in texts), missing], np.int64)
        rows = np.zeros((len(codes), none + 1))
        rows[np.arange(len(codes)), columns[codes]] = 1
        return rows[:, :none]


@dataclass(frozen=True)
class DateColumn:
    """A date: days as a scaled number, and where it is in the month, the week … on a circle.

    A part is two features, sin and cos of 2π · place / period, so that December and January are
    neighbours. Where a date is missing all of them are 0, and one feature says so if some were
    missing in the training rows.

    Attributes
    ----------
    name : str
        Of the column.
    format : str
        Of dates that are text: one of `values.DATE_FORMATS`.
    shift, factor : float
        Of the days since 1970-01-01, UTC.
    parts : tuple of str
        Keys of `PERIODS` that were not the same in all training rows.
    missing : int
        Training rows in which it was missing.
    """

    name: str
    format: str
    shift: float
    factor: float
    parts: tuple[str, ...]
    missing: int

    @classmethod
    def learn(cls, series: Any, form: str, what: str) -> DateColumn:
        """Learn from a column that holds a date; `form` is the format of text."""
        dates = as_dates(series, form, what)
        present = dates[~np.isnat(dates)]
        shift, factor, _ = _scaling(_days(present), "standard")
        varying = [part for part in PERIODS if len(np.unique(_place(present, part))) > 1]
        return cls(str(series.name), form, shift, factor, tuple(varying), len(dates) - len(present))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        circles = [f"{self.name} {part} {f}" for part in self.parts for f in ("sin", "cos")]
        return (self.name, *circles, *((f"{self.name} (missing)",) if self.missing else ()))

    def encode(self, series: Any, what: str) -> Features:
        """Return the features (m, n)."""
        dates = as_dates(series, self.format, what)
        missing = np.isnat(dates)
        dates = np.where(missing, np.datetime64(0, "us"), dates)
        angles = [2 * np.pi * _place(dates, part) / PERIODS[part] for part in self.parts]
        circles = [f(angle) for angle in angles for f in (np.sin, np.cos)]
        found = np.column_stack([(_days(dates) - self.shift) * self.factor, *circles])
        found[missing] = 0
        return np.column_stack([found, missing]) if self.missing else found


def _days(dates: NDArray[Any]) -> Features:
    """Return the days since 1970-01-01 of datetime64[us] (m,)."""
    return dates.astype(np.int64) / 86_400e6


def _place(dates: NDArray[Any], part: str) -> Features:
    """Return where datetime64[us] (m,) stand in a part: months, days and weekdays count from 0."""
    months, days = dates.astype("datetime64[M]"), _days(dates)
    place: NDArray[Any]
    if part == "month":
        place = months.astype(np.int64) % 12
    elif part == "day":
        place = (dates.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    else:
        place = (np.floor(days) + 3) % 7 if part == "weekday" else (days % 1) * 24
    return np.asarray(place, np.float64)


Column = NumberColumn | CategoryColumn | DateColumn
#: The kinds of columns by the name that a description has for them.
KINDS: dict[str, type[Column]] = {
    "number": NumberColumn,
    "category": CategoryColumn,
    "date": DateColumn,
}
