"""The command line: `fastnn train`, `predict`, `tune`, `compare`, `check`, …."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import numpy as np

from fastnn._runtime.backend import active, announce_compilation
from fastnn._runtime.launcher import launched_rank, launched_size
from fastnn.errors import FastnnError

from .hints import closest
from .output import print_note
from .verb import CommandParser, Verb, build_parser

__all__ = ["main"]

#: The verbs in the order of the help; each is the VERB of the module of its name.
VERBS = (
    "train", "predict", "tune", "compare", "check", "export", "quantize", "info", "warmup",
)  # fmt: skip
#: Those that several ranks of a launcher may run.
ON_RANKS = ("train", "info", "warmup")


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
    arguments = parse(list(sys.argv[1:] if argv is None else argv))
    verb: Verb = arguments.verb
    refused = refused_on_ranks(arguments)
    if refused is not None:
        if launched_rank() == 0:
            print_note(f"fastnn: {refused}")
        return 1
    try:
        if verb.compiles:
            _load_backend()
        return verb.run(arguments)
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
        return 1
    except KeyboardInterrupt:
        print_note("fastnn: stopped by Ctrl-C")
        return 130
    except (FastnnError, OSError) as error:
        print_note(f"fastnn: {_format_error(error)}")
        return 1


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments of a command; what is wrong with them leaves by ``SystemExit(2)``."""
    parser = build_parser(load_verbs(argv))
    if not argv:
        parser.error("which command? Start with: fastnn train")
    if argv[0].startswith("-") and argv[0].partition("=")[0] not in parser.known_options():
        parser.error(f"the command comes first, like: fastnn train {argv[0]}")
    if argv[0] not in VERBS and not argv[0].startswith("-"):
        hint = closest(argv[0], [*VERBS, "--help", "--version"])
        known = f"the commands are {', '.join(VERBS)}"
        parser.error(f"there is no command {argv[0]!r}; {hint or known}")
    arguments, unknown = parser.parse_known_args(argv)
    command: CommandParser = arguments.command
    if unknown:
        command.refuse(unknown)
    usage_error = arguments.verb.usage_error(arguments)
    if usage_error is not None:
        command.error(usage_error)
    return arguments


def refused_on_ranks(arguments: argparse.Namespace) -> str | None:
    """Return why a command is not for several ranks, each of which would do all of it, or None."""
    command = arguments.command.prog
    if launched_size() <= 1 or command.split()[-1] in ON_RANKS:
        return None
    if not hasattr(arguments, "study"):
        return f"{command} runs as one process; start it without mpiexec"
    if arguments.study is not None:  # whose trials several processes share
        return None
    return f"{command} runs as one process; start it without mpiexec, or share a study by --study"


def load_verbs(argv: Sequence[str]) -> dict[str, Verb]:
    """Return the records of the verb that is asked for, or of all where none is named first.

    Only the module of that verb is imported, for all of them take a tenth of a second.
    """
    names = argv[:1] if argv and argv[0] in VERBS else VERBS
    return {name: importlib.import_module(f".{name}", __package__).VERB for name in names}


def _format_error(error: Exception) -> str:
    """Return an error as one line, a system error without its number."""
    if isinstance(error, OSError) and error.strerror:
        where = f"'{error.filename}': " if error.filename else ""
        return f"{where}{error.strerror}"
    return " ".join(str(error).split())


def _load_backend() -> None:
    """Load the backend, and say so if that means compiling."""
    announce_compilation(print_note)
    active().largest(np.zeros(1, np.float32))  # cached if anything is
