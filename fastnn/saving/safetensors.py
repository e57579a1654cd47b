"""Tensor files: named arrays and a few strings in one file, in the safetensors layout, no code.

Eight bytes give the length of the header (little-endian), then comes the header, a JSON object
``{"__metadata__": {str: str}, name: {"dtype", "shape", "data_offsets": [begin, end]}}``, then the
numbers, little-endian and in C order, without gaps. Nothing in a file is believed before it is
checked against the size of the file.

Two of the strings are checksums: ``checksums``, a JSON object of the SHA-256 of every array's
bytes, and ``checksum``, that of all other strings. Files of other libraries lack them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np

from fastnn.errors import ModelFileError

from .atomic_write import replace
from .bounded_json import (
    DESCRIPTION,
    LONGEST_HEADER,
    MemoryBudget,
    check_readable,
    parse,
    scan,
    shown,
)
from .checksums import BLOCK, checksum, little_endian_bytes, with_checksums

Array = np.ndarray[Any, Any]

CODES = {"F32": "<f4", "F64": "<f8", "I8": "|i1", "I32": "<i4"}  # integers: of quantised networks
DTYPES: dict[str, np.dtype[Any]] = {name: np.dtype(code) for name, code in CODES.items()}
METADATA = "__metadata__"
LONGEST_NAME = 200  # characters, of a tensor or a string
MEND = "save the network again with net.save, or fetch the file again"


class Entry(NamedTuple):
    """Where a tensor lies in the file, and what it is."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


class TensorFile:
    """An open tensor file whose header has been checked; arrays are read one by one.

    Parameters
    ----------
    path : str or path
        The file.

    Attributes
    ----------
    metadata : dict of str to str
        The strings, the checksums apart.
    entries : dict of str to Entry
        What arrays there are.
    checksums : dict of str to str
        Of the arrays; empty unless `has_checksums`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is no such file, or a part of it is missing or contradicts another.
    """

    metadata: dict[str, str]
    entries: dict[str, Entry]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise ModelFileError(f"'{path}' is a folder; give the path of a model file in it")
        if not self.path.exists():
            raise FileNotFoundError(
                f"there is no model file '{path}'; a relative path starts from {Path.cwd()}"
            )
        if not self.path.is_file():
            raise ModelFileError(f"'{path}' is a device or a pipe; give the path of a plain file")
        self._file: BinaryIO = self.path.open("rb", buffering=0)
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            self._read_header()
            self._check_places()
            self._read_checksums()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def refuse(self, what: str, mend: str = MEND) -> ModelFileError:
        """Return the error that says what is wrong with this file."""
        return ModelFileError(f"'{self.path}' is not a usable model file: {what}; {mend}")

    def _bytes(self, begin: int, end: int) -> bytearray:
        """Return the bytes begin … end−1 of the file."""
        raw, place = bytearray(end - begin), 0
        self._file.seek(begin)
        while place < len(raw):
            got = self._file.readinto(memoryview(raw)[place:])  # type: ignore[attr-defined]
            if not got:
                raise self.refuse("it became shorter while it was read")
            place += got
        return raw

    def _read_header(self) -> None:
        """Read and check everything that stands before the data."""
        if self.size < 8:
            raise self.refuse(f"it has only {self.size} bytes")
        length = int.from_bytes(self._bytes(0, 8), "little")
        if length > min(self.size - 8, LONGEST_HEADER):
            raise self.refuse(
                f"its first 8 bytes announce a header of {length} bytes, more than can be",
                "is it another kind of file, or cut short?",
            )
        header = self._header(8, 8 + length)
        self.metadata = self._strings(header.pop(METADATA, {}))
        self._start = 8 + length
        self.entries = {name: self._entry(name, header.pop(name)) for name in list(header)}

    def _header(self, begin: int, end: int) -> dict[str, Any]:
        """Return the JSON object that stands in these bytes."""
        self._budget = MemoryBudget(end - begin, self.size)
        try:
            raw = self._bytes(begin, end)
            self._budget.spend(0 if raw.isascii() else 4 * len(raw))  # which the decoder may take
            text = raw.decode()
            del raw
            return self._parsed(text)
        except ValueError as error:
            raise self.refuse(f"its header cannot be read ({error!s:.200})") from error

    def _parsed(self, text: str, **limits: int) -> dict[str, Any]:
        """Return the JSON object in a text; ValueError if it is none or takes too much memory."""
        scan(text, self._budget, **limits)
        data = parse(text)
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        return data

    def table(self, key: str, *, strict: bool = True) -> dict[str, Any]:
        """Return the JSON object under a key of the metadata.

        Parameters
        ----------
        key : str
            Of a string that is there.
        strict : bool
            Whether it describes network or training, with short strings and an object a layer.
        """
        limits = DESCRIPTION if strict else {}
        try:
            return self._parsed(self.metadata[key], **limits)
        except ValueError as error:
            raise self.refuse(f"its {key!r} cannot be read ({error!s:.200})") from error

    def _strings(self, value: Any) -> dict[str, str]:
        """Check the metadata."""
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self.refuse(f"its {METADATA} is no table of strings")
        for name in value:
            self._check_name(name)
        return value

    def _check_name(self, name: str) -> None:
        """Refuse a name that is so long that it can only be a forgery."""
        if len(name) > LONGEST_NAME:
            raise self.refuse(f"a name has {len(name)} characters, at most {LONGEST_NAME} can be")

    def _entry(self, name: str, value: Any) -> Entry:
        """Check the description of one tensor, by itself."""
        self._check_name(name)
        if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
            raise self.refuse(f"the entry of {name!r} is not dtype, shape and data_offsets")
        kind, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
        if not isinstance(kind, str) or kind not in DTYPES:
            raise self.refuse(
                f"{name!r} has the dtype {shown(kind)}, not one of {', '.join(DTYPES)}"
            )
        for what, numbers in (("shape", shape), ("data_offsets", offsets)):
            good = isinstance(numbers, list) and len(numbers) <= 2  # no parameter has more axes
            if not good or not all(type(n) is int and 0 <= n <= self.size for n in numbers):
                raise self.refuse(f"{name!r} has the {what} {shown(numbers)}, which cannot be")
        needed = math.prod(shape) * DTYPES[kind].itemsize
        if len(offsets) != 2 or offsets[1] - offsets[0] != needed:
            raise self.refuse(f"{name!r} of shape {shape} needs {needed} bytes, got {offsets}")
        begin, end = (self._start + offset for offset in offsets)
        return Entry(DTYPES[kind], tuple(shape), begin, end)

    def _check_places(self) -> None:
        """Check that the tensors fill the data exactly: no gap, no overlap, nothing behind."""
        place = self._start
        for name, entry in sorted(self.entries.items(), key=lambda item: item[1][2:]):
            if entry.begin != place:
                raise self.refuse(f"{name!r} begins at byte {entry.begin}, not {place}")
            place = entry.end
        if place != self.size:
            raise self.refuse(f"its tensors take {place} bytes, but it has {self.size}")

    def _read_checksums(self) -> None:
        """Check the strings against their checksum, and keep those of the tensors."""
        self.has_checksums = "checksum" in self.metadata or "checksums" in self.metadata
        self.checksums: dict[str, str] = {}
        if not self.has_checksums:
            return
        if self.metadata.pop("checksum", None) != checksum(self.metadata):
            raise self.refuse("its description is not what was saved: the checksum differs")
        if "checksums" not in self.metadata:
            raise self.refuse("its checksums cannot be read (there is no 'checksums')")
        self.checksums = self.table("checksums")
        del self.metadata["checksums"]
        if set(self.checksums) != set(self.entries):
            raise self.refuse("its checksums are not those of its tensors")

    def read_into(
        self, name: str, target: Array, *, finite: bool = True, negative: bool = True
    ) -> None:
        """Copy a tensor into an array of its shape and dtype, block by block.

        Parameters
        ----------
        name : str
            Of the tensor.
        target : array (n,) or (n, k)
            Is written to.
        finite, negative : bool
            Whether all numbers must be finite; whether some may be negative.

        Raises
        ------
        ModelFileError
            If its checksum differs, or it holds numbers that it must not hold.
        """
        entry, digest = self.entries[name], hashlib.sha256()
        width = math.prod(entry.shape[1:]) * entry.dtype.itemsize
        rows = max(1, BLOCK // max(width, 1))
        for first in range(0, entry.shape[0], rows):
            part = target[first : first + rows]
            begin = entry.begin + first * width
            raw = self._bytes(begin, begin + len(part) * width)
            digest.update(raw)
            part[...] = np.frombuffer(raw, entry.dtype).reshape(part.shape)
            if finite and not np.isfinite(part).all():
                raise self.refuse(f"{name!r} holds numbers that are not finite")
            if not negative and part.size and part.min() < 0:
                raise self.refuse(f"{name!r} holds negative numbers, and it averages squares")
        if self.has_checksums and digest.hexdigest() != self.checksums[name]:
            raise self.refuse(f"the numbers of {name!r} are not those saved: the checksum differs")


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write a tensor file with checksums; after a crash there is the old file or the new, whole.

    Raises
    ------
    SettingError
        If the strings are so long that the file could not be read again.
    OSError
        If the file cannot be written; an old one is as it was.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    # Wide numbers first, so that each tensor is aligned for whoever maps the file.
    tensors = dict(sorted(tensors.items(), key=lambda item: -item[1].itemsize))
    header: dict[str, Any] = {METADATA: with_checksums(metadata, tensors)}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        kind = names[tensor.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    check_readable(text, header[METADATA], end)

    def content(file: BinaryIO) -> None:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(little_endian_bytes(tensor).data)

    replace(path, content)
