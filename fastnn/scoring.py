"""Scores: metrics of a network's outputs, once or after every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics
from .errors import SettingError
from .history import History, refuse_unknown
from .inputs import labels_of
from .losses import Loss
from .plan import Examples
from .training import CLASSIFYING

if TYPE_CHECKING:
    from .network import Network
    from .prediction import Predictor

Array = np.ndarray[Any, Any]
RUNNING = ("accuracy", "validation_accuracy")  # which the run itself records


def known(names: Sequence[str], output: str | None = None) -> tuple[str, ...]:
    """Return names of metrics, or say which there are, and which suit an output's activation."""
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in metrics.NAMES:
            raise SettingError(
                f"metric {name!r} does not exist; choose from {', '.join(metrics.NAMES)}"
            )
        if metrics.NAMES[name].needs != "values" and output not in (None, "sigmoid", "softmax"):
            values = [other for other, metric in metrics.NAMES.items() if metric.needs == "values"]
            raise SettingError(
                f"metric {name!r} is one of classes, and outputs with activation {output!r} are "
                f"values; choose from {', '.join(values)}, or a sigmoid or softmax output"
            )
    return names


def refuse_unrecorded(
    watchers: Sequence[Any], loss: Loss, names: Sequence[str], validation: Examples | None
) -> None:
    """Refuse a fit whose schedule or callbacks monitor what it will not record.

    Callbacks of the user's own may record more, so where there are any nothing is refused yet.
    """
    if not all(type(watcher).__module__.startswith(f"{__package__}.") for watcher in watchers):
        return
    own = ["cost", "accuracy"] if loss.code in CLASSIFYING else ["cost"]
    recorded = own if validation is None else [*own, *(f"validation_{name}" for name in own)]
    prefix = "" if validation is None else "validation_"
    recorded += [f"{prefix}{name}" for name in names if f"{prefix}{name}" not in RUNNING]
    for watcher in watchers:
        monitor = getattr(watcher, "monitor", None)
        if monitor is not None:
            refuse_unknown(type(watcher).__name__, monitor, recorded)


def scores(network: Predictor, X: Array, Y: Array, names: Sequence[str]) -> dict[str, float]:
    """Return metrics of rows X (m, n) against targets Y (m, K)."""
    found, labels = {}, labels_of(Y, network._loss)
    truth = Y if labels is None else labels
    truth = truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth
    for name in names:
        metric = metrics.NAMES[name]
        if metric.needs == "probabilities":
            p = network.predict_proba(X)
            found[name] = metric.function(truth, p[:, 1] if p.shape[1] == 2 else p)
        else:
            found[name] = metric.function(truth, network.predict(X))
    return found


class Scorer:
    """Records metrics after every epoch, before other callbacks look at the history."""

    def __init__(self, names: Sequence[str], train: Examples, validation: Examples | None) -> None:
        self.names, self.prefix = names, "" if validation is None else "validation_"
        self.examples = validation or train

    def __call__(self, network: Network, history: History) -> None:
        """Record the epoch's scores."""
        found = scores(network, self.examples.X, self.examples.Y, self.names)
        curves = {f"{self.prefix}{name}": [value] for name, value in found.items()}
        for record in (history, network.history):
            record.extend({name: curve for name, curve in curves.items() if name not in RUNNING})
