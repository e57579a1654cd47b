"""The roofline: the machine's measured product rate and bandwidth, and a work's share of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import util

import numpy as np

from fastnn import Dense, Network

from ..products import kernel
from ..timing import Call, clock

CUBES = (256, 512, 1024)  # which of them runs fastest differs by library and machine
BUFFER = 64 << 20  # bytes of each stream: more than caches hold
ROUNDS = 7
#: Calls of n × n products by so many threads, and how many products each call takes.
Products = Callable[[int, int, ThreadPoolExecutor], list[tuple[int, Call]]]


@dataclass(frozen=True)
class Machine:
    """Best measured flops and bytes a second at a number of threads."""

    flops: float
    bytes: float
    bfloat16: float = math.nan  # multiplications and additions of bfloat16, of int8
    int8: float = math.nan

    def seconds(self, flops: float, moved: float, precision: str = "float32") -> float:
        """Return the least time that the work can take: arithmetic or traffic, the longer.

        precision: of its products; NaN where their rate is not known.
        """
        rate = self.flops if precision == "float32" else getattr(self, precision)
        return max(flops / rate, moved / self.bytes)


def machine(threads: int) -> Machine:
    """Measure this machine.

    What a CPU has no instruction for it can multiply as float32: that rate is the least limit.
    """
    with ThreadPoolExecutor(threads) as pool:
        flops = _rate(_products, threads, pool)
        rates = [
            _rate(products, threads, pool) for products in (_bfloat16_products, _int8_products)
        ]
        reduced = [rate if math.isnan(rate) else max(rate, flops) for rate in rates]
        return Machine(flops, _bandwidth(threads, pool), *reduced)


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


def _bfloat16_products(n: int, threads: int, pool: ThreadPoolExecutor) -> list[tuple[int, Call]]:
    """Calls of n × n products of bfloat16, where PyTorch is installed."""
    if util.find_spec("torch") is None:
        return []
    import torch

    a, b, c = (torch.ones(n, n, dtype=torch.bfloat16) for _ in range(3))
    return [(1, lambda: torch.mm(a, b, out=c))]


def _int8_products(n: int, threads: int, pool: ThreadPoolExecutor) -> list[tuple[int, Call]]:
    """Calls of n × n products of bytes: a dense layer of a quantised network, by each thread."""
    network = Network([Dense(n)], inputs=n, init="zeros")
    X = np.random.default_rng(0).standard_normal((n, n), dtype=np.float32)
    network.parameters["W1"][...] = X
    quantized = network.quantize(X[:100])
    return [(threads, lambda: list(pool.map(quantized.predict, [X] * threads)))]


def _rate(products: Products, threads: int, pool: ThreadPoolExecutor) -> float:
    """Flops a second of the fastest of some products; NaN where there are none."""
    rates = [
        count * 2 * n**3 / _best(call) for n in CUBES for count, call in products(n, threads, pool)
    ]
    return max(rates, default=math.nan)


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
