"""`fastnn train`: from images or a table to a trained network, its file and its picture."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from fastnn import plot
from fastnn._runtime.text import plural
from fastnn._runtime.threads import set_num_threads
from fastnn.callbacks import Checkpoint
from fastnn.errors import DivergenceError, FastnnError, ModelFileError, SettingError
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.loading import load, load_with_notes
from fastnn.plot._text import disable_mathtext, format_percent
from fastnn.saving import model_file
from fastnn.saving.atomic_write import find_folder

from .bag import BAG_OPTIONS, bag_usage_error, train_bag
from .data_options import DATA_OPTIONS, WINDOW, data_usage_error, load_data
from .epoch_table import N_REPORTS, EpochTable
from .fit_options import FIT_OPTIONS, early_stopping, fit_settings, fit_usage_error
from .network_options import NETWORK_OPTIONS, network_settings, network_usage_error
from .output import fold, print_fact, print_note, print_result, write_picture
from .ranks import SHARDS_OPTION, check_resumed, print_ranks, sharing, together
from .run_folder import CHECKPOINT, OUT_OPTIONS, claim_folder
from .stored_images import rows_of
from .table import format_majority, format_values
from .task import Task, build_network, find_pixel_max, format_network, format_task, write_model
from .verb import Verb
from .verdict import explain_divergence, judge_classes, judge_cost

#: The files that a training writes.
MODEL, PICTURE = "model.safetensors", "history.png"


def run(arguments: argparse.Namespace) -> int:
    """Train, report, save and draw; 130 if Ctrl-C ended the training early."""
    if arguments.threads is not None:
        set_num_threads(arguments.threads)
    if arguments.bag is not None:
        return train_bag(arguments)
    with closing(load_data(arguments)) as task:
        return run_task(task, arguments)


def run_task(task: Task, arguments: argparse.Namespace) -> int:
    """Do what `run` does, with data that are read."""
    pixel_max = find_pixel_max(task.X)
    net = build_network(task, pixel_max, arguments.layers, **network_settings(arguments))
    fresh, net = net, resume(net, arguments.checkpoint)
    check_resumed(arguments, net.history.epochs)
    if task.table is not None:
        check_writable(net, task)
    if arguments.ranks.rank:  # rank 0 prints and writes
        return 130 if train(net, task, arguments) else 0
    out = claim_folder(
        arguments, (MODEL, PICTURE),
        lambda folder: net is not fresh and _is_earlier_stage(folder / MODEL, net, task),
    )  # fmt: skip
    model = out / MODEL
    for path in filter(None, (model, arguments.checkpoint)):
        find_folder(path)  # what cannot be written is refused before the training
    print_facts(task, net, pixel_max)
    print_ranks(arguments.ranks)
    began, before = time.perf_counter(), net.history.epochs
    try:
        interrupted = train(net, task, arguments)
    except (OSError, KeyboardInterrupt):  # a closed pipe or a full disk loses nothing
        if net.history.epochs:
            write_model(net, task, pixel_max, model)
        raise
    seconds = time.perf_counter() - began if net.history.epochs > before else 0.0
    write_model(net, task, pixel_max, model)  # before anything that can fail
    if interrupted:
        done = plural(net.history.epochs, "epoch")
        print_note(f"stopped by Ctrl-C after {done}; what was learnt is saved")
    print_result("")
    print_result(format_scores(net, task, seconds))
    print_result(f"wrote {model}")
    if net.history.epochs:
        print_result(draw_history(net, format_title(task, arguments), out / PICTURE))
    return 130 if interrupted else 0


def print_facts(task: Task, net: Network, pixel_max: int | None) -> None:
    """Print what is learnt from what."""
    print_fact("data", format_task(task))
    if task.table is not None:
        for label, fact in task.table.facts():
            print_fact(label, fact)
    print_fact("network", format_network(net, pixel_max))


def format_title(task: Task, arguments: argparse.Namespace) -> str:
    """Return the title of the picture."""
    examples = "images" if task.table is None else "rows"
    held_out = "held-out" if fit_settings(arguments)["validation_split"] else "test"
    return f"{task.name}: validation on {held_out} {examples}"


def resume(net: Network, path: str | None) -> Network:
    """Return the network of the checkpoint, if there is one; refuse one that is described else."""
    if path is None or not Path(path).exists():
        return net
    found = load(path)
    if (repr(found), found.seed) != (repr(net), net.seed):
        raise SettingError(
            f"'{path}' holds another network than these options describe: {found!r} with seed "
            f"{found.seed}; give the options of the run that it is from, or another file"
        )
    return found


def _is_earlier_stage(path: Path, net: Network, task: Task) -> bool:
    """Return whether a model file holds the network that a checkpoint goes on with."""
    try:
        found, notes = load_with_notes(path)
    except (ModelFileError, OSError):
        return False
    return (repr(found), found.seed, notes.get("data")) == (repr(net), net.seed, task.name)


def train(net: Network, task: Task, arguments: argparse.Namespace) -> bool:
    """Train, with a line after each tenth of the epochs; return whether Ctrl-C ended it."""
    settings = fit_settings(arguments)
    done = net.history.epochs
    left = arguments.epochs - done
    if left <= 0:
        print_fact(
            "training",
            f"nothing left to do: {arguments.checkpoint} holds {plural(done, 'epoch')}; ask for "
            "more with --epochs, or name another --checkpoint file to begin anew",
        )
        return False
    print_fact("training", format_training(len(task.X), settings, arguments))
    if done:
        print_fact("", f"goes on from {arguments.checkpoint} after {plural(done, 'epoch')}")
    share = settings["validation_split"]
    if not share:
        settings["validation_data"] = rows_of(task.X_test), task.y_test
    held_out = "validation" if share else "test"
    table = EpochTable(arguments.epochs, done, held_out, settings["schedule"] is not None)
    stop = early_stopping(arguments)
    callbacks: list[Any] = [table, *([] if stop is None else [stop])]
    if arguments.checkpoint is not None:
        callbacks.append(Checkpoint(arguments.checkpoint, -(-arguments.epochs // N_REPORTS)))
    try:
        history = net.fit(
            rows_of(task.X), task.y, epochs=left, callbacks=callbacks, progress=False,
            **settings, **sharing(arguments),
        )  # fmt: skip
    except DivergenceError as error:
        optimizer = settings["optimizer"]
        if "learning_rate" not in {field.name for field in dataclasses.fields(optimizer)}:
            raise
        raise FastnnError(explain_divergence(error, optimizer.learning_rate)) from error
    table.close(history)
    if arguments.checkpoint is not None and not history.interrupted and not arguments.ranks.rank:
        model_file.checkpoint(state_of(net), arguments.checkpoint)
    for remark in remarks(net, history, stop, settings):
        print_note("\n" + fold(remark, sys.stderr))
    return history.interrupted


def remarks(net: Network, history: Any, stop: Any, settings: dict[str, Any]) -> list[str]:
    """Return the sentences about how the training ended."""
    found = []
    if history.message is not None:
        found.append(f"The optimizer ended: {history.message}")
    if stop is not None and history.epochs and not history.interrupted:
        best = f"The best {stop.monitor.replace('_', ' ')} was that of epoch {stop.best_epoch + 1}"
        found.append(f"{best}, whose weights are kept.")
    if history.epochs:
        rose = judge_cost(net.history, settings["optimizer"].learning_rate)
        found += [] if rose is None else [rose]
    return found


def format_training(m: int, settings: dict[str, Any], arguments: argparse.Namespace) -> str:
    """Return the line about the training, m examples before any is held out."""
    optimizer, share = settings["optimizer"], settings["validation_split"]
    m -= round(m * share)
    batch = min(settings["batch_size"] or m, m)
    facts = [plural(arguments.epochs, "epoch"), f"{plural(batch, 'example')} a step"]
    rate = f" with learning rate {optimizer.learning_rate:g}"
    facts.append(arguments.optimizer.text + ("" if arguments.optimizer.name == "lbfgs" else rate))
    if arguments.schedule is not None:
        facts.append(f"schedule {arguments.schedule.text}")
    for name, title in (("l2", "L2"), ("l1", "L1"), ("weight_decay", "weight decay"),
                        ("clip_norm", "gradient norm up to"),
                        ("clip_value", "gradient values up to")):  # fmt: skip
        if getattr(arguments, name):
            facts.append(f"{title} {getattr(arguments, name):g}")
    if settings["class_weight"]:
        facts.append("balanced classes")
    if arguments.early_stopping is not None:
        facts.append(f"until {plural(arguments.early_stopping, 'epoch')} bring no better "
                     f"{arguments.monitor.replace('_', ' ')}")  # fmt: skip
    held = f"; {100 * share:g} % of the training examples held out for validation" if share else ""
    return ", ".join(facts) + held


def format_scores(net: Network, task: Task, seconds: float) -> str:
    """Return the lines about how well it went."""
    if task.table is not None and task.table.regression:
        values = format_values(net, *task[1:5])
        return f"trained in {seconds:.1f} s\n{values}"
    scores, tested = (
        net.evaluate(rows_of(X), y) for X, y in ((task.X, task.y), (task.X_test, task.y_test))
    )
    right, right_tested = scores.pop("accuracy"), tested.pop("accuracy")
    took = f", trained in {seconds:.1f} s" if seconds else ""
    lines = [
        f"train accuracy {format_percent(right, 2)}, test accuracy "
        f"{format_percent(right_tested, 2)}{took}"
    ]
    lines += [
        f"{name.replace('_', ' ')} {scores[name]:.4f} on the training, {tested[name]:.4f} on the "
        "test examples"
        for name in scores
        if name != "cost"
    ]
    if task.table is not None:
        lines.append(format_majority(task.y, task.y_test, task.classes))
    warning = judge_classes((right, right_tested), task.y, task.y_test, task.classes)
    return "\n".join(lines if warning is None else [*lines, "", fold(warning, sys.stdout), ""])


def check_writable(net: Network, task: Task) -> None:
    """Raise before the training what a model file would raise for the columns of a table."""
    with tempfile.TemporaryDirectory() as folder:
        write_model(net, task, None, Path(folder) / MODEL)


def draw_history(net: Network, title: str, path: Path) -> str:
    """Write the picture of the training; return the line that reports it."""

    def draw(ax: Any) -> None:
        plot.history(net.history, ax=ax)
        disable_mathtext(ax.set_title(title))

    return write_picture(path, (6.4, 4.4), draw)


def usage_error(arguments: argparse.Namespace) -> str | None:
    """Return what is wrong with options that do not go together, or None."""
    others = (*NETWORK_OPTIONS, *FIT_OPTIONS, *SHARDS_OPTION, WINDOW, CHECKPOINT)
    return (
        data_usage_error(arguments)
        or bag_usage_error(arguments, others)
        or network_usage_error(arguments)
        or fit_usage_error(arguments)
    )


VERB = Verb(
    "train a network on images or a table, save and draw it",
    together(run),
    options=(
        *DATA_OPTIONS,
        *BAG_OPTIONS,
        WINDOW,
        *NETWORK_OPTIONS,
        *FIT_OPTIONS, *SHARDS_OPTION,
        *OUT_OPTIONS,
        CHECKPOINT,
    ),
    usage_error=usage_error,
    examples="""\
examples:
  fastnn train
      the bundled digits; writes the model and a picture into fastnn-out
  fastnn train --train train_cats.h5 --test test_cats.h5 --layers 20,7,5
      images of your own, in the course's HDF5 layout: train_set_x,
      train_set_y, list_classes
  fastnn train --images flowers
      pictures of your own: flowers/daisy/1.jpg, flowers/rose/2.jpg …
  fastnn train --table houses.csv --target price
      the rows of a CSV or Parquet file; says what became of its columns
  fastnn train --table houses.csv --target price --bag
      the same by a bag of networks, whose settings follow from the table
  fastnn train --layers none --optimizer gradient-descent --learning-rate 0.1
      logistic regression: no hidden layer
  fastnn train --dropout 0.2 --schedule cosine --early-stopping 10
      units dropped, a rate that falls to 0, and the best epoch's weights kept
""",
)  # fmt: skip
