"""Metrics of a network's outputs: their names checked, taken once or after every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fastnn._habits import answers
from fastnn._validation import arguments
from fastnn.errors import FastnnError, SettingError
from fastnn.history import History, check_monitor
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.records import Examples
from fastnn.layers import Layer
from fastnn.lowering.lower import output_activation

from .prepare_data import targets_of
from .state import NetworkState
from .target_scaling import TargetScaling

if TYPE_CHECKING:
    from fastnn.metrics import Metric

Array = np.ndarray[Any, Any]
RUNNING = ("accuracy", "validation_accuracy")  # which the run of a classifier records itself


def check_metric_names(
    names: Sequence[str], output: str | None = None, K: int = 1
) -> tuple[str, ...]:
    """Return names of metrics, or say which there are, and which suit K outputs of an activation.

    Without an activation any name will do.
    """
    names = [names] if isinstance(names, str) else arguments.as_list(names, "metrics", '["f1"]')
    if not names:
        return ()
    from fastnn import metrics  # only a fit that names some needs them

    more = ", or make it by fastnn.metrics.register"
    names = tuple(
        answers.resolve("metric", metrics.name_of(name), metrics.NAMES, more) for name in names
    )
    for name in names:
        values = metrics.NAMES[name].needs == "values"
        others = [other for other, metric in metrics.NAMES.items() if metric.needs == "values"]
        if not values and output not in (None, "sigmoid", "softmax"):
            raise SettingError(
                f"metric {name!r} is one of classes, and outputs with activation {output!r} are "
                f"values; choose from {', '.join(others)}, or a sigmoid or softmax output"
            )
        if not values and name != "accuracy" and output == "sigmoid" and K > 1:
            raise SettingError(
                f"metric {name!r} needs one class for each example, and {K} sigmoids give {K} "
                f"labels; choose from accuracy, {', '.join(others)}, or take it label by label "
                "with fastnn.metrics after the fit"
            )
    return names


def validate_metrics(
    layers: Sequence[Layer], names: Sequence[str], examples: Any, part: str,
    scaling: TargetScaling | None = None,
) -> None:  # fmt: skip
    """Refuse metrics that cannot be taken of these examples, whatever the network predicts.

    Parameters
    ----------
    examples : Examples or StreamedExamples
    part : str
        What the examples are called: ``"training"`` or ``"validation"``.
    scaling : TargetScaling, optional
        That of the examples' targets, where they are z-scores.
    """
    if not names:
        return
    truth, K = _all_truth(examples, output := output_activation(layers), scaling)
    # These probabilities stand for any prediction: a metric that refuses them refuses the labels.
    p = np.full((len(truth), K), 1 / K if output == "softmax" else 0.5)
    for name in names:
        metric = _metric(name, K)
        problem = f"metric {name!r} cannot be taken of the {part} examples"
        try:
            with np.errstate(all="ignore"):  # these predictions are not the network's
                metric.function(truth, _positive(p) if metric.needs == "probabilities" else truth)
        except FastnnError as error:
            raise type(error)(f"{problem}: {error}") from None
        except ArithmeticError:  # of a user's metric, and of perfect or equal predictions alone
            pass
        except Exception as error:  # a user's metric may raise what it likes
            raise SettingError(f"{problem}: {type(error).__name__}: {error}") from error


def validate_monitors(
    watchers: Sequence[Any], classifies: bool, names: Sequence[str], validation: Examples | None
) -> None:
    """Refuse a fit whose schedule or callbacks monitor what it will not record.

    Callbacks of the user's own may record more; where there are any, nothing is refused yet.
    """
    if not all(type(watcher).__module__.startswith("fastnn.") for watcher in watchers):
        return
    own = ["cost", "accuracy"] if classifies else ["cost"]
    recorded = own if validation is None else [*own, *(f"validation_{name}" for name in own)]
    prefix = "" if validation is None else "validation_"
    recorded += [f"{prefix}{name}" for name in names if f"{prefix}{name}" not in recorded]
    for watcher in watchers:
        monitor = getattr(watcher, "monitor", None)
        if monitor is not None:
            check_monitor(type(watcher).__name__, monitor, recorded)


def _metric(name: str, K: int) -> Metric:
    """Return the metric of a name for K outputs: that of class 1, or of more classes the mean."""
    from fastnn import metrics  # only a fit that names some needs them

    if name not in metrics.NAMES:
        raise SettingError(
            f"metric {name!r} was registered where the network was fitted, but not in this "
            "process; call fastnn.metrics.register here too"
        )
    several = K > 2 and f"{name}_macro" in metrics.NAMES
    return metrics.NAMES[f"{name}_macro" if several else name]


def _truth(Y: Array, output: str) -> Array:
    """Return what predictions are compared with: labels (m,), labels (m, K) or values.

    Smoothed and soft targets count as the class that they are nearest to.
    """
    if output == "softmax":
        return np.asarray(Y.argmax(axis=1))
    truth = (Y > 0.5).astype(np.int64) if output == "sigmoid" else Y
    return truth[:, 0] if truth.shape[1] == 1 else truth


def _all_truth(examples: Any, output: str, scaling: TargetScaling | None) -> tuple[Array, int]:
    """Return the truth of all examples, in memory or read in windows, and the number of outputs.

    scaling: that of the examples' targets, where they are z-scores.
    """
    parts = [(examples.Y, examples.w)] if isinstance(examples, Examples) else examples.parts()
    Ys = [Y if scaling is None else scaling.decode(Y) for Y, _ in parts]
    return np.concatenate([_truth(Y, output) for Y in Ys]), Ys[0].shape[1]


def _positive(p: Array) -> Array:
    """Return the probabilities (m,) of class 1 where there are two classes, else all, (m, K)."""
    return p[:, -1] if p.shape[1] <= 2 else p


class Predictor(Protocol):
    """What metrics need of a network."""

    def predict(self, X: Any) -> Array:
        """Return labels or values of rows X (m, n)."""

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities of rows X (m, n)."""


def compute_metrics(
    network: Predictor, layers: Sequence[Layer], examples: Any, names: Sequence[str],
    scaling: TargetScaling | None = None,
) -> dict[str, float]:  # fmt: skip
    """Return metrics of examples, in memory or read in windows, by name.

    layers: of which the last one's activation tells what the outputs are; scaling: that of the
    examples' targets, where they are z-scores.
    """
    if not names:
        return {}
    found = {}
    truth, K = _all_truth(examples, output_activation(layers), scaling)
    for name in names:
        metric = _metric(name, K)
        if metric.needs == "probabilities":
            p = network.predict_proba(examples.X)
            found[name] = metric.function(truth, _positive(p))
        else:
            found[name] = metric.function(truth, network.predict(examples.X))
    return found


def examples_with(state: NetworkState, rows: Any, y: Any) -> Any:
    """Return the examples of rows (m, n) and targets y, each of weight 1, to score them.

    rows: those in memory are of the network's number of features; else they are read in windows.
    """
    if isinstance(rows, np.ndarray | SparseRows):
        X = arguments.finite_examples(rows, rows.shape[1])
        arguments.check_representable(X, state.dtype)
        Y = targets_of(state, y, len(X))
        return Examples(X, Y, np.ones(len(X), state.dtype))
    from .windows.examples import StreamedExamples  # what is read needs them
    from .windows.targets import Targets

    return StreamedExamples(rows, Targets(y, (None, None), rows.shape[0], state))


def evaluate(
    network: Predictor, state: NetworkState, examples: Any, names: Sequence[str],
    score: Callable[[Any], tuple[float, float]],
) -> dict[str, float]:  # fmt: skip
    """Return the cost of examples, for classes their accuracy, and metrics: a fit's and names.

    score: returns (cost, share of right examples); errors are those of `Network.evaluate`.
    """
    scaling = state.target_scaling
    validate_metrics(state.layers, names, examples, "given", scaling)
    cost, accuracy = score(examples)
    found = {"cost": cost} | ({"accuracy": accuracy} if state.classifies else {})
    wanted = [*dict.fromkeys((*state.metrics, *names))]
    return found | compute_metrics(network, state.layers, examples, wanted, scaling)


class MetricRecorder:
    """Records metrics after every epoch, before other callbacks look at the history."""

    def __init__(
        self,
        state: NetworkState,
        names: Sequence[str],
        train: Any,
        validation: Any,
    ) -> None:
        self.state, self.names = state, names
        self.prefix = "" if validation is None else "validation_"
        self.examples = validation or train

    @property
    def calls_users(self) -> bool:
        """Whether a metric is a function that a user registered."""
        from fastnn.metrics.registration import REGISTERED  # only a fit with metrics needs it

        return not REGISTERED.keys().isdisjoint(self.names)

    def __call__(self, network: Predictor, history: History) -> None:
        """Record the epoch's metrics."""
        state = self.state
        found = compute_metrics(
            network, state.layers, self.examples, self.names, state.target_scaling
        )
        curves = {f"{self.prefix}{name}": [value] for name, value in found.items()}
        own = RUNNING if self.state.classifies else ()
        for record in (history, self.state.history):
            record.extend({name: curve for name, curve in curves.items() if name not in own})
