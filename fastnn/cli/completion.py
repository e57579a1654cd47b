"""Shell completion: a script for a shell, written by shtab from the parser of all commands."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from fastnn._runtime.optional import require

__all__ = ["PrintCompletion"]


class PrintCompletion(argparse.Action):
    """``--print-completion SHELL``: prints the script and ends."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Print the script of a shell."""
        try:
            shtab = require("shtab", extra="completion", purpose="shell completion")
        except ImportError as error:
            parser.exit(1, f"fastnn: {error}\n")
        if values not in shtab.SUPPORTED_SHELLS:
            parser.error(
                f"no completion for {values!r}; there is {', '.join(shtab.SUPPORTED_SHELLS)}"
            )
        _mark_files(parser, shtab)
        print(shtab.complete(parser, shell=str(values)))
        parser.exit()


def _mark_files(parser: argparse.ArgumentParser, shtab: Any) -> None:
    """Let options for files and folders complete file names, in all commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _mark_files(command, shtab)
        elif isinstance(action.metavar, str):
            name = action.metavar.partition(".")[0]
            if name in ("FILE", "MODEL", "IMAGE", "TABLE"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif name in ("DIR", "FOLDER"):
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
