"""The worker: measures rows in a process of its own, born with its number of threads.

Libraries read that number when they are imported, and some cannot change it afterwards. The
affinity bounds those that read nothing: JAX sizes its pools by the cores that it may use.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

VARIABLES = (
    "FASTNN_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
ROOT = Path(__file__).resolve().parent.parent.parent
SINGLE = "--xla_cpu_multi_thread_eigen=false"


def environment(threads: int) -> dict[str, str]:
    """Return this process's environment with that many threads for every library."""
    flags = os.environ.get("XLA_FLAGS", "")
    own = {"XLA_FLAGS": f"{flags} {SINGLE}".strip()} if threads == 1 else {}
    return os.environ | dict.fromkeys(VARIABLES, str(threads)) | own


def measure_apart(threads: int, arguments: Sequence[str]) -> dict[str, Any]:
    """Run a worker on that many cores and return its records.

    Raises
    ------
    RuntimeError
        If it fails; what it said stands on the screen.
    """
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    with TemporaryDirectory() as folder:
        out = Path(folder) / "records.json"
        command = [sys.executable, "-m", __name__, str(threads), str(out), *arguments]
        try:
            if mine:  # a child inherits it, threads of its imports included
                os.sched_setaffinity(0, sorted(mine)[:threads])
            child = subprocess.Popen(command, cwd=ROOT, env=environment(threads))
        finally:
            if mine:
                os.sched_setaffinity(0, mine)
        if child.wait():
            raise RuntimeError(f"the measurement at {threads} threads failed ({child.returncode})")
        records: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return records


def main() -> None:
    """Measure the rows of the command line and write their records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("threads", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", default="")
    parser.add_argument("--peers", default="")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--varied", action="store_true")
    options = parser.parse_args()

    from .measure import KNOWN, Effort, contenders, measured
    from .roofline import machine
    from .rows import chosen

    wanted = [name for name in options.peers.split(",") if name] or [*KNOWN]
    kinds = contenders(wanted)
    for name, (_, _, package) in KNOWN.items():
        if name in wanted and name not in kinds:
            print(f"{name} is left out: {package} is not installed", file=sys.stderr)
    if any(name.startswith("PyTorch") for name in kinds):
        import torch

        torch.set_num_threads(options.threads)
    limit, effort = machine(options.threads), Effort(options.rounds, options.seconds)
    records: dict[str, Any] = {"machine": asdict(limit), "rows": [], "varied": []}
    for row in chosen(options.rows):
        print(f"{options.threads} threads: {row.name}", file=sys.stderr, flush=True)
        records["rows"].append(measured(row, kinds, effort, limit))
        if options.varied:
            records["varied"].append(measured(row.varied(), kinds, effort, limit))
    options.out.write_text(json.dumps(records), encoding="utf-8")


if __name__ == "__main__":
    main()
