"""The works that the lesson times: products, scaling, layers and training, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from fastnn import kernels
from fastnn._runtime.backend import backend
from fastnn.data import digits, flatten_images
from fastnn.kernels.op_registry import Sample
from fastnn.network import Network


@dataclass(frozen=True)
class Workload:
    """Something to be timed: `prepare` returns a call that does it anew on a backend's kernels.

    The call returns its results as arrays; they are compared before anything is timed.
    """

    name: str
    dtype: str
    prepare: Callable[[str], Callable[[], Sequence[Any]]]


def workloads(*, quick: bool = False) -> tuple[Workload, ...]:
    """Return the lesson's works; quick ones are smaller, so that the loops take a second in all."""
    n, m = (100_000, 10_000) if quick else (1_000_000, 100_000)
    side, images = (16, 50) if quick else (64, 209)
    pixels = side * side * 3
    batch, n_in, n_out = (32, 64, 16) if quick else (128, 256, 64)
    examples = 200 if quick else 1437
    dense = partial(Sample, m=batch, n_in=n_in, n_out=n_out, dtype="float32")
    return (
        Workload(f"dot, {n:,} elements", "float64", partial(_dot, n)),
        Workload(f"standardize, {m:,} × 10", "float64", partial(_standardize, m)),
        Workload(
            f"logistic cost and gradient, {images} images of {pixels:,} pixels",
            "float32",
            partial(_logistic_gradient, pixels, images),
        ),
        Workload(f"dense forward, {batch}×{n_in}→{n_out}", "float32", partial(_forward, dense)),
        Workload(f"dense backward, {batch}×{n_in}→{n_out}", "float32", partial(_backward, dense)),
        Workload(
            f"one epoch of a 64-64-10 net, {examples:,} digits",
            "float32",
            partial(_epoch, examples),
        ),
    )


@lru_cache(maxsize=1)
def _vectors(n: int) -> Any:
    """Return two vectors (2, n) that all backends share: copies would not stay in the caches."""
    return np.random.default_rng(0).random((2, n))


def _dot(n: int, name: str) -> Callable[[], Sequence[Any]]:
    x, y = _vectors(n)
    kernel = kernels.get(name).dot
    return lambda: [kernel(x, y)]


def _standardize(m: int, name: str) -> Callable[[], Sequence[Any]]:
    sample = Sample(m=m, n_in=10)
    X, A = sample.real(m, 10), sample.out(m, 10)
    shift, factor, kernel = X.mean(axis=0), 1 / X.std(axis=0), kernels.get(name).standardize

    def call() -> Sequence[Any]:
        kernel(X, shift, factor, 0.0, A)
        return [A]

    return call


def _forward(sampled: Callable[[], Sample], name: str) -> Callable[[], Sequence[Any]]:
    s = sampled()
    X, W, b, Z = s.real(s.m, s.n_in), s.real(s.n_in, s.n_out), s.real(s.n_out), s.out(s.m, s.n_out)
    kernel = kernels.get(name).dense_forward

    def call() -> Sequence[Any]:
        kernel(X, W, b, Z)
        return [Z]

    return call


def _backward(sampled: Callable[[], Sample], name: str) -> Callable[[], Sequence[Any]]:
    s = sampled()
    X, W, dZ = s.real(s.m, s.n_in), s.real(s.n_in, s.n_out), s.real(s.m, s.n_out)
    outputs = s.out(s.m, s.n_in), s.out(s.n_in, s.n_out), s.out(s.n_out)
    kernel = kernels.get(name).dense_backward

    def call() -> Sequence[Any]:
        kernel(X, W, dZ, *outputs)
        return outputs

    return call


def _logistic_gradient(pixels: int, images: int, name: str) -> Callable[[], Sequence[Any]]:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (images, pixels), dtype=np.uint8)
    y = rng.integers(0, 2, images)
    net = Network.mlp([pixels, 1], output="sigmoid", rescale=1 / 255, init="small")

    def call() -> Sequence[Any]:
        with backend(name):
            cost, gradients = net.cost_and_gradients(X, y)
        return [cost, *gradients.values()]

    return call


def _epoch(examples: int, name: str) -> Callable[[], Sequence[Any]]:
    X, y = digits()
    X, y = flatten_images(X)[:examples], y[:examples]
    fresh = Network.mlp([64, 64, 10], output="softmax", rescale=1 / 16)

    def call() -> Sequence[Any]:
        net = fresh.copy()
        with backend(name):
            history = net.fit(X, y, epochs=1, progress=False)
        return [history["cost"], *net.parameters.values()]

    return call
