"""What ranks cost: a step of several beside the same step without adding up: python -m bench.ranks.

Every rank has its own core and as many examples as the others (weak scaling). In turns, within one
launch: the plain compiled run of each rank's own examples, all ranks at once and nobody waiting for
anybody (*apart*); the same on one rank while the others sleep (*single*); the sharded run with as
many shards as ranks, and with 8. A time is that of the slowest rank. Efficiency is apart over
sharded, by the median of all calls and of the fastest tenth; what the ranks' cores take from one
another, as memory and frequency, is single over apart. The time within reductions, which is also
that of waiting for a slower rank, stands beside it. All ranks must have the same parameters.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fastnn.kernels import sharding
from fastnn.kernels.records import Batch, Examples, FitArrays, FitLog

from fastnn import Adam, Network, kernels, set_num_threads
from fastnn.ranks.group import Ranks

Array = np.ndarray[Any, Any]


class Work(NamedTuple):
    """A network, and the examples of a rank in a step."""

    sizes: list[int]
    batch: int
    steps: int  # of a timed call


WORKS = {
    "table": Work([54, 128, 64, 7], 256, 40),
    "mnist": Work([784, 512, 256, 10], 128, 8),
}


class Contender:
    """One network and its arrays; batches of all ranks, or of this rank alone."""

    def __init__(self, work: Work, ranks: Ranks, shards: int) -> None:
        r = np.random.default_rng(0)
        self.steps, batch = work.steps, work.batch * (ranks.size if shards else 1)
        m = batch * 8
        self.net = Network.mlp(work.sizes, output="softmax", rescale=1 / 255)
        self.program, self.kernels = self.net.program, kernels.get("jitted")
        X = r.integers(0, 256, (m, work.sizes[0]), dtype=np.uint8)
        Y = np.eye(work.sizes[-1], dtype=np.float32)[r.integers(0, work.sizes[-1], m)]
        self.train = Batch.of((X, Y, np.ones(m, np.float32)), np.arange(m))
        self.slots = np.zeros((2, self.program.theta.size), np.float32)
        self.settings = self.program.settings(batch_size=batch, threads=1, **Adam().settings)
        rows = -(-batch // shards) if shards else batch
        self.work = self.kernels.workspace(self.program.ops, rows, np.float32, 1, X)
        self.counters = np.zeros(2, np.int64)
        self.shards: Any = None
        self.reduction: Any = None
        if shards:
            own = sharding.bounds(shards, ranks.size, ranks.rank)
            made = sharding.make_shards(shards, *own, self.program.theta)
            self.reduction = ranks.reduce(made, lambda: False)
            self.shards = made._replace(reduce=self.reduction and self.timed)
        self.reducing = 0.0  # seconds within reductions

    def timed(self) -> int:
        """Reduce, and add the seconds up."""
        began = time.perf_counter()
        wish: int = self.reduction()
        self.reducing += time.perf_counter() - began
        return wish

    def __call__(self) -> None:
        """Take the steps of a call."""
        program, n = self.program, self.steps
        arrays = FitArrays(program.theta, program.grad, self.slots, program.state)
        log = FitLog(np.zeros((n, 4)), np.zeros((0, 2)), self.counters)
        rates = np.full(n, 1e-3)
        if self.shards is None:
            X, Y, w, _, _ = self.train
            nothing = Examples(X[:0], Y[:0], w[:0])
            self.kernels.run(
                program.ops, arrays, self.work, self.train, nothing, self.settings, rates, log, 0, n
            )
        else:
            self.kernels.run_sharded(
                program.ops, arrays, self.work, self.train, self.settings, rates, log, 0, n,
                self.shards,
            )  # fmt: skip


def measure(comm: Any, work: Work, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return for each way the seconds of a step, and those of its reduction, of every round."""
    groups = [Ranks(comm), Ranks(comm)]
    apart = Contender(work, groups[0], 0)
    ways = {
        "single": apart, "apart": apart,
        f"{comm.size} shards": Contender(work, groups[0], comm.size),
        "8 shards": Contender(work, groups[1], 8),
    }  # fmt: skip
    for turn in range(comm.size):  # one after the other: what one compiles, the next one finds
        for way in list(ways.values())[:2] if turn == comm.rank else ():
            way()
        comm.Barrier()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 2):
        for name, way in ways.items():
            way.reducing = 0.0
            comm.Barrier()
            began = time.perf_counter()
            if name != "single" or comm.rank == 0:
                way()
            seconds = (time.perf_counter() - began) / work.steps
            while name == "single" and not _all_here(comm):
                time.sleep(1e-3)  # not polling: the core is to be idle
            if number > 1:
                each = comm.allgather((seconds, way.reducing / work.steps))
                found[name].append(max(each))
    check_alike(comm, ways)
    return found


def _all_here(comm: Any, pending: list[Any] = []) -> bool:  # noqa: B006 - the request under way
    """Return whether all ranks have called this, without waiting."""
    if not pending:
        pending.append(comm.Ibarrier())
    if pending[0].Test():
        pending.clear()
        return True
    return False


def check_alike(comm: Any, ways: dict[str, Contender]) -> None:
    """Raise an error unless all ranks have the same parameters."""
    for name, way in ways.items():
        if way.shards is not None:
            digest = hashlib.sha256(way.program.theta.tobytes()).hexdigest()
            if len(set(comm.allgather(digest))) > 1:
                raise AssertionError(f"{name}: ranks have other parameters")


def report(comm: Any, name: str, rounds: int) -> None:
    """Measure a work, and print its row."""
    from mpi4py import MPI

    found = {way: np.array(times) for way, times in measure(comm, WORKS[name], rounds).items()}
    if comm.rank:
        return
    library = MPI.Get_library_version().split(",")[0].split("\n")[0]
    print(f"{name}, {comm.size} ranks, {library}; µs of a step: median (fastest tenth)")
    apart = _typical(found["apart"][:, 0])
    for way, times in found.items():
        median, fast = _typical(times[:, 0])
        line = f"  {way:<10} {median * 1e6:8.0f} ({fast * 1e6:.0f})"
        if way not in ("single", "apart"):
            reducing = _typical(times[:, 1])
            line += f"  efficient {apart[0] / median:.2f} ({apart[1] / fast:.2f})"
            line += f"  reducing {reducing[0] * 1e6:.0f} ({reducing[1] * 1e6:.0f})"
        print(line, flush=True)


def _typical(seconds: Array) -> tuple[float, float]:
    """Return the median of all, and of the fastest tenth."""
    fastest = np.sort(seconds)[: max(1, len(seconds) // 10)]
    return float(np.median(seconds)), float(np.median(fastest))


def main(argv: list[str] | None = None) -> None:
    """Start the ranks, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(WORKS), help="works, separated by commas")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--mpiexec", help="launcher, with options (default: beside this Python)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        from mpi4py import MPI

        set_num_threads(1)
        for name in arguments.rows.split(","):
            report(MPI.COMM_WORLD, name, arguments.rounds)
        return
    beside = Path(sys.prefix, "bin", "mpiexec")
    launcher = (
        arguments.mpiexec or str(beside if beside.exists() else shutil.which("mpiexec"))
    ).split()
    worker = [sys.executable, "-m", "bench.ranks", "--worker", "--rows", arguments.rows]
    rounds = ["--rounds", str(arguments.rounds)]
    subprocess.run([*launcher, "-n", str(arguments.ranks), *worker, *rounds], check=True)


if __name__ == "__main__":
    main()
