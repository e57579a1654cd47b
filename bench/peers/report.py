"""The report: ratios to the fastest peer, as text for the terminal and as a page's block."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata, util
from typing import Any

from fastnn._runtime.versions import cpu

from .contender import REDUCED, precision_of

Records = Mapping[int, Mapping[str, Any]]  # by number of threads, as the workers wrote them
VERSIONS = ("numpy", "numba", "scikit-learn", "torch", "jax", "onnxruntime", "openvino")
KEPT = 0.8  # of a row's ratio that its varied twin must keep


def fastest(
    records: Records, threads: int, place: int, kind: str = "rows", precision: str = "float32"
) -> tuple[str, float]:
    """Return the fastest peer and its seconds; a small net's at this or any lower thread count.

    precision: of its products.
    """
    found = {}
    for count in sorted(records, reverse=True):
        row = records[count][kind][place]
        if count == threads or (row["small"] and count < threads):
            for name, seconds in row["seconds"].items():
                label = name if count == threads else f"{name} ({count} thread)"
                found[label] = seconds
    peers = {
        name: s
        for name, s in found.items()
        if not name.startswith("fastnn") and precision_of(name) == precision
    }
    return min(peers.items(), key=lambda item: item[1], default=("–", float("nan")))


def own_seconds(row: Mapping[str, Any], precision: str = "float32") -> float:
    """Return the seconds of fastnn with products of a precision; NaN where it has none."""
    name = "fastnn" if precision == "float32" else f"fastnn {precision}"
    return float(row["seconds"].get(name, float("nan")))


def ratio(
    records: Records, threads: int, place: int, kind: str = "rows", precision: str = "float32"
) -> float:
    """Return how many times faster than the fastest peer fastnn is; NaN for a refused row."""
    own = own_seconds(records[threads][kind][place], precision)
    return fastest(records, threads, place, kind, precision)[1] / own


def share(records: Records, threads: int, place: int) -> float:
    """Return the share of the roofline that fastnn reaches."""
    row = records[threads]["rows"][place]
    return float(row["least"]) / own_seconds(row)


def refused(records: Records, place: int) -> str | None:
    """Return why a row may not be shown, if so."""
    rows = [records[threads]["rows"][place] for threads in records]
    return next((row["refused"] for row in rows if row["refused"]), None)


def microseconds(seconds: float) -> str:
    """Three digits of a number of µs."""
    value = seconds * 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def conditions(records: Records, rounds: int) -> str:
    """Return machine, versions and how it was measured, in one line."""
    names = [name for name in VERSIONS if util.find_spec(name.replace("scikit-learn", "sklearn"))]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    rates = "; ".join(
        f"{threads}: {record['machine']['flops'] / 1e9:.0f} GFLOP/s, "
        f"{record['machine']['bytes'] / 1e9:.0f} GB/s"
        for threads, record in records.items()
    )
    return (
        f"{cpu()}, {platform.system()}, Python {platform.python_version()}, {versions}; float32; "
        f"medians of {rounds} rounds in which all take turns, after their costs were compared; "
        f"roofline by threads: {rates}; work that the caches hold can move its bytes faster. "
        "Measured by `python -m bench.peers`."
    )


def terminal(records: Records, goals: bool = False) -> str:
    """Lay all rows out as text, every contender with its µs; `goals` adds the wanted ratios."""
    lines = []
    for threads, record in records.items():
        lines.append(f"{threads} thread{'s' if threads > 1 else ''}, µs of a step or a call")
        for place, row in enumerate(record["rows"]):
            lines += _lines(records, threads, place, row, goals)
        lines.append("")
    return "\n".join(lines)


def _lines(
    records: Records, threads: int, place: int, row: Mapping[str, Any], goals: bool
) -> list[str]:
    """A row's line, and its twin's."""
    if row["refused"]:
        return [f"  {row['name']:18} refused: {row['refused']}"]
    value = ratio(records, threads, place)
    text = f"  {row['name']:18} {value:6.2f} ×"
    if goals:
        goal = row["goals"][threads > 1]
        text += f" {'≥' if value >= goal else '<'} {goal:<4g}"
    times = sorted(row["seconds"].items(), key=lambda item: item[1])
    text += f"  {share(records, threads, place):4.0%} of the roofline   "
    lines = [text + ", ".join(f"{name} {microseconds(s)}" for name, s in times)]
    if records[threads]["varied"]:
        lines.append(_twin(records, threads, place, value))
    return lines


def _twin(records: Records, threads: int, place: int, value: float) -> str:
    """The line of a varied twin, with the share of the row's ratio that it keeps."""
    row = records[threads]["varied"][place]
    if row["refused"]:
        return f"    varied refused: {row['refused']}"
    own = ratio(records, threads, place, "varied")
    mark = "" if own >= KEPT * value else f" (less than {KEPT:.0%})"
    return f"    varied {own:.2f} ×, {own / value:.0%} of the row's{mark}: {row['title']}"


def markdown(records: Records, rounds: int) -> str:
    """Return the page's table, refused rows left out, and one line of conditions."""
    heads, marks = ["work"], [":--"]
    for threads in records:
        count = f"{threads} thread{'s' if threads > 1 else ''}"
        heads += [f"fastnn µs, {count}", "fastest peer µs", "ratio", "of roofline"]
        marks += ["--:", ":--", "--:", "--:"]
    lines = [heads, marks]
    first: Sequence[Mapping[str, Any]] = next(iter(records.values()))["rows"]
    for place, row in enumerate(first):
        if refused(records, place):
            continue
        lines.append([f"{row['name']}: {row['title']}"])
        for threads, record in records.items():
            name, seconds = fastest(records, threads, place)
            own = record["rows"][place]["seconds"]["fastnn"]
            lines[-1] += [
                microseconds(own), f"{name} {microseconds(seconds)}",
                f"{ratio(records, threads, place):.2f}", f"{share(records, threads, place):.0%}",
            ]  # fmt: skip
    blocks = [_table(lines), *reduced(records), conditions(records, rounds)]
    return "\n\n".join(blocks)


def _table(lines: Sequence[Sequence[str]]) -> str:
    """Return a table of lines of cells."""
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def reduced(records: Records) -> list[str]:
    """Return the table of rows with products of less than float32, in a list; [] without any."""
    lines = [
        ["work", "threads", "products", "fastnn µs", "of roofline", "fastest peer µs", "ratio",
         "fastnn float32 µs"],
        [":--", "--:", ":--", "--:", "--:", ":--", "--:", "--:"],
    ]  # fmt: skip
    for threads, record in records.items():
        for place, row in enumerate(record["rows"]):
            for precision in REDUCED:
                own = own_seconds(row, precision)
                name, seconds = fastest(records, threads, place, "rows", precision)
                if math.isnan(own) and math.isnan(seconds):
                    continue
                least = row.get("least_of", {}).get(precision, math.nan)
                lines.append([
                    row["name"], str(threads), precision, microseconds(own), f"{least / own:.0%}",
                    f"{name} {microseconds(seconds)}", f"{seconds / own:.2f}",
                    microseconds(own_seconds(row)),
                ])  # fmt: skip
    return [_table(lines).replace("nan%", "–").replace("nan", "–")] if len(lines) > 2 else []
