"""The command: start every contender in turns, and report.

Each process starts Python, imports its library, makes 2000 rows of 20 numbers, trains 20→32→16→1
for an epoch by Adam, and predicts ten rows.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from fastnn.saving.atomic_write import write_text

from ..readme import PERFORMANCE, README, replaced
from .contenders import LIBRARIES, Place, contenders, own_place
from .measure import measured
from .report import SHORT, block

BEGIN, END = "<!-- start table: begin -->", "<!-- start table: end -->"


def _pairs(given: Iterable[str], option: str) -> dict[str, Path]:
    """Return paths by name, from texts NAME=PATH."""
    pairs = dict(text.partition("=")[::2] for text in given)
    for name, path in pairs.items():
        if not Path(path).exists() or not path:
            raise ValueError(f"{option} takes NAME=PATH of what exists, not {name}={path}")
    # Not resolved: the Python of an environment is a link to another.
    return {name: Path(path).absolute() for name, path in pairs.items()}


def _places(options: argparse.Namespace) -> tuple[dict[str, Place], dict[str, Place]]:
    """Return where the libraries come from, and the fastnns to compare with."""
    pythons = _pairs(options.python, "--python")
    unknown = sorted(set(pythons) - set(LIBRARIES))
    if unknown:
        raise ValueError(f"there is no library {unknown[0]!r}; there are {', '.join(LIBRARIES)}")
    places = {name: Place(str(path)) for name, path in pythons.items()}
    own = places.get("fastnn", own_place()).python
    against = {
        name: Place(own, path) if path.is_dir() else Place(str(path))
        for name, path in _pairs(options.against, "--against").items()
    }
    return places, against


def _options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.start", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=7, help="processes of each contender")
    parser.add_argument("--only", default="", help="names as in the table, separated by commas")
    parser.add_argument(
        "--python", action="append", default=[], metavar="NAME=PATH",
        help=f"the Python that has one of {', '.join(LIBRARIES)}; this one has it otherwise",
    )  # fmt: skip
    parser.add_argument(
        "--against", action="append", default=[], metavar="NAME=PATH",
        help="another fastnn: its checkout, or a Python that has it",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument(
        "--write", action="store_true", help="put it into README and performance.md"
    )
    options = parser.parse_args()
    if not hasattr(os, "wait4"):
        parser.error("this system has no os.wait4, which tells a process's peak memory")
    if options.rounds < 1:
        parser.error("--rounds is a count from 1")
    try:
        options.places, options.against = _places(options)
    except ValueError as error:
        parser.error(str(error))
    options.error = parser.error
    return options


def main() -> None:
    """Measure, print, and write what is wanted."""
    options = _options()
    if options.write:  # markers missing: say so before measuring
        for page in (README, PERFORMANCE):
            replaced(page.read_text(encoding="utf-8"), "", BEGIN, END)
    with TemporaryDirectory() as caches:
        starts, missing = contenders(options.places, options.against, Path(caches))
        for line in missing:
            print(f"skipped: {line}", file=sys.stderr)
        names = [start.name for start in starts]
        chosen = options.only.split(",") if options.only else names
        if unknown := sorted(set(chosen) - set(names)):
            options.error(f"there is no {unknown[0]!r} to start; there are {', '.join(names)}")
        found = measured([start for start in starts if start.name in chosen], options.rounds)
    if options.json:
        write_text(options.json, json.dumps(found, indent=1), "the measurement")
    print(block(found, options.rounds))
    if options.write:
        for page, content in (
            (README, block(found, options.rounds, SHORT)),
            (PERFORMANCE, block(found, options.rounds)),
        ):
            text = replaced(page.read_text(encoding="utf-8"), content, BEGIN, END)
            write_text(page, text, page.name)


if __name__ == "__main__":
    main()
