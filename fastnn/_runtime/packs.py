"""Packs: all kernels compiled for a CPU level, kept in the installed package for all its users."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from fastnn.errors import SettingError
from fastnn.kernels.jitted.loader import pack, target

__all__ = ["ALL", "AUTO", "build_pack", "parse_levels"]

#: What stands for the best level of this machine's CPU, and for all levels of its architecture.
AUTO, ALL = "auto", "all"


def parse_levels(text: str) -> list[str]:
    """Return the names of CPU levels that a text like "x86-64-v3,x86-64-v4" lists, each once.

    Raises
    ------
    SettingError
        If a name is unknown here, or ``auto`` is asked for and the CPU has none of the levels.
    """
    levels = target.levels_of_machine()
    known = f"the levels of this machine are {', '.join(levels) or 'none'}"
    meanings = {name: [name] for name in levels} | {ALL: levels, AUTO: target.levels_here()[:1]}
    found: dict[str, None] = {}
    for name in (part.strip().lower() for part in text.split(",")):
        if name not in meanings:
            raise SettingError(
                f"there is no CPU level {name!r}; {known}, {AUTO} is the best one that its CPU "
                f"has, and {ALL} is all of them"
            )
        if not meanings[name]:
            raise SettingError(
                f"there is no level for {name!r}: this CPU has none, and {known}; `fastnn warmup` "
                "without --pack compiles for this CPU alone"
            )
        found |= dict.fromkeys(meanings[name])
    return list(found)


def build_pack(level: str) -> Path:
    """Compile all kernels for a level into the installed package; return the path of the pack.

    Raises
    ------
    SettingError
        If fastnn lies in an archive, or kernels cannot be compiled here.
    OSError
        If the folder of the packs cannot be written.
    """
    folder = _open_folder()
    from fastnn.kernels.jitted.compiler import build

    try:
        path: Path = build.build_pack(level, folder)
    except (RuntimeError, ValueError) as error:
        raise SettingError(str(error)) from error
    return path


def _open_folder() -> Path:
    """Return the folder of the installed package's packs, made if need be and open to writing."""
    folder: Path = pack.FOLDER
    if not folder.parent.is_dir():
        raise SettingError(
            f"fastnn is imported from an archive, so that '{folder}' cannot hold a pack; install "
            "it into a folder, as pip does"
        )
    try:
        folder.mkdir(stat.S_IMODE(folder.parent.stat().st_mode), exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (
            f"no pack can be written into this folder ({error.strerror}); run this command as the "
            "owner of the installation, or `fastnn warmup` without --pack for yourself alone"
        )
        raise OSError(error.errno, reason, str(folder)) from error
    return folder
