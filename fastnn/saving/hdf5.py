"""HDF5 weights: the parts of a model file as plain arrays that h5py and other tools open.

The root group holds one contiguous little-endian array for each tensor, and ``metadata``, the
bytes of a JSON object of strings; no groups, attributes, filters or links. The first 512 bytes,
which HDF5 leaves to the user, hold the SHA-256 of all that follows, so damage is found before the
HDF5 library reads what it may not survive.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from fastnn.errors import ModelFileError

from .atomic_write import replace
from .bounded_json import LONGEST_HEADER, check_readable
from .checksums import BLOCK, little_endian_bytes, with_checksums
from .safetensors import DTYPES, Array, Entry, TensorFile

USER_BLOCK = 512  # the smallest that HDF5 allows
METADATA = "metadata"


def _user_block(digest: str) -> bytes:
    """The user block of a file with that SHA-256 behind it."""
    text = f"fastnn weights as HDF5; SHA-256 of what follows these {USER_BLOCK} bytes: {digest}\n"
    return text.encode().ljust(USER_BLOCK, b"\0")


class HDF5File(TensorFile):
    """An open HDF5 model file; everything but its structure is as in `TensorFile`."""

    def _read_header(self) -> None:
        """Check the file as a whole, then find its arrays."""
        import h5py  # not at the top: importing fastnn must not wait for it

        digest = hashlib.sha256()
        for begin in range(USER_BLOCK, self.size, BLOCK):
            digest.update(self._bytes(begin, min(begin + BLOCK, self.size)))
        if self.size < USER_BLOCK or self._bytes(0, USER_BLOCK) != _user_block(digest.hexdigest()):
            raise self.refuse(
                "its first 512 bytes do not hold the checksum of the rest",
                "it is another kind of HDF5 file, or damaged, or was changed after net.save",
            )
        try:
            self._file.seek(0)
            with h5py.File(self._file, "r") as file:
                found = {name: self._array(file, name) for name in file}
        except ModelFileError:
            raise
        except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
            raise self.refuse(f"the HDF5 library cannot read it ({error!s:.120})") from error
        self.entries = {name: entry for name, entry in found.items() if name != METADATA}
        self.metadata = self._described(found.get(METADATA))

    def _array(self, file: Any, name: str) -> Entry:
        """Return where an array lies, if it is plain numbers inside this file."""
        import h5py

        self._check_name(name)
        link = file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
            raise self.refuse(f"{name!r} is {kind}, and links are not followed")
        member = file[name]
        if not isinstance(member, h5py.Dataset):
            raise self.refuse(f"{name!r} is no array but a {type(member).__name__.lower()}")
        if member.is_virtual or member.external:
            kind = "a virtual data set" if member.is_virtual else "kept in external files"
            raise self.refuse(f"{name!r} is {kind}, and other files are not opened")
        dtype, shape = member.dtype, member.shape
        if dtype not in ((np.dtype(np.uint8),) if name == METADATA else DTYPES.values()):
            raise self.refuse(f"{name!r} has the dtype {str(dtype)!r:.40}, not one of a model file")
        if shape is None or len(shape) not in (1, 2):
            raise self.refuse(f"{name!r} has the shape {shape}, which cannot be")
        begin, layout = member.id.get_offset(), member.id.get_create_plist().get_layout()
        if layout != h5py.h5d.CONTIGUOUS or begin is None or member.nbytes > self.size - begin:
            raise self.refuse(f"{name!r} of shape {shape} is not whole and in one piece")
        return Entry(dtype, shape, begin, begin + member.nbytes)

    def _described(self, entry: Entry | None) -> dict[str, str]:
        """Return the metadata."""
        if entry is None:
            raise self.refuse("it holds arrays but no network", "was it saved by another library?")
        if entry.end - entry.begin > LONGEST_HEADER:
            raise self.refuse(f"its description takes {entry.end - entry.begin} bytes")
        return self._strings(self._header(entry.begin, entry.end))

    def _check_places(self) -> None:
        """Check that no two arrays overlap; between them stands what HDF5 needs."""
        place = 0
        for name, entry in sorted(self.entries.items(), key=lambda item: item[1][2:]):
            if entry.begin < place:
                raise self.refuse(f"{name!r} overlaps another array")
            place = entry.end


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write an HDF5 model file; raises what `_tensors.write` raises."""
    import h5py

    strings = with_checksums(metadata, tensors)
    text = json.dumps(strings, ensure_ascii=False).encode()
    check_readable(text, strings, sum(tensor.nbytes for tensor in tensors.values()))
    whole = io.BytesIO()
    with h5py.File(whole, "w", userblock_size=USER_BLOCK) as file:
        file.create_dataset(METADATA, data=np.frombuffer(text, np.uint8))
        for name, tensor in tensors.items():
            dtype = tensor.dtype.newbyteorder("<")
            data = little_endian_bytes(tensor).view(dtype).reshape(tensor.shape)
            file.create_dataset(name, data=data, dtype=dtype)
    rest = whole.getbuffer()[USER_BLOCK:]

    def content(file: BinaryIO) -> None:
        file.write(_user_block(hashlib.sha256(rest).hexdigest()))
        file.write(rest)

    replace(path, content)
