"""The benchmarks: `pytest bench`, and modules for `python -m`; README.md says who runs what."""

from __future__ import annotations

import runpy
from pathlib import Path

# Where fastnn is not installed, the tests' import finder makes the bare checkout importable.
runpy.run_path(str(Path(__file__).resolve().parent.parent / "tests" / "conftest.py"))
