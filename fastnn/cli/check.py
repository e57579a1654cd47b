"""`fastnn check`: the gradients of a network on images beside those by finite differences."""

from __future__ import annotations

import argparse

import numpy as np

from fastnn._runtime.text import plural
from fastnn.data import flatten_images
from fastnn.diagnostics.gradient_checking import check_gradients
from fastnn.network import Network

from .option_types import count, hidden_units, seed
from .output import print_result
from .task import build_network, find_pixel_max, format_network, format_task, load_task
from .verb import Verb, option


def run(arguments: argparse.Namespace) -> int:
    """Check the gradients and print the report; return 0 if every gradient is right, else 1."""
    task = load_task(arguments.train, None, arguments.seed)
    pixel_max = find_pixel_max(task.X)
    single = build_network(task, pixel_max, arguments.layers, arguments.seed)
    net = Network(single.layers, inputs=single.inputs, seed=arguments.seed, dtype="float64")
    print_result(format_task(task))
    print_result(format_network(net, pixel_max))
    X = flatten_images(task.X)
    net.fit(X, task.y, epochs=0, progress=False)  # learns the scaling of tables, nothing else
    rng = np.random.default_rng(arguments.seed)
    for name, parameter in net.parameters.items():
        if name[0] == "b":  # at 0 a unit behind dead ones stands on the kink of relu
            parameter += rng.normal(0, 0.1, parameter.shape)
    some = slice(arguments.examples)
    print_result(
        f"checking  {plural(len(X[some]), 'example')}; weights as they were drawn, biases moved "
        "off 0\n"
    )
    report = check_gradients(net, X[some], task.y[some], seed=arguments.seed)
    print_result(str(report))
    return 0 if report.passed else 1


VERB = Verb(
    "check a network's gradients by finite differences",
    run,
    options=(
        option("--train", metavar="FILE.h5",
               help="images to check with (default: the bundled digits)"),
        option("--layers", metavar="N,N", type=hidden_units, default=(20, 7, 5),
               help="units of the hidden layers (default: 20,7,5)"),
        option("--examples", metavar="N", type=count, default=32,
               help="images that the cost is taken of (default: 32)"),
        option("--seed", metavar="N", type=seed, default=0,
               help="of the weights and random directions (default: 0)"),
    ),
    examples="""\
examples:
  fastnn check
  fastnn check --train train_cats.h5 --layers 20,7,5 --examples 8

The exit code is 0 if every gradient is right, else 1.
""",
)  # fmt: skip
