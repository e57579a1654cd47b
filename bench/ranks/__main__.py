"""What ranks cost: a step of several beside the same step without adding up: python -m bench.ranks.

Every rank has its own core and as many examples as the others (weak scaling). In turns, within one
launch: the plain compiled run of each rank's own examples, all ranks at once and nobody waiting for
anybody (*apart*); the same on one rank while the others sleep (*single*); the sharded run with as
many shards as ranks, and with 8. A time is that of the slowest rank. Efficiency is apart over
sharded, by the median of all calls and of the fastest tenth; what the ranks' cores take from one
another, as memory and frequency, is single over apart. The time within reductions, which is also
that of waiting for a slower rank, stands beside it. All ranks must have the same parameters.

`--torch PYTHON` names a Python that has PyTorch: each rank starts one of it on its own cores, which
takes turns with the others, apart and by DistributedDataParallel over gloo. Both libraries begin
with the same parameters and see the same examples; costs of their first steps must agree.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import set_num_threads
from fastnn.ranks.group import Ranks

from .by_fastnn import WORKS, Array, Contender, Work
from .by_torch import Torch, TorchWay


def measure(
    comm: Any, work: Work, rounds: int, python: str | None, folder: str
) -> dict[str, list[tuple[float, float]]]:
    """Return for each way the seconds of a step, and those of its reduction, of every round."""
    groups = [Ranks(comm), Ranks(comm)]
    apart, shared = Contender(work, groups[0], 0), Contender(work, groups[0], comm.size)
    ways: dict[str, Any] = {
        "single": apart, "apart": apart, f"{comm.size} shards": shared,
        "8 shards": Contender(work, groups[1], 8),
    }  # fmt: skip
    torch = Torch(comm, python, folder, work, apart, shared) if python else None
    for turn in range(comm.size):  # one after the other: what one compiles, the next one finds
        if turn == comm.rank:
            apart()
        comm.Barrier()
    if torch is not None:
        ways |= {"torch apart": TorchWay(torch, "apart"), "torch DDP": TorchWay(torch, "shared")}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 2):
        for name, way in ways.items():
            way.reducing, seconds = 0.0, 0.0
            comm.Barrier()
            if name != "single" or comm.rank == 0:
                seconds = way() / work.steps
            while not _all_here(comm):
                time.sleep(1e-3)  # not polling: a core that is done is to be idle
            if number > 1:
                each = comm.allgather((seconds, way.reducing / work.steps))
                found[name].append(max(each))
    check_alike(comm, ways)
    if torch is not None:
        check_costs(comm, ways)
        torch.close()
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


def check_costs(comm: Any, ways: dict[str, Any]) -> None:
    """Raise an error unless both libraries have the same costs, and DDP's ranks one network."""
    digests = set(comm.allgather(ways["torch DDP"].digest))
    costs = np.mean(comm.allgather(ways["torch DDP"].costs), axis=0)
    np.testing.assert_allclose(costs, ways[f"{comm.size} shards"].costs, rtol=1e-3)
    np.testing.assert_allclose(ways["torch apart"].costs, ways["apart"].costs, rtol=1e-3)
    if len(digests) > 1:
        raise AssertionError("ranks of DDP have other parameters")


def report(comm: Any, name: str, rounds: int, python: str | None) -> None:
    """Measure a work, and print its row."""
    from mpi4py import MPI

    with tempfile.TemporaryDirectory() as folder:
        measured = measure(comm, WORKS[name], rounds, python, comm.bcast(folder))
        comm.Barrier()
    found = {way: np.array(times) for way, times in measured.items()}
    if comm.rank:
        return
    library = MPI.Get_library_version().split(",")[0].split("\n")[0]
    print(f"{name}, {comm.size} ranks, {library}; µs of a step: median (fastest tenth)")
    for way, times in found.items():
        median, fast = _typical(times[:, 0])
        alone = "torch apart" if way.startswith("torch") else "apart"
        line = f"  {way:<11} {median * 1e6:8.0f} ({fast * 1e6:.0f})"
        if way not in ("single", alone):
            apart = _typical(found[alone][:, 0])
            line += f"  efficient {apart[0] / median:.2f} ({apart[1] / fast:.2f})"
        if times[:, 1].any():
            reducing = _typical(times[:, 1])
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
    parser.add_argument("--torch", metavar="PYTHON", help="a Python that has PyTorch, to compare")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        from mpi4py import MPI

        set_num_threads(1)
        for name in arguments.rows.split(","):
            report(MPI.COMM_WORLD, name, arguments.rounds, arguments.torch)
        return
    beside = Path(sys.prefix, "bin", "mpiexec")
    launcher = (
        arguments.mpiexec or str(beside if beside.exists() else shutil.which("mpiexec"))
    ).split()
    worker = [sys.executable, "-m", "bench.ranks", "--worker", "--rows", arguments.rows]
    rounds = ["--rounds", str(arguments.rounds)]
    rounds += ["--torch", arguments.torch] if arguments.torch else []
    subprocess.run([*launcher, "-n", str(arguments.ranks), *worker, *rounds], check=True)


if __name__ == "__main__":
    main()
