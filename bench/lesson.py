"""The lesson's works, those of `fastnn compare`, with their check in two sizes."""

from __future__ import annotations

from fastnn.comparison.workloads import Workload, workloads

from .agreement import agree

FULL, QUICK = workloads(), workloads(quick=True)
NAMES = tuple(work.name.partition(",")[0] for work in FULL)


def check(place: int, backend: str) -> None:
    """Check a backend's results: the quick work's against loops, the full one's by each other."""
    if backend != "loops":
        _same(QUICK[place], backend, "loops")
    if backend == "jitted":
        _same(FULL[place], backend, "vectorized")


def _same(work: Workload, backend: str, other: str) -> None:
    """Check one work's results on a backend against another's."""
    agree(work.name, work.dtype, work.prepare(backend)(), work.prepare(other)())
