"""Measuring: results are checked first, then every contender starts once in every round."""

from __future__ import annotations

import math
import statistics
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..agreement import agree
from .contenders import Contender
from .scripts.work import PREDICTED

PARTS = ("import", "data", "fit", "predict")  # of a process, by its own clock
MEASURES = ("seconds", "cpu", "peak", *PARTS)
Record = Mapping[str, Any]  # of one process


class DisagreementError(AssertionError):
    """A process computed something that it must not; nothing of the run may be printed."""


def prediction(record: Record) -> tuple[float, ...]:
    """Return the numbers that a process predicted, from their bytes."""
    code = {"float32": "f", "float64": "d"}[record["dtype"]]
    return tuple(
        number for (number,) in struct.iter_unpack(code, bytes.fromhex(record["prediction"]))
    )


def bits(record: Record) -> tuple[str, str]:
    """Return the bytes that a process predicted, and those of its trained parameters."""
    return record["prediction"], record["parameters"]


def check(starts: Sequence[Contender], records: Mapping[str, Record]) -> None:
    """Check one record of each contender, by name.

    Kernels that are compiled here give the same bits whether an earlier process has compiled them
    or not; those of a pack are for a CPU level, which may add in another order.

    Raises
    ------
    DisagreementError
        If a prediction is not of ten finite numbers, or bits differ that must not.
    AssertionError
        If predictions of one fastnn differ by more than rounding.
    """
    first: dict[Any, Contender] = {}
    for start in starts:
        numbers = prediction(records[start.name])
        if len(numbers) != PREDICTED or not all(map(math.isfinite, numbers)):
            raise DisagreementError(f"{start.name} predicted {numbers}, not {PREDICTED} numbers")
        if start.library != "fastnn":
            continue
        near = first.setdefault(start.place, start).name
        agree(f"{start.name} and {near}", "float32", [numbers], [prediction(records[near])])
        same = first.setdefault((start.place, start.kernels), start).name
        if bits(records[start.name]) != bits(records[same]):
            raise DisagreementError(f"{start.name} and {same} gave other bits")


def measured(starts: Sequence[Contender], rounds: int) -> dict[str, dict[str, Any]]:
    """Return, by contender, lists of each measure, and its facts; the order rotates by round.

    The first processes are checked and not counted; the warm ones fill their caches.
    """
    _say("checking")
    check(starts, {start.name: start.run() for start in starts})
    found: dict[str, dict[str, Any]] = {
        start.name: {"library": start.library, "facts": start.facts}
        | {measure: [] for measure in MEASURES}
        for start in starts
    }
    for turn in range(rounds):
        _say(f"round {turn + 1} of {rounds}")
        first = turn % len(starts)
        records = {start.name: start.run() for start in (*starts[first:], *starts[:first])}
        check(starts, records)
        for name, record in records.items():
            for measure in MEASURES:
                found[name][measure].append(record.get(measure, math.nan))
    return found


def median(found: Mapping[str, Any], measure: str) -> float:
    """Return the median of a contender's measure."""
    return float(statistics.median(found[measure]))


def _say(text: str) -> None:
    """Tell the user how far it is."""
    print(text, file=sys.stderr, flush=True)
