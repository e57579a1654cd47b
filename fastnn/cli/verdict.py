"""Whether a training was worth it: no better than always giving one answer, or a cost that rose."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.errors import DivergenceError
from fastnn.history import History
from fastnn.plot._text import format_percent

__all__ = ["explain_divergence", "judge_classes", "judge_cost", "judge_values"]

Array = np.ndarray[Any, Any]


def judge_classes(
    accuracies: tuple[float, float], y: Array, y_test: Array, classes: tuple[str, ...]
) -> str | None:
    """Return what to say of a classifier that is no better than the commonest class; else None.

    accuracies: on the training and on the test examples; y (m,), y_test (m,): their labels.
    """
    common = int(np.bincount(np.asarray(y, np.int64)).argmax())
    shares = [float(np.mean(labels == common)) if len(labels) else 0.0 for labels in (y, y_test)]
    right, tested = accuracies
    if right <= shares[0]:
        return (
            f"The network has learnt nothing yet: always answering '{classes[common]}' would be "
            f"right for {format_percent(shares[0], 2)} of the training examples. Likely causes: a "
            "learning rate that is too high or too low (--learning-rate), too few epochs "
            "(--epochs), too much dropout, L2 or weight decay, or examples that do not tell "
            "their class."
        )
    if len(y_test) and tested <= shares[1]:
        return (
            f"On the test examples this is no better than always answering '{classes[common]}', "
            f"which would be right for {format_percent(shares[1], 2)}. Likely causes: too few "
            "training examples, learnt by heart (--dropout, --l2, --early-stopping), or test "
            "examples of another kind."
        )
    return None


def judge_values(errors: tuple[float, float], y: Array, y_test: Array) -> str | None:
    """Return what to say of a regression that is no better than the mean; else None.

    errors: mean squared errors on the training and on the test examples; y (m,), y_test (m,): their
    targets.
    """
    mean = float(np.mean(y))
    spread = [
        float(np.mean(np.square(part - mean))) if len(part) else np.inf for part in (y, y_test)
    ]
    if errors[0] >= spread[0]:
        return (
            f"The network has learnt nothing yet: always answering the mean, {mean:.4g}, would be "
            "as good. Likely causes: a learning rate that is too high or too low "
            "(--learning-rate), too few epochs (--epochs), targets of very large or very small "
            "size, or features that do not tell the target."
        )
    if errors[1] >= spread[1]:
        return (
            "On the test examples this is no better than always answering the mean of the "
            f"training targets, {mean:.4g}. Likely causes: too few training examples, learnt by "
            "heart (--dropout, --l2, --early-stopping), or test examples of another kind."
        )
    return None


def judge_cost(history: History, learning_rate: float) -> str | None:
    """Return what to say of a cost that ended above where it began; else None."""
    first, last = float(history["cost"][0]), float(history["cost"][-1])
    if last <= first:
        return None
    return (
        f"The cost rose from {first:.4g} to {last:.4g}. Likely cause: a learning rate that is too "
        f"high; try --learning-rate {learning_rate / 10:g}, or --clip-norm 1."
    )


def explain_divergence(error: DivergenceError, learning_rate: float) -> str:
    """Return the sentence about a training that diverged, in words of the command line."""
    after = error.history.epochs
    when = f"after epoch {after}" if after else "in its first epoch"
    return (
        f"the cost exploded {when}: numbers left the range of the dtype, first in layer "
        f"'{error.layer}'. Likely cause: a learning rate that is too high; try --learning-rate "
        f"{learning_rate / 10:g}, or --clip-norm 1"
    )
