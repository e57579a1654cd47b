"""How many threads a large enough run may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

from fastnn._validation import arguments
from fastnn.errors import SettingError

if TYPE_CHECKING:
    from pathlib import Path

#: Environment variables that limit the threads: the first one that is set counts. The last one is
#: that of OpenMP, which joblib sets in its workers.
VARIABLES = ("FASTNN_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")


def _cgroup_cores(folder: Path) -> int | None:
    """Return the cores that a control group (version 2 or 1) grants, rounded up; None: no limit."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        return max(1, -(-int(quota) // int(period))) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return None


@cache
def container_quota(root: str = "/") -> int | None:
    """Return the cores that the process's control groups and those around them grant, or None.

    The files are read once in a process, for that takes longer than a small prediction.
    """
    from pathlib import Path  # only a fit and a prediction need it

    try:
        lines = Path(root, "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    limits = []
    for line in lines:
        controllers, _, place = line.partition(":")[2].partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = Path(root, "sys/fs/cgroup", controllers)
        inside = Path(place.strip("/"))  # in a container often the host's, which is not there
        limits += [_cgroup_cores(top / folder) for folder in (inside, *inside.parents)]
    return min((limit for limit in limits if limit is not None), default=None)


def available_cores() -> int:
    """Return the number of cores that this process may use: affinity, container, -X cpu_count."""
    if hasattr(os, "process_cpu_count"):
        cores = os.process_cpu_count() or 1  # Python 3.13; affinity included
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, container_quota() or cores)


def _named_in_environment() -> int | None:
    """Return the threads that the environment asks for, at most the cores, or None."""
    for name in VARIABLES:
        value = os.environ.get(name, "").split(",")[0].strip()
        if value.isdecimal() and int(value) > 0:
            return min(int(value), available_cores())
    return None


#: The threads that `set_num_threads` was asked for; None: what the environment or the cores say.
_wanted: int | None = None
#: The most threads that this thread or task may use, beside others that do so too; None: all.
_limit: ContextVar[int | None] = ContextVar("fastnn_thread_limit", default=None)


def get_num_threads() -> int:
    """Return how many threads the large enough runs of this process may use together.

    At first the number of cores that the process may use (its affinity, its container's quota), or
    less if the environment says so (FASTNN_NUM_THREADS, NUMBA_NUM_THREADS, OMP_NUM_THREADS).
    """
    limit = _limit.get()
    if limit == 1:
        return 1
    n = wanted_threads() or available_cores()
    return n if limit is None else min(n, limit)


def wanted_threads() -> int | None:
    """Return the threads that `set_num_threads` or the environment asks for, or None."""
    return _named_in_environment() if _wanted is None else _wanted


@contextmanager
def limited(n: int) -> Iterator[None]:
    """Let the runs of this thread or task use at most n threads while a `with` block lasts.

    Threads begun meanwhile know of it if they run in a copy of this context.
    """
    around = _limit.get()
    token = _limit.set(n if around is None else min(n, around))
    try:
        yield
    finally:
        _limit.reset(token)


def set_num_threads(n: int) -> None:
    """Let large enough runs use n threads; results do not depend on it, bit for bit.

    Runs at the same time share the n threads; each has at least its caller's own.

    Raises
    ------
    SettingError
        If n is not a positive whole number.
    """
    global _wanted  # noqa: PLW0603 - a setting of the process
    if arguments.count(n, "n", least=1) > 1024:
        raise SettingError(f"n must be at most 1024 threads, got {n}")
    _wanted = int(n)
