"""Arguments of the command line: every option with its rule, its default and its help."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastnn import __version__

Command = Callable[[argparse.Namespace], int]

#: What each command does, and the examples below its help.
COMMANDS = {
    "train": (
        "train a network on images, save and draw it",
        """\
examples:
  fastnn train
      the bundled digits; writes fastnn-out/model.safetensors and fastnn-out/history.png
  fastnn train --train train_cats.h5 --test test_cats.h5 --layers 20,7,5
      images of your own, in the course's HDF5 layout: train_set_x, train_set_y, list_classes
  fastnn train --layers none --optimizer gradient-descent --learning-rate 0.1 --batch-size full
      logistic regression as in the first course: no hidden layer, all examples in every step
""",
    ),
    "predict": (
        "say what a saved network sees in pictures",
        """\
examples:
  fastnn predict fastnn-out/model.safetensors three.png seven.jpg
  fastnn predict fastnn-out/model.safetensors --invert scan.png
      ink on white paper, for the bundled digits, which are light on dark

Pictures are stretched to the size of the training images, and made grey if those were.
""",
    ),
    "tune": (
        "search for good settings of a network on images",
        """\
examples:
  fastnn tune
      50 trials on the bundled digits; writes fastnn-out/search.png
  fastnn tune --train train_cats.h5 --trials 100 --processes 4 --study cats.study
      images of your own; run it again to go on where it stopped

Learning rate, units, hidden layers, batch size, L2 and dropout are drawn at random, the second
half of the trials around the best of the first. Needs Optuna: pip install "fastnn[tune]"
""",
    ),
    "compare": (
        "time loops, NumPy and compiled kernels at the same work",
        """\
examples:
  fastnn compare            some 15 seconds; writes fastnn-out/comparison.png
  fastnn compare --quick    smaller arrays, a few seconds

Every result is checked against the loops' before it is timed.
""",
    ),
    "check": (
        "check a network's gradients by finite differences",
        """\
examples:
  fastnn check
  fastnn check --train train_cats.h5 --layers 20,7,5 --examples 8

The exit code is 0 if every gradient is right, else 1.
""",
    ),
    "info": ("show versions, processor, threads, backends and the kernel cache", None),
    "warmup": ("compile all kernels now, so that no first fit has to", None),
}


def read(runs: Mapping[str, Command], argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; `run` is what runs the chosen command. Bad usage exits with 2."""
    commands = parser(runs)
    arguments = commands.parse_args(argv)
    if getattr(arguments, "test", None) is not None and arguments.train is None:
        commands.error("--test needs --train: a network is tested on images like those it learnt")
    return arguments


def parser(runs: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Return the parser; its result holds as `run` what runs the chosen command."""
    whole = argparse.ArgumentParser(
        prog="fastnn",
        description="Dense neural networks on the CPU: trained, used and measured.",
        epilog="`fastnn COMMAND --help` explains a command. Start with: fastnn train",
    )
    whole.add_argument("--version", action="version", version=f"fastnn {__version__}")
    choice = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands = {}
    for name, (text, examples) in COMMANDS.items():
        commands[name] = choice.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        commands[name].set_defaults(run=runs[name])
    for name, options in (("train", TRAIN), ("tune", TUNE), ("check", CHECK)):
        for flag, metavar, kind, default, text in options:
            commands[name].add_argument(
                flag, metavar=metavar, type=kind, default=default, help=text
            )
    commands["predict"].add_argument("model", metavar="MODEL", help="written by `fastnn train`")
    commands["predict"].add_argument("images", metavar="IMAGE", nargs="+", help="PNG or JPEG files")
    commands["predict"].add_argument("--invert", action="store_true", help="turn light into dark")
    commands["compare"].add_argument("--quick", action="store_true", help="smaller arrays")
    for name in ("train", "tune", "compare"):
        commands[name].add_argument("--out", metavar="DIR", type=Path, default=OUT[0], help=OUT[1])
    return whole


def _number(text: str, kind: Callable[[str], Any], rule: str, good: Callable[[Any], bool]) -> Any:
    """Return a number that follows a rule, or let argparse say the rule."""
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not good(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")
    return value


def count(text: str) -> int:
    """A whole number from 1 on."""
    return int(_number(text, int, "a whole number of at least 1", lambda n: n >= 1))


def seed(text: str) -> int:
    """A whole number of 32 bits."""
    return int(_number(text, int, "a whole number from 0 to 2**32 - 1", lambda n: 0 <= n < 2**32))


def rate(text: str) -> float:
    """A number above 0."""
    rule = "a number above 0"
    return float(_number(text, float, rule, lambda x: math.isfinite(x) and x > 0))


def penalty(text: str) -> float:
    """A number from 0 on."""
    rule = "a number of at least 0"
    return float(_number(text, float, rule, lambda x: math.isfinite(x) and x >= 0))


def batch(text: str) -> int | None:
    """A whole number from 1 on, or None for full."""
    return None if text == "full" else count(text)


def optimizer(text: str) -> str:
    """The name of an optimiser."""
    known = ("adam", "gradient-descent")
    return str(_number(text, str, f"one of {', '.join(known)}", lambda name: name in known))


def sizes(text: str) -> tuple[int, ...]:
    """Units of the hidden layers: 20,7,5, or none."""
    try:
        return () if text == "none" else tuple(count(part.strip()) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of sizes; write 20,7,5 for three hidden layers, or none"
        ) from None


OUT = Path("fastnn-out"), "folder for the files that are written (default: fastnn-out)"

Options = tuple[tuple[str, str, Callable[[str], Any], Any, str], ...]

#: Flag, metavar, rule, default and help of what `train` takes.
TRAIN: Options = (
    ("--train", "FILE.h5", str, None, "training images (default: the bundled digits)"),
    ("--test", "FILE.h5", str, None, "test images (default: a fifth of the training images)"),
    ("--layers", "N,N", sizes, (128, 64), "units of the hidden layers, or none (default: 128,64)"),
    ("--epochs", "N", count, 40, "passes over the training images (default: 40)"),
    (
        "--learning-rate", "R", rate, None,
        "step size (default: 0.001 for adam, 0.01 for gradient-descent)",
    ),
    ("--batch-size", "N", batch, 32, "examples in a step, or full for all (default: 32)"),
    ("--optimizer", "NAME", optimizer, "adam", "adam or gradient-descent (default: adam)"),
    ("--l2", "λ", penalty, 0.0, "strength of the penalty λ/(2m) Σ W² (default: 0)"),
    (
        "--checkpoint", "FILE", str, None,
        "keep the state of the training in this file, and go on from it",
    ),
    ("--seed", "N", seed, 0, "of the split, the first weights and the shuffles (default: 0)"),
)  # fmt: skip

#: The same of what `tune` takes.
TUNE: Options = (
    ("--train", "FILE.h5", str, None, "images to learn from (default: the bundled digits)"),
    ("--trials", "N", count, 50, "networks to train, those of the study included (default: 50)"),
    ("--epochs", "N", count, 20, "passes over the images in each trial (default: 20)"),
    ("--processes", "N", count, 1, "trials that run side by side (default: 1)"),
    ("--study", "FILE", str, None, "keep the trials in this file, and go on from it"),
    ("--seed", "N", seed, 0, "of the draws, the splits and the weights (default: 0)"),
)

#: The same of what `check` takes.
CHECK: Options = (
    ("--train", "FILE.h5", str, None, "images to check with (default: the bundled digits)"),
    ("--layers", "N,N", sizes, (20, 7, 5), "units of the hidden layers (default: 20,7,5)"),
    ("--examples", "N", count, 32, "images in the cost whose slopes are taken (default: 32)"),
    ("--seed", "N", seed, 0, "of the weights and random directions (default: 0)"),
)
