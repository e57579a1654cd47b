"""The command: measure the rows, each thread count in a process of its own, and report."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fastnn.saving.atomic_write import write_text

from ..readme import PERFORMANCE, ROOT, replaced
from .measure import KNOWN
from .picture import draw
from .report import Records, markdown, terminal
from .rows import NAMES, chosen
from .worker import measure_apart

BEGIN, END = "<!-- peers table: begin -->", "<!-- peers table: end -->"
PICTURE = ROOT / ".github/docs/_static/peers.svg"


def _options() -> argparse.Namespace:
    """What the user wants."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--rows", default="", help=f"some of {','.join(NAMES)}")
    parser.add_argument("--peers", default="", help=f"some of {','.join(KNOWN)}")
    parser.add_argument("--threads", default="1,2", help="numbers of threads, 1,2")
    parser.add_argument("--rounds", type=int, default=7, help="timings of each contender")
    parser.add_argument("--seconds", type=float, default=0.3, help="about, for each timing")
    parser.add_argument("--varied", action="store_true", help="also twins of slightly other sizes")
    parser.add_argument("--goals", action="store_true", help="show the ratios wanted")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    parser.add_argument("--write", action="store_true", help="put both into performance.md")
    options = parser.parse_args()
    try:
        chosen(options.rows)
        options.counts = sorted({int(count) for count in options.threads.split(",")})
        unknown = sorted(set(filter(None, options.peers.split(","))) - set(KNOWN))
        if unknown:
            raise ValueError(f"there is no peer {unknown[0]!r}; there are {', '.join(KNOWN)}")
    except ValueError as error:
        parser.error(str(error))
    if options.counts[0] < 1 or options.rounds < 1:
        parser.error("--threads and --rounds are counts from 1")
    return options


def main() -> None:
    """Measure, print, and write what is wanted."""
    options = _options()
    if options.write:  # markers missing: say so before measuring
        replaced(PERFORMANCE.read_text(encoding="utf-8"), "", BEGIN, END)
    arguments = [
        f"--rows={options.rows}", f"--peers={options.peers}", f"--rounds={options.rounds}",
        f"--seconds={options.seconds}", *(["--varied"] if options.varied else []),
    ]  # fmt: skip
    records: Records = {count: measure_apart(count, arguments) for count in options.counts}
    if options.json:
        write_text(options.json, json.dumps(records, indent=1), "the measurement")
    print(terminal(records, options.goals))
    table = markdown(records, options.rounds)
    print(table)
    if options.write:
        text = replaced(PERFORMANCE.read_text(encoding="utf-8"), table, BEGIN, END)
        write_text(PERFORMANCE, text, PERFORMANCE.name)
        draw(records, PICTURE)


if __name__ == "__main__":
    main()
