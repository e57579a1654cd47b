"""How an HDF5 data set lies in its file, checked before the HDF5 library reads it.

The library takes the sizes that a file claims on trust, which a damaged or forged file does not
deserve: it could make the program allocate without end, or end it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from fastnn._validation.data_files import MAX_DEFLATE_RATIO
from fastnn.errors import DataFileError
from fastnn.row_sources.filters import (
    Filter,
    find_chunk_fault,
    list_filters,
    used_filters,
    why_unreadable,
)

#: Bytes of a short text as an object of Python, rounded up.
TEXT_OBJECT_BYTES = 64


def check_storage(member: Any, key: str, path: Path, limit: int, width: int = 1) -> None:
    """Refuse a data set that is empty, larger than it may be, or not whole in the file.

    Parts that were never written are no fault, since they hold the fill value, and some filters
    pack a constant into almost nothing. Both let a small file claim any size, so up to `limit`
    bytes are taken at the file's word, and above them 1032 for every byte that it stores.

    Parameters
    ----------
    member : h5py.Dataset
        The data set, of which nothing has been read.
    key, path : str and Path
        Its name and its file, for the messages.
    limit : int
        Bytes of memory that any file may claim.
    width : int, default 1
        Bytes of memory that one element will take, if they are more than in the file.

    Raises
    ------
    DataFileError
        If the data set is refused; the message says why.
    """
    shape = member.shape
    if shape is None or math.prod(shape) == 0:
        raise DataFileError(f"'{path}': {key} is empty (shape {shape}); it needs at least one row")
    item, chunk = _item_size(member), member.chunks or shape
    # HDF5 stores, and unpacks, whole chunks: an axis counts as its chunks, rounded up.
    chunks = math.prod(-(-n // part) for n, part in zip(shape, chunk, strict=True))
    room, elements = path.stat().st_size, math.prod(chunk) * chunks
    # NumPy's type may be wider than the file's, and a text becomes an object of Python.
    in_memory = max(
        item, member.dtype.itemsize, width, TEXT_OBJECT_BYTES * (member.dtype.kind == "O")
    )
    needed = elements * in_memory
    # Chunks may overlap in a crafted file, so the stored size is believed up to the file's own.
    stored = min(member.id.get_storage_size(), room)
    if needed > max(limit, MAX_DEFLATE_RATIO * stored):
        raise DataFileError(
            f"'{path}': {key} claims the shape {shape} of {member.dtype}, {needed} bytes, "
            f"but only {stored} bytes of it are in the file; it is incomplete or forged. If you "
            f"trust it and have the memory, pass limit={needed}"
        )
    if member.chunks is None:
        wrong = _find_contiguous_fault(member, elements * item, room)
    else:
        if reason := why_unreadable(list_filters(member), texts=member.dtype.kind == "O"):
            raise DataFileError(f"'{path}': {key} {reason}")
        wrong = _find_chunk_faults(member, item * math.prod(chunk), chunks, room)
    if wrong:
        raise DataFileError(f"'{path}' is damaged or cut short: {key} {wrong}; fetch it again")


def _item_size(member: Any) -> int:
    """Return the bytes that one element takes where the data set lies."""
    import h5py

    if member.dtype.kind == "O" and not h5py.check_ref_dtype(member.dtype):
        # Of variable length: a length, the address of a heap and an index into it.
        return 4 + int(member.file.id.get_create_plist().get_sizes()[0]) + 4
    return int(member.id.get_type().get_size())


def _find_contiguous_fault(member: Any, needed: int, room: int) -> str | None:
    """Return what is wrong with a data set that is stored in one piece, or None."""
    stored, begin = member.id.get_storage_size(), member.id.get_offset()
    unwritten = (None, member.file.userblock_size - 1)  # the library adds the block to "nowhere"
    if stored == 0 and begin in unwritten:
        return None
    if stored != needed or (begin or 0) + needed > room:  # small ones lie in a header, at None
        return f"takes {stored} bytes from {begin} on, and {needed} belong into {room} of the file"
    return None


def _find_chunk_faults(member: Any, size: int, most: int, room: int) -> str | None:
    """Check all chunks that were written, each of `size` bytes unpacked; say what is wrong."""
    filters = list_filters(member)
    packed: list[tuple[tuple[int, ...], list[Filter]]] = []
    seen = stored = 0

    def visit(chunk: Any) -> str | None:
        nonlocal seen, stored
        seen, stored = seen + 1, stored + chunk.size
        if seen > most or stored > room:
            return f"has more chunks than the {most} of its shape, or larger ones than the file"
        name = f"has a chunk at {chunk.chunk_offset} that"
        if chunk.byte_offset is None or chunk.byte_offset + chunk.size > room:
            return f"{name} does not lie in the file"
        if chunk.filter_mask >> len(filters):
            return f"{name} leaves out filters that are none"
        if used := used_filters(filters, chunk.filter_mask):
            packed.append((chunk.chunk_offset, used))
        elif chunk.size != size:
            return f"{name} has {chunk.size} bytes where {size} belong"
        return None

    wrong: str | None = member.id.chunk_iter(visit)
    if wrong:
        return wrong
    for place, used in packed:
        _, data = member.id.read_direct_chunk(place)
        if reason := find_chunk_fault(data, used, size):
            return f"has a chunk at {place} that {reason}"
    return None
