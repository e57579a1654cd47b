"""fastnn on ranks: the compiled run, plain or with shards."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from fastnn.kernels import sharding
from fastnn.kernels.partition import static_partition
from fastnn.kernels.records import Batch, Examples, FitArrays, FitLog

from fastnn import Adam, Network, kernels
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
            own = static_partition(shards, ranks.rank, ranks.size)
            made = sharding.make_shards(shards, *own, self.program.theta)
            self.reduction = ranks.reduce(made, lambda: False)
            self.shards = made._replace(reduce=self.reduction and self.timed)
        self.reducing = 0.0  # seconds within reductions
        self.costs = np.zeros(0)  # of the steps of the first call

    def timed(self) -> int:
        """Reduce, and add the seconds up."""
        began = time.perf_counter()
        wish: int = self.reduction()
        self.reducing += time.perf_counter() - began
        return wish

    def __call__(self) -> float:
        """Take the steps of a call; return the seconds that they took."""
        began = time.perf_counter()
        costs = self._run()
        seconds = time.perf_counter() - began
        self.costs = self.costs if self.costs.size else costs
        return seconds

    def _run(self) -> Array:
        """Take the steps of a call; return their costs."""
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
        return log.steps[:, 0]
