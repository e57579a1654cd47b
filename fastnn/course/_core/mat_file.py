"""MATLAB's files: matrices by name, read by SciPy once every size in the file has been checked.

SciPy's compiled reader of version 5 (up to 1.17 at least) takes types and sizes on trust, which a
damaged file does not deserve. Layout: MathWorks, "MAT-File Format", chapter 1.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.optional import require
from fastnn._validation.data_files import MAX_DEFLATE_RATIO, existing_file
from fastnn.errors import DataFileError

HEADER = 128
INT8, INT32, UINT32, MATRIX, COMPRESSED, UTF8 = 1, 5, 6, 14, 15, 16
#: Type number of stored numbers → their bytes.
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
#: The classes of numeric matrices: double, single, int8 … uint64.
NUMERIC = range(6, 16)
#: The flag of a complex matrix.
COMPLEX = 0x800
#: Axes of an array at most, as in SciPy and NumPy 1.
MAX_AXES = 32


class Element(NamedTuple):
    """One tagged piece of a file: its type number, its contents, and where the next begins."""

    kind: int
    content: bytes
    end: int


def read_matrices(path: str | os.PathLike[str], names: Sequence[str]) -> list[NDArray[Any]]:
    """Return the real matrices `names` of a MATLAB file, as stored.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If the file is damaged, of another kind, or lacks one of them as a matrix of real numbers.
    MissingExtraError
        If SciPy is not installed.
    """
    scipy_io = require("scipy.io", extra="sklearn", purpose="load_2D_dataset")
    path = existing_file(path)
    data = path.read_bytes()  # once, so that what is checked is what SciPy reads
    try:
        version, _ = scipy_io.matlab.matfile_version(io.BytesIO(data))
        if version == 2:
            raise DataFileError(f"'{path}' is of MATLAB 7.3; save it with the option -v7")
        others: set[str] = set()
        if version == 1:  # what has version 4 is read by Python code, which notices what is wrong
            others = {name for name, numeric in _variables(data).items() if not numeric}
        wanted = [name for name in names if name not in others]
        held = scipy_io.loadmat(io.BytesIO(data), variable_names=wanted)
    except DataFileError:
        raise
    except Exception as error:  # SciPy answers damaged bytes with errors of many kinds
        raise DataFileError(
            f"'{path}' is not a MATLAB file that SciPy reads, or is damaged ({error}); fetch it "
            f"again"
        ) from error
    missing = [name for name in wanted if name not in held]
    if missing:
        raise DataFileError(f"'{path}' lacks {', '.join(missing)}; it is not the field's file")
    return [_matrix(path, name, held.get(name)) for name in names]


def _matrix(path: Path, name: str, array: Any) -> NDArray[Any]:
    """Return a matrix of real numbers, or say that it is none."""
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "biuf":
        raise DataFileError(f"'{path}' must hold {name} as a matrix of real numbers")
    return array


def _variables(data: bytes) -> dict[str, bool]:
    """Walk over the variables of a version 5 file: name → whether it is a matrix of numbers.

    Raises ValueError where a type or a size cannot be.
    """
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, bool] = {}
    at = HEADER
    while at < len(data):
        element = _element(data, at, order, padded=False)
        at = element.end
        if element.kind == COMPRESSED:
            element = _unpacked(element.content, order)
        if element.kind != MATRIX:
            raise ValueError(f"a variable has the type number {element.kind}")
        name, numeric = _variable(element.content, order)
        found[name] = numeric and found.get(name, True)
    return found


def _element(data: bytes, at: int, order: str, *, padded: bool = True) -> Element:
    """Return the element whose tag begins at `at`; contents inside a matrix are padded to 8."""
    if at + 8 > len(data):
        raise ValueError("it ends within a tag")
    kind, size = struct.unpack_from(f"{order}II", data, at)
    begin = at + 8
    if padded and kind >> 16:  # up to 4 bytes stand within the tag, their number before the type
        kind, size, begin = kind & 0xFFFF, kind >> 16, at + 4
        if size > 4:
            raise ValueError(f"a tag claims to hold {size} bytes")
    if begin + size > len(data):
        raise ValueError(f"an element claims {size} bytes, and {len(data) - begin} are left")
    end = at + 8 if begin == at + 4 else begin + (-(-size // 8) * 8 if padded else size)
    return Element(kind, data[begin : begin + size], end)


def _unpacked(packed: bytes, order: str) -> Element:
    """Return the one element that compressed bytes hold."""
    stream = zlib.decompressobj()
    tag = stream.decompress(packed, 8)
    size = struct.unpack(f"{order}II", tag)[1] if len(tag) == 8 else 0
    if size > MAX_DEFLATE_RATIO * len(packed):
        raise ValueError(f"a variable claims {size} bytes, packed into {len(packed)}")
    content = stream.decompress(stream.unconsumed_tail, size + 1)
    if len(content) != size or not stream.eof:
        raise ValueError(f"a variable claims {size} bytes and does not unpack to as many")
    return _element(tag + content, 0, order, padded=False)


def _variable(content: bytes, order: str) -> tuple[str, bool]:
    """Check a matrix element; return its name and whether it is a matrix of numbers."""
    flags = _element(content, 0, order)
    axes = _element(content, flags.end, order)
    name = _element(content, axes.end, order)
    if (flags.kind, len(flags.content)) != (UINT32, 8):
        raise ValueError("a variable has no flags")
    if axes.kind not in (INT32, UINT32) or len(axes.content) not in range(8, 4 * MAX_AXES + 1, 4):
        raise ValueError("a variable has no shape")
    if name.kind not in (INT8, UTF8):
        raise ValueError("a variable has no name")
    shape = struct.unpack(f"{order}{len(axes.content) // 4}i", axes.content)
    if min(shape) < 0:
        raise ValueError(f"a variable has the shape {shape}")
    flag = struct.unpack_from(f"{order}I", flags.content)[0]
    text, numeric = name.content.decode("latin-1"), flag & 0xFF in NUMERIC
    if numeric:
        _check_numbers(content, name.end, order, math.prod(shape), 2 if flag & COMPLEX else 1)
    return text, numeric


def _check_numbers(content: bytes, at: int, order: str, count: int, parts: int) -> None:
    """Check that a matrix has `count` numbers in each of its parts, real and imaginary."""
    for _ in range(parts):
        numbers = _element(content, at, order)
        width = WIDTHS.get(numbers.kind)
        if width is None:
            raise ValueError(f"numbers have the type number {numbers.kind}")
        if len(numbers.content) != count * width:
            raise ValueError(f"{count} numbers of {width} bytes take {len(numbers.content)} bytes")
        at = numbers.end
