"""Makes a bare checkout importable, here and in processes that tests start, and Ctrl-C work.

And lets no test pass whose compiled calls reach a kernel that their program did not ask for: in a
process of its own, where no other test had compiled it, such a call would crash.
"""

import ctypes
import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_found = importlib.util.find_spec("fastnn")
if _found is None or ROOT in Path(_found.origin).parents:  # not installed
    sys.path.insert(0, str(ROOT))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def pytest_configure():
    """Let fits be interrupted: a job that a script starts in the background ignores Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_unasked = []  # calls of such kernels


@ctypes.CFUNCTYPE(ctypes.c_int)
def _stand_in():
    """Stand where a kernel was not asked for; 0 is how Numba's functions say that all is well."""
    _unasked.append(True)
    return 0


@pytest.fixture(scope="session", autouse=True)
def _strict_tables():
    """Programs get tables that hold what they name, and no more."""
    from fastnn.kernels.jitted.compiler import dispatch_table
    from fastnn.kernels.jitted.execution import kernel_selection

    address = ctypes.cast(_stand_in, ctypes.c_void_p).value

    def strict(dtype, uses, processes):
        table = dispatch_table.kernel_pointers(dtype, uses, processes).copy()
        for place, (_, _, when) in enumerate(dispatch_table._linked):
            if when is not None and when not in uses:
                table[place] = address
        return table

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_selection, "kernel_pointers", strict)
        yield


@pytest.fixture(autouse=True)
def unasked_kernels():
    """Calls of kernels that a test's programs did not ask for; none may be left at its end."""
    _unasked.clear()
    yield _unasked
    assert not _unasked, "a kernel was called that `uses` and `needs` of a program do not name"
