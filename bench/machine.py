"""The machine that timings belong to: processor, threads, system and versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

import fastnn
from fastnn._runtime.threads import available_cores
from fastnn._runtime.versions import cpu


def blas_threads() -> str:
    """Say how many threads NumPy's products may use: their own choice unless the user limits it."""
    wishes = (os.environ.get(name) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"))
    return next((wish for wish in wishes if wish), "default")


def facts() -> dict[str, str | int]:
    """Return, by name, what a timing must be read with and pytest-benchmark does not note."""
    return {
        "processor": cpu(),
        "cores": available_cores(),
        "threads": fastnn.get_num_threads(),
        "blas_threads": blas_threads(),
    }


def line() -> str:
    """Return machine, threads and versions as one line."""
    versions = ", ".join(f"{name} {version(name.lower())}" for name in ("NumPy", "Numba"))
    return (
        f"{cpu()}, {available_cores()} cores, at most {fastnn.get_num_threads()} threads (NumPy's "
        f"products: {blas_threads()}), {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}"
    )


if __name__ == "__main__":
    print(line())
