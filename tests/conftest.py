"""Makes a bare checkout importable where fastnn is not installed, and Ctrl-C work as in a shell."""

import importlib.util
import signal
import sys
from pathlib import Path

if importlib.util.find_spec("fastnn") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def pytest_configure():
    """Let fits be interrupted: a job that a script starts in the background ignores Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
