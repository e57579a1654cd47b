"""Verbs of the command line: the record that each verb's module holds, and the parser of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from fastnn._version import __version__

from .completion import PrintCompletion
from .hints import unknown_arguments


class Option(NamedTuple):
    """What argparse's `add_argument` takes: the flag or name of an argument, and its settings.

    `group` is the title under which the help lists it.
    """

    flag: str
    settings: dict[str, Any]
    group: str | None = None


def option(flag: str, **settings: Any) -> Option:
    """Return an option; the settings are those of argparse's `add_argument`."""
    return Option(flag, settings)


def grouped(title: str | None, *options: Option) -> tuple[Option, ...]:
    """Return options that stand under one title in the help."""
    return tuple(one._replace(group=title) for one in options)


def given_options(options: tuple[Option, ...], arguments: argparse.Namespace) -> list[str]:
    """Return those of the options that were given, as they are written on a command line."""
    found: list[str] = []
    for flag, settings, _ in options:
        value = getattr(arguments, flag.removeprefix("--").replace("-", "_"))
        if value != settings.get("default", False if "action" in settings else None):
            found += [flag] if "action" in settings else [flag, str(value)]
    return found


def no_usage_error(arguments: argparse.Namespace) -> str | None:
    """Return None: the arguments of most verbs are checked one by one."""
    return None


@dataclass(frozen=True)
class Verb:
    """A command: its help, its options, and the function that runs it.

    Attributes
    ----------
    summary : str
        What it does, as the list of commands says it.
    run : callable
        Takes the parsed arguments and returns the exit code.
    options : tuple of Option
        In the order of the help.
    examples : str, optional
        Stands below the options in the help.
    usage_error : callable
        Returns what is wrong with arguments that do not go together, or None.
    compiles : bool
        Whether it runs kernels, so that a compilation is announced before.
    """

    summary: str
    run: Callable[[argparse.Namespace], int]
    options: tuple[Option, ...] = ()
    examples: str | None = None
    usage_error: Callable[[argparse.Namespace], str | None] = no_usage_error
    compiles: bool = True


OUT = option(
    "--out", metavar="DIR", type=Path, default=Path("fastnn-out"),
    help="folder for the files that are written (default: fastnn-out)",
)  # fmt: skip

OVERWRITE = option("--overwrite", action="store_true", help="replace the file if it exists")


class CommandParser(argparse.ArgumentParser):
    """A parser that names the option that was meant, where it meets one that does not exist."""

    def known_options(self) -> list[str]:
        """Return the options that exist, ``-h`` and ``--help`` among them."""
        return list(self._option_string_actions)

    def refuse(self, unknown: list[str]) -> NoReturn:
        """End with exit code 2 and a sentence about arguments that the command does not have."""
        known = [flag for flag in self.known_options() if flag.startswith("--")]
        self.error(unknown_arguments(self.prog, unknown, known))


def build_parser(verbs: Mapping[str, Verb]) -> CommandParser:
    """Return the parser; its result holds as `verb` the record of the chosen command.

    As `command` it holds the parser of that command, which ends with its errors.
    """
    parser = CommandParser(
        prog="fastnn",
        description="Dense neural networks on the CPU: trained, used and measured.",
        epilog="`fastnn COMMAND --help` explains a command. Start with: fastnn train",
    )
    parser.add_argument("--version", action="version", version=f"fastnn {__version__}")
    parser.add_argument(
        "--print-completion", action=PrintCompletion, metavar="SHELL",
        help="print what makes a shell complete commands and options: bash, zsh, fish …",
    )  # fmt: skip
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, verb in verbs.items():
        places = [o.settings.get("metavar", o.flag) for o in verb.options if o.flag[0] != "-"]
        command = commands.add_parser(
            name,
            help=verb.summary,
            usage=" ".join(["fastnn", name, "[options]", *places]),
            description=f"{verb.summary[0].upper()}{verb.summary[1:]}.",
            epilog=verb.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(verb=verb, command=command)
        groups: dict[str | None, Any] = {None: command}
        for flag, settings, title in verb.options:
            if title not in groups:
                groups[title] = command.add_argument_group(title)
            groups[title].add_argument(flag, **settings)
    return parser
