"""HDF5's global heaps, where texts of variable length live, checked before HDF5 reads them.

The HDF5 library (2.0 and before, its issue 1707) loops for ever over a heap with a damaged
object size, so that one wrong byte in a file would hang the program.
"""

from __future__ import annotations

import mmap
from pathlib import Path

SIGNATURE = b"GCOL\x01"
HEADER = 16  # of a heap and of each object in it, for all sizes of the size field


def heaps_are_sound(path: Path, size_bytes: int) -> bool:
    """Whether every global heap of a file can be walked; sizes in it have `size_bytes` bytes."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = 0
        start = data.find(SIGNATURE)
        while start >= 0:
            # Heaps do not overlap; refusing those that do keeps this walk linear in the file.
            if start < end:
                return False
            end = start + _size(data, start, size_bytes)
            if end < start + HEADER or end > len(data) or not _walk(data, start, end, size_bytes):
                return False
            start = data.find(SIGNATURE, start + 1)
    return True


def _walk(data: mmap.mmap, start: int, end: int, size_bytes: int) -> bool:
    """Whether the objects of the heap data[start:end] follow each other up to its end."""
    at = start + HEADER
    while at + HEADER <= end:
        size = _size(data, at, size_bytes)
        free = data[at] == data[at + 1] == 0  # object 0 is the free rest, its header counted in
        step = size if free else HEADER + -(-size // 8) * 8
        if step < HEADER or at + step > end:
            return False
        at += step
    return True


def _size(data: mmap.mmap, at: int, size_bytes: int) -> int:
    """Return the size in the header at `at`: its bytes from the eighth on, little-endian."""
    return int.from_bytes(data[at + 8 : at + 8 + size_bytes], "little")
