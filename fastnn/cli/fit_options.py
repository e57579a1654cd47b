"""The options of a training, and what `Network.fit` is given for them."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from fastnn import optimizers
from fastnn.callbacks import EarlyStopping
from fastnn.errors import SettingError
from fastnn.metrics import NAMES as METRICS
from fastnn.schedules import Plateau

from .option_types import (
    batch_size,
    choice,
    count,
    fraction,
    names_in,
    nonnegative,
    one_of,
    positive,
)
from .registry import OPTIMIZERS, SCHEDULES, Setting, dashed, setting_of
from .verb import grouped, option

__all__ = ["FIT_OPTIONS", "early_stopping", "fit_settings", "fit_usage_error"]

#: The share held out where something watches validation curves and nobody named a share.
DEFAULT_SPLIT = 0.2
#: Curves that can be watched, by their names on the command line.
CURVES = {
    dashed(name): name for metric in ("cost", *METRICS) for name in (f"validation_{metric}", metric)
}

FIT_OPTIONS = grouped(
    "training",
    option("--epochs", metavar="N", type=count, default=40,
           help="passes over the training examples (default: 40)"),
    option("--batch-size", metavar="N", type=batch_size, default=32,
           help="examples in a step, or full for all (default: 32)"),
    option("--optimizer", metavar="NAME", type=setting_of(OPTIMIZERS),
           default=setting_of(OPTIMIZERS)("adam"),
           help=f"{', '.join(OPTIMIZERS)}; settings follow a colon: momentum:beta=0.95 "
           "(default: adam)"),
    option("--learning-rate", metavar="R", type=positive,
           help="size of the steps (default: the optimizer's, 0.001 for adam)"),
    option("--schedule", metavar="NAME", type=setting_of(SCHEDULES),
           help="how the learning rate changes over the epochs: "
           f"{', '.join(SCHEDULES)}; settings follow a colon: step:every=10,factor=0.5"),
    option("--early-stopping", metavar="N", type=count, nargs="?", const=10,
           help="stop after N epochs without a better validation cost (10 if no N is given) and "
           "keep the best epoch's weights"),
    option("--monitor", metavar="NAME", type=choice(CURVES), default="validation_cost",
           help="the curve that --early-stopping watches (default: validation-cost)"),
    option("--validation-split", metavar="SHARE", type=fraction,
           help="share of the training examples that is held out and scored after each epoch "
           f"(default: 0; {DEFAULT_SPLIT} where something watches the validation)"),
    option("--metrics", metavar="NAME,NAME", default=(),
           type=names_in({dashed(name): name for name in METRICS}),
           help=f"scores to report: {', '.join(map(dashed, METRICS))}"),
    option("--threads", metavar="N", type=count,
           help="CPU threads (default: all cores; results do not depend on it)"),
) + grouped(
    "against overfitting and divergence",
    option("--l2", metavar="λ", type=nonnegative, default=0.0,
           help="adds λ/(2m) Σ W² to the cost of m examples (default: 0)"),
    option("--l1", metavar="λ", type=nonnegative, default=0.0,
           help="adds λ/m Σ |W| to the cost (default: 0)"),
    option("--weight-decay", metavar="R", type=nonnegative,
           help="of adamw (default there: 0.01)"),
    option("--clip-norm", metavar="R", type=positive,
           help="largest norm of the whole gradient"),
    option("--clip-value", metavar="R", type=positive,
           help="largest size of each number of the gradient"),
    option("--class-weight", metavar="balanced", type=one_of(("balanced",)),
           help="balanced: weigh classes so that rare ones count as much as others"),
)  # fmt: skip


def fit_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `Network.fit` takes beside data, epochs and callbacks.

    Raises
    ------
    SettingError
        If a value is out of range, or an option is none of the optimiser's.
    """
    return {
        "batch_size": arguments.batch_size,
        "optimizer": _optimizer(arguments),
        "schedule": _schedule(arguments.schedule, arguments.epochs),
        "l2": arguments.l2,
        "l1": arguments.l1,
        "clip_norm": arguments.clip_norm,
        "clip_value": arguments.clip_value,
        "class_weight": arguments.class_weight,
        "validation_split": _validation_split(arguments),
        "metrics": _recorded_metrics(arguments),
    } | ({"window": arguments.window} if getattr(arguments, "window", None) else {})


def early_stopping(arguments: argparse.Namespace) -> EarlyStopping | None:
    """Return the callback that ends the training early, if one is asked for."""
    patience = arguments.early_stopping
    return None if patience is None else EarlyStopping(arguments.monitor, patience)


def fit_usage_error(arguments: argparse.Namespace) -> str | None:
    """Return what is wrong with options that do not go together, or None."""
    if arguments.early_stopping is not None and arguments.checkpoint is not None:
        return (
            "--early-stopping does not go with --checkpoint, for a checkpoint does not hold the "
            "best epoch so far; leave one of them out"
        )
    if arguments.early_stopping is None and arguments.monitor != "validation_cost":
        return "--monitor is watched by --early-stopping; add that, like --early-stopping 10"
    try:
        fit_settings(arguments)
    except SettingError as error:
        return str(error)
    return None


def _optimizer(arguments: argparse.Namespace) -> optimizers.Optimizer:
    """Return the optimiser, with the learning rate and the weight decay of their own options."""
    asked: Setting = arguments.optimizer
    optimizer: optimizers.Optimizer = asked.make()
    for name in ("learning_rate", "weight_decay"):
        value = getattr(arguments, name)
        if value is None:
            continue
        if name not in asked.takes:
            others = [n for n, kind in OPTIMIZERS.items() if name in Setting(n, n, kind).takes]
            raise SettingError(
                f"--optimizer {asked.name} has no {name.replace('_', ' ')}; leave "
                f"--{dashed(name)} out, or take {', '.join(others)}"
            )
        if name in asked.given:
            raise SettingError(f"--optimizer and --{dashed(name)} both give the {dashed(name)}")
        optimizer = dataclasses.replace(optimizer, **{name: value})
    return optimizer


def _schedule(asked: Setting | None, epochs: int) -> Any:
    """Return the schedule; one whose horizon is not given ends with the training."""
    if asked is None:
        return None
    then = asked.given.get("then")
    if isinstance(then, str):  # warm-up:epochs=5,then=cosine
        left = max(1, epochs - int(asked.given.get("epochs", 0)))
        try:
            follows = _schedule(setting_of(SCHEDULES)(then), left)
        except argparse.ArgumentTypeError as error:
            raise SettingError(f"--schedule {asked.name}: then={error}") from None
        asked = dataclasses.replace(asked, given={**asked.given, "then": follows})
    return asked.make() if "then" in asked.takes else asked.make(epochs=epochs)


def _recorded_metrics(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the metrics that are asked for, and the one that early stopping watches."""
    watched = arguments.monitor.removeprefix("validation_")
    added = () if watched in ("cost", "accuracy", *arguments.metrics) else (watched,)
    return (*arguments.metrics, *added)


def _validation_split(arguments: argparse.Namespace) -> float:
    """Return the share of the training examples that is held out."""
    if arguments.validation_split is not None:
        return float(arguments.validation_split)
    asked = arguments.schedule
    watched = [arguments.monitor] if arguments.early_stopping is not None else []
    if asked is not None and asked.kind is Plateau:
        watched.append(asked.given.get("monitor", "validation_cost"))
    return DEFAULT_SPLIT if any(name.startswith("validation") for name in watched) else 0.0
