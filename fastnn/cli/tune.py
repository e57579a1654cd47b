"""`fastnn tune`: a search for the settings of a network, the best of them trained and saved."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastnn import plot, spaces
from fastnn._runtime.text import plural
from fastnn.data import flatten_images
from fastnn.errors import ModelFileError
from fastnn.network import Network
from fastnn.network.loading import load_with_notes
from fastnn.plot._text import format_percent
from fastnn.tuning.search import Search, tune

from .data_options import TRAIN_OPTIONS, data_usage_error, load_data
from .option_types import count, seed
from .output import print_fact, print_note, print_result, readable, write_picture
from .run_folder import OUT_OPTIONS, claim_folder
from .task import Task, build_network, find_pixel_max, format_task, write_model
from .verb import Verb, given_options, grouped, option

#: The files that a search writes.
MODEL, PICTURE = "best.safetensors", "search.png"
#: The share of the training examples that is held out for the scores.
SPLIT = 0.2

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
        """Return the network that `fastnn train` would make of these settings."""
        return build_network(
            self.task, self.pixel_max, [units] * hidden_layers, self.seed, dropout=dropout
        )


def run(arguments: argparse.Namespace) -> int:
    """Search, print the table, save the best network and draw the picture.

    Return 0; 1 if no trial was finished; 130 if Ctrl-C ended the search early.
    """
    task = load_data(arguments)
    name = {} if arguments.study is None else {"study": readable(Path(arguments.study).name)}
    out = claim_folder(
        arguments, (MODEL, PICTURE), lambda folder: bool(name) and _is_of(name, folder / MODEL)
    )
    print_fact("data", format_task(task))
    print_fact(
        "tuning",
        f"{plural(arguments.trials, 'trial')} of {plural(arguments.epochs, 'epoch')}; scored on "
        f"{100 * SPLIT:g} % of the training examples, which are held out; the test examples stay "
        "unseen",
    )
    pixel_max = find_pixel_max(task.X)
    first = task._replace(X=task.X[:1], y=task.y[:1], X_test=task.X[:0], y_test=task.y[:0])
    found = tune(
        MakeNetwork(first, pixel_max, arguments.seed),
        flatten_images(task.X),
        task.y,
        SPACE,
        trials=arguments.trials,
        epochs=arguments.epochs,
        validation_split=SPLIT,
        processes=arguments.processes,
        study=arguments.study,
        seed=arguments.seed,
        callbacks=[lambda trial: print_note(format_trial(trial))],
    )
    print_result("")
    print_result(found.summary())
    if not any(trial["state"] == "finished" for trial in found.trials):
        print_note("\nNo trial was finished, so there is no best one; run more of them: --trials")
        return 130 if found.interrupted else 1
    net = train_best(found, task)
    write_model(net, task, pixel_max, out / MODEL, **name)
    print_result(f"wrote {out / MODEL}, the network of the best trial")
    print_result(draw_search(found, out / PICTURE))
    print_result("\nThe best trial again, with the same score:")
    print_result(f"  {shlex.join(train_command(found.best, arguments))}")
    print_result("Without --validation-split it learns from all training examples.")
    return 130 if found.interrupted else 0


def _is_of(name: dict[str, str], path: Path) -> bool:
    """Return whether a model file holds the best network of the study of that name, so far."""
    try:
        notes = load_with_notes(path)[1]
    except (ModelFileError, OSError):
        return False
    return notes.get("study") == name["study"]


def train_best(found: Search, task: Task) -> Network:
    """Train the network of the best trial once more, say how good it is, and return it."""
    net = found.refit(flatten_images(task.X), task.y, validation_split=SPLIT)
    score = net.history[found.monitor][-1]
    tested = net.evaluate(flatten_images(task.X_test), task.y_test)["accuracy"]
    print_result("")
    print_fact(
        "best",
        f"validation accuracy {format_percent(score, 2)}, test accuracy "
        f"{format_percent(tested, 2)} on examples that no trial has seen",
    )
    return net


def train_command(best: dict[str, Any], arguments: argparse.Namespace) -> list[str]:
    """Return the call of `fastnn train` that trains what the best trial trained."""
    layers = ",".join([str(best["units"])] * best["hidden_layers"])
    options = {
        "--layers": layers,
        "--dropout": best["dropout"],
        "--learning-rate": best["learning_rate"],
        "--batch-size": best["batch_size"],
        "--l2": best["l2"],
        "--epochs": arguments.epochs,
        "--validation-split": SPLIT,
        "--seed": arguments.seed,
    }
    settings = [text for name, value in options.items() for text in (name, str(value))]
    return ["fastnn", "train", *given_options(TRAIN_OPTIONS, arguments), *settings]


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
    "search for good settings of a network, and train the best",
    run,
    options=(
        *TRAIN_OPTIONS,
        *grouped(
            "search",
            option("--trials", metavar="N", type=count, default=50,
                   help="networks to train, those of the study included (default: 50)"),
            option("--epochs", metavar="N", type=count, default=20,
                   help="passes over the training examples in each trial (default: 20)"),
            option("--processes", metavar="N", type=count, default=1,
                   help="trials that run side by side (default: 1)"),
            option("--study", metavar="FILE",
                   help="keep the trials in this file, and go on from it where it exists; calls at "
                   "the same time, with equal options, share the trials out"),
            option("--seed", metavar="N", type=seed, default=0,
                   help="of the draws, the held-out examples and the weights (default: 0)"),
        ),
        *OUT_OPTIONS,
    ),
    usage_error=data_usage_error,
    examples="""\
examples:
  fastnn tune
      50 trials on the bundled digits; writes the best network and a picture
      into fastnn-out, and prints the command that repeats it
  fastnn tune --train cats.h5 --trials 100 --processes 4 --study cats.study
      images of your own; run it again to go on where it stopped, or once more
      at the same time to have more processes on the same 100 trials

Learning rate, units, hidden layers, batch size, L2 and dropout are drawn at
random, the second half of the trials around the best of the first.
Needs Optuna: pip install "fastnn[tune]"
""",
)  # fmt: skip
