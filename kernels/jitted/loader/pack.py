"""Packs: all kernels, compiled ahead for a CPU level, in one file that is installed with fastnn.

Packs lie in the folder `packs` beside the kernels' sources and nowhere else: no setting leads to
another place, so only who may replace the sources themselves can put code there.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from . import private_folder
from .manifest import DTYPES, Manifest
from .sealed_file import seal, unseal

SOURCES = Path(__file__).resolve().parents[2]  # the folder of the package `kernels`
FOLDER = SOURCES / "packs"
#: Bytes of a Python object before its own fields. Entrances read NumPy's arrays behind them.
HEAD = object.__basicsize__


class UnfitPackError(Exception):
    """A pack that is missing, damaged, of other sources, or that others could have written."""


class Pack:
    """An open pack: object code by name, and the Manifest."""

    def __init__(self, description, code):
        """Use the (description, code) of a file; they are checked already."""
        self.manifest = Manifest.from_json(description["manifest"])
        self._places, self._code = description["objects"], code

    def holds(self, name):
        """Return a bool: whether the pack has an object of that name."""
        return name in self._places

    def read(self, name):
        """Return the code of an object, or None if the pack has none of that name."""
        begin, size = self._places.get(name, (0, 0))
        return self._code[begin : begin + size] or None


def pack_path(level):
    """Return the Path at which the pack of a level lies if there is one."""
    return FOLDER / f"{level}.pack"


def packed_levels():
    """Return the set of the levels of whose packs there are files, whatever these hold."""
    try:
        return {path.stem for path in FOLDER.glob("*.pack")}
    except OSError:
        return set()


def write_pack(path, manifest, objects, about):
    """Write a pack at `path`, in one step.

    manifest: a Manifest; objects: {name: object code}; about: a dict that JSON can hold, with what
    `open_pack` compares: "level" and "sources", the digest of the kernels' sources.
    """
    places, begin = {}, 0
    for name, code in objects.items():
        places[name] = begin, len(code)
        begin += len(code)
    description = about | {
        "system": sys.platform, "head": HEAD, "manifest": manifest.as_json(), "objects": places,
    }  # fmt: skip
    private_folder.write(os.fspath(path), seal(description, b"".join(objects.values())), 0o644)


def open_pack(level, sources):
    """Return the Pack of a level; sources: the digest of the kernels' sources.

    Raises
    ------
    UnfitPackError
        If there is none that fits. Its text says why, for "the pack …".
    """
    found = unseal(_read(pack_path(level)))
    if found is None:
        raise UnfitPackError("is damaged")
    description, code = found
    try:
        if description["level"] != level or description["system"] != sys.platform:
            raise UnfitPackError("is of another platform")
        if description["head"] != HEAD:
            raise UnfitPackError("is of another build of Python")
        if description["sources"] != sources:
            raise UnfitPackError("was made of other sources than those installed")
        pack = Pack(description, code)
    except (KeyError, TypeError, ValueError):
        raise UnfitPackError("is of another version") from None
    if not all(pack.read(name) for dtype in DTYPES for name in pack.manifest.objects(dtype)):
        raise UnfitPackError("lacks kernels")
    return pack


def _read(path):
    """Return the bytes of a pack's file; raise UnfitPackError if there is none to be trusted.

    File and folder must be as hard to replace as the sources: they belong to the owner of these or
    to root, and only those may write them who may write the sources.
    """
    try:
        _refuse_replaceable(os.lstat(FOLDER), os.stat(SOURCES))
        sources = os.stat(Path(__file__))
        _refuse_replaceable(os.lstat(path), sources)
        with open(path, "rb") as file:
            _refuse_replaceable(os.fstat(file.fileno()), sources)
            return file.read()
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise UnfitPackError("is not installed") from None
        raise UnfitPackError(f"cannot be read ({error.strerror or error})") from None


def _refuse_replaceable(status, like):
    """Raise UnfitPackError if a path is easier to replace than another; both os.stat_result."""
    if private_folder.POSIX and not _is_as_private(status, like):
        raise UnfitPackError("could have been written by others than the sources")


def _is_as_private(status, like):
    """Return a bool: whether a path is as hard to replace as another, both as os.stat_result."""
    opened = status.st_mode & ~like.st_mode & private_folder.SHARED
    alien = status.st_uid not in (0, like.st_uid) or (
        status.st_gid != like.st_gid and status.st_mode & stat.S_IWGRP
    )
    is_alike = stat.S_IFMT(status.st_mode) == stat.S_IFMT(like.st_mode)  # no link, no pipe
    return is_alike and not (opened or alien)
