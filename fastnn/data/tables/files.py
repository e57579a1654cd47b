"""Files of tables: CSV and Parquet read by pandas, what is none refused in one sentence."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import os
import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fastnn._runtime.optional import require
from fastnn._validation.data_files import existing_file, is_system_error
from fastnn.errors import DataFileError, SettingError

from .values import pandas

__all__ = ["read_frame"]

PARQUET_ENDINGS = (".parquet", ".pq")
#: How packed text is opened, by the ending of the file.
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
LONGEST_LINE = 2**20  # characters of the first line
#: Beginnings of files that are no text, and what to do with them.
OTHER_FORMATS = (
    (b"PK\x03\x04", "is an archive or a workbook; unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "is a workbook of Excel; save the sheet as CSV"),
    (b"\x89HDF", "is an HDF5 file; fastnn.data.load_h5 reads those of the course's layout"),
    (b"PAR1", "is a Parquet file; give it the ending .parquet"),
    (b"\x89PNG", "is a picture and no table"),
    (b"\xff\xd8\xff", "is a picture and no table"),
    (b"%PDF", "is a PDF and no table"),
    (b"SQLite", "is a database; save the table as CSV"),
)
SEPARATORS = (",", ";", "\t", "|")
#: What stands for a missing value besides what pandas knows, and in a column of targets, where
#: None, null and NA may be the name of a class.
MISSING = ("?",)
MISSING_TARGET = ("", "?", "NaN", "nan", "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null")
DECIMAL_COMMA = re.compile(r"[-+]?\d+(,\d+)?")


def read_frame(
    path: str | os.PathLike[str],
    *,
    separator: str | None = None,
    target: str | None = None,
    texts: Sequence[str] = (),
) -> Any:
    """Read a table from a CSV or Parquet file (needs pandas, and pyarrow for Parquet).

    Parameters
    ----------
    path : str or path
        ``.parquet`` and ``.pq`` are Parquet; everything else is text, with a first line of names,
        and may be packed: ``.gz``, ``.bz2``, ``.xz``.
    separator : str, optional
        One character. Without it, the one of ``, ; tab |`` that stands in the first line most
        often. With a semicolon, numbers may have a decimal comma.
    target : str, optional
        A column in which None is a value, and only what is empty, ?, NaN, NA or null is missing.
    texts : sequence of str
        Columns whose numbers are text, zeros in front included.

    Returns
    -------
    DataFrame
        One row for each line.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If the system does not let it be read.
    DataFileError
        If it is no table, has no rows, or has two columns of one name.
    SettingError
        If the separator is not one character.
    MissingExtraError
        If pandas or pyarrow is not installed.
    """
    if separator is not None and (not isinstance(separator, str) or len(separator) != 1):
        raise SettingError(f"separator must be one character, got {separator!r}")
    pandas()
    file = existing_file(path)
    _check_format(file)
    try:
        if file.suffix.lower() in PARQUET_ENDINGS:
            require("pyarrow", extra="table", purpose="reading Parquet files")
            frame = pandas().read_parquet(file, engine="pyarrow")
            names = [str(name) for name in frame.columns]
        else:
            frame, names = _read_csv(file, separator, target, texts)
    except (DataFileError, MemoryError, ImportError):
        raise
    except UnicodeError as error:
        raise DataFileError(
            f"'{file}' is no text in UTF-8; is it a table? Save it as CSV in UTF-8"
        ) from error
    except Exception as error:  # whatever the parsers raise for damaged files
        if isinstance(error, OSError) and is_system_error(error):
            raise
        reason = " ".join(str(error).split())
        raise DataFileError(f"'{file}' cannot be read as a table ({reason:.200})") from error
    _check_table(frame, names, file)
    return frame


def _check_format(file: Path) -> None:
    """Refuse a file that begins as one of other formats does."""
    with open(file, "rb") as stream:
        begin = stream.read(8)
    if not begin:
        raise DataFileError(f"'{file}' is empty; a table has a line of names and some rows")
    if file.suffix.lower() in (*PARQUET_ENDINGS, *OPENERS):
        return
    for magic, told in OTHER_FORMATS:
        if begin.startswith(magic):
            raise DataFileError(f"'{file}' {told}")


def _read_csv(
    file: Path, separator: str | None, target: str | None, texts: Sequence[str]
) -> tuple[Any, list[str]]:
    """Return the frame of a text file, and the names in its first line as they stand there."""
    with OPENERS.get(file.suffix.lower(), open)(file, "rt", encoding="utf-8-sig") as stream:
        line = stream.readline(LONGEST_LINE).rstrip("\r\n")
    if "\0" in line:
        raise DataFileError(f"'{file}' holds bytes that are no text; is it a table?")
    sep = separator or _separator(file, line)
    names = _names(line, sep)
    settings: dict[str, Any] = {
        "sep": sep,
        "encoding": "utf-8-sig",
        "skipinitialspace": True,
        "low_memory": False,
        "dtype": dict.fromkeys((name for name in texts if name in names), str),
        "keep_default_na": True,
        "na_values": list(MISSING),
    }
    frame = _parse(file, settings)
    if sep == ";" and any(_has_decimal_comma(frame[name]) for name in frame.columns):
        frame = _parse(file, {**settings, "decimal": ","})
    if target in frame.columns and frame[target].isna().any():
        own = {**settings, "keep_default_na": False, "na_values": list(MISSING_TARGET)}
        frame[target] = _parse(file, {**own, "usecols": lambda name: name.strip() == target})[
            target
        ]
    return frame, names


def _separator(file: Path, line: str) -> str:
    """Return what separates the names in the first line of a file."""
    if ".tsv" in file.suffixes or ".tab" in file.suffixes:
        return "\t"
    plain = re.sub(r'"[^"]*"', "", line)
    return max(SEPARATORS, key=plain.count)


def _names(line: str, sep: str) -> list[str]:
    """Return the names in the first line of a file."""
    return next(csv.reader([line], delimiter=sep, skipinitialspace=True), [])


def _parse(file: Path, settings: dict[str, Any]) -> Any:
    """Return the frame; a line that is too long is an error, as is one more cell in all lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pandas().errors.DtypeWarning)
        warnings.simplefilter("error", pandas().errors.ParserWarning)
        frame = pandas().read_csv(file, index_col=False, **settings)
    return frame.rename(columns=lambda name: str(name).strip())


def _has_decimal_comma(series: Any) -> bool:
    """Whether a column of text holds numbers with a decimal comma alone."""
    if series.dtype.kind in "iufbM":
        return False
    present = series.dropna()
    matches = (DECIMAL_COMMA.fullmatch(text) for text in present)
    return len(present) > 0 and all(match is not None for match in matches)


def _check_table(frame: Any, names: Sequence[str], file: Path) -> None:
    """Refuse a frame without rows or with names that stand there twice."""
    names = [name.strip() for name in names]
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise DataFileError(
            f"'{file}' has {names.count(twice[0])} columns {twice[0]!r}; rename or remove all but "
            "one of them"
        )
    if not len(frame):
        raise DataFileError(f"'{file}' has a line of names and no rows")
    if names and all(re.fullmatch(r"[-+.\deE]+", name) for name in names):
        raise DataFileError(
            f"'{file}' begins with the numbers {', '.join(names[:5])}; a table begins with a line "
            "that names its columns"
        )
