"""Settings: the parameters of a perceptron, checked, as `Network` and `Network.fit` take them.

`fit` and `partial_fit` hand on the same ones; what one of them cannot honour it refuses by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from fastnn import activations, losses
from fastnn._habits import answers
from fastnn._habits.synonyms import CROSS_ENTROPY
from fastnn._validation import arguments

from ..callbacks import TimeLimit
from ..errors import SettingError
from ..losses import Loss
from .parameters import Parameters
from .solvers import make_optimizer, make_schedule
from .stopping import Patience

MONITORS = (None, "cost", "accuracy", "validation_cost", "validation_accuracy")


def _as_list_or_none(value: Any) -> list[Any] | None:
    """Return the entries of a sequence, which text is not; None where there is one value alone."""
    several = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
    return list(value) if several else None


class HiddenLayers(NamedTuple):
    """The units, the activation by our name and the dropout rate of each hidden layer."""

    units: list[int]
    activations: list[str]
    dropout: list[float]


def parse_hidden_layers(given: Parameters) -> HiddenLayers:
    """Return what `hidden_layer_sizes`, `activation` and `dropout` say of each hidden layer."""
    sizes = _as_list_or_none(given.hidden_layer_sizes)
    sizes = [given.hidden_layer_sizes] if sizes is None else sizes
    units = [arguments.count(n, "hidden_layer_sizes", least=1) for n in sizes]
    names = _one_for_each(given, "activation", len(units))
    names = [activations.resolve(name) for name in names]
    rates = _one_for_each(given, "dropout", len(units))
    return HiddenLayers(
        units,
        [str(name) for name in names],
        [arguments.fraction(rate, "dropout") for rate in rates],
    )


def _one_for_each(given: Parameters, name: str, n: int) -> list[Any]:
    """Return n values of a parameter that has one for all hidden layers, or one for each."""
    value = getattr(given, name)
    values = _as_list_or_none(value)
    if values is not None and len(values) != n:
        raise SettingError(
            f"{name} must be one value, or {n}, one for each hidden layer, got {value!r}"
        )
    return [value] * n if values is None else values


def parse_loss(given: Parameters) -> Loss | None:
    """Return the loss, or None for the partner of the output's activation."""
    loss = given.loss
    if isinstance(loss, str) and loss in losses.REGISTERED:
        return losses.REGISTERED[loss]
    if isinstance(loss, str) and answers.fold(loss) in CROSS_ENTROPY and is_classifier(given):
        return None
    if isinstance(loss, str):
        known = (*losses.NAMES, *losses.REGISTERED)
        return losses.named(answers.resolve("loss", loss, known, losses.MAKING))
    if loss is not None and not isinstance(loss, Loss):
        raise SettingError(
            f"loss must be one of {', '.join([*losses.NAMES, *losses.REGISTERED])}, or of "
            f"fastnn.losses, got {loss!r}; it is MLPRegressor's first argument, as in "
            "scikit-learn: give hidden_layer_sizes by its name"
        )
    return loss


def check_loss_fits(given: Parameters, output: str) -> None:
    """Refuse a loss that does not work with the output's activation."""
    loss = parse_loss(given)
    if loss is not None and loss.needs and output not in loss.needs:
        raise SettingError(
            f"loss {loss.name!r} needs a {' or '.join(loss.needs)} output, but for this y that of "
            f"{type(given).__name__} is {output}; leave loss out, or choose another one"
        )


def parse_scale_target(given: Parameters, output: str) -> bool:
    """Return whether the network learns z-scores of targets for outputs of that activation."""
    asked = getattr(given, "scale_target", False)  # which classifiers do not have
    if isinstance(asked, str) and asked == "auto":
        loss = parse_loss(given)
        values = loss is None or loss.check_targets is arguments.real_targets
        return given.scale is not None and output == "identity" and values
    return arguments.flag(asked, "scale_target")


def describe_network(given: Parameters, hidden: HiddenLayers) -> dict[str, Any]:
    """Return the parameters that describe a network, so that equal ones mean an equal network."""
    if given.scale not in (None, "standard", "robust"):
        raise SettingError(f"scale must be 'standard', 'robust' or None, got {given.scale!r}")
    return {
        "loss": parse_loss(given),
        "hidden_layer_sizes": hidden.units,
        "activation": _one_if_equal(hidden.activations),
        "dropout": _one_if_equal(hidden.dropout),
        "batch_norm": arguments.flag(given.batch_norm, "batch_norm"),
        "scale": given.scale,
        "scale_target": getattr(given, "scale_target", False),
        "dtype": None if given.dtype is None else arguments.dtype(given.dtype).name,
        "n_networks": arguments.count(given.n_networks, "n_networks", least=1),
        "precision": arguments.precision(given.precision, np.dtype("float32")),
    }


def _one_if_equal(values: list[Any]) -> list[Any]:
    """Return the first of some values alone where all are equal, else all of them."""
    return values[:1] if len(set(values)) == 1 else values


def check_unchanged(given: Parameters, before: dict[str, Any], dtype: str, call: str) -> None:
    """Refuse to go on with a network of a dtype where what describes it has changed since."""
    now = describe_network(given, parse_hidden_layers(given))
    # Pickles of 0.1 lack what was added since; their networks learnt y as it is.
    added = {"n_networks": 1, "scale_target": now["scale_target"], "precision": "float32"}
    before = added | before
    changed = [name for name in now if now[name] != before[name]]
    if now["dtype"] == dtype and "dtype" in changed:  # which is said now and was X's before
        changed.remove("dtype")
    if changed:
        raise SettingError(
            f"{call} goes on with the network of the fit before, but {', '.join(changed)} changed "
            "since; set what changed back, or begin anew by fit with warm_start=False"
        )


def check_partial_fit(given: Parameters) -> None:
    """Refuse what a single epoch over some of the rows cannot honour."""
    if arguments.flag(given.early_stopping, "early_stopping"):
        raise SettingError(
            "partial_fit does not support early_stopping=True, for it holds out no rows; set it to "
            "False, or call fit"
        )
    if given.monitor is not None:
        raise SettingError(
            f"partial_fit does not support monitor={given.monitor!r}, for one epoch has no best "
            "one; set it to None, or call fit"
        )
    if isinstance(getattr(given, "class_weight", None), str):
        raise SettingError(
            f"partial_fit does not support class_weight={given.class_weight!r}, for it "
            "knows some of the rows alone; give a dict like {label: weight}"
        )


def check_monitor(given: Parameters, classes: bool) -> None:
    """Refuse a `monitor` that no history of the estimator has."""
    known = [name for name in MONITORS if classes or "accuracy" not in str(name)]
    if given.monitor not in known:
        raise SettingError(f"monitor must be one of {known}, got {given.monitor!r}")


def make_patience(given: Parameters, score: Any, goes_on: bool) -> Patience:
    """Return what watches the loss, the score of held-out rows, or `monitor`."""
    count = given.n_iter_no_change
    if count != np.inf:
        count = arguments.count(count, "n_iter_no_change", least=1)
    adaptive = given.solver == "sgd" and given.learning_rate == "adaptive"
    return Patience(
        arguments.real(given.tol, "tol", least=0), count,
        given.learning_rate_init if adaptive else None, score, given.monitor, goes_on,
    )  # fmt: skip


def parse_batch_size(given: Parameters, m: int) -> int:
    """Return the examples of a step; "auto" is min(200, m)."""
    if isinstance(given.batch_size, str) and given.batch_size == "auto":
        return min(200, m)
    return min(arguments.count(given.batch_size, "batch_size", least=1), m)


def fit_arguments(given: Parameters, m: int, seen: int, patience: Patience) -> dict[str, Any]:
    """Return what `Network.fit` takes for m examples after those already seen, but the data.

    A solver leaves parameters alone that belong to another; all are checked, as in scikit-learn.
    """
    arguments.count(given.max_iter, "max_iter", least=1)
    arguments.count(given.max_fun, "max_fun", least=1)
    arguments.real(given.power_t, "power_t", least=0)
    for name in ("momentum", "beta_1", "beta_2", "validation_fraction"):
        arguments.fraction(getattr(given, name), name)
    arguments.real(given.epsilon, "epsilon", above=0)
    arguments.flag(given.nesterovs_momentum, "nesterovs_momentum")
    callbacks = list(arguments.callables(given.callbacks, "callbacks"))
    limits = []
    if given.max_time is not None:
        limits = [TimeLimit(arguments.real(given.max_time, "max_time", above=0))]
    plain = given.solver == "lbfgs" and patience.score is None and given.monitor is None
    return {
        "batch_size": parse_batch_size(given, m),
        "optimizer": make_optimizer(given),
        "schedule": make_schedule(given, m, seen, patience),
        "l2": arguments.real(given.alpha, "alpha", least=0),
        "shuffle": arguments.flag(given.shuffle, "shuffle"),
        "callbacks": [*([] if plain else [patience]), *limits, *callbacks],
        "progress": bool(given.verbose),
    }
