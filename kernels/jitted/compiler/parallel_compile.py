"""Helper processes, which compile kernels into the user's cache together with this process.

Numba and LLVM hold a lock while they compile, so threads cannot compile at once, but processes can.
With one helper, on two cores, a first fit without a cache took 6.2 instead of 9.9 s (layers
12288 → 20 → 7 → 5 → 1, Xeon). This process compiles whatever the helpers have not compiled.
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

from ..loader.source import source
from ..loader.user_cache import base_folder

#: Kernels for each process at least: starting a helper takes as long as compiling two kernels.
MIN_KERNELS_PER_PROCESS = 5
MAX_HELPERS = 7  # helpers that one process starts at most; each takes 200 MB of memory

#: Python code of a process that calls a function of this package's modules, for `child_command`.
CHILD_CODE = f"""\
import importlib, json, sys
sys.path[:], module, function, arguments = json.loads(sys.argv[1])
getattr(importlib.import_module("{__package__}." + module), function)(*arguments)
"""
#: Begins the code of a helper. It ignores Ctrl-C, upon which the process that started it kills it,
#: and it ends when its stdin is closed, which also happens when that process dies.
HELPER_CODE = """\
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
"""

#: [True] while a thread of this process has helpers, else []. No other thread starts any meanwhile.
_threads_with_helpers: list[bool] = []


def _may_start_helpers():
    """Return a true value if this process may start helpers, else a false one.

    It may not if it is a program that embeds Python, if multiprocessing started it (its siblings
    use the other cores), if another thread has helpers, or if the cache folder cannot be written.
    """
    name = Path(sys.executable or "").name.lower()
    python = re.fullmatch(r"(python|pypy)[\d.]*[a-z]?(\.exe)?", name)
    frozen = getattr(sys, "frozen", False)
    alone = parent_process() is None and not _threads_with_helpers
    return python and not frozen and alone and source().store.is_writable()


def available_cores():
    """Return the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def child_command(module, function, *arguments, code=CHILD_CODE):
    """Return the command, a list, of a process that calls a function of this package.

    module: a module of this package; arguments: what JSON can hold. The process gets this
    interpreter's command-line flags, its sys.path, and -P, which keeps the current folder off
    sys.path.
    """
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    message = json.dumps([[str(path) for path in sys.path], module, function, arguments])
    return [sys.executable, *flags, "-P", "-c", code, message]


def _start(names):
    """Start a process that compiles objects of these names into the cache; return its Popen."""
    return subprocess.Popen(
        child_command("production", "produce", names, code=HELPER_CODE + CHILD_CODE),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"FASTNN_CACHE_DIR": str(base_folder()), "FASTNN_KERNELS": "jit"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


@contextlib.contextmanager
def started_helpers(names, processes):
    """Start helpers for a `with` statement; yield the names of objects for this process to compile.

    names: a list; processes: how many may compile at the same time, this one included. The list is
    cut into one part for each process. A helper compiles its part from the end; this process goes
    through all parts from their beginnings. The end of the `with` statement kills all helpers. For
    few objects none is started.
    """
    most = min(available_cores(), MAX_HELPERS + 1, len(names) // MIN_KERNELS_PER_PROCESS)
    n_processes = max(1, min(processes, most))
    if n_processes > 1 and not _may_start_helpers():
        n_processes = 1
    parts = [names[i::n_processes] for i in range(n_processes)]
    helpers = []
    try:
        if n_processes > 1:
            _threads_with_helpers.append(True)
        with contextlib.suppress(OSError):  # the system may have no process left for a helper
            for part in parts[1:]:
                helpers.append(_start(part[::-1]))
        yield [name for part in parts for name in part]
    finally:
        if n_processes > 1:
            _threads_with_helpers.pop()
        for helper in helpers:  # nothing is lost: this process has been through all objects
            helper.kill()
            helper.communicate()
