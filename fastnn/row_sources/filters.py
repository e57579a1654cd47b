"""The filters that pack chunks in HDF5 files: which are read, and what a packed chunk unpacks to.

HDF5 (2.0 and before) takes on trust that a chunk unpacks to the size that it should have. So the
size is found here first: where a filter writes it down, from there, else by unpacking.
"""

from __future__ import annotations

import bz2
import math
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
#: Bytes that fletcher32 puts behind a chunk.
CHECKSUM_BYTES = 4
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

FilterSettings = tuple[int, ...]  # what the file keeps of a filter's settings
UnpackedSize = Callable[[bytes, FilterSettings, int], int]


class Filter(NamedTuple):
    """One stage of packing, as a data set lists it."""

    code: int
    values: FilterSettings


def _deflate(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size by unpacking, at most one byte more than expected."""
    return len(zlib.decompressobj().decompress(data, expected + 1))


def _bzip2(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size by unpacking, at most one byte more than expected."""
    return len(bz2.BZ2Decompressor().decompress(data, expected + 1))


def _szip(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size in the first 4 bytes, if the settings (mask, block, bits, line) can be szip's."""
    if len(values) < 4 or values[1] % 2 or not 2 <= values[1] <= 32:
        return -1
    if values[2] not in (8, 16, 24, 32, 64) or not values[1] <= values[3] <= 4096:
        return -1
    return int.from_bytes(data[:4], "little")


def _lzf(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size of the room that h5py's filter unpacks into, from its settings."""
    return values[2] if len(values) > 2 else -1


def _blosc(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size in bytes 4 to 7 of the header."""
    return int.from_bytes(data[4:8], "little")


def _blosc2(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size in the header of a frame, which is MessagePack of fixed widths.

    With several axes ("b2nd") blocks are padded, and the shape tells what is unpacked.
    """
    if data[2:9] != b"b2frame":
        return -1
    name = data.find(b"b2nd", 0, int.from_bytes(data[11:15], "big"))
    if name < 0:
        return int.from_bytes(data[30:38], "big")
    begin = int.from_bytes(data[name + 5 : name + 9], "big") + 5  # a list: version, axes, shape …
    shape = (data[k + 1 : k + 9] for k in range(begin + 4, begin + 4 + 9 * data[begin + 2], 9))
    item = int.from_bytes(data[48:52], "big")
    return item * math.prod(int.from_bytes(n, "big") for n in shape)


def _lz4(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size in the first 8 bytes."""
    return int.from_bytes(data[:8], "big")


def _bitshuffle(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size in the first 8 bytes; without compression (setting 4 is 0) it stays."""
    return int.from_bytes(data[:8], "big") if any(values[4:5]) else len(data)


def _zstd(data: bytes, values: FilterSettings, expected: int) -> int:
    """The size in the header of the frame (RFC 8878, 3.1.1.1)."""
    if data[:4] != ZSTD_MAGIC or len(data) < 6:
        return -1
    single_segment = data[4] >> 5 & 1
    begin = 6 - single_segment + (0, 1, 2, 4)[data[4] & 3]  # behind window and dictionary
    width = (single_segment, 2, 4, 8)[data[4] >> 6]
    if not width:
        return -1
    return int.from_bytes(data[begin : begin + width], "little") + (256 if width == 2 else 0)


#: Number in the registry of the HDF Group → name, and how to find the unpacked size.
COMPRESSORS: dict[int, tuple[str, UnpackedSize]] = {
    DEFLATE: ("gzip", _deflate),
    4: ("szip", _szip),
    307: ("bzip2", _bzip2),
    32000: ("lzf", _lzf),
    32001: ("blosc", _blosc),
    32004: ("lz4", _lz4),
    32008: ("bitshuffle", _bitshuffle),
    32015: ("zstd", _zstd),
    32026: ("blosc2", _blosc2),
}
READ_FILTERS = {code: name for code, (name, _) in COMPRESSORS.items()}
REFUSED_FILTERS = {5: "n-bit", 6: "scale-offset", 32013: "zfp", 32024: "sz3"}
READ_FILTERS |= {SHUFFLE: "shuffle", FLETCHER32: "fletcher32"}


def list_filters(member: Any) -> list[Filter]:
    """Return the filters of an h5py data set, in the order in which they packed."""
    settings = member.id.get_create_plist()
    listed = (settings.get_filter(k) for k in range(settings.get_nfilters()))
    return [Filter(code, tuple(values)) for code, _, values, _ in listed]


def used_filters(filters: list[Filter], mask: int) -> list[Filter]:
    """Return those that packed a chunk: a bit in its mask leaves out the filter of that place."""
    return [kind for k, kind in enumerate(filters) if not mask >> k & 1]


def why_unreadable(filters: list[Filter], *, texts: bool) -> str | None:
    """Return why such a data set is not read, as the end of a sentence; None if it is.

    `texts`: it holds texts of variable length, of which only references are packed.
    """
    import h5py

    for code, _ in filters:
        name = f"the filter {READ_FILTERS.get(code, REFUSED_FILTERS.get(code, ''))} (number {code})"
        if code not in READ_FILTERS:
            return (
                f"is packed by {name}, which is not among those that are read "
                f"({', '.join(sorted(READ_FILTERS.values()))}); store it with one of these, as "
                f'h5py does by compression="gzip"'
            )
        if not h5py.h5z.filter_avail(code):
            return (
                f"is packed by {name}, which this HDF5 library does not have; pip install "
                f"hdf5plugin, and import hdf5plugin before the file is read (or let "
                f"HDF5_PLUGIN_PATH name the folder hdf5plugin.PLUGIN_PATH)"
            )
        if texts and code not in (DEFLATE, SHUFFLE):
            return f"is text of variable length packed by {name}; store it unpacked"
    if sum(code in COMPRESSORS for code, _ in filters) > 1:
        return 'is packed twice; store it with one compression, as h5py does by compression="gzip"'
    return None


def unpack_chunk(data: Any, filters: list[Filter], size: int | None = None) -> Any:
    """Return the bytes of a chunk that shuffle and gzip packed, without the HDF5 library.

    `filters` are those that packed this chunk, `size` the bytes that it should unpack to, if they
    are known. None if there are other filters among them.

    Raises
    ------
    Exception
        If gzip has not packed it: zlib.error, or DeflateError where that library is used.
    """
    for code, values in reversed(filters):
        if code == DEFLATE:
            data = zlib.decompress(data) if size is None else _inflater()(data, size)
        elif code == SHUFFLE and values and len(data) % values[0] == 0:
            data = _unshuffled(data, values[0])
        else:
            return None
    return data


@cache
def _inflater() -> Callable[[Any, int], Any]:
    """Return what unpacks gzip to so many bytes: libdeflate where it is, which takes half the time.

    Both leave Python's lock to other threads meanwhile.
    """
    try:
        import deflate
    except ImportError:
        return lambda data, size: zlib.decompress(data, bufsize=size)
    unpack: Callable[[Any, int], Any] = deflate.zlib_decompress
    return unpack


def _unshuffled(data: Any, item_size: int) -> memoryview:
    """Return numbers of so many bytes, of which the first bytes stood first, then the second ones.

    Byte by byte: NumPy transposes such a matrix in five times the time.
    """
    planes = np.frombuffer(data, np.uint8).reshape(item_size, -1)
    items = np.empty(planes.size, np.uint8)
    for k, plane in enumerate(planes):
        items[k::item_size] = plane
    return items.data


def find_chunk_fault(data: bytes, filters: list[Filter], expected: int) -> str | None:
    """Return why the stored bytes of a chunk cannot become `expected` bytes; None if they can.

    `filters` are those that packed this chunk.
    """
    size = expected
    for k, (code, values) in enumerate(filters):
        if code in COMPRESSORS:
            behind = CHECKSUM_BYTES * sum(later.code == FLETCHER32 for later in filters[k + 1 :])
            name, unpacked_size = COMPRESSORS[code]
            try:
                found = unpacked_size(data[: len(data) - behind], values, size)
            except (zlib.error, OSError, LookupError, ValueError) as error:
                return f"is not what {name} packs ({error})"
            return None if found == size else f"does not unpack to its {expected} bytes"
        size += CHECKSUM_BYTES * (code == FLETCHER32)
    return None if len(data) == size else f"has {len(data)} bytes where {size} belong"
