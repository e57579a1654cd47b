"""Processes that compile some of the kernels into the cache while this one compiles the others.

A process compiles one kernel at a time, for LLVM stands behind one lock: other cores help only from
processes of their own. With one helper, on two cores, a first fit without a cache took 6.2 instead
of 9.9 s (12288 → 20 → 7 → 5 → 1, Xeon). What helpers leave undone is compiled here.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from multiprocessing import parent_process
from pathlib import Path

from .disk_cache import cache_folder, writable

SHARE = 5  # kernels, at least, for which a helper starts: that takes as long as two of them
MOST = 7  # helpers of a process; each takes 200 MB

#: Ctrl-C is for this process, which ends its helpers. So does its end, which closes their stdin.
CODE = f"""\
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
import importlib, json, os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
sys.path[:], *share = json.loads(sys.argv[1])
importlib.import_module("{__package__}.dispatch_table").compile_share(*share)
"""

_helped = []  # whether a thread of this process has helpers


def _able():
    """Tell whether helpers may be started: by an interpreter, not a program that embeds one.

    And not by one of many processes that share the cores, as multiprocessing's do.
    """
    name = Path(sys.executable or "").name.lower()
    python = re.fullmatch(r"(python|pypy)[\d.]*[a-z]?(\.exe)?", name)
    frozen = getattr(sys, "frozen", False)
    return python and not frozen and parent_process() is None and not _helped and writable()


def _cores():
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start(dtype, places):
    """Start a process that compiles the kernels at these places of the table.

    As isolated as this one is, and never from the folder where it stands (-P).
    """
    flags = subprocess._args_from_interpreter_flags()
    told = json.dumps([[str(path) for path in sys.path], dtype, places])
    return subprocess.Popen(
        [sys.executable, *flags, "-P", "-c", CODE, told],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"FASTNN_CACHE_DIR": str(cache_folder().parent)},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


@contextlib.contextmanager
def helped(dtype, places, processes):
    """Yield the order in which to compile kernels, while helpers begin at the other ends.

    processes: how many may work, this one among them.
    """
    team = max(1, min(processes, _cores(), MOST + 1, len(places) // SHARE))
    if team > 1 and not _able():
        team = 1
    shares = [places[i::team] for i in range(team)]
    helpers = []
    try:
        if team > 1:
            _helped.append(True)
        with contextlib.suppress(OSError):  # no more processes: then fewer
            for share in shares[1:]:
                helpers.append(_start(dtype, share[::-1]))
        yield [place for share in shares for place in share]
    finally:
        if team > 1:
            _helped.pop()
        for helper in helpers:  # what it still does has been done here
            helper.kill()
            helper.communicate()
