"""Processes that compile some of the kernels into the cache while this one compiles the others.

A process compiles one kernel at a time, for LLVM stands behind one lock: other cores help only from
processes of their own. With one helper, on two cores, a first fit without a cache took 6.1 instead
of 9.1 s, `fastnn warmup` 47 instead of 77. What helpers leave undone is compiled here.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

from ._cache import cache_folder, writable

SHARE = 5  # kernels, at least, for which a helper starts: that takes as long as two of them
MOST = 7  # helpers at once; each takes 200 MB
PATIENCE = 5.0  # seconds for a helper to finish the kernel that it has begun, and to leave

CODE = f"""\
import importlib, json, sys
sys.path[:], *share = json.loads(sys.argv[1])
importlib.import_module("{__package__}._link").compile_share(*share)
"""


def _python():
    """Tell whether this process's executable is an interpreter, not a program that embeds one."""
    name = Path(sys.executable or "").name.lower()
    return name.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)


def _start(dtype, places):
    """Start a process that compiles the kernels at these places of the table."""
    return subprocess.Popen(
        [sys.executable, "-c", CODE, json.dumps([[str(p) for p in sys.path], dtype, places])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"FASTNN_CACHE_DIR": str(cache_folder().parent)},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


@contextlib.contextmanager
def helped(dtype, places, processes):
    """Yield the order in which to compile kernels, while helpers begin at the other ends.

    Each stops where it meets what is compiled already.   processes: how many may work, this one
    among them.
    """
    team = max(1, min(processes, MOST + 1, len(places) // SHARE))
    if team > 1 and not (_python() and writable()):
        team = 1
    shares = [places[i::team] for i in range(team)]
    helpers = []
    try:
        with contextlib.suppress(OSError):  # no more processes: then fewer
            for share in shares[1:]:
                helpers.append(_start(dtype, share[::-1]))
        yield [place for share in shares for place in share]
        with contextlib.suppress(subprocess.TimeoutExpired):
            for helper in helpers:
                helper.wait(PATIENCE)
    finally:
        for helper in helpers:
            helper.kill()  # after an interrupt; those that have left stay as they are
            helper.wait()
