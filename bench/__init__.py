"""The benchmarks: `pytest bench`, `python -m bench.ratios`, `python -m bench.readme`."""

from __future__ import annotations

import runpy
from pathlib import Path

# Where fastnn is not installed, the tests' import finder makes the bare checkout importable.
runpy.run_path(str(Path(__file__).resolve().parent.parent / "tests" / "conftest.py"))
