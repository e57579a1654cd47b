"""The contenders: a library, where it comes from, and what it finds when its process starts."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastnn

from ..readme import ROOT

SCRIPTS = Path(__file__).resolve().parent / "scripts"
LIMIT = 600  # seconds that a process may take
#: Environment variables that begin so would change what is measured.
OURS = ("FASTNN_", "JAX_", "NUMBA_", "PYTHON", "XLA_")

#: Script, module and distribution of each library; NumPy's alone is the floor.
LIBRARIES = {
    "NumPy": ("by_numpy", "numpy", "numpy"),
    "fastnn": ("by_fastnn", "fastnn", "fastnn"),
    "scikit-learn": ("by_sklearn", "sklearn", "scikit-learn"),
    "PyTorch": ("by_torch", "torch", "torch"),
    "JAX": ("by_jax", "jax", "jax"),
}
#: How fastnn starts: its FASTNN_KERNELS, and whether an earlier process has filled its cache.
MODES = {"packed": ("pack", False), "warm": ("jit", True), "cold": ("jit", False)}


class BrokenError(RuntimeError):
    """A process failed; its message is what it said."""


@dataclass(frozen=True)
class Place:
    """Where a library comes from: a Python, and a checkout that goes before what it has."""

    python: str = sys.executable
    checkout: Path | None = None

    def environment(self, **variables: str) -> dict[str, str]:
        """Return this process's environment without what would change a measurement."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        path = {"PYTHONPATH": str(self.checkout)} if self.checkout else {}
        return kept | {"JAX_PLATFORMS": "cpu"} | path | variables

    def survey(self, library: str) -> dict[str, Any] | None:
        """Return version and sizes of the library here, or None where it is not installed."""
        command = [self.python, "-P", str(SCRIPTS / "survey.py"), *LIBRARIES[library][1:]]
        (facts,) = _said(command, self.environment())
        return facts


@dataclass
class Contender:
    """A library in a state in which its process may start."""

    name: str
    library: str
    place: Place
    facts: Mapping[str, Any]
    kernels: str | None = None  # FASTNN_KERNELS
    cache: Path | None = None  # that keeps compiled kernels; without one each process has its own

    def run(self) -> dict[str, Any]:
        """Run a process; return its seconds, CPU seconds, peak bytes, and what it says itself."""
        with TemporaryDirectory() as empty:
            variables = {"FASTNN_CACHE_DIR": str(self.cache or empty)}
            if self.kernels:
                variables["FASTNN_KERNELS"] = self.kernels
            script = str(SCRIPTS / f"{LIBRARIES[self.library][0]}.py")
            command = [sys.executable, "-IS", str(SCRIPTS / "launch.py"), self.place.python, script]
            inside, outside = _said(command, self.place.environment(**variables))
        return outside | inside


def _said(command: list[str], environment: Mapping[str, str]) -> list[Any]:
    """Return the Python literals that a command prints, one a line.

    Raises
    ------
    BrokenError
        If it fails.
    """
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if done.returncode:
        raise BrokenError(f"{' '.join(command[-2:])} failed ({done.returncode}):\n{done.stderr}")
    return [ast.literal_eval(line) for line in done.stdout.splitlines()]


def own_place() -> Place:
    """Return this process's fastnn: installed, or the checkout in which the benchmarks lie."""
    bare = Path(fastnn.__file__).parents[1] == ROOT
    return Place(checkout=ROOT if bare else None)


def of_fastnn(title: str, place: Place, caches: Path) -> tuple[list[Contender], list[str]]:
    """Return fastnn's contenders from a place, and lines that say which it cannot have.

    caches: the folder below which the warm one keeps its kernels.
    """
    facts = place.survey("fastnn")
    if facts is None:
        return [], [f"{title}: {place.python} has no fastnn"]
    found = [
        Contender(
            f"{title} {mode}", "fastnn", place, facts, kernels, caches / title if kept else None
        )
        for mode, (kernels, kept) in MODES.items()
        if mode != "packed" or facts["packs"]
    ]
    missing = [] if facts["packs"] else [f"{title} packed: it has no pack of kernels"]
    return found, missing


def contenders(
    places: Mapping[str, Place], against: Mapping[str, Place], caches: Path
) -> tuple[list[Contender], list[str]]:
    """Return all contenders that can start, and a line for each that cannot.

    places: where libraries come from that this Python does not have; against: other fastnns.
    """
    found, missing = [], []
    for library in LIBRARIES:
        if library == "fastnn":
            ours = {"fastnn": places.get("fastnn", own_place())} | dict(against)
            for title, place in ours.items():
                more, without = of_fastnn(title, place, caches)
                found, missing = found + more, missing + without
            continue
        place = places.get(library, Place())
        facts = place.survey(library)
        if facts is None:
            missing.append(f"{library}: {place.python} has no {LIBRARIES[library][1]}")
        else:
            found.append(Contender(library, library, place, facts))
    return found, missing
