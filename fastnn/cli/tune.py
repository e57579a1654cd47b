"""`fastnn tune`: a search for the settings of a network on images, its table and its picture."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastnn import plot, spaces
from fastnn.data import flatten_images
from fastnn.layers import Dense, Dropout, Layer
from fastnn.network import Network
from fastnn.tuning.search import Search, tune

from .option_types import count, seed
from .output import make_folder, print_note, print_result, write_picture
from .task import Task, build_network, find_pixel_max, format_task, load_task
from .verb import OUT, Verb, option

#: Where the settings are drawn from.
SPACE: dict[str, spaces.Space] = {
    "learning_rate": spaces.Log(1e-4, 1e-1),
    "units": spaces.Integer(8, 256, log=True),
    "hidden_layers": spaces.Integer(1, 3),
    "batch_size": spaces.Choice(16, 32, 64, 128, 256),
    "l2": spaces.Log(1e-3, 10.0),
    "dropout": spaces.Linear(0.0, 0.5),
}


@dataclass(frozen=True)
class MakeNetwork:
    """Makes the network of a trial; it holds one example of the task, to be sent to processes."""

    task: Task
    pixel_max: int | None
    seed: int

    def __call__(self, units: int, hidden_layers: int, dropout: float) -> Network:
        """Return the network that `fastnn train` would make, with dropout behind hidden layers."""
        plain = build_network(self.task, self.pixel_max, [units] * hidden_layers, self.seed)
        layers: list[Layer] = []
        for layer in plain.layers[:-1]:
            layers += [layer, Dropout(dropout)] if isinstance(layer, Dense) else [layer]
        return Network([*layers, plain.layers[-1]], inputs=plain.inputs, seed=self.seed)


def run(arguments: argparse.Namespace) -> int:
    """Search, print the table and draw the picture; 130 if Ctrl-C ended the search early."""
    task = load_task(arguments.train, None, arguments.seed)
    make_folder(arguments.out)
    print_result(format_task(task))
    print_result(
        f"tuning    {arguments.trials} trials of {arguments.epochs} epochs; a fifth of the images"
    )
    print_result("          to learn from is held out for the scores, the test images stay unseen")
    first = task._replace(X=task.X[:1], y=task.y[:1], X_test=task.X[:0], y_test=task.y[:0])
    found = tune(
        MakeNetwork(first, find_pixel_max(task.X), arguments.seed),
        flatten_images(task.X),
        task.y,
        SPACE,
        trials=arguments.trials,
        epochs=arguments.epochs,
        processes=arguments.processes,
        study=arguments.study,
        seed=arguments.seed,
        callbacks=[lambda trial: print_note(format_trial(trial))],
    )
    print_result("")
    print_result(str(found))
    if any(trial["score"] is not None for trial in found.trials):
        print_result(draw_search(found, arguments.out / "search.png"))
    return 130 if found.interrupted else 0


def format_trial(trial: dict[str, Any]) -> str:
    """Return the line about a trial that has just ended."""
    score = "no score" if trial["score"] is None else f"validation accuracy {trial['score']:.4f}"
    return f"trial {trial['number']} {trial['state']}: {score}"


def draw_search(found: Search, path: Path) -> str:
    """Write the picture of the search; return the line that reports it."""

    def draw(ax: Any) -> None:
        plot.search(found, ax=ax)

    return write_picture(path, (10.0, 4.4), draw)


VERB = Verb(
    "search for good settings of a network on images",
    run,
    options=(
        option("--train", metavar="FILE.h5",
               help="images to learn from (default: the bundled digits)"),
        option("--trials", metavar="N", type=count, default=50,
               help="networks to train, those of the study included (default: 50)"),
        option("--epochs", metavar="N", type=count, default=20,
               help="passes over the images in each trial (default: 20)"),
        option("--processes", metavar="N", type=count, default=1,
               help="trials that run side by side (default: 1)"),
        option("--study", metavar="FILE",
               help="keep the trials in this file, and go on from it"),
        option("--seed", metavar="N", type=seed, default=0,
               help="of the draws, the splits and the weights (default: 0)"),
        OUT,
    ),
    examples="""\
examples:
  fastnn tune
      50 trials on the bundled digits; writes fastnn-out/search.png
  fastnn tune --train train_cats.h5 --trials 100 --processes 4 --study cats.study
      images of your own; run it again to go on where it stopped

Learning rate, units, hidden layers, batch size, L2 and dropout are drawn at random, the second
half of the trials around the best of the first. Needs Optuna: pip install "fastnn[tune]"
""",
)  # fmt: skip
