"""`fastnn check`: the gradients of a network on images beside slopes by finite differences."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from fastnn.data import flatten_images
from fastnn.diagnostics.gradient_checking import check_gradients
from fastnn.network import Network

from .train import described, gather, network, pixel_range, structure

Print = Callable[[str], None]


def run(arguments: argparse.Namespace, say: Print, note: Print) -> int:
    """Check, print the report; 0 if every gradient is right, else 1."""
    task = gather(arguments.train, None, arguments.seed)
    full = pixel_range(task.X)
    plain = network(task, full, arguments.layers, arguments.seed)
    net = Network(plain.layers, inputs=plain.inputs, seed=arguments.seed, dtype="float64")
    say(described(task))
    say(structure(net, full))
    X = flatten_images(task.X)
    net.fit(X, task.y, epochs=0, progress=False)  # learns the scaling of tables, nothing else
    rng = np.random.default_rng(arguments.seed)
    for name, parameter in net.parameters.items():
        if name[0] == "b":  # at 0 a unit behind dead ones stands on the kink of relu
            parameter += rng.normal(0, 0.1, parameter.shape)
    some = slice(arguments.examples)
    say(f"checking  {len(X[some])} examples; weights as they were drawn, biases moved off 0\n")
    report = check_gradients(net, X[some], task.y[some], seed=arguments.seed)
    say(str(report))
    return 0 if report.passed else 1
