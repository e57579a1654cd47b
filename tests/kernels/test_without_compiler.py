"""Rooms that a fit needs at run time are imported without Numba and llvmlite."""

import subprocess
import sys
from pathlib import Path

import pytest
from fastnn.kernels import jitted

ROOMS = ("execution", "threads")
FOLDER = Path(jitted.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    for room in ROOMS
    for path in (FOLDER / room).glob("*.py")
)

BLOCKED = """
import importlib, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("numba", "llvmlite"):
            raise ImportError(f"{name} must not be imported here")

sys.meta_path.insert(0, Refuse())
for name in sys.argv[1:]:
    importlib.import_module(f"fastnn.kernels.jitted.{name}")
"""


def run(*names):
    return subprocess.run(
        [sys.executable, "-c", BLOCKED, *names], capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


def test_execution_and_threads_need_no_compiler():
    assert "execution.entry" in MODULES
    found = run(*(name.removesuffix(".__init__") for name in MODULES))
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("name", ["compiler.jit", "backend"])
def test_the_compiler_is_blocked_there(name):
    found = run(name)
    assert "must not be imported here" in found.stderr
