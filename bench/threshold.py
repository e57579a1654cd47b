"""From what size of a step two threads beat one: python -m bench.threshold.

Nets of growing width, the same fit on one thread and on two in turns, and what starting a team
costs. Where two begin to win is what MIN_FLOPS_PER_STEP in kernels/jitted/execution/entry.py
should say.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

import numpy as np
from fastnn.kernels.jitted.execution import entry
from fastnn.kernels.jitted.threads import team

import fastnn
from fastnn import Network

from . import machine
from .timing import medians

WIDTHS = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
GAIN = 1.1  # less than this is not worth a second core


def fit(net: Network, X: object, y: object, epochs: int, threads: int) -> None:
    """Take `epochs` steps on so many threads, whatever the size."""
    fastnn.set_num_threads(threads)
    net.fit(X, y, epochs=epochs, batch_size=None, progress=False)


def steps(batch: int, seconds: float) -> Iterator[tuple[int, int, float, float]]:
    """Yield (width, multiplications, seconds on one thread, on two) of a step for each width."""
    rng = np.random.default_rng(0)
    for width in WIDTHS:
        X = rng.normal(size=(batch, width)).astype(np.float32)
        y = (X[:, 0] > 0).astype(int)
        net = Network.mlp([width, width, width, 1], output="sigmoid")
        work = 3 * batch * (2 * width * width + width)
        epochs = max(20, 400_000_000 // work)
        calls = {str(n): partial(fit, net, X, y, epochs, n) for n in (1, 2)}
        times = medians(calls, seconds)
        yield width, work, times["1"] / epochs, times["2"] / epochs


def crossover(measured: list[tuple[int, int, float, float]]) -> int | None:
    """Multiplications of the smallest step from which on two threads win by GAIN at every size."""
    found = None
    for _, work, one, two in reversed(measured):
        if one / two < GAIN:
            break
        found = work
    return found


def starting(seconds: float) -> tuple[float, float]:
    """Seconds to start, use and end a team of two, and to wake one that is kept."""
    entry.MIN_FLOPS_PER_STEP = 0
    net = Network.mlp([4, 4, 1], output="sigmoid")
    X = np.zeros((8, 4), np.float32)
    fit(net, X, np.arange(8) % 2, 1, 2)
    predict = partial(net.predict, X)

    def on(threads: int) -> None:
        fastnn.set_num_threads(threads)
        predict()

    times = medians({"alone": partial(on, 1), "started": partial(on, 2)}, seconds)
    with team.keep_team():
        kept = medians({"kept": partial(on, 2)}, seconds)
    return times["started"] - times["alone"], kept["kept"] - times["alone"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="for each width (default 1)")
    parser.add_argument("--batch", type=int, nargs="+", default=[64, 256, 1024])
    chosen = parser.parse_args()
    print(machine.line())
    entry.MIN_FLOPS_PER_STEP = 0
    for batch in chosen.batch:
        print(f"\nbatch {batch}\nwidth  multiplications  1 thread µs  2 threads µs  ratio")
        measured = []
        for width, work, one, two in steps(batch, chosen.seconds):
            measured.append((width, work, one, two))
            print(f"{width:5}  {work:15}  {one * 1e6:11.1f}  {two * 1e6:12.1f}  {one / two:5.2f}")
        print(f"two threads win by {GAIN} from {crossover(measured)} multiplications on")
    start, wake = starting(chosen.seconds)
    print(f"\na team costs {start * 1e6:.0f} µs to start and end, {wake * 1e6:.0f} µs to wake")


if __name__ == "__main__":
    main()
