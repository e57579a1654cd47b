"""The folder of a run: numbered or refused where it would replace what an earlier run wrote."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

from fastnn.errors import SettingError

from .output import fold, make_folder, print_note
from .verb import grouped, option

__all__ = ["CHECKPOINT", "OUT_OPTIONS", "claim_folder"]

#: Where runs go that are not told where to go.
DEFAULT = Path("fastnn-out")

OUT_OPTIONS = grouped(
    "files",
    option("--out", metavar="DIR", type=Path,
           help="folder for the files (default: fastnn-out; fastnn-out-2 and so on where an "
           "earlier run's files would be replaced)"),
    option("--overwrite", action="store_true",
           help="replace the files of an earlier run in that folder"),
)  # fmt: skip

(CHECKPOINT,) = grouped(
    OUT_OPTIONS[0].group,
    option("--checkpoint", metavar="FILE",
           help="keep the state of the training in this file, and go on from it where it exists"),
)  # fmt: skip


def claim_folder(
    arguments: argparse.Namespace,
    files: tuple[str, ...],
    may_replace: Callable[[Path], bool] = lambda folder: False,
) -> Path:
    """Return the folder of a run, made, in which its files replace nothing that matters.

    Parameters
    ----------
    arguments : Namespace
        With ``out`` and ``overwrite`` of `OUT_OPTIONS`.
    files : tuple of str
        Names of the files that the run will write.
    may_replace : callable
        Whether the files in a folder are of the run that goes on, and may be replaced therefore.

    Raises
    ------
    SettingError
        If ``--out`` names a folder that holds such files, and ``--overwrite`` was not given.
    OSError
        If the folder cannot be made.
    """
    asked: Path | None = arguments.out
    folder = DEFAULT if asked is None else asked
    taken = _files_in(folder, files)
    if not taken or arguments.overwrite or may_replace(folder):
        make_folder(folder)
        return folder
    if asked is not None:
        raise SettingError(
            f"'{taken[0]}' exists already; add --overwrite to replace it, or choose another "
            "folder with --out"
        )
    numbered = (Path(f"{DEFAULT}-{k}") for k in itertools.count(2))
    free = next(path for path in numbered if not _files_in(path, files) or may_replace(path))
    make_folder(free)
    says = f"{taken[0]} exists; this run writes to {free} (--overwrite would replace it)"
    print_note(fold(says, sys.stderr))
    return free


def _files_in(folder: Path, files: tuple[str, ...]) -> list[Path]:
    """Return those of the files that stand in the folder."""
    return [folder / name for name in files if (folder / name).is_file()]
