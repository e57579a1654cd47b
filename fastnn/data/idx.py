"""MNIST's idx files: a magic number, the sizes, then the bare numbers; plain or gzipped."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fastnn._validation.data_files import MAX_DEFLATE_RATIO, existing_file
from fastnn.errors import DataError, DataFileError

from .dataset import Dataset
from .labels import class_labels

__all__ = ["load_idx"]

#: NumPy's dtypes by the third byte of the magic number, as the MNIST page describes the format.
DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
#: Axes of an array at most.
MAX_AXES = 8
#: Classes at most, for each gets a name.
MAX_CLASSES = 1 << 16
#: Bytes that are read at a time.
READ_BYTES = 1 << 20


def load_idx(images: str | os.PathLike[str], labels: str | os.PathLike[str]) -> Dataset:
    """Read a pair of idx files, the format of MNIST and its successors.

    Whether a file is gzipped is seen from its first bytes, not from its name.

    Parameters
    ----------
    images : str or path
        The file of the images, `train-images-idx3-ubyte` or the same with `.gz`.
    labels : str or path
        The file of their labels, `train-labels-idx1-ubyte` or the same with `.gz`.

    Returns
    -------
    Dataset
        X as stored, for MNIST (m, 28, 28) uint8; y (m,) int64, the labels as stored; classes
        "0", "1" … up to the largest label, so that a label means the same in every file, also
        where some do not occur (EMNIST's letters begin at 1); name = the images' file name
        without its ending.

    Raises
    ------
    FileNotFoundError
        If one of the files is not there.
    DataFileError
        If a file is not idx, is damaged, or is longer or shorter than its header says; if there
        are not as many labels as images; or if a label is negative, not whole, or above 65535.
    """
    image_path, label_path = existing_file(images), existing_file(labels)
    X, y = _read(image_path), _read(label_path)
    if X.ndim < 2:
        raise DataFileError(
            f"'{image_path}' holds an array of shape {X.shape}, not images (m, h, w); "
            f"are the images and the labels swapped?"
        )
    if y.ndim != 1:
        raise DataFileError(
            f"'{label_path}' holds an array of shape {y.shape}, not one label per image, (m,); "
            f"are the images and the labels swapped?"
        )
    if len(X) != len(y):
        raise DataFileError(
            f"'{image_path}' has {len(X)} images but '{label_path}' has {len(y)} labels; "
            f"do they belong together?"
        )
    try:
        whole = class_labels(y, MAX_CLASSES)
    except DataError as error:
        raise DataFileError(
            f"'{label_path}' does not hold labels from 0 to {MAX_CLASSES - 1}: {error}"
        ) from error
    classes = tuple(map(str, range(whole.max() + 1)))
    return Dataset(X, whole, classes, image_path.name.removesuffix(".gz"))


def _read(path: Path) -> NDArray[Any]:
    """Read the one array of an idx file."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not zipped:
            return _parse(raw, path, most=path.stat().st_size)
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                return _parse(stream, path, most=path.stat().st_size * MAX_DEFLATE_RATIO)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataFileError(
                f"'{path}' is a damaged or cut gzip file; fetch it again (gzip says: {error})"
            ) from error


def _parse(stream: IO[bytes] | gzip.GzipFile, path: Path, *, most: int) -> NDArray[Any]:
    """Parse header and numbers; `most` is the largest length that the file can have, unpacked."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or not 1 <= magic[3] <= MAX_AXES:
        raise DataFileError(
            f"'{path}' is not an idx file: it must begin with 00 00, a type code and the number of "
            f"axes (1 to {MAX_AXES}), found {magic.hex(' ') or 'nothing'}"
        )
    if magic[2] not in DTYPES:
        raise DataFileError(
            f"'{path}' has the type code {magic[2]:#04x}; idx knows "
            f"{', '.join(f'{code:#04x}' for code in DTYPES)}"
        )
    dtype, axes = np.dtype(DTYPES[magic[2]]), magic[3]
    header = stream.read(4 * axes)
    if len(header) < 4 * axes:
        raise DataFileError(f"'{path}' ends within its header, which announces {axes} axes")
    shape = tuple(int(n) for n in np.frombuffer(header, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    if expected == 0:
        raise DataFileError(f"'{path}' is empty: its header says shape {shape}")
    # A forged header must not make us allocate: what cannot be there is refused unread.
    room = most - 4 - 4 * axes
    data = _read_at_most(stream, expected + 1) if expected <= room else bytearray()
    if len(data) != expected:
        found = "more" if len(data) > expected else f"{len(data)}" if data else f"at most {room}"
        raise DataFileError(
            f"'{path}' must hold {expected} bytes of numbers for shape {shape} of {dtype.name}, "
            f"found {found}; it is damaged or cut short, fetch it again"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _read_at_most(stream: IO[bytes] | gzip.GzipFile, count: int) -> bytearray:
    """Read up to `count` bytes, growing with what really comes."""
    data = bytearray()
    while len(data) < count and (block := stream.read(min(READ_BYTES, count - len(data)))):
        data += block
    return data
