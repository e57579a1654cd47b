"""Tables: CSV and Parquet files as numbers for networks, by an encoding that is plain data."""

from __future__ import annotations

from .encoder import TableEncoder
from .files import read_frame
from .table import Table, load_table

__all__ = ["Table", "TableEncoder", "load_table", "read_frame"]
