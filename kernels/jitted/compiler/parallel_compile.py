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
from collections import deque
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread, Timer
from typing import Any

from ..loader.source import source
from ..loader.user_cache import base_folder

#: Kernels for each process at least: starting a helper takes as long as compiling two kernels.
MIN_KERNELS_PER_PROCESS = 5
MAX_HELPERS = 7  # helpers that one process starts at most; each takes 200 MB of memory
#: Seconds after which a helper that works on one object is killed; the longest takes about three.
PATIENCE = 120

#: Python code of a process that calls a function of this package's modules, for `child_command`.
CHILD_CODE = f"""\
import importlib, json, sys
sys.path[:], module, function, arguments = json.loads(sys.argv[1])
getattr(importlib.import_module("{__package__}." + module), function)(*arguments)
"""
#: Python code of a helper. A thread of it reads names of objects from stdin. A helper ignores
#: Ctrl-C, upon which the process that started it kills it, and it ends when its stdin is closed,
#: which also happens when that process dies. It hides SciPy, which Numba would import for products
#: of NumPy's matrices, a third of a second; kernels have their own.
HELPER_CODE = f"""\
import importlib, json, os, queue, signal, sys, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
orders = queue.SimpleQueue()
def listen():
    for line in sys.stdin:
        orders.put(line.rstrip())
    os._exit(1)
threading.Thread(target=listen, daemon=True).start()
sys.path[:], module, function, _ = json.loads(sys.argv[1])
sys.modules["scipy"] = None
getattr(importlib.import_module("{__package__}." + module), function)(orders.get)
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


class _Helper:
    """A process that compiles objects into the user's cache, one after the other."""

    def __init__(self):
        """Start the process; it imports Numba while it waits for the name of an object."""
        self.process: Any = subprocess.Popen(
            child_command("production", "serve", code=HELPER_CODE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"FASTNN_CACHE_DIR": str(base_folder()), "FASTNN_KERNELS": "jit"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def compile(self, name):
        """Have it compile the object of that name; return a bool: whether it says that it has."""
        limit = Timer(PATIENCE, self.process.kill)
        limit.daemon = True
        limit.start()
        try:
            self.process.stdin.write(f"{name}\n")
            self.process.stdin.flush()
            return self.process.stdout.readline().rstrip() == name
        except (OSError, ValueError):  # it has ended, or its pipes are closed
            return False
        finally:
            limit.cancel()

    def end(self):
        """Kill the process, and close the pipes to it."""
        self.process.kill()
        with contextlib.suppress(OSError), self.process:  # a name may lie in the broken pipe
            pass


_ahead: list[_Helper] = []  # helpers that `started_ahead` has started, not taken yet


def _start(number, helpers):
    """Append that many helpers to a list, or as many as the system has processes left for."""
    with contextlib.suppress(OSError):
        for _ in range(number):
            helpers.append(_Helper())


def _helpers_of(processes):
    """Return how many helpers to start if that many processes may compile at the same time."""
    wanted = min(processes, available_cores(), MAX_HELPERS + 1) - 1
    return wanted if wanted > 0 and _may_start_helpers() else 0


@contextlib.contextmanager
def started_ahead(processes):
    """Start helpers for a `with` statement, before it is known what there is to compile.

    They import Numba while this process does. processes: how many may compile at the same time,
    this one included.
    """
    try:
        _start(_helpers_of(processes), _ahead)
        yield
    finally:
        while _ahead:
            _ahead.pop().end()


def _feed(helper, waiting, finished):
    """Have a helper compile names from the front of `waiting`, a deque, until there are none.

    finished(name) is called for each. The name at which a helper fails goes back.
    """
    while waiting:
        try:
            name = waiting.popleft()
        except IndexError:  # another thread took the last one
            return
        if not helper.compile(name):
            waiting.appendleft(name)
            return
        finished(name)


def _left_over(waiting, feeders):
    """Yield the names that this process compiles: from the front of `waiting`, a deque.

    feeders: the threads of `_feed`. In the end it waits for them.
    """
    while waiting or feeders:
        try:
            yield waiting.popleft()
        except IndexError:
            while feeders:
                feeders.pop().join()


@contextlib.contextmanager
def started_helpers(names, processes, finished=lambda name: None):
    """Start helpers for a `with` statement; yield an iterator of names for this process to compile.

    names: a list of names of objects; processes: how many may compile at the same time, this one
    included. This process and helpers take names from the front of the list, each when it has
    compiled its last one; the iterator ends when all are compiled. finished(name) is called for
    each name of a helper's, in a thread of this process. For few objects no helper is started. The
    end of the `with` statement ends all.
    """
    waiting, feeders, helpers = deque(names), [], []
    number = min(_helpers_of(processes), len(names) // MIN_KERNELS_PER_PROCESS - 1)
    try:
        if number > 0:
            _threads_with_helpers.append(True)
            helpers, _ahead[:] = _ahead[:number], _ahead[number:]
            _start(number - len(helpers), helpers)
        for helper in helpers:
            feeders.append(Thread(target=_feed, args=(helper, waiting, finished), daemon=True))
            feeders[-1].start()
        yield _left_over(waiting, feeders)
    finally:
        if number > 0:
            _threads_with_helpers.pop()
        for helper in helpers:
            helper.process.kill()
        for feeder in feeders:
            feeder.join()
        for helper in helpers:
            helper.end()
