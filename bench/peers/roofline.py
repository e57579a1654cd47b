"""The roofline: the machine's measured product rate and bandwidth, and a work's share of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import util

import numpy as np

from ..products import kernel
from ..timing import Call, clock

CUBES = (256, 512, 1024)  # which of them runs fastest differs by library and machine
BUFFER = 64 << 20  # bytes of each stream: more than caches hold
ROUNDS = 7


@dataclass(frozen=True)
class Machine:
    """Best measured flops and bytes a second at a number of threads."""

    flops: float
    bytes: float

    def seconds(self, flops: float, moved: float) -> float:
        """Return the least time that the work can take: arithmetic or traffic, the longer."""
        return max(flops / self.flops, moved / self.bytes)


def machine(threads: int) -> Machine:
    """Measure this machine."""
    with ThreadPoolExecutor(threads) as pool:
        return Machine(_product_rate(threads, pool), _bandwidth(threads, pool))


def _best(call: Call) -> float:
    """The least seconds of some calls, for the machine's limit is wanted."""
    call()
    return min(clock(call) for _ in range(ROUNDS))


def _products(n: int, threads: int, pool: ThreadPoolExecutor) -> list[tuple[int, Call]]:
    """Calls of n × n products of float32 by everything that is installed, and how many each takes.

    Libraries share one product among their own threads; ours, which is one thread's, is called by
    all at once.
    """
    A = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    B, C = A.T.copy(), np.empty_like(A)
    calls: list[tuple[int, Call]] = [(1, lambda: np.matmul(A, B, out=C))]
    if util.find_spec("torch") is not None:
        import torch

        a, b, c = map(torch.from_numpy, (A, B, C))
        calls.append((1, lambda: torch.mm(a, b, out=c)))
    if (product := kernel()) is not None:
        results = [np.empty_like(A) for _ in range(threads)]
        calls.append((threads, lambda: list(pool.map(partial(product, A, B), results))))
    return calls


def _product_rate(threads: int, pool: ThreadPoolExecutor) -> float:
    """Flops a second of the fastest product."""
    return max(
        count * 2 * n**3 / _best(call) for n in CUBES for count, call in _products(n, threads, pool)
    )


def _bandwidth(threads: int, pool: ThreadPoolExecutor) -> float:
    """Bytes a second of the faster of reading and copying, all threads together."""
    parts = [np.ones(BUFFER // 4, np.float32) for _ in range(threads)]
    others = [np.zeros_like(part) for part in parts]

    def read(i: int) -> None:
        parts[i].dot(parts[i])

    def copy(i: int) -> None:
        np.copyto(others[i], parts[i])

    return max(
        threads * streams * BUFFER / _best(lambda work=work: list(pool.map(work, range(threads))))
        for work, streams in ((read, 1), (copy, 2))
    )
