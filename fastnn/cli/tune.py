"""`fastnn tune`: a search for the settings of a network on images, its table and its picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastnn import plot, spaces
from fastnn.data import flatten_images
from fastnn.layers import Dense, Dropout, Layer
from fastnn.network import Network
from fastnn.tuning.search import Search, tune

from .output import make_folder, write_picture
from .train import Task, described, gather, network, pixel_range

Print = Callable[[str], None]

SPACE: dict[str, spaces.Space] = {
    "learning_rate": spaces.Log(1e-4, 1e-1),
    "units": spaces.Integer(8, 256, log=True),
    "hidden_layers": spaces.Integer(1, 3),
    "batch_size": spaces.Choice(16, 32, 64, 128, 256),
    "l2": spaces.Log(1e-3, 10.0),
    "dropout": spaces.Linear(0.0, 0.5),
}


@dataclass(frozen=True)
class Maker:
    """Makes the network of a trial; it knows one example of the task, to be sent to processes."""

    task: Task
    full: int | None
    seed: int

    def __call__(self, units: int, hidden_layers: int, dropout: float) -> Network:
        """Return the network that `fastnn train` would make, with dropout behind hidden layers."""
        plain = network(self.task, self.full, [units] * hidden_layers, self.seed)
        layers: list[Layer] = []
        for layer in plain.layers[:-1]:
            layers += [layer, Dropout(dropout)] if isinstance(layer, Dense) else [layer]
        return Network([*layers, plain.layers[-1]], inputs=plain.inputs, seed=self.seed)


def run(arguments: argparse.Namespace, say: Print, note: Print) -> int:
    """Search, print the table and draw the picture; 130 if Ctrl-C ended the search early."""
    task = gather(arguments.train, None, arguments.seed)
    make_folder(arguments.out)
    say(described(task))
    say(f"tuning    {arguments.trials} trials of {arguments.epochs} epochs; a fifth of the images")
    say("          to learn from is held out for the scores, the test images stay unseen")
    few = task._replace(X=task.X[:1], y=task.y[:1], X_test=task.X[:0], y_test=task.y[:0])
    found = tune(
        Maker(few, pixel_range(task.X), arguments.seed),
        flatten_images(task.X),
        task.y,
        SPACE,
        trials=arguments.trials,
        epochs=arguments.epochs,
        processes=arguments.processes,
        study=arguments.study,
        seed=arguments.seed,
        callbacks=[lambda trial: note(told(trial))],
    )
    say("")
    say(str(found))
    if any(trial["score"] is not None for trial in found.trials):
        say(picture(found, arguments))
    return 130 if found.interrupted else 0


def told(trial: dict[str, Any]) -> str:
    """The line about a trial that has just ended."""
    score = "no score" if trial["score"] is None else f"validation accuracy {trial['score']:.4f}"
    return f"trial {trial['number']} {trial['state']}: {score}"


def picture(found: Search, arguments: argparse.Namespace) -> str:
    """Draw the search; return the line that reports it."""

    def draw(ax: Any) -> None:
        plot.search(found, ax=ax)

    return write_picture(arguments.out / "search.png", (10.0, 4.4), draw)
