"""Makes a bare checkout importable where fastnn is not installed."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("fastnn") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
