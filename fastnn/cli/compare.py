"""`fastnn compare`: the lesson of vectorisation as a table and a picture."""

from __future__ import annotations

import argparse

from fastnn import plot
from fastnn.comparison.timing import compare, table

from .output import make_folder, print_note, print_result, write_picture
from .verb import OUT, Verb, option


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table and write the picture."""
    make_folder(arguments.out)
    rows = compare(quick=arguments.quick, note=lambda name: print_note(f"measuring {name} …"))
    print_result(table(rows))
    size = 9.0, 1.3 + 0.72 * len(rows)
    path = arguments.out / "comparison.png"
    print_note(write_picture(path, size, lambda ax: plot.comparison(rows, ax=ax)))
    return 0


VERB = Verb(
    "time loops, NumPy and compiled kernels at the same work",
    run,
    options=(option("--quick", action="store_true", help="smaller arrays"), OUT),
    examples="""\
examples:
  fastnn compare            some 15 seconds; writes fastnn-out/comparison.png
  fastnn compare --quick    smaller arrays, a few seconds

Every result is checked against the loops' before it is timed.
""",
)
