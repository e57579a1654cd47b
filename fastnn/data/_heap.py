"""HDF5's texts of variable length, which lie in heaps, checked before the HDF5 library reads them.

A text is kept as a reference: its length, the address of a heap, and the number of an object in
it. The library (2.0 and before) takes the length on trust, and loops for ever over a heap with
a damaged object size (its issue 1707), so one wrong byte in a file would hang the program.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from fastnn.row_sources.filters import list_filters, unpack_chunk, used_filters

SIGNATURE = b"GCOL\x01"
#: Bytes of the header of a heap, and of that of each object in it.
HEADER_BYTES = 16

Objects = dict[tuple[int, int], int]  # address of a heap and number of an object → its bytes


def find_text_fault(member: Any, path: Path) -> str | None:
    """Return what is wrong with the texts of a data set, as the end of a sentence, or None."""
    settings = member.file.id.get_create_plist()
    address_bytes, size_bytes = settings.get_sizes()
    objects = _read_heaps(path, size_bytes)
    if objects is None:
        return "lies in damaged heaps"
    stored = _references(member, path)
    if stored is None:
        return "lies in the header of the data set, where it is not read"
    base, room, width = settings.get_userblock(), path.stat().st_size, 8 + address_bytes
    for at in range(0, len(stored) - width + 1, width):
        length = int.from_bytes(stored[at : at + 4], "little")
        address = int.from_bytes(stored[at + 4 : at + 4 + address_bytes], "little")
        number = int.from_bytes(stored[at + 4 + address_bytes : at + width], "little")
        if not length or not address:  # no text
            continue
        if length > objects.get((base + address, number), 0):
            return f"has a text of {length} bytes where fewer are"
        room -= length + 1
        if room < 0:  # many references may name the same object
            return "holds more text than the file"
    return None


def _references(member: Any, path: Path) -> bytes | None:
    """Return the stored references; None if they lie where only HDF5 finds them."""
    if member.chunks is None:
        place = member.id.get_offset()
        if place is None:
            return None if member.id.get_storage_size() else b""
        with path.open("rb") as file:
            file.seek(place)
            return file.read(member.id.get_storage_size())
    chunks: list[Any] = []
    member.id.chunk_iter(chunks.append)
    filters, found = list_filters(member), b""
    for chunk in chunks:
        mask, data = member.id.read_direct_chunk(chunk.chunk_offset)
        content = unpack_chunk(data, used_filters(filters, mask))
        if content is None:
            return None
        found += content
    return found


def _read_heaps(path: Path, size_bytes: int) -> Objects | None:
    """Walk over every heap; sizes in it have `size_bytes` bytes. None if one cannot be walked."""
    objects: Objects = {}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = 0
        start = data.find(SIGNATURE)
        while start >= 0:
            # Heaps do not overlap; refusing those that do keeps this walk linear in the file.
            if start < end:
                return None
            end = start + _object_size(data, start, size_bytes)
            if end < start + HEADER_BYTES or end > len(data):
                return None
            if not _read_heap(data, start, end, size_bytes, objects):
                return None
            start = data.find(SIGNATURE, start + 1)
    return objects


def _read_heap(data: mmap.mmap, start: int, end: int, size_bytes: int, objects: Objects) -> bool:
    """Add the objects of the heap data[start:end]; return whether they follow up to its end."""
    at = start + HEADER_BYTES
    while at + HEADER_BYTES <= end:
        size = _object_size(data, at, size_bytes)
        number = data[at] + 256 * data[at + 1]  # object 0 is the free rest, its header counted in
        step = HEADER_BYTES + -(-size // 8) * 8 if number else size
        if step < HEADER_BYTES or at + step > end:
            return False
        objects[start, number] = size
        at += step
    return True


def _object_size(data: mmap.mmap, at: int, size_bytes: int) -> int:
    """Return the size in the header at `at`: its bytes from the eighth on, little-endian."""
    return int.from_bytes(data[at + 8 : at + 8 + size_bytes], "little")
