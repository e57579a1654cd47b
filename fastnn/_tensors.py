"""Tensor files: named arrays and a few strings in one file, in the safetensors layout, no code.

Eight bytes give the length of the header (little-endian), then comes the header, a JSON object
``{"__metadata__": {str: str}, name: {"dtype", "shape", "data_offsets": [begin, end]}}``, then the
numbers, little-endian and in C order, without gaps. Nothing in a file is believed before it is
checked against the size of the file.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np

from .errors import ModelFileError

Array = np.ndarray[Any, Any]

DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
METADATA = "__metadata__"
LONGEST_HEADER = 8 * 2**20  # bytes; a header describes a network, it does not hold one
MEND = "save the network again with net.save, or fetch the file again"


class Entry(NamedTuple):
    """Where a tensor lies in the data, and what it is."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def parse(text: str | bytes) -> Any:
    """Return the data of a JSON text; ValueError for repeated keys, NaN and what is not text."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key stands there twice")
        return found

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    try:
        data = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be printed
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return data


class TensorFile:
    """An open tensor file whose header has been checked; arrays are read one by one.

    Parameters
    ----------
    path : str or path
        The file.

    Attributes
    ----------
    metadata : dict of str to str
        The strings.
    entries : dict of str to Entry
        What arrays there are.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is no such file, or a part of it is missing or contradicts another.
    """

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
        self._file: BinaryIO = self.path.open("rb")
        try:
            self._read_header()
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

    def _read_header(self) -> None:
        """Read and check everything that stands before the data."""
        size = os.fstat(self._file.fileno()).st_size
        if size < 8:
            raise self.refuse(f"it has only {size} bytes")
        length = int.from_bytes(self._file.read(8), "little")
        if length > min(size - 8, LONGEST_HEADER):
            raise self.refuse(
                f"its first 8 bytes announce a header of {length} bytes, more than can be",
                "is it another kind of file, or cut short?",
            )
        try:
            header = parse(self._file.read(length).decode())
        except ValueError as error:
            raise self.refuse(f"its header cannot be read ({error})") from error
        if not isinstance(header, dict):
            raise self.refuse("its header is no JSON object")
        self.metadata = self._strings(header.pop(METADATA, {}))
        self._start = 8 + length
        self.data_size = size - self._start
        self.entries = {name: self._entry(name, value) for name, value in header.items()}
        self._check_gaps()

    def _strings(self, value: Any) -> dict[str, str]:
        """Check the metadata."""
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self.refuse(f"its {METADATA} is no table of strings")
        return value

    def _entry(self, name: str, value: Any) -> Entry:
        """Check the description of one tensor, by itself."""
        if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
            raise self.refuse(f"the entry of {name!r} is not dtype, shape and data_offsets")
        kind, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
        if not isinstance(kind, str) or kind not in DTYPES:
            raise self.refuse(f"{name!r} has the dtype {kind!r}, not one of {', '.join(DTYPES)}")
        for what, numbers in (("shape", shape), ("data_offsets", offsets)):
            good = isinstance(numbers, list) and len(numbers) <= 2  # no parameter has more axes
            if not good or not all(type(n) is int and 0 <= n <= self.data_size for n in numbers):
                raise self.refuse(f"{name!r} has the {what} {numbers!r:.80}, which cannot be")
        needed = math.prod(shape) * DTYPES[kind].itemsize
        if len(offsets) != 2 or offsets[1] - offsets[0] != needed:
            raise self.refuse(f"{name!r} of shape {shape} needs {needed} bytes, got {offsets}")
        return Entry(DTYPES[kind], tuple(shape), *offsets)

    def _check_gaps(self) -> None:
        """Check that the tensors fill the data exactly: no gap, no overlap, nothing behind."""
        place = 0
        for name, entry in sorted(self.entries.items(), key=lambda item: item[1][2:]):
            if entry.begin != place:
                raise self.refuse(f"{name!r} begins at byte {entry.begin} of the data, not {place}")
            place = entry.end
        if place != self.data_size:
            raise self.refuse(f"its tensors take {place} bytes, but {self.data_size} are there")

    def read(self, name: str) -> Array:
        """Return a tensor in the machine's byte order; all its numbers are finite."""
        entry = self.entries[name]
        self._file.seek(self._start + entry.begin)
        raw = self._file.read(entry.end - entry.begin)
        if len(raw) != entry.end - entry.begin:
            raise self.refuse("it became shorter while it was read")
        tensor = np.frombuffer(raw, entry.dtype).reshape(entry.shape)
        if not np.isfinite(tensor).all():
            raise self.refuse(f"{name!r} holds numbers that are not finite")
        return tensor.astype(entry.dtype.newbyteorder("="), copy=False)


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write a tensor file; after a crash there is the old file or the new one, whole.

    Raises
    ------
    OSError
        If the file cannot be written; an old one is as it was.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {METADATA: dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        kind = names[tensor.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the numbers are aligned for whoever maps the file

    def content(file: BinaryIO) -> None:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            little = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
            file.write(little.data.cast("B") if little.size else b"")

    _replace(Path(os.path.realpath(path)), content)


def _replace(path: Path, content: Callable[[BinaryIO], None]) -> None:
    """Write a file beside `path` and move it there once the disk has it."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{path.parent}' to save into; make it first")
    if path.exists() and not path.is_file():
        raise OSError(f"'{path}' is no ordinary file and is not replaced; save under another name")
    temporary = path.parent / f".fastnn-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            content(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(
                error.errno, f"the model was not saved ({error.strerror})", str(path)
            ) from error
        raise
