"""How many threads a large enough run may use."""

from __future__ import annotations

import os

from . import _check
from .errors import SettingError

#: Read in this order when fastnn starts; the last one is everybody's.
VARIABLES = ("FASTNN_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")


def _quota() -> int:
    """Cores that the container's control group grants, rounded up; a large number without one."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        return 10**6 if quota == "max" else max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError):
        return 10**6


def available() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(cores, _quota())


def _initial() -> int:
    """The environment's wish, or every core."""
    for name in VARIABLES:
        wish = os.environ.get(name, "").split(",")[0].strip()
        if wish.isdecimal() and int(wish) > 0:
            return min(int(wish), available())
    return available()


_wanted: int | None = None


def get_num_threads() -> int:
    """Return how many threads a large enough run may use.

    At first the number of cores that the process may use, or less if the environment says so
    (FASTNN_NUM_THREADS, NUMBA_NUM_THREADS, OMP_NUM_THREADS).
    """
    return _initial() if _wanted is None else _wanted


def set_num_threads(n: int) -> None:
    """Let large enough runs use n threads; results do not depend on it, bit for bit.

    Raises
    ------
    SettingError
        If n is not a positive whole number.
    """
    global _wanted  # noqa: PLW0603 - a setting of the process
    if _check.count(n, "n", least=1) > 1024:
        raise SettingError(f"n must be at most 1024 threads, got {n}")
    _wanted = int(n)
