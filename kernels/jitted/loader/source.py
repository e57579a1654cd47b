"""The source of this process's kernels: a pack, or the user's cache and Numba's compiler.

The environment variable FASTNN_KERNELS chooses: "jit" compiles here, "pack" takes the pack of the
best level that this CPU runs, the name of a level takes the pack of that level. Without it a pack
is taken if one fits; else kernels are compiled here.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from functools import cache
from typing import Any, NamedTuple

from ...debug import DEBUG
from . import digest, elf, target
from .cpu import probe
from .pack import UnfitPackError, open_pack, packed_levels
from .user_cache import UserCache

OLDEST_NUMBA = (0, 62)


class Source(NamedTuple):
    """Where kernels come from."""

    store: Any  # a `Pack` or a `UserCache`
    level: str | None  # the level of a pack; None: kernels are compiled here
    reason: str  # why there is no pack, a sentence; "" if there is one


def _wanted():
    """Return the value of FASTNN_KERNELS: "", "jit", "pack" or the name of a level.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    value = os.environ.get("FASTNN_KERNELS", "").strip().lower()
    if value and value not in ("jit", "pack", *target.LEVELS):
        raise ValueError(
            f"FASTNN_KERNELS is {value!r}; set it to jit, pack or a level "
            f"({', '.join(target.LEVELS)}), or unset it: then a pack is used if one fits"
        )
    return value


def _open_best(levels):
    """Return (Pack, level, "") of the first level whose pack fits, or (None, None, why)."""
    reason = ""
    for level in levels:
        try:
            return open_pack(level, digest.sources()), level, ""
        except UnfitPackError as error:
            reason = reason or f"the pack of {level} {error}"
    return None, None, reason


def _levels_to_try(wanted):
    """Return (levels whose packs may be used, the best first; why there are none, a str)."""
    if wanted == "jit":
        return [], "FASTNN_KERNELS is jit"
    if DEBUG:
        return [], "debug mode compiles kernels of its own"
    if not elf.SUPPORTED and target.llvm() is None:
        return [], "llvmlite is not installed, which links kernels"
    if wanted and wanted != "pack":
        runs = target.runs_here(wanted)
        return [wanted] * runs, f"this CPU lacks instructions of {wanted}" * (not runs)
    packed = packed_levels()
    if not packed:
        return [], "no pack is installed"
    levels = [level for level in target.levels_here() if level in packed]
    missing = f"this CPU runs none of the packed levels {', '.join(sorted(packed))}"
    return levels, missing * (not levels)


@cache
def source():
    """Return the Source of this process, chosen once.

    Raises
    ------
    ValueError
        If FASTNN_KERNELS is misspelt, or names a pack that does not fit.
    """
    wanted = _wanted()
    levels, reason = _levels_to_try(wanted)
    pack, level, why = _open_best(levels)
    if pack is not None:
        return Source(pack, level, "")
    reason = reason or why
    if wanted not in ("", "jit"):
        named = "" if wanted == "pack" else f" {wanted}"
        raise ValueError(
            f"FASTNN_KERNELS is {wanted}, but {reason}; unset it, or make a pack by "
            f"`fastnn warmup --pack{named}`"
        )
    return Source(UserCache(digest.compiled_here()), None, reason)


def no_compiler():
    """Return why this process cannot compile kernels, a str, or "" if it can."""
    loaded: Any = sys.modules.get("numba")
    disabled = os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0")
    if loaded.config.DISABLE_JIT if hasattr(loaded, "config") else disabled:
        return "Numba's compiler is switched off (NUMBA_DISABLE_JIT)"
    if importlib.util.find_spec("numba") is None:
        return "Numba is not installed"
    if target.llvm() is None:
        return "llvmlite is not installed"
    found = digest.version("numba")  # None: its metadata are missing, and it is believed
    numbers = tuple(int(part) for part in (found or "").split(".")[:2] if part.isdecimal())
    if found and numbers < OLDEST_NUMBA:
        oldest = ".".join(map(str, OLDEST_NUMBA))
        return f"Numba {found} is too old: {oldest} is the first that fits"
    return ""


@cache
def manifest():
    """Return the Manifest of this process's kernels; without a saved one Numba is imported."""
    store = source().store
    found = store.manifest
    if found is None:
        found = importlib.import_module("..compiler.definitions", __package__).manifest()
        store.save_manifest(found)
    return found


@cache
def detect_cpu():
    """Return the CPU that this process's kernels are compiled for.

    Of kernels that are compiled here it is what LLVM emits code for, which NUMBA_CPU_NAME and
    NUMBA_CPU_FEATURES change.
    """
    found = source().store.manifest
    return found.cpu if found else probe(target.native())
