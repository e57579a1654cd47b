"""Digests of what decides about compiled code: the kernels' sources, versions, the CPU target."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from pathlib import Path

import numpy as np

from ...debug import DEBUG
from . import target

COMPILERS = ("numba", "llvmlite")  # packages by whose versions code differs
#: Settings of Numba that change what code is made; those of the CPU are part of the target.
NUMBA_SETTINGS = ("NUMBA_BOUNDSCHECK", "NUMBA_LOOP_VECTORIZE", "NUMBA_OPT", "NUMBA_SLP_VECTORIZE")


@cache
def sources():
    """Return 20 hexadecimal digits of a SHA-256 digest of all sources in `kernels`."""
    folder = Path(__file__).resolve().parents[2]
    found = hashlib.sha256()
    paths = sorted(folder.rglob("*.py")) or sorted(folder.rglob("*.pyc"))
    for path in paths or [path for path in folder.parents if path.is_file()]:  # a zip archive
        found.update(os.path.relpath(path, folder).encode() + path.read_bytes())
    return found.hexdigest()[:20]


def version(package):
    """Return the version of an installed package, a str, or None; it is not imported."""
    from importlib import metadata  # a pack needs no version, and this imports forty modules

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@cache
def compiled_here():
    """Return the digest, 20 hexadecimal digits, of what decides about code compiled here.

    It covers the sources, the versions of Python, Numba, llvmlite and NumPy, the machine, the CPU
    target, whether Intel's vector functions are called, and whether debug mode is on.
    """
    parts = [sources(), sys.version, platform.machine(), np.__version__, DEBUG]
    parts += [version(package) for package in COMPILERS] + [*target.native(), target.loads_svml()]
    parts += [os.environ.get(name) for name in NUMBA_SETTINGS]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]
