"""The hosts of ranks: which ranks share one, and how many of its cores each may use."""

from __future__ import annotations

import os
from typing import Any

from fastnn._runtime.threads import available_cores, container_quota


def _cores() -> frozenset[int]:
    """Return the cores that the launcher lets this process use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(available_cores()))


def share_host(comm: Any) -> tuple[int, int]:
    """Return this rank's number among those of its host, and its share of the host's cores.

    The cores of a host are those that any of its ranks may use: launchers bind each to some, or
    none to any.
    """
    from mpi4py import MPI  # whoever has a communicator has it

    local = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        found = local.allgather((_cores(), container_quota()))
        cores = len(frozenset[int]().union(*(own for own, _ in found)))
        cores = min([cores, *(quota for _, quota in found if quota)])
        return local.rank, max(1, cores // local.size)
    finally:
        local.Free()
