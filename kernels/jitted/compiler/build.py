"""Builds packs: all kernels of both dtypes, compiled for a named CPU level, in one file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ..loader import digest, target
from ..loader.manifest import DTYPES
from ..loader.pack import write_pack
from ..loader.source import manifest, no_compiler
from .parallel_compile import available_cores, child_command
from .production import produce


def build_pack(level, folder, processes=None):
    """Compile all kernels for a level in processes of their own; return the Path of its pack.

    level: a name of `loader.target.LEVELS`; folder: a Path, made if it is missing, in which the
    file LEVEL.pack is written in one step; processes: how many compile at the same time, by default
    one for each core.

    Raises
    ------
    ValueError
        If there is no such level, or it is of another machine.
    RuntimeError
        If kernels cannot be compiled here; its text says why.
    """
    known = target.levels_of_machine()
    if level not in known:
        raise ValueError(f"level {level!r} cannot be built here; choose of {', '.join(known)}")
    if reason := no_compiler():
        raise RuntimeError(f"packs cannot be built: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = target.LEVELS[level].target
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:  # helpers end later
        settings = {
            "FASTNN_CACHE_DIR": cache, "FASTNN_KERNELS": "jit", "FASTNN_DEBUG": "",
            "NUMBA_CPU_NAME": chosen.cpu, "NUMBA_CPU_FEATURES": chosen.features,
            "NUMBA_DISABLE_INTEL_SVML": "1",  # other machines may lack that library
        }  # fmt: skip
        command = child_command(
            "build", "compile_and_write", level, os.fspath(folder), processes or available_cores()
        )
        usual = {name: os.environ[name] for name in os.environ.keys() - set(digest.NUMBA_SETTINGS)}
        done = subprocess.run(
            command, env=usual | settings, capture_output=True, text=True, check=False
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RuntimeError(f"the pack of {level} could not be built: {lines[-1]}")
    return folder / f"{level}.pack"


def compile_and_write(level, folder, processes):
    """Compile all kernels for this process's target, which is that of a level; write its pack.

    folder: a path; processes: how many compile at the same time.
    """
    names = [name for dtype in DTYPES for name in manifest().objects(dtype)]
    objects = produce(names, processes)
    about = {
        "level": level,
        "sources": digest.sources(),
        "versions": {name: digest.version(name) for name in digest.COMPILERS},
        "python": sys.version,
    }
    write_pack(Path(folder) / f"{level}.pack", manifest(), objects, about)
