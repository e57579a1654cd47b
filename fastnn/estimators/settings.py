"""Settings: the parameters of a perceptron, checked, as `Network` and `Network.fit` take them.

`fit` and `partial_fit` hand on the same ones; what one of them cannot honour it refuses by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn import activations, losses
from fastnn._validation import arguments

from ..callbacks import TimeLimit
from ..errors import SettingError
from ..losses import Loss
from .parameters import Parameters
from .solvers import optimizer_of, schedule_of
from .stopping import Patience

MONITORS = (None, "cost", "accuracy", "validation_cost", "validation_accuracy")


def _listed(value: Any) -> list[Any] | None:
    """Return the entries of a sequence, which text is not; None where there is one value alone."""
    several = isinstance(value, Sequence | np.ndarray) and not isinstance(value, str)
    return list(value) if several else None


def sizes_of(given: Parameters) -> list[int]:
    """Return the units of the hidden layers."""
    sizes = _listed(given.hidden_layer_sizes)
    sizes = [given.hidden_layer_sizes] if sizes is None else sizes
    return [arguments.count(n, "hidden_layer_sizes", least=1) for n in sizes]


def _of_each_layer(given: Parameters, name: str) -> list[Any]:
    """Return the values of a parameter that has one for all hidden layers, or one for each."""
    value, n = getattr(given, name), len(sizes_of(given))
    values = _listed(value)
    if values is not None and len(values) != n:
        raise SettingError(
            f"{name} must be one value, or {n}, one for each hidden layer, got {value!r}"
        )
    return [value] * n if values is None else values


def names_of(given: Parameters) -> list[str]:
    """Return the activation of each hidden layer, by our names."""
    names = _of_each_layer(given, "activation")
    for name in names:
        activations.code("sigmoid" if name == "logistic" else name)
    return ["sigmoid" if name == "logistic" else str(name) for name in names]


def rates_of(given: Parameters) -> list[float]:
    """Return the rate of the Dropout after each hidden layer."""
    return [arguments.fraction(rate, "dropout") for rate in _of_each_layer(given, "dropout")]


def loss_of(given: Parameters) -> Loss | None:
    """Return the loss, or None for the partner of the output's activation."""
    loss = given.loss
    if isinstance(loss, str) and loss in losses.NAMES:
        return losses.KINDS[loss]()
    if loss is not None and not isinstance(loss, Loss):
        known, hint = ", ".join(losses.NAMES), ""
        if not isinstance(loss, str):
            hint = (
                "; it is MLPRegressor's first argument, as in scikit-learn: give "
                "hidden_layer_sizes by its name"
            )
        raise SettingError(f"loss must be one of {known}, or of fastnn.losses, got {loss!r}{hint}")
    return loss


def refuse_unsuited(given: Parameters, output: str) -> None:
    """Refuse a loss that does not work with the output's activation."""
    loss = loss_of(given)
    if loss is not None and loss.needs and output not in loss.needs:
        raise SettingError(
            f"loss {loss.name!r} needs a {' or '.join(loss.needs)} output, but for this y that of "
            f"{type(given).__name__} is {output}; leave loss out, or choose another one"
        )


def description(given: Parameters) -> dict[str, Any]:
    """Return the parameters that describe a network, so that equal ones mean an equal network."""
    if given.scale not in (None, "standard", "robust"):
        raise SettingError(f"scale must be 'standard', 'robust' or None, got {given.scale!r}")
    names, rates = names_of(given), rates_of(given)
    return {
        "loss": loss_of(given),
        "hidden_layer_sizes": sizes_of(given),
        "activation": names[:1] if len(set(names)) == 1 else names,
        "dropout": rates[:1] if len(set(rates)) == 1 else rates,
        "batch_norm": arguments.flag(given.batch_norm, "batch_norm"),
        "scale": given.scale,
        "dtype": None if given.dtype is None else arguments.dtype(given.dtype).name,
    }


def refuse_changed(given: Parameters, before: dict[str, Any], dtype: str, call: str) -> None:
    """Refuse to go on with a network of a dtype where what describes it has changed since."""
    now = description(given)
    changed = [name for name in now if now[name] != before[name]]
    if now["dtype"] == dtype and "dtype" in changed:  # which is said now and was X's before
        changed.remove("dtype")
    if changed:
        raise SettingError(
            f"{call} goes on with the network of the fit before, but {', '.join(changed)} changed "
            "since; set what changed back, or begin anew by fit with warm_start=False"
        )


def refuse_partial(given: Parameters) -> None:
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


def refuse_unknown_monitor(given: Parameters, classes: bool) -> None:
    """Refuse a `monitor` that no history of the estimator has."""
    known = [name for name in MONITORS if classes or "accuracy" not in str(name)]
    if given.monitor not in known:
        raise SettingError(f"monitor must be one of {known}, got {given.monitor!r}")


def patience_of(given: Parameters, score: Any, goes_on: bool) -> Patience:
    """Return what watches the loss, the score of held-out rows, or `monitor`."""
    count = given.n_iter_no_change
    if count != np.inf:
        count = arguments.count(count, "n_iter_no_change", least=1)
    adaptive = given.solver == "sgd" and given.learning_rate == "adaptive"
    return Patience(
        arguments.real(given.tol, "tol", least=0), count,
        given.learning_rate_init if adaptive else None, score, given.monitor, goes_on,
    )  # fmt: skip


def batch_of(given: Parameters, m: int) -> int:
    """Return the examples of a step; "auto" is min(200, m)."""
    if isinstance(given.batch_size, str) and given.batch_size == "auto":
        return min(200, m)
    return min(arguments.count(given.batch_size, "batch_size", least=1), m)


def fit_settings(given: Parameters, m: int, seen: int, patience: Patience) -> dict[str, Any]:
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
        "batch_size": batch_of(given, m),
        "optimizer": optimizer_of(given),
        "schedule": schedule_of(given, m, seen, patience),
        "l2": arguments.real(given.alpha, "alpha", least=0),
        "shuffle": arguments.flag(given.shuffle, "shuffle"),
        "callbacks": [*([] if plain else [patience]), *limits, *callbacks],
        "progress": bool(given.verbose),
    }
