"""Fits on rows that are read in windows, beside the same fit in memory: python -m bench.windows.

Shares of the speed in memory, by the median of rounds that take turns; files lie in the page cache.
What a window and the order of its pieces cost in accuracy, where rows are sorted by class. What
shuffling costs an epoch of very many short rows in memory.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fastnn import Adam, Network

from . import machine
from .timing import clock

Array = np.ndarray[Any, Any]
SIZES, BATCH = [784, 128, 10], 128


def pictures(m: int, seed: int) -> tuple[Array, Array]:
    """Return m made pictures X (m, 784) of bytes and their classes (m,), which overlap."""
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(0).normal(125, 8, (10, 784))
    y, X = rng.integers(0, 10, m), np.empty((m, 784), np.uint8)
    for i in range(0, m, 10_000):
        part = means[y[i : i + 10_000]]
        part += rng.normal(scale=60, size=part.shape)
        X[i : i + 10_000] = part.clip(0, 255)
    return X, y


def network(seed: int = 0, hidden: int = 128) -> Network:
    """Return the network of all rows."""
    return Network.mlp([784, hidden, 10], output="softmax", rescale=1 / 255, seed=seed)


def written(folder: Path, X: Array) -> Path:
    """Write the data set in two layouts, and return the file."""
    path = folder / "X.h5"
    with h5py.File(path, "w") as file:
        file["contiguous"] = X
        file.create_dataset("gzip", data=X, chunks=(256, 784), compression="gzip")
    return path


def shares(m: int, rounds: int) -> dict[str, float]:
    """Return each layout's speed over that in memory, an epoch in windows of 10 % of the rows."""
    X, y = pictures(m, seed=1)
    with tempfile.TemporaryDirectory() as folder, h5py.File(written(Path(folder), X)) as file:
        rows = {"memory": X, **{name: file[name] for name in file}}
        settings = {"epochs": 1, "batch_size": BATCH, "progress": False, "window": X.nbytes // 10}
        nets = {name: network() for name in rows}
        for name, net in nets.items():  # in the same order all end with the same bits
            net.fit(rows[name], y, shuffle=False, **settings)
            assert np.array_equal(net.program.theta, nets["memory"].program.theta)
        times: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(rounds):
            for name, net in nets.items():
                times[name].append(clock(partial(net.fit, rows[name], y, **settings)))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {name: medians["memory"] / medians[name] for name in medians if name != "memory"}


def accuracies(m: int, seeds: int) -> dict[str, list[float]]:
    """Return test accuracies where rows are sorted by class: shuffled whole, and by windows."""
    X, y = pictures(m, seed=1)
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    test = pictures(10_000, seed=2)
    found: dict[str, list[float]] = {"shuffled whole": [], "windows of 10 %": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.h5"
        with h5py.File(path, "w") as file:
            file["X"] = X
        with h5py.File(path) as file:
            for seed in range(seeds):
                for name, rows in zip(found, (X, file["X"]), strict=True):
                    net = network(seed)
                    net.fit(
                        rows, y, epochs=2, batch_size=BATCH, window=X.nbytes // 10, progress=False
                    )
                    found[name].append(net.evaluate(*test)["accuracy"])
    return found


def shuffling(m: int, rounds: int) -> float:
    """Return how many times as long an epoch of m × 3 takes with shuffling, batches of 4096."""
    rng = np.random.default_rng(0)
    X = rng.random((m, 3), np.float32)
    y = (X.sum(axis=1) > 1.5).astype(np.uint8)
    nets = {shuffle: Network.mlp([3, 16, 1], output="sigmoid") for shuffle in (False, True)}
    calls: dict[bool, Callable[[], object]] = {
        shuffle: partial(
            net.fit, X, y, epochs=1, batch_size=4096, shuffle=shuffle, progress=False,
            optimizer=Adam(1e-3),
        )
        for shuffle, net in nets.items()
    }  # fmt: skip
    times: dict[bool, list[float]] = {shuffle: [] for shuffle in calls}
    for _ in range(rounds + 1):
        for shuffle, call in calls.items():
            times[shuffle].append(clock(call))
    medians = {shuffle: statistics.median(values[1:]) for shuffle, values in times.items()}
    return medians[True] / medians[False]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.windows", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="pictures of a file")
    parser.add_argument("--short-rows", type=int, default=10**7, help="rows of three numbers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=("shares", "sorted", "shuffling"))
    options = parser.parse_args()
    print(machine.line())
    if options.only in (None, "shares"):
        for name, share in shares(options.rows, options.rounds).items():
            print(f"{name}, windows of 10 %: {share:.2f} of the speed in memory")
    if options.only in (None, "sorted"):
        for name, values in accuracies(options.rows // 5, 2).items():
            print(f"sorted by class, {name}: accuracy {' '.join(f'{v:.3f}' for v in values)}")
    if options.only in (None, "shuffling"):
        ratio = shuffling(options.short_rows, options.rounds)
        print(f"{options.short_rows:,} × 3, batches of 4096: {ratio:.2f} × with shuffling")


if __name__ == "__main__":
    main()
