"""Helper processes: they compile some kernels into the cache while this one compiles the others.

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

from .disk_cache import cache_folder, is_writable

MIN_KERNELS_PER_PROCESS = 5  # starting a helper takes as long as compiling two kernels
MAX_HELPERS = 7  # of a process; each takes 200 MB

#: What a helper runs. It ignores Ctrl-C, for this process ends it then, and ends itself when its
#: stdin is closed, as it is by the end of this process.
HELPER_CODE = f"""\
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
import importlib, json, os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
sys.path[:], *arguments = json.loads(sys.argv[1])
importlib.import_module("{__package__}.dispatch_table").compile_share(*arguments)
"""

#: True for each thread that waits for helpers; one has them at a time.
_threads_with_helpers: list[bool] = []


def _may_start_helpers():
    """Tell whether this process may start helpers.

    Only an interpreter may, not a program that embeds one; and not one of the processes that
    multiprocessing starts, which share the cores already.
    """
    name = Path(sys.executable or "").name.lower()
    python = re.fullmatch(r"(python|pypy)[\d.]*[a-z]?(\.exe)?", name)
    frozen = getattr(sys, "frozen", False)
    alone = parent_process() is None and not _threads_with_helpers
    return python and not frozen and alone and is_writable()


def _cores():
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _start(dtype, indices):
    """Start a process that compiles the kernels at these indices of the table.

    It gets this interpreter's own flags of isolation, and -P: it never imports from the folder
    where this process stands.
    """
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    message = json.dumps([[str(path) for path in sys.path], dtype, indices])
    return subprocess.Popen(
        [sys.executable, *flags, "-P", "-c", HELPER_CODE, message],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"FASTNN_CACHE_DIR": str(cache_folder().parent)},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


@contextlib.contextmanager
def started_helpers(dtype, indices, processes):
    """Yield the order in which to compile kernels, while helpers begin at the other ends.

    processes: how many may work, this one among them. At the end all helpers are ended.
    """
    wanted = min(processes, _cores(), MAX_HELPERS + 1, len(indices) // MIN_KERNELS_PER_PROCESS)
    n_processes = max(1, wanted)
    if n_processes > 1 and not _may_start_helpers():
        n_processes = 1
    parts = [indices[i::n_processes] for i in range(n_processes)]
    helpers = []
    try:
        if n_processes > 1:
            _threads_with_helpers.append(True)
        with contextlib.suppress(OSError):  # the system has no process left: then fewer help
            for part in parts[1:]:
                helpers.append(_start(dtype, part[::-1]))
        yield [index for part in parts for index in part]
    finally:
        if n_processes > 1:
            _threads_with_helpers.pop()
        for helper in helpers:  # this process has compiled what they have not
            helper.kill()
            helper.communicate()
