"""Launchers of MPI: whether one has started this process as one of several ranks."""

from __future__ import annotations

import os
from typing import Any

from fastnn.errors import SettingError

from .optional import require

#: Variables by which launchers tell a process how many ranks there are, and which it is: Open MPI,
#: MPICH and its kin (Intel, Cray, hydra), Slurm's srun.
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID")


def _number(names: tuple[str, ...], default: int) -> int:
    """Return the number of the first of these variables that is set to one."""
    found = (os.environ.get(name, "") for name in names)
    return next((int(value) for value in found if value.isdecimal()), default)


def is_launched() -> bool:
    """Return whether a launcher has started this process, be it as the only rank."""
    return any(os.environ.get(name, "").isdecimal() for name in (*SIZES, "PMIX_RANK"))


def launched_size() -> int:
    """Return how many ranks the launcher has started: 1 without one, 0 where it does not say."""
    return _number(SIZES, 0 if "PMIX_RANK" in os.environ else 1)


def launched_rank() -> int:
    """Return which of them this process is, counted from 0."""
    return _number(RANKS, 0) if launched_size() != 1 else 0


def world() -> Any:
    """Return MPI's communicator of all ranks, or None where this process stands alone.

    Raises
    ------
    MissingExtraError
        If a launcher has started several ranks, and mpi4py is not installed.
    SettingError
        If the launcher belongs to another MPI than mpi4py's.
    """
    size = launched_size()
    if size == 1:
        return None
    purpose = f"training on the {size or 'several'} ranks that a launcher has started"
    MPI = require("mpi4py.MPI", extra="mpi", purpose=purpose)
    if MPI.COMM_WORLD.size > 1:
        return MPI.COMM_WORLD
    if size == 0:
        return None
    library = " ".join(MPI.Get_library_version().split(",")[0].split()[:3])
    raise SettingError(
        f"the launcher has started {size} ranks, but mpi4py works with {library}, which sees one: "
        "start them by the mpiexec of that library, or in Slurm by srun --mpi=pmix or --mpi=pmi2"
    )
