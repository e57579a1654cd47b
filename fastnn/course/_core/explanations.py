"""What the experiments of `ideas` show, in words: each function turns one result into lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastnn._runtime.text import plural


def slope(result: dict[str, float]) -> Iterator[str]:
    """Say how far f moves."""
    yield f"f(2) = {result['before']:g}, f(2.001) = {result['after']:g}"
    yield f"slope = {result['slope']:.6f}: a step of a moves f three times as far"


def squared_error_against_cross_entropy(result: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Say how many valleys each cost has, and where descent ended."""
    for name, found in result.items():
        valleys = plural(found["minima"], "valley")
        bent = "not convex" if found["curvature"] < -1e-6 else "convex"
        yield (
            f"{name + ':':14} {valleys} along a line ({bent}); descent went from w = -10 to "
            f"w = {found['w']:.2f}, cost {found['cost']:.4f}"
        )


def linear_layers_collapse(result: dict[str, Any]) -> Iterator[str]:
    """Say how far the two nets are apart."""
    yield f"W2 W1 is {result['W'].shape}, W2 b1 + b2 is {result['b'].shape}"
    yield f"largest difference between two linear layers and this one: {result['difference']:.1e}"


def shapes(result: dict[str, tuple[int, int]]) -> Iterator[str]:
    """Give one line to each layer."""
    for layer in range(1, len(result) // 3 + 1):
        yield "  ".join(f"{key}{layer} {result[f'{key}{layer}']!s:8}" for key in "WbZ").rstrip()


def zero_initialization(result: dict[str, dict[str, float]]) -> Iterator[str]:
    """Say whether the hidden units still agree, and what they reached."""
    for name, found in result.items():
        yield (
            f"{name + ':':8} hidden units differ by {found['spread']:7.4f}, "
            f"cost {found['cost']:.6f}"
        )


def parity(result: dict[int, dict[str, int]]) -> Iterator[str]:
    """Give one line to each number of bits."""
    yield "bits  deep units (layers)  one layer of detectors  one layer that counts"
    for n, units in result.items():
        depth = f"{units['deep']} ({units['deep layers']})"
        yield f"{n:4}  {depth:>19}  {units['shallow']:22}  {units['counting']:21}"


def learning_rates(result: dict[float, dict[str, Any]]) -> Iterator[str]:
    """Say where each rate began, ended and what it scores."""
    for rate, found in result.items():
        first, last = found["costs"][0], found["costs"][-1]
        yield (
            f"{rate:<7g} cost {first:.6f} -> {last:.6f} at step {100 * len(found['costs']) - 100}; "
            f"right: {found['train']:.1%} train, {found['test']:.1%} test"
        )
