"""Values of a column of pandas: what kind they are, and as numbers, texts or dates."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.optional import require
from fastnn.errors import DataError

Array = NDArray[Any]

#: Beginnings of dates as text: 2024-01-31, 31.1.2024, 1/31/24.
LOOKS_LIKE_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)")
#: Formats of dates as text, in the order in which they are tried; each also with a time behind it.
DATE_FORMATS = (
    "ISO8601",
    *(
        day + time
        for day in ("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y")
        for time in ("", " %H:%M", " %H:%M:%S")
    ),
)
#: What pandas infers of objects, and what we call it.
INFERRED = {
    "empty": "nothing",
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "decimal"), "numbers"),
    **dict.fromkeys(("string", "mixed-integer", "mixed"), "text"),
    "boolean": "categories",
    **dict.fromkeys(("date", "datetime", "datetime64"), "dates"),
}


class Texts(NamedTuple):
    """A column as text: the distinct texts, and of each row (m,) the number of its text or −1."""

    codes: NDArray[np.int64]
    texts: tuple[str, ...]

    @property
    def counts(self) -> NDArray[np.int64]:
        """In how many rows each text stands."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))


def pandas(purpose: str = "reading tables") -> Any:
    """Return the package pandas, or say how to install it."""
    return require("pandas", extra="table", purpose=purpose)


def kind_of(series: Any, what: str) -> str:
    """Return what a column holds: "numbers", "text", "dates", "categories" or "nothing".

    Bools are categories, as those of pandas are; nothing is where all entries are missing. `what`
    names the column in the DataError for values that are none of these.
    """
    if series.isna().all():
        return "nothing"
    if series.dtype.name == "category":
        return "categories"
    found = {"b": "categories", "M": "dates", **dict.fromkeys("iuf", "numbers")}.get(
        series.dtype.kind
    )
    if found is None:
        found = INFERRED.get(pandas().api.types.infer_dtype(series, skipna=True))
    if found is None or (found == "text" and not _all_scalars(series)):
        entry = series.dropna().iloc[0]
        raise DataError(
            f"{what} holds values of type {type(entry).__name__}, which are no numbers, texts or "
            "dates; convert them, or drop the column"
        )
    return found


def _all_scalars(series: Any) -> bool:
    """Whether a column of objects holds texts, numbers and bools alone."""
    if series.dtype.kind != "O":
        return True
    kinds = {type(entry) for entry in series.dropna()}
    return all(issubclass(kind, str | bool | int | float | np.generic) for kind in kinds)


def as_texts(series: Any) -> Texts:
    """Return any column as text: whole numbers without a point, spaces at the ends left out.

    A DataError refuses what is neither text nor a number.
    """
    try:
        codes, entries = pandas().factorize(series.astype(object), use_na_sentinel=True)
    except TypeError as error:  # lists, dictionaries
        raise DataError(f"column {series.name!r} holds what is no text ({error})") from error
    texts = [_as_text(entry) for entry in entries]
    distinct = dict.fromkeys(text for text in texts if text)
    number = {text: k for k, text in enumerate(distinct)}
    renumbered = np.array([*(number.get(text, -1) for text in texts), -1], np.int64)
    return Texts(renumbered[codes], tuple(distinct))


def _as_text(entry: Any) -> str:
    """Return one entry as text."""
    if isinstance(entry, float | np.floating) and entry == np.floor(entry):
        return str(int(entry)) if np.isfinite(entry) else str(entry)
    return str(entry).strip()


def as_numbers(series: Any, what: str) -> NDArray[np.float64]:
    """Return a column as float64 (m,), missing ones NaN.

    Raises
    ------
    DataError
        If an entry is no number, or infinite; the message names the first one.
    """
    if series.dtype.kind in "iufb":
        numbers = np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), np.float64)
    else:
        numbers, stray = parse_numbers(series)
        if stray.any():
            row = int(stray.argmax())
            raise DataError(
                f"{what} holds {str(series.iloc[row])!r:.60} in row {row}, which is no number; "
                "mend it, or leave that cell empty"
            )
    if np.isinf(numbers).any():
        row = int(np.isinf(numbers).argmax())
        raise DataError(f"{what} is infinite in row {row}; write a number, or leave it empty")
    return numbers


def parse_numbers(series: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return texts and objects as float64 (m,), NaN where there is none, and which are strays."""
    objects = series.astype(object)
    missing = np.asarray(objects.isna() | (objects == ""), bool)
    try:
        numbers = pandas().to_numeric(objects.where(~missing, None), errors="coerce")
    except OverflowError:
        raise DataError(
            f"column {series.name!r} holds whole numbers that are too large for float64; convert "
            "them, or drop the column"
        ) from None
    found = np.array(numbers, np.float64)
    return found, np.isnan(found) & ~missing


def date_format(series: Any) -> str | None:
    """Return the first of DATE_FORMATS in which all entries of a column of text are, if any."""
    present = series.dropna().astype(str)
    if not LOOKS_LIKE_DATE.match(present.iloc[0]):
        return None
    for form in DATE_FORMATS:
        if not np.isnat(parse_dates(present, form)).any():
            return form
    return None


def parse_dates(series: Any, form: str) -> Array:
    """Return texts as datetime64[us] (m,), in UTC where they name a zone; NaT where it fails."""
    dates = pandas().to_datetime(series, format=form, errors="coerce", utc=True)
    return np.asarray(dates.dt.tz_localize(None).to_numpy(), "datetime64[us]")


def as_dates(series: Any, form: str, what: str) -> Array:
    """Return a column as datetime64[us] (m,), missing ones NaT; `form` is that of text.

    Raises
    ------
    DataError
        If an entry is no such date; the message names the first one.
    """
    if series.isna().all():
        return np.full(len(series), "NaT", "datetime64[us]")
    if series.dtype.kind == "M":
        zone = getattr(series.dtype, "tz", None)
        plain = series.dt.tz_convert(None) if zone is not None else series
        return np.asarray(plain.to_numpy(), "datetime64[us]")
    dates = parse_dates(series, form)
    wrong = np.isnat(dates) & ~np.asarray(series.isna(), bool)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{what} holds {str(series.iloc[row])!r:.60} in row {row}, which is no date like those "
            "it was trained with; mend it, or leave that cell empty"
        )
    return dates
