"""Makes a bare checkout importable, here and in processes that tests start, and Ctrl-C work.

And lets no test pass whose compiled calls reach a kernel that they did not request: in a process of
its own, where no other test had compiled it, such a call would fail.
"""

import functools
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ALONE = "FASTNN_TEST_ALONE"  # set in the process that runs what forks in a file

ROOT = Path(__file__).resolve().parent.parent
_found = importlib.util.find_spec("fastnn")
if _found is None or Path(_found.origin).parents[1] == ROOT:  # not installed
    sys.path.insert(0, str(ROOT))
    folders = [str(ROOT), os.environ.get("PYTHONPATH")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, folders))  # an empty one is the current

import fastnn  # noqa: E402
from fastnn import kernels  # noqa: E402


def pytest_configure():
    """Let fits be interrupted: a job that a script starts in the background ignores Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


LONGER = ("medium", "slow", "long", "forks")


def pytest_collection_modifyitems(items):
    """Mark as quick what is not marked as longer, and what is long as slow, too."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")
        if not any(map(item.get_closest_marker, LONGER)):
            item.add_marker("quick")


def pytest_runtest_setup(item):
    """Skip what the system cannot do."""
    if item.get_closest_marker("forks") and not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")


@functools.cache
def _forking(root, path):
    """Run the tests of a file that fork, in one process."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         "-W", "ignore:.*fork:DeprecationWarning", "-m", "forks", path],
        cwd=root, env=os.environ | {ALONE: "1"}, capture_output=True, text=True, timeout=500,
        check=False,
    )  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Let a test that forks run where no other test has been: libraries may have threads here.

    JAX, for one, warns at every fork of a process that has imported it.
    """
    if not pyfuncitem.get_closest_marker("forks") or ALONE in os.environ:
        return None
    done = _forking(pyfuncitem.config.rootpath, str(pyfuncitem.path))
    assert done.returncode == 0, done.stdout + done.stderr
    return True


@pytest.fixture
def bench(monkeypatch):
    """Return a function that imports a module of bench/ as from the repository root."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"bench.{name}")


@pytest.fixture(params=kernels.BACKENDS)
def backend(request):
    """The name of a backend, while it is the one in use; skips where it is not to be had."""
    if not kernels.get(request.param).available:
        pytest.skip(f"backend {request.param!r} is not available")
    with fastnn.backend(request.param):
        yield request.param


@pytest.fixture
def ctrl_c(monkeypatch):
    """The thread that presses Ctrl-C while compiled code runs a fit's second chunk of steps."""
    jitted = kernels.get("jitted")
    run, thread = jitted.run, threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))
    chunks = []

    def counted(*args, **settings):
        chunks.append(True)
        if len(chunks) == 2:
            thread.start()
        return run(*args, **settings)

    monkeypatch.setattr(jitted, "run", counted)
    return thread


@pytest.fixture(scope="session", autouse=True)
def _strict_tables():
    """Calls get tables of kernel pointers that hold what they require, and no more."""
    from fastnn.kernels.jitted.loader import tables

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "STRICT", True)
        yield


@pytest.fixture(autouse=True)
def unrequested_kernels():
    """Kernels that a test's calls reached without a request; none may be left at its end."""
    from fastnn.kernels.jitted.loader import unrequested

    unrequested.called.clear()
    yield unrequested.called
    unrequested.raise_if_called()


@pytest.fixture(autouse=True)
def _settings_of_the_process():
    """A number of threads, a backend or a listener that a test sets is none of the next one's."""
    from fastnn.kernels.jitted.compiler import announce

    from fastnn._runtime import backend, threads

    wanted, selected = threads._wanted, backend._selected.set(backend._selected.get())
    yield
    threads._wanted = wanted
    backend._selected.reset(selected)
    announce.listen(None)


@pytest.fixture(autouse=True)
def _registered_names():
    """What a test, or an example that it runs, registers is unknown to the next one."""
    from fastnn import activations, history, losses, metrics, optimizers
    from fastnn.losses.registered import REGISTRY

    tables = [
        activations._registered, losses.REGISTERED, REGISTRY, optimizers.REGISTERED,
        metrics.NAMES, metrics.registration.REGISTERED, history.DIRECTIONS,
    ]  # fmt: skip
    before = [dict(table) for table in tables]
    yield
    for table, names in zip(tables, before, strict=True):
        table.clear()
        table.update(names)
