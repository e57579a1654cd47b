"""`fastnn compare`: the lesson of vectorisation as a table and a picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from fastnn import plot
from fastnn.comparison.timing import compare, table

from .output import make_folder, write_picture

Print = Callable[[str], None]


def run(arguments: argparse.Namespace, say: Print, note: Print) -> int:
    """Measure, print the table and write the picture."""
    make_folder(arguments.out)
    rows = compare(quick=arguments.quick, note=lambda name: note(f"measuring {name} …"))
    say(table(rows))
    size = 9.0, 1.3 + 0.72 * len(rows)
    picture = arguments.out / "comparison.png"
    note(write_picture(picture, size, lambda ax: plot.comparison(rows, ax=ax)))
    return 0
