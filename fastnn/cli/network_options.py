"""The options that describe a network: its layers, its loss and how its weights are drawn."""

from __future__ import annotations

import argparse
from typing import Any

from fastnn.activations import NAMES as ACTIVATIONS

from .option_types import choice, each, fraction, hidden_units, one_of, seed
from .registry import INITIALIZERS, LOSSES, dashed, setting_of
from .verb import grouped, option

__all__ = ["NETWORK_OPTIONS", "network_settings", "network_usage_error"]

#: Softmax and exp are for outputs.
HIDDEN = {dashed(name): name for name in ACTIVATIONS if name not in ("softmax", "exp")}

NETWORK_OPTIONS = grouped(
    "network",
    option("--layers", metavar="N,N", type=hidden_units, default=(128, 64),
           help="units of the hidden layers, or none (default: 128,64)"),
    option("--activation", metavar="NAME", type=each(choice(HIDDEN)), default="relu",
           help=f"of the hidden layers, or one for each, like tanh,relu: {', '.join(HIDDEN)} "
           "(default: relu)"),
    option("--dropout", metavar="RATE", type=each(fraction), default=0.0,
           help="share of units dropped behind the hidden layers, or one share for each, like "
           "0.5,0.2 (default: 0)"),
    option("--batch-norm", action="store_true",
           help="normalise batches in front of the hidden layers' activations"),
    option("--init", metavar="NAME", type=setting_of(INITIALIZERS), default=None,
           help=f"how weights are drawn: {', '.join(INITIALIZERS)}, or random:scale=10 "
           "(default: he)"),
    option("--loss", metavar="NAME", type=setting_of(LOSSES), default=None,
           help=f"{', '.join(LOSSES)}; settings follow a colon: huber:delta=2 (default: the one "
           "that fits the outputs)"),
    option("--dtype", metavar="NAME", type=one_of(("float32", "float64")), default="float32",
           help="float32 or float64, of parameters and arithmetic (default: float32)"),
    option("--precision", metavar="NAME", type=one_of(("float32", "mixed")), default="float32",
           help="float32, or mixed: products of float32 numbers rounded to bfloat16, made for "
           "CPUs that multiply those (default: float32)"),
    option("--seed", metavar="N", type=seed, default=0,
           help="decides what is held out, the first weights and the order of the examples "
           "(default: 0)"),
)  # fmt: skip


def network_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `task.build_network` takes beside the task, the pixels and the hidden layers."""
    return {
        "seed": arguments.seed,
        "hidden": arguments.activation,
        "dropout": arguments.dropout,
        "batch_norm": arguments.batch_norm,
        "init": "he" if arguments.init is None else arguments.init.make(),
        "loss": None if arguments.loss is None else arguments.loss.make(),
        "dtype": arguments.dtype,
        "precision": arguments.precision,
    }


def network_usage_error(arguments: argparse.Namespace) -> str | None:
    """Return what is wrong with options that do not go with the number of hidden layers."""
    if arguments.precision == "mixed" and arguments.dtype != "float32":
        return "--precision mixed rounds float32 numbers; leave out --dtype"
    between = len(arguments.layers)
    for name in ("activation", "dropout"):
        value = getattr(arguments, name)
        if isinstance(value, list) and len(value) != between:
            return (
                f"--{name} has {len(value)} values, but --layers has {between}; give one value "
                "for all hidden layers or one for each"
            )
    if not between and (arguments.dropout or arguments.batch_norm):
        name = "dropout" if arguments.dropout else "batch-norm"
        return f"--{name} needs hidden layers; give some with --layers"
    return None
