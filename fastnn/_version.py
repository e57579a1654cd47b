"""The version of fastnn, which model files and bug reports name."""

from __future__ import annotations

__version__ = "0.1.0"
