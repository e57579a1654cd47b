"""How fast rows of HDF5 files are read in windows: row sources beside h5py's own slices.

    python -m bench.reading [MB of rows, by default 256] [turns]

One file for each layout, of bytes that pack to about half, in the system's memory after a first
reading. Each turn reads all windows of a tenth of the rows into one buffer, by each way after the
other; ratios are of medians, and what was read is compared before.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from fastnn import row_sources
from fastnn._runtime.threads import get_num_threads

N = 784
CHUNK_ROWS = 256
LAYOUTS = {
    "contiguous": {},
    "chunks": {"chunks": (CHUNK_ROWS, N)},
    "gzip 1": {"chunks": (CHUNK_ROWS, N), "compression": "gzip", "compression_opts": 1},
    "gzip 4": {"chunks": (CHUNK_ROWS, N), "compression": "gzip", "compression_opts": 4},
    "shuffle, gzip 4, float32": {
        "chunks": (CHUNK_ROWS, N), "compression": "gzip", "shuffle": True, "dtype": "f4",
    },
    "lzf": {"chunks": (CHUNK_ROWS, N), "compression": "lzf"},
}  # fmt: skip


def write(path: Path, megabytes: int, dtype: str = "u1", **options: object) -> None:
    """Write rows of that size, three of four numbers zero, as in pictures of ink on paper."""
    rng, m = np.random.default_rng(0), megabytes * 2**20 // (N * np.dtype(dtype).itemsize)
    with h5py.File(path, "w") as file:
        X = file.create_dataset("X", (m, N), dtype, **options)
        for a in range(0, m, CHUNK_ROWS):
            block = rng.integers(0, 256, (min(CHUNK_ROWS, m - a), N))
            X[a : a + CHUNK_ROWS] = block * (rng.random(block.shape) < 0.25)


def clock(read: Callable[[int, int], object], m: int, window: int) -> float:
    """Return the seconds that all windows of m rows take."""
    began = time.perf_counter()
    for a in range(0, m, window):
        read(a, min(a + window, m))
    return time.perf_counter() - began


def measure(path: Path, turns: int) -> tuple[float, float]:
    """Return MB a second of a row source, and h5py's median time over its."""
    with h5py.File(path) as file, row_sources.find(file["X"], "X") as source:
        X, m = file["X"], len(source)
        window = -(-m // 10) // CHUNK_ROWS * CHUNK_ROWS
        buffer = np.empty((window, N), source.dtype)
        ways = {
            "source": lambda a, b: source.read(a, b, buffer[: b - a]),
            "h5py": lambda a, b: X[a:b],
        }
        for a in range(0, m, window):
            b = min(a + window, m)
            ways["source"](a, b)
            np.testing.assert_array_equal(buffer[: b - a], X[a:b])
        took = {name: [] for name in ways}
        for _ in range(turns):
            for name, way in ways.items():
                took[name].append(clock(way, m, window))
        medians = {name: statistics.median(times) for name, times in took.items()}
        return source.nbytes / 1e6 / medians["source"], medians["h5py"] / medians["source"]


def main(arguments: list[str]) -> None:
    """Print a line for each layout."""
    megabytes, turns = ([int(each) for each in arguments] + [256, 5][len(arguments) :])[:2]
    print(f"{megabytes} MB of rows of {N}, windows of a tenth, {get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        for name, options in LAYOUTS.items():
            path = Path(folder, "rows.h5")
            write(path, megabytes, **options)
            packed = path.stat().st_size / 2**20 / megabytes
            speed, ratio = measure(path, turns)
            print(
                f"{name:<26} {packed:4.0%} of the rows' bytes   {speed:7.0f} MB/s   "
                f"h5py's time over it {ratio:5.2f}"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
