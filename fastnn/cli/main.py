"""The command line: `fastnn train`, `predict`, `tune`, `compare`, `check`, `info`, `warmup`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import numpy as np

from fastnn._runtime.backend import active, announce_compilation
from fastnn.errors import FastnnError

from .output import print_note
from .verb import Verb, build_parser

__all__ = ["main"]

#: The verbs in the order of the help; each is the VERB of the module of its name.
VERBS = ("train", "predict", "tune", "compare", "check", "info", "warmup")


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
    given = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser(load_verbs(given))
    arguments = parser.parse_args(given)
    verb: Verb = arguments.verb
    usage_error = verb.usage_error(arguments)
    if usage_error is not None:
        parser.error(usage_error)
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
