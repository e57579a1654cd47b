"""The benchmarks: `pytest bench`, and modules for `python -m`.

`bench.peers` and `bench.products` time other libraries beside fastnn, `bench.ratios` and
`bench.readme` its backends beside each other; `bench.memory` measures a fit's memory.
"""

from __future__ import annotations

import runpy
from pathlib import Path

# Where fastnn is not installed, the tests' import finder makes the bare checkout importable.
runpy.run_path(str(Path(__file__).resolve().parent.parent / "tests" / "conftest.py"))
