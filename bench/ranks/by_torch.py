"""PyTorch on ranks: processes of another Python, which take turns with the ranks of fastnn."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from .by_fastnn import Contender, Work


class Torch:
    """PyTorch beside this rank: a process that answers, in one of two ways.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        The ranks; each has its own process.
    python, folder : str
        Which Python, and where processes meet.
    work, apart, shared
        What is trained; contenders whose parameters and examples PyTorch is given.
    """

    def __init__(
        self, comm: Any, python: str, folder: str, work: Work, apart: Contender, shared: Contender
    ) -> None:
        rank, size, steps = comm.rank, comm.size, work.steps
        self.steps = steps
        given = {"layers": np.array(len(work.sizes) - 1), "batch": np.array(work.batch)}
        for name, array in apart.net.parameters.items():  # W1, b1, … before any step
            given[f"{name[0]}{int(name[1:]) - 1}"] = np.array(array)
        for name, one in (("apart", apart), ("shared", shared)):
            X, Y = one.train.X, one.train.Y
            if name == "shared":  # this rank's part of each batch of all
                X, Y = (
                    part.reshape(-1, size, work.batch, part.shape[1])[:, rank] for part in (X, Y)
                )
            given[f"{name}_X"] = X.reshape(-1, work.sizes[0]).astype(np.float32) / np.float32(255)
            given[f"{name}_y"] = Y.reshape(-1, work.sizes[-1]).argmax(axis=1)
        np.savez(f"{folder}/{rank}.npz", **given)
        comm.Barrier()
        script = str(Path(__file__).with_name("torch_rank.py"))
        self.process = subprocess.Popen(
            [python, script, folder, str(rank), str(size)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.version = self._answer()

    def _answer(self) -> Any:
        """Return what the process says next; wait without polling."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("PyTorch's process has ended")
        return json.loads(line)

    def ask(self, name: str) -> tuple[float, list[float], str]:
        """Return the seconds of a call of a way, the costs of its steps, and a digest."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{name} {self.steps}\n")
        self.process.stdin.flush()
        seconds, costs, digest = self._answer()
        return seconds, costs, digest

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class TorchWay:
    """One way of PyTorch, called as a `Contender` is."""

    shards = None

    def __init__(self, torch: Torch, name: str) -> None:
        self.torch, self.name, self.reducing = torch, name, 0.0
        self.costs, self.digest = np.zeros(0), ""

    def __call__(self) -> float:
        """Take the steps of a call; return the seconds that they took."""
        seconds, costs, self.digest = self.torch.ask(self.name)
        self.costs = self.costs if self.costs.size else np.array(costs)
        return seconds
