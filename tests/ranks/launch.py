"""Starts programs on ranks, by the mpiexec of the MPI library that mpi4py works with."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: Lets Open MPI start as many ranks as it is asked for, also as root, as in containers.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}  # fmt: skip

#: As in the tests themselves: fits of tests may learn nothing.
WARNINGS = ("error", "ignore:the fit has learnt nothing yet")


def launcher():
    """The path of mpiexec, beside this Python or on the path."""
    beside = Path(sys.prefix, "bin", "mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def skip_without_mpi():
    """Skip a module's tests where ranks cannot be started."""
    if importlib.util.find_spec("mpi4py") is None:
        pytest.skip("mpi4py is not installed", allow_module_level=True)
    if launcher() is None:
        pytest.skip("there is no mpiexec", allow_module_level=True)


def on_ranks(n, *arguments, folder, timeout=400, **environment):
    """Run Python with these arguments on n ranks; return the finished process.

    If they take too long the launcher is asked to end, which ends the ranks.
    """
    python = [sys.executable, *(part for rule in WARNINGS for part in ("-W", rule))]
    command = [launcher(), "-n", str(n), *python, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | OPEN_MPI | environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.terminate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)
