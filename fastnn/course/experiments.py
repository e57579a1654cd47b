"""The experiments of course 2 through `Network.fit`: beginnings, regularisation and depth.

``python -m fastnn.course.experiments [--quick] [--out DIR]`` runs them, says what they show and
draws them. The football field is read from the folder that ``$FASTNN_DATA`` names, if it does; else
overlapping moons stand in for it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn import data, diagnostics, initializers, plot
from fastnn._runtime.optional import require
from fastnn.errors import MissingExtraError
from fastnn.network import Network
from fastnn.optimizers import GradientDescent
from fastnn.saving.atomic_write import replace

from . import reg_utils
from ._core.dataset_scores import course_file

__all__ = ["Experiment", "Outcome", "depth", "draw", "initialization", "main", "regularization"]

Array = NDArray[Any]
Sets = tuple[Array, Array, Array, Array]

BEGINNINGS: dict[str, str | initializers.Initializer] = {
    "zeros": "zeros",
    "small": "small",
    "random × 10": initializers.Random(10),
    "he": "he",
    "xavier": "xavier",
}
#: Arguments of `Network.mlp` and of `Network.fit` for each way.
WAYS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "none": ({}, {}),
    "L2, λ = 0.7": ({}, {"l2": 0.7}),
    "dropout, 0.86 kept": ({"dropout": 0.14}, {}),
}


@dataclass(frozen=True)
class Outcome:
    """A network after its training, and what it reached.

    Attributes
    ----------
    net : Network
        As trained.
    cost : float
        On the training data, without penalty and with all units.
    train, test : float
        Shares of right answers.
    spread : float
        The largest difference between the weights into two units of the first layer; 0 if all
        units are equal.
    """

    net: Network
    cost: float
    train: float
    test: float
    spread: float


@dataclass(frozen=True)
class Experiment:
    """One task learned in several ways.

    Attributes
    ----------
    task : str
        What was learned.
    outcomes : dict of str to Outcome
        By the name of the way.
    X, y : ndarray, (m, 2) and (m,)
        The training data.
    notes : tuple of str
        What the numbers show, line by line.
    """

    task: str
    outcomes: dict[str, Outcome]
    X: Array
    y: Array
    notes: tuple[str, ...] = ()


EQUAL = (
    "equal units get equal gradients and stay equal: the layer is worth one unit; and from zeros",
    "every gradient but that of the last bias is zero, so nothing else ever moves",
)
LUCK = ("another seed moves the shares of right answers by up to four points",)


def _outcome(net: Network, sets: Sets, epochs: int, rate: float, **settings: Any) -> Outcome:
    """Train by full-batch descent and score."""
    X, y, X_test, y_test = sets
    net.fit(
        X,
        y,
        epochs=epochs,
        batch_size=None,
        optimizer=GradientDescent(rate),
        progress=False,
        **settings,
    )
    train, spread = net.evaluate(X, y), np.ptp(net.parameters["W1"], axis=1).max()
    test = net.evaluate(X_test, y_test)["accuracy"]
    return Outcome(net, train["cost"], train["accuracy"], test, float(spread))


def initialization(epochs: int = 15000, seed: int = 0) -> Experiment:
    """Tell two circles apart by [2, 10, 5, 1] from five beginnings, at the rate 0.01.

    Parameters
    ----------
    epochs : int
        Steps of each network.
    seed : int
        Of the weights; it decides alone how far "random × 10" gets.

    Returns
    -------
    Experiment
        Outcomes "zeros", "small", "random × 10", "he", "xavier".
    """
    sets = (*data.circles(300, 0.05, seed=1), *data.circles(100, 0.05, seed=2))
    outcomes = {}
    for name, init in BEGINNINGS.items():
        net = Network.mlp([2, 10, 5, 1], output="sigmoid", init=init, seed=seed)
        outcomes[name] = _outcome(net, sets, epochs, 0.01)
    return Experiment("two circles", outcomes, *sets[:2], EQUAL)


def _field() -> tuple[str, Sets]:
    """Return the football field if it is there, else moons that overlap."""
    file = course_file("data.mat")
    if os.environ.get("FASTNN_DATA") and file.exists():
        try:
            X, Y, X_test, Y_test = reg_utils.load_2D_dataset(file)
            return "the football field", (X.T, Y.ravel(), X_test.T, Y_test.ravel())
        except MissingExtraError:
            pass
    return "overlapping moons", (*data.moons(200, 0.4, seed=1), *data.moons(1000, 0.4, seed=2))


def regularization(epochs: int = 30000, seed: int = 0) -> Experiment:
    """Learn overlapping classes by [2, 20, 3, 1] plainly, with L2 and with dropout, at 0.3.

    Parameters
    ----------
    epochs : int
        Steps of each network.
    seed : int
        Of weights and dropout; another one moves the shares by up to four points.

    Returns
    -------
    Experiment
        Outcomes "none", "L2, λ = 0.7", "dropout, 0.86 kept".
    """
    task, sets = _field()
    outcomes = {}
    for name, (of_net, of_fit) in WAYS.items():
        more: dict[str, Any] = of_net
        net = Network.mlp([2, 20, 3, 1], output="sigmoid", init="xavier", seed=seed, **more)
        outcomes[name] = _outcome(net, sets, epochs, 0.3, **of_fit)
    return Experiment(task, outcomes, *sets[:2], LUCK)


def depth(depth: int = 50) -> diagnostics.DepthExperiment:
    """Send random inputs through a deep network of small, of large and of He's weights.

    Parameters
    ----------
    depth : int
        Hidden layers, of 100 relu units each.

    Returns
    -------
    DepthExperiment
        The activations' spread in each layer, by the weights; it prints.
    """
    return diagnostics.depth_experiment(depth)


def draw(result: Experiment | diagnostics.DepthExperiment, *, axes: Any = None) -> Array:
    """Draw the decision boundaries of an experiment side by side, or a deep network's spreads.

    Parameters
    ----------
    result : Experiment or DepthExperiment
        From `initialization`, `regularization` or `depth`.
    axes : sequence of Axes, optional
        One for each outcome (one in all for `depth`); a new figure without them.

    Returns
    -------
    ndarray of Axes
        The axes, from left to right.

    Raises
    ------
    MissingExtraError
        If Matplotlib is not installed.
    """
    given = None if axes is None else np.atleast_1d(np.asarray(axes, dtype=object))
    if isinstance(result, diagnostics.DepthExperiment):
        ax = plot.signal(result, ax=None if given is None else given[0])
        ax.set_title("Spread of the activations in an untrained network")
        return np.array([ax], dtype=object)
    if given is None:
        pyplot = require("matplotlib.pyplot", extra="plot", purpose="drawing")
        count = len(result.outcomes)
        settings = {"sharex": True, "sharey": True, "squeeze": False, "layout": "constrained"}
        given = pyplot.subplots(1, count, figsize=(3.0 * count + 0.6, 3.4), **settings)[1][0]
    for ax, (name, outcome) in zip(given, result.outcomes.items(), strict=True):
        plot.decision_boundary(outcome.net, result.X, result.y, ax=ax)
        ax.set_title(f"{name}\n{outcome.train:.1%} train, {outcome.test:.1%} test", fontsize=10)
        if ax is not given[-1]:
            ax.get_legend().remove()
        if ax is not given[0]:
            ax.set_ylabel("")
    return given


def _account(result: Experiment | diagnostics.DepthExperiment) -> Iterator[str]:
    """Say what an experiment shows, a line for each way."""
    if isinstance(result, diagnostics.DepthExperiment):
        yield from repr(result).splitlines()
        for name, signal in result.items():
            yield f"{name}: {signal.verdict}"
        return
    yield f"task: {result.task}"
    width = max(map(len, result.outcomes)) + 1
    for name, one in result.outcomes.items():
        line = (
            f"{name + ':':{width}} cost {one.cost:.4f}, {one.train:.1%} train, {one.test:.1%} test"
        )
        yield line + ("; the units of layer 1 are all equal" if one.spread == 0 else "")
    yield from result.notes


EXPERIMENTS: dict[str, tuple[str, Callable[[bool], Experiment | diagnostics.DepthExperiment]]] = {
    "initialization": ("Five beginnings", lambda quick: initialization(100 if quick else 15000)),
    "regularization": (
        "With and without regularisation",
        lambda quick: regularization(100 if quick else 30000),
    ),
    "depth": ("Vanishing and exploding", lambda quick: depth(10 if quick else 50)),
}


def _picture(result: Experiment | diagnostics.DepthExperiment, path: Path) -> str:
    """Draw a result into a file and say so, or say why not."""
    try:
        axes = draw(result)
    except MissingExtraError as error:
        return f"no picture: {error}"
    figure = axes[0].figure
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, lambda file: figure.savefig(file, dpi=120, format="png"), "the picture")
    require("matplotlib.pyplot", extra="plot", purpose="drawing").close(figure)
    return f"picture: {path}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the experiments, print what they show and write their pictures."""
    parser = argparse.ArgumentParser(prog="python -m fastnn.course.experiments")
    parser.add_argument("--quick", action="store_true", help="few steps: only to see that it runs")
    parser.add_argument(
        "--out", type=Path, default=Path("fastnn-out"), help="folder of the pictures"
    )
    chosen = parser.parse_args(arguments)
    for name, (title, experiment) in EXPERIMENTS.items():
        print(f"{title} ({name})")
        result = experiment(chosen.quick)
        for line in _account(result):
            print(f"    {line}")
        print(f"    {_picture(result, chosen.out / f'{name}.png')}\n")


if __name__ == "__main__":
    main()
