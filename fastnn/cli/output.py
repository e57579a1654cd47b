"""What commands print and write: lines, a folder, and pictures where matplotlib is installed."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from fastnn._runtime.optional import require
from fastnn.errors import SettingError
from fastnn.saving.atomic_write import find_folder, replace

#: Columns of the labels in front of facts.
LABEL = 10


_silent = False  # whether nothing is printed: another rank prints


def silence() -> None:
    """Let this process print nothing more."""
    global _silent  # noqa: PLW0603 - a setting of the process
    _silent = True


def print_result(line: str) -> None:
    """Print a line of the result, to stdout."""
    if not _silent:
        print(line, flush=True)


def print_fact(label: str, text: str) -> None:
    """Print what a run works on or with: a label, and text that is folded on terminals alone."""
    folded = fold(text, sys.stdout, LABEL).replace("\n", "\n" + LABEL * " ")
    print_result(f"{label:<{LABEL}}{folded}")


def print_note(line: str) -> None:
    """Print a line about the result: to stderr, so that results can be piped on."""
    if not _silent:
        print(line, file=sys.stderr, flush=True)


def fold(text: str, stream: TextIO, indent: int = 0) -> str:
    """Return text in lines that fit where a stream goes, if that is a terminal; else as it is."""
    if not stream.isatty():
        return text
    width = max(40, shutil.get_terminal_size().columns) - indent
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def make_folder(path: Path) -> None:
    """Make the folder for the files, before any work is done that they should hold."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make this folder ({error.strerror}); choose another with --out"
        raise OSError(error.errno, reason, str(path)) from error


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse a file that exists, unless it may be replaced, and a folder that does not."""
    if path.exists() and not overwrite:
        raise SettingError(f"'{path}' exists already; add --overwrite to replace it")
    find_folder(path)


def readable(text: str) -> str:
    """Return text that can be saved and drawn: bytes that are no UTF-8 become �.

    Names of files may hold such bytes, and under an ASCII locale every other letter is one.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("utf-8")


def write_picture(path: Path, size: tuple[float, float], draw: Callable[[Any], object]) -> str:
    """Write what `draw(axes)` draws, `size` inches large; return the line that reports it.

    A picture that fails is a line too, for the work that it shows is done and must not be lost.
    """
    try:
        figures = require("matplotlib.figure", extra="plot", purpose="drawing it")
        figure = figures.Figure(figsize=size, layout="constrained")  # pyplot could open a window
        draw(figure.subplots())
        form = path.suffix[1:] or None
        replace(path, lambda file: figure.savefig(file, dpi=150, format=form), "the picture")
    except Exception as error:
        return f"{path} was not written: {' '.join(str(error).split())}"
    return f"wrote {path}"
