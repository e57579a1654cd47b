"""Many networks at once, beside one after the other and JAX's vmap: python -m bench.many.

Each network has a seed and a learning rate of its own. Networks are made outside the clock, and so
are JAX's compilation and its stacked parameters. Bits of `fit_many` are those of `fit`, and JAX's
parameters agree after a few steps, before anything is timed. The order of the examples is that of
the data, the same for all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import fastnn
from fastnn import Adam, Network, data

from .agreement import agree
from .machine import line

NETWORKS, STEPS, FEW = 32, 300, 5


@dataclass(frozen=True)
class Work:
    """Networks of one size on one set of examples."""

    sizes: tuple[int, ...]
    X: np.ndarray
    y: np.ndarray
    batch: int

    def networks(self) -> list[Network]:
        """Return the networks as they begin."""
        output = "sigmoid" if self.sizes[-1] == 1 else "softmax"
        return [Network.mlp(self.sizes, output=output, seed=s) for s in range(NETWORKS)]

    def settings(self, steps: int) -> dict:
        """Return what all fits have in common."""
        batches = -(-len(self.X) // self.batch)
        common = {"batch_size": self.batch, "shuffle": False, "progress": False}
        return {"epochs": max(steps // batches, 1), **common}


def works() -> dict[str, Work]:
    """Return the works by name."""
    circles = data.circles(300, noise=0.05, seed=1)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6400, 54), dtype=np.float32)
    labels = (X @ rng.standard_normal((54, 7))).argmax(1)
    return {
        "circles": Work((2, 10, 5, 1), circles[0].astype(np.float32), circles[1], 300),
        "table": Work((54, 32, 7), X, labels, 64),
    }


RATES = np.geomspace(1e-3, 1e-2, NETWORKS)


def one_by_one(work: Work, nets: list[Network], steps: int) -> None:
    """Fit one network after the other."""
    for net, rate in zip(nets, RATES, strict=True):
        net.fit(work.X, work.y, optimizer=Adam(float(rate)), **work.settings(steps))


def together(work: Work, nets: list[Network], steps: int, threads: int) -> None:
    """Fit all networks at once, on that many threads."""
    fastnn.set_num_threads(threads)
    optimizers = [Adam(float(rate)) for rate in RATES]
    fastnn.fit_many(nets, work.X, work.y, optimizer=optimizers, **work.settings(steps))


def jax_run(work: Work, steps: int) -> Callable[[], list[np.ndarray]] | None:
    """Return a call that trains all networks by JAX, or None without JAX and optax."""
    try:
        import jax
        import optax
        from jax import numpy as jnp
    except ImportError:
        return None
    X, y = jnp.asarray(work.X), jnp.asarray(work.y.astype(np.int32))
    batches, depth = len(work.X) // work.batch, len(work.sizes) - 1

    def cost(parameters, rows, labels):
        for layer, (W, b) in enumerate(parameters):
            rows = rows @ W + b
            rows = jax.nn.relu(rows) if layer < depth - 1 else rows
        if work.sizes[-1] == 1:
            return optax.sigmoid_binary_cross_entropy(rows[:, 0], labels).mean()
        return optax.softmax_cross_entropy_with_integer_labels(rows, labels).mean()

    def train(parameters, rate):
        adam = optax.scale_by_adam()

        def step(carry, k):
            parameters, slots = carry
            taken = (X, y)
            if batches > 1:
                place = k % batches * work.batch
                taken = [jax.lax.dynamic_slice_in_dim(a, place, work.batch) for a in (X, y)]
            update, slots = adam.update(jax.grad(cost)(parameters, *taken), slots)
            return (jax.tree.map(lambda p, d: p - rate * d, parameters, update), slots), None

        return jax.lax.scan(step, (parameters, adam.init(parameters)), jnp.arange(steps))[0][0]

    each = [net.parameters for net in work.networks()]
    stacked = [
        tuple(jnp.stack([p[f"{name}{layer}"] for p in each]) for name in "Wb")
        for layer in range(1, depth + 1)
    ]
    compiled = jax.jit(jax.vmap(train))
    rates = jnp.asarray(RATES, jnp.float32)
    return lambda: jax.block_until_ready(compiled(stacked, rates))


def check(name: str, work: Work) -> None:
    """Refuse to time what does not agree."""
    alone, many = work.networks(), work.networks()
    one_by_one(work, alone, STEPS)
    for threads in (1, 2):
        many = work.networks()
        together(work, many, STEPS, threads)
        for one, other in zip(alone, many, strict=True):
            np.testing.assert_array_equal(one.program.theta, other.program.theta)
            assert one.history == other.history
    few = Work(work.sizes, work.X[: FEW * work.batch], work.y[: FEW * work.batch], work.batch)
    jax = jax_run(few, FEW)
    if jax is not None:
        nets = few.networks()
        one_by_one(few, nets, FEW)
        for layer, (W, b) in enumerate(jax(), start=1):
            for found, letter in ((W, "W"), (b, "b")):
                ours = [np.stack([net.parameters[f"{letter}{layer}"] for net in nets])]
                agree(f"{name} by JAX", "float32", [np.asarray(found)], ours)


def measure(work: Work, threads: int, rounds: int) -> dict[str, float]:
    """Return the median seconds of each way, which take turns."""
    ways: dict[str, Callable] = {"fit, one by one": partial(one_by_one, work, steps=STEPS)}
    for n in sorted({1, threads}):
        ways[f"fit_many, {n} thread{'s' * (n > 1)}"] = partial(
            together, work, steps=STEPS, threads=n
        )
    jax = jax_run(work, STEPS)
    if jax is not None:
        jax()  # compiles
        ways["JAX vmap + scan"] = lambda nets: jax()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            nets = work.networks()
            fastnn.set_num_threads(threads)
            began = time.perf_counter()
            way(nets)
            seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def main() -> None:
    """Check, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.many", description=__doc__)
    parser.add_argument("--threads", type=int, default=1, help="of all ways, by cores")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    print(f"{NETWORKS} networks, {STEPS} steps, float32, {options.threads} cores; {line()}")
    for name, work in works().items():
        check(name, work)
        found = measure(work, options.threads, options.rounds)
        base = found["fit, one by one"]
        print(f"{name}: {list(work.sizes)}, {len(work.X)} rows, batch {work.batch}")
        for way, seconds in found.items():
            per_step = seconds / NETWORKS / STEPS * 1e6
            print(f"  {way:<20} {seconds * 1e3:8.1f} ms  {per_step:6.2f} µs a step  "
                  f"{base / seconds:5.2f} ×")  # fmt: skip


if __name__ == "__main__":
    main()
