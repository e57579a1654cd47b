"""The command line: `fastnn train`, `predict`, `tune`, `compare`, `check`, `info`, `warmup`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import numpy as np

from fastnn._runtime.backend import active, announce_compilation
from fastnn.errors import FastnnError

from .arguments import read

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after the program's name; those of the process by default.

    Returns
    -------
    int
        0; 1 for an error that the user can mend, told in one sentence; 130 after Ctrl-C. Bad
        usage leaves through ``SystemExit(2)``.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console without × shows ? and goes on
    arguments = read(RUNS, argv)
    try:
        return int(arguments.run(arguments))
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
        return 1
    except KeyboardInterrupt:
        note("fastnn: stopped by Ctrl-C")
        return 130
    except (FastnnError, OSError) as error:
        note(f"fastnn: {_sentence(error)}")
        return 1


def say(line: str) -> None:
    """Print a line of the result."""
    print(line, flush=True)


def note(line: str) -> None:
    """Print a line about the result: to stderr, so that results can be piped on."""
    print(line, file=sys.stderr, flush=True)


def _sentence(error: Exception) -> str:
    """Return an error as one line, a system error without its number."""
    if isinstance(error, OSError) and error.strerror:
        where = f"'{error.filename}': " if error.filename else ""
        return f"{where}{error.strerror}"
    return " ".join(str(error).split())


def _prepare() -> None:
    """Load the backend, and say so if that means compiling."""
    announce_compilation(note)
    active().largest(np.zeros(1, np.float32))  # cached if anything is


def _train(arguments: argparse.Namespace) -> int:
    from .train import run

    _prepare()
    return run(arguments, say, note)


def _predict(arguments: argparse.Namespace) -> int:
    from .predict import run

    _prepare()
    return run(arguments, say, note)


def _compare(arguments: argparse.Namespace) -> int:
    from .compare import run

    _prepare()
    return run(arguments, say, note)


def _tune(arguments: argparse.Namespace) -> int:
    from .tune import run

    _prepare()
    return run(arguments, say, note)


def _check(arguments: argparse.Namespace) -> int:
    from .check import run

    _prepare()
    return run(arguments, say, note)


def _info(arguments: argparse.Namespace) -> int:
    from fastnn._runtime.versions import show_versions

    say(show_versions())
    return 0


def _warmup(arguments: argparse.Namespace) -> int:
    from fastnn.network.warmup import warmup

    _prepare()
    warmup()
    say("The kernels of float32 and float64 networks are in the cache; `fastnn info` says where.")
    return 0


RUNS = {
    "train": _train,
    "predict": _predict,
    "tune": _tune,
    "compare": _compare,
    "check": _check,
    "info": _info,
    "warmup": _warmup,
}
