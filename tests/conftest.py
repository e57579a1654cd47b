"""Makes a bare checkout importable, here and in processes that tests start, and Ctrl-C work.

And lets no test pass whose compiled calls reach a kernel that they did not request: in a process of
its own, where no other test had compiled it, such a call would fail.
"""

import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_found = importlib.util.find_spec("fastnn")
if _found is None or Path(_found.origin).parents[1] == ROOT:  # not installed
    sys.path.insert(0, str(ROOT))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])

import fastnn  # noqa: E402
from fastnn import kernels  # noqa: E402


def pytest_configure():
    """Let fits be interrupted: a job that a script starts in the background ignores Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session", autouse=True)
def _strict_tables():
    """Calls get tables of kernel pointers that hold what they require, and no more."""
    from fastnn.kernels.jitted.compiler import dispatch_table

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch_table, "STRICT", True)
        yield


@pytest.fixture(autouse=True)
def unrequested_kernels():
    """Kernels that a test's calls reached without a request; none may be left at its end."""
    from fastnn.kernels.jitted.compiler import unrequested

    unrequested.called.clear()
    yield unrequested.called
    unrequested.raise_if_called()
