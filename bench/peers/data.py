"""Data of the rows: the real files of $FASTNN_DATA where they are, else noise of their shape."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fastnn

Array = np.ndarray[Any, Any]
Data = tuple[Array, Array]

FEWEST = 100  # points that are drawn, of which a single one is taken
EXTRA_COLUMNS = 0.1  # standard deviation of the columns that a plane's points get beyond two


def folder() -> Path:
    """Where the real files are; a folder that is not there without $FASTNN_DATA."""
    return Path(os.environ.get("FASTNN_DATA") or "no-such-folder")


def images(m: int, n: int, classes: int) -> Data:
    """Return noise with a faint picture of its class: X (m, n) uint8, y (m,)."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, m)
    X = rng.integers(0, 216, (m, n), dtype=np.uint8)
    X += rng.integers(0, 40, (classes, n), dtype=np.uint8)[y]
    return X, y


def _cut(X: Array, y: Array, m: int, n: int) -> Data:
    """The first m examples and n features, contiguous."""
    return np.ascontiguousarray(X[:m, :n]), y[:m]


@cache
def cats(m: int, n: int) -> Data:
    """The course's images, m of 209 and n of 12288 numbers."""
    path = folder() / "train_catvnoncat.h5"
    if not path.is_file() or m > 209 or n > 12288:
        return images(m, n, 2)
    X, y = fastnn.data.load_h5(path)
    return _cut(fastnn.data.flatten_images(X), y, m, n)


@cache
def signs(m: int, n: int) -> Data:
    """Noise of the shape of the course's hand signs, 0…5."""
    return images(m, n, 6)


@cache
def mnist(m: int, n: int) -> Data:
    """MNIST's training images, m of 60000 and n of 784 numbers."""
    names = [
        folder() / "mnist" / f"train-{what}-ubyte.gz" for what in ("images-idx3", "labels-idx1")
    ]
    if not all(name.is_file() for name in names) or m > 60000 or n > 784:
        return images(m, n, 10)
    X, y = fastnn.data.load_idx(*names)
    return _cut(fastnn.data.flatten_images(X), y, m, n)


@cache
def table(m: int, n: int) -> Data:
    """A table of m rows whose seven classes are the largest of seven noisy sums: X float32."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((m, n), dtype=np.float32)
    scores = X @ rng.standard_normal((n, 7), dtype=np.float32)
    scores += rng.standard_normal((m, 7), dtype=np.float32)
    return X, scores.argmax(axis=1)


def _points(points: Callable[..., Data], seed: int, m: int, n: int) -> Data:
    """Points of the plane as float32, with columns of small noise beyond the second."""
    X, y = points(max(m, FEWEST), seed=seed)
    more = EXTRA_COLUMNS * np.random.default_rng(0).standard_normal((len(X), n - 2))
    return _cut(np.hstack([X, more]).astype(np.float32), y, m, n)


@cache
def flower(m: int, n: int) -> Data:
    """The planar lesson's flower."""
    return _points(fastnn.data.flower, 1, m, n)


@cache
def circles(m: int, n: int) -> Data:
    """The initialisation lesson's circles."""
    return _points(fastnn.data.circles, 1, m, n)


@cache
def moons(m: int, n: int) -> Data:
    """The optimisation lesson's moons."""
    return _points(fastnn.data.moons, 3, m, n)
