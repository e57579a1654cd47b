"""What the assignments report: costs and shares of right answers, and the lines that tell them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import init_utils
from .arrays import Parameters

Scores = dict[str, dict[str, float]]


def course_file(name: str) -> Path:
    """Return where a file of the course should lie."""
    return Path(os.environ.get("FASTNN_DATA") or "datasets") / name


def accuracy(predictions: ArrayLike, Y: ArrayLike) -> float:
    """Return the share of right predictions.   Both (1, m)."""
    return float(np.mean(np.asarray(predictions) == np.asarray(Y)))


def three_layer_scores(parameters: Parameters, sets: Sequence[Any]) -> dict[str, float]:
    """Return the cost and the shares of right answers of a network of course 2."""
    X, Y, *_ = sets
    a3, _ = init_utils.forward_propagation(X, parameters)
    scores = {"cost": init_utils.compute_loss(a3, Y), "train": accuracy(a3 > 0.5, Y)}
    if len(sets) > 2:
        scores["test"] = accuracy(init_utils.predict_dec(parameters, sets[2]), sets[3])
    return scores


def format_scores(found: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Give one line to each result."""
    width = max(map(len, found)) + 1
    for name, numbers in found.items():
        parts = []
        if "difference" in numbers:
            parts.append(f"difference {numbers['difference']:.3g}")
        if "cost" in numbers:
            parts.append(f"cost {numbers['cost']:.4f}")
        parts += [f"{numbers[part]:.1%} {part}" for part in ("train", "test") if part in numbers]
        yield f"{name + ':':{width}} {', '.join(parts)}"
