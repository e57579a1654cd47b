"""The course's HDF5 files: images, labels and class names in one file, read with suspicion."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import DataFileError

from ._check import existing_file
from ._heap import heaps_are_sound
from .dataset import Dataset

__all__ = ["load_h5"]

# Deflate turns at most 1032 bytes into one; what claims more cannot be in the file.
MOST_COMPRESSION = 1032


def load_h5(path: str | os.PathLike[str]) -> Dataset:
    """Read a data set in the course's HDF5 layout.

    The file holds `train_set_x` and `train_set_y`, or `test_set_x` and `test_set_y` (the train
    set is taken where both stand), and `list_classes`. Nothing but plain data inside this one
    file is followed: links, virtual data sets and data kept in other files are refused, and
    nothing is allocated that a file of this size could not hold.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Dataset
        X (m, …) in the stored dtype, as a rule (m, h, w, 3) uint8; y (m,) int64 with
        0 ≤ y < number of classes; classes as str; name = the file's name without its ending.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If the file is not HDF5, is damaged, lacks one of the three, refers to other files, or
        if its labels do not fit its images or its class names.
    """
    import h5py  # not at the top: importing fastnn must not wait for it

    path = existing_file(path)
    if not h5py.is_hdf5(path):
        raise DataFileError(
            f"'{path}' is not an HDF5 file ({path.stat().st_size} bytes); was it downloaded whole, "
            f"and not as a web page?"
        )
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except (DataFileError, PermissionError):
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise DataFileError(
            f"'{path}' is damaged or cut short; fetch it again (HDF5 says: {error})"
        ) from error


def _read(file: Any, path: Path) -> Dataset:
    """Read X, y and the classes out of the open h5py file, and hold them against each other."""
    held = list(file)  # not `in file`, which would follow links
    prefix = "train_set" if "train_set_x" in held or "test_set_x" not in held else "test_set"
    parts = [_member(file, f"{prefix}_{end}", path) for end in "xy"]
    names = _member(file, "list_classes", path)
    X, y = _images(parts[0], path), _labels(parts[1], path)
    if len(X) != len(y):
        raise DataFileError(
            f"'{path}' has {len(X)} examples in {prefix}_x but {len(y)} labels in {prefix}_y; "
            f"every example needs one label"
        )
    classes = _class_names(names, path)
    outside = np.flatnonzero((y < 0) | (y >= len(classes)))
    if outside.size:
        row = int(outside[0])
        raise DataFileError(
            f"'{path}' has the label {y[row]} in row {row} of {prefix}_y, but list_classes names "
            f"{len(classes)} classes; labels run from 0 to {len(classes) - 1}"
        )
    return Dataset(X, y, classes, path.stem)


def _member(file: Any, key: str, path: Path) -> Any:
    """Return the h5py data set `key`, if it is plain data inside this file and fits into it."""
    import h5py

    if key not in list(file):
        held = ", ".join(sorted(file)[:20]) or "nothing"
        raise DataFileError(
            f"'{path}' has no {key}; it holds: {held}. load_h5 reads train_set_x and train_set_y "
            f"(or test_set_x and test_set_y) and list_classes"
        )
    link = file.get(key, getlink=True)
    if link is None:  # listed but not found: the tree of names is damaged
        raise KeyError(key)
    if not isinstance(link, h5py.HardLink):
        kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
        raise DataFileError(
            f"'{path}': {key} is {kind} to {link.path!r}, which is refused; "
            f"copy the data into the file"
        )
    member = file[key]
    if not isinstance(member, h5py.Dataset):
        raise DataFileError(
            f"'{path}': {key} is a {type(member).__name__.lower()}, not a data set of numbers"
        )
    if member.is_virtual or member.external:
        kind = "a virtual data set" if member.is_virtual else "kept in external files"
        raise DataFileError(
            f"'{path}': {key} is {kind}, which is refused; copy the data into the file"
        )
    _check_size(member, key, path)
    return member


def _check_size(member: Any, key: str, path: Path) -> None:
    """Refuse a shape that needs more bytes than the file can hold, before anything is read."""
    shape = member.shape
    if shape is None or math.prod(shape) == 0:
        raise DataFileError(f"'{path}': {key} is empty (shape {shape}); it needs at least one row")
    chunks = member.chunks or shape
    # HDF5 stores, and unpacks, whole chunks: an axis counts as its chunks, rounded up.
    needed = member.dtype.itemsize * math.prod(
        -(-n // chunk) * chunk for n, chunk in zip(shape, chunks, strict=True)
    )
    # Chunks may overlap in a crafted file, so the stored size is believed up to the file's own.
    stored = min(member.id.get_storage_size(), path.stat().st_size)
    packed = member.id.get_create_plist().get_nfilters() > 0
    if needed > stored * (MOST_COMPRESSION if packed else 1):
        raise DataFileError(
            f"'{path}': {key} claims the shape {shape} of {member.dtype}, {needed} bytes, "
            f"but only {stored} bytes of it are in the file; it is incomplete or forged"
        )


def _images(member: Any, path: Path) -> NDArray[Any]:
    """Read X (m, …), numbers in the machine's byte order."""
    key = member.name.lstrip("/")
    if member.dtype.kind not in "biuf":
        raise DataFileError(f"'{path}': {key} must hold numbers, found dtype {member.dtype}")
    if member.ndim < 2:
        raise DataFileError(
            f"'{path}': {key} must have one row per example, (m, …), found shape {member.shape}"
        )
    X: NDArray[Any] = member.astype(member.dtype.newbyteorder("="))[()]
    return X


def _labels(member: Any, path: Path) -> NDArray[np.int64]:
    """Read y (m,) int64 from (m,), (1, m) or (m, 1) of integers."""
    key, shape = member.name.lstrip("/"), member.shape
    if member.dtype.kind not in "biu":
        raise DataFileError(
            f"'{path}': {key} must hold integers 0, 1, 2 …, found dtype {member.dtype}"
        )
    if member.ndim not in (1, 2) or (member.ndim == 2 and 1 not in shape):
        raise DataFileError(
            f"'{path}': {key} must hold one label per example, (m,) or (1, m), found shape "
            f"{shape}; one-hot rows become labels by argmax"
        )
    y: NDArray[np.int64] = member[()].reshape(-1).astype(np.int64)
    return y


def _class_names(member: Any, path: Path) -> tuple[str, ...]:
    """Read the names (K,) from bytes, str or integers."""
    import h5py

    text = h5py.check_string_dtype(member.dtype) is not None
    if member.ndim != 1 or not (text or member.dtype.kind in "iu"):
        raise DataFileError(
            f"'{path}': list_classes must be a list of names, (K,), "
            f"found shape {member.shape} of dtype {member.dtype}"
        )
    if member.dtype.kind != "O":
        stored = member[()].tolist()
        return tuple(c.decode() if isinstance(c, bytes) else str(c) for c in stored)
    if not heaps_are_sound(path, member.file.id.get_create_plist().get_sizes()[1]):
        raise DataFileError(
            f"'{path}' is damaged or cut short where it keeps its text; fetch it again, or store "
            f"list_classes as bytes"
        )
    names: list[str] = []
    room = path.stat().st_size
    for k in range(len(member)):  # one by one: many entries may point at the same long text
        names.append(member[k].decode())
        room -= len(names[-1]) + 1
        if room < 0:
            raise DataFileError(f"'{path}': list_classes holds more text than the file; forged")
    return tuple(names)
