"""The report: seconds, memory and sizes by contender, as a table of Markdown."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from fastnn._runtime.threads import available_cores
from fastnn._runtime.versions import cpu

from .measure import median

Found = Mapping[str, Mapping[str, Any]]  # by contender, as measured
MB = 1e6
#: Columns of the whole table; the short one has those that are told twice.
HEADS = {
    "process": "process", "seconds": "s", "least": "least", "ratio": "time ×", "import": "import",
    "fit": "fit", "predict": "predict", "cpu": "CPU s", "peak": "peak MB", "peaks": "peak ×",
    "disk": "on disk MB",
}  # fmt: skip
SHORT = ("process", "seconds", "ratio", "peak", "disk")


def base(found: Found) -> str:
    """Return the contender that ratios are to: the first of fastnn, else the first of all."""
    return next((name for name in found if name.startswith("fastnn")), next(iter(found)))


def _seconds(value: float) -> str:
    """Three digits, but none below milliseconds; nothing for a part that is not there."""
    digits = 3 if value < 0.9995 else 2 if value < 9.995 else 1
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _cells(found: Found, name: str) -> dict[str, str]:
    """Return the row's cells by column."""
    one, to = found[name], found[base(found)]
    cells = {
        measure: _seconds(median(one, measure))
        for measure in ("seconds", "import", "fit", "predict", "cpu")
    }
    return cells | {
        "process": name,
        "least": _seconds(min(one["seconds"])),
        "ratio": f"{median(one, 'seconds') / median(to, 'seconds'):.2f}",
        "peak": f"{median(one, 'peak') / MB:.0f}",
        "peaks": f"{median(one, 'peak') / median(to, 'peak'):.2f}",
        "disk": f"{one['facts']['with_needs'] / MB:.0f}",
    }


def table(found: Found, columns: Sequence[str] = tuple(HEADS)) -> str:
    """Lay the contenders out as a table of Markdown with these columns."""
    lines = [[HEADS[column] for column in columns], [":--", *["--:"] * (len(columns) - 1)]]
    for name in found:
        cells = _cells(found, name)
        lines.append([cells[column] for column in columns])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions(found: Found, rounds: int) -> str:
    """Return what the numbers are, machine and versions, and fastnn's own sizes, in lines."""
    told = {one["library"]: one["facts"] for one in found.values() if one["facts"]["version"]}
    versions = ", ".join(f"{library} {facts['version']}" for library, facts in told.items())
    facts = found[base(found)]["facts"]
    packs = ", ".join(f"{level} {size / MB:.1f} MB" for level, size in facts["packs"].items())
    return (
        f"Medians of {rounds} rounds, each process once in each; ×: times as much as {base(found)}."
        f" {cpu()}, {available_cores()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {versions}. On disk: with all that it needs, bytecode "
        f"apart; fastnn alone {facts['bytes'] / MB:.1f} MB, its packs: {packs or 'none'}. "
        "Measured by `python -m bench.start`."
    )


def block(found: Found, rounds: int, columns: Sequence[str] = tuple(HEADS)) -> str:
    """Return the text that stands between the markers of a page."""
    return f"{table(found, columns)}\n\n{conditions(found, rounds)}"
