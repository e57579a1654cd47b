"""Fits on an HDF5 file beside PyTorch's DataLoader, and from a cold disk.

    python -m bench.windows_peers [--rows 60000] [--rounds 3]

The loader reads batches as slices of the file in a shuffled order, by 0, 1 and 2 workers; the fit
reads windows of a tenth of the file. Both train 784 → 128 → 10 by Adam in batches of 128; medians
of epochs that take turns. For the cold figures the file is dropped from the system's memory before
each epoch and before each plain reading of it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fastnn._runtime.threads import get_num_threads

from . import machine
from .timing import clock
from .windows import BATCH, SIZES, network, pictures, written

WORKERS = (0, 1, 2)
READ_BYTES = 2**22


class Slices:
    """A data set of PyTorch whose index is a slice; each process opens the file for itself."""

    def __init__(self, path: Path, y: np.ndarray[Any, Any]) -> None:
        self.path, self.y, self.file = path, y, None

    def __getitem__(self, rows: slice) -> tuple[Any, Any]:
        if self.file is None:
            self.file = h5py.File(self.path)
        return self.file["contiguous"][rows], self.y[rows]


class ShuffledSlices:
    """A sampler of batches: slices of the rows in another order in every epoch."""

    def __init__(self, m: int) -> None:
        self.m, self.rng = m, np.random.default_rng(0)

    def __iter__(self) -> Any:
        starts = self.rng.permutation(range(0, self.m, BATCH)).tolist()
        return iter([slice(start, min(start + BATCH, self.m)) for start in starts])

    def __len__(self) -> int:
        return (self.m + BATCH - 1) // BATCH


def torch_epoch(path: Path, y: np.ndarray[Any, Any], workers: int) -> Any:
    """Return a function that trains for an epoch by a DataLoader over the file."""
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(get_num_threads())
    first, second = torch.nn.Linear(*SIZES[:2]), torch.nn.Linear(*SIZES[1:])
    net = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    optimizer, loss = torch.optim.Adam(net.parameters()), torch.nn.CrossEntropyLoss()
    kept = {"persistent_workers": True, "prefetch_factor": 4} if workers else {}
    loader = DataLoader(
        Slices(path, y), sampler=ShuffledSlices(len(y)), batch_size=None, num_workers=workers,
        **kept,
    )  # fmt: skip

    def epoch() -> None:
        for X, labels in loader:
            optimizer.zero_grad()
            loss(net(X.float() / 255), labels).backward()
            optimizer.step()

    return epoch


def fastnn_epoch(rows: h5py.Dataset, y: np.ndarray[Any, Any]) -> Any:
    """Return a function that trains for an epoch in windows of a tenth of the rows."""
    return partial(
        network().fit, rows, y, epochs=1, batch_size=BATCH, progress=False,
        window=rows.nbytes // 10,
    )  # fmt: skip


def beside_loaders(path: Path, y: np.ndarray[Any, Any], rounds: int) -> dict[str, float]:
    """Return the median seconds of an epoch by each way."""
    with h5py.File(path) as file:
        calls = {"windows": fastnn_epoch(file["contiguous"], y)}
        calls |= {f"{n} workers": torch_epoch(path, y, n) for n in WORKERS}
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds + 1):
            for name, call in calls.items():
                times[name].append(clock(call))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def drop(path: Path) -> None:
    """Drop a file from the system's memory, where the system does as it is told."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def read_all(path: Path) -> None:
    """Read a file from its begin to its end."""
    buffer = bytearray(READ_BYTES)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def cold_and_warm(path: Path, y: np.ndarray[Any, Any], rounds: int) -> dict[str, float]:
    """Return the median seconds of reading the file and of an epoch over it, cold and warm."""
    with h5py.File(path) as file:
        fit = fastnn_epoch(file["X"], y)
        fit()
        calls = {"plain read": partial(read_all, path), "epoch": fit}
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, call in calls.items():
                drop(path)
                times.setdefault(f"{name}, cold", []).append(clock(call))
                times.setdefault(f"{name}, warm", []).append(clock(call))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.windows_peers", description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine.line())
    X, y = pictures(options.rows, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        found = beside_loaders(written(Path(folder), X), y, options.rounds)
        for name, seconds in found.items():
            print(f"{name}: {seconds:.2f} s an epoch, {seconds / found['windows']:.1f} × windows")
        path = Path(folder) / "alone.h5"
        with h5py.File(path, "w") as file:
            file["X"] = X
        found = cold_and_warm(path, y, options.rounds)
        for name, seconds in found.items():
            print(f"{name}: {seconds:.3f} s, {X.nbytes / 1e6 / seconds:.0f} MB/s")


if __name__ == "__main__":
    main()
