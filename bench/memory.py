"""Memory of a fit beyond its data, against what is promised: python -m bench.memory.

Promised: parameters, slots, at most 3 × the parameters, one batch's activations and 8 MB.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from .peers.rows import SLOTS, Row, Task, chosen

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FREE = 8 << 20  # bytes that are promised whatever the network
COPIES = 3  # of the parameters: the gradient, the best weights that a callback keeps, one spare


def resident(peak: bool = False) -> int:
    """Return the process's resident bytes, now or at their peak."""
    name = "VmHWM:" if peak else "VmRSS:"
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


def promised(row: Row) -> int:
    """Return the bytes that a fit of the row may take."""
    parameters = 4 * sum((a + 1) * b for a, b in zip(row.sizes, row.sizes[1:], strict=False))
    slots = SLOTS[type(row.optimizer).__name__] * parameters
    activations = 4 * row.batch_size * sum(row.sizes[1:])
    return parameters + slots + COPIES * parameters + activations + FREE


def used(row: Row) -> int:
    """Return the peak of resident bytes that a network and its fit add."""
    task = Task.of(row)
    settings = {"batch_size": row.batch, "optimizer": row.optimizer, "progress": False}
    # Loads the compiled kernels, which are no data. Tiny: what it frees might be used once more.
    tiny = replace(row, sizes=(2, *(3 for _ in row.sizes[1:-1]), row.sizes[-1]))
    few = np.ascontiguousarray(task.X[:20, :2]), task.y[:20]
    tiny.network().fit(*few, epochs=1, **settings)
    before = resident()
    RESET.write_text("5")  # the peak begins anew: proc(5), clear_refs
    row.network().fit(task.X, task.y, epochs=1, **settings)
    return resident(peak=True) - before


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--rows", default="mnist", help="names of bench.peers' rows")
    options = parser.parse_args()
    if not RESET.exists():
        parser.error("this system has no /proc/self/clear_refs, from which the peak is read")
    rows = [row for row in chosen(options.rows) if not row.predicts]
    if len(rows) > 1:  # what one row freed would be used again by the next, and not be seen
        for row in rows:
            subprocess.run([sys.executable, "-m", "bench.memory", "--rows", row.name], check=True)
        return
    for row in rows:
        have, may = used(row), promised(row)
        print(f"{row.name}: {have / 2**20:.1f} MiB of {may / 2**20:.1f} MiB promised")


if __name__ == "__main__":
    main()
