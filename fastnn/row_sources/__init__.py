"""Rows larger than memory: `find` tells what can be read some rows at a time, as a `RowSource`."""

from .base import RowSource
from .find import find

__all__ = ["RowSource", "find"]
