"""The course's HDF5 files: images, labels and class names in one file, read with suspicion."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn._validation import arguments
from fastnn._validation.data_files import existing_file
from fastnn.errors import DataError, DataFileError, ShapeError

from ._heap import find_text_fault
from ._opening import open_hdf5
from ._storage import TEXT_OBJECT_BYTES, check_storage
from .dataset import Dataset

__all__ = ["load_h5"]


def load_h5(path: str | os.PathLike[str], *, limit: int = 2**30) -> Dataset:
    """Read a data set in the course's HDF5 layout.

    The file holds `train_set_x` and `train_set_y`, or `test_set_x` and `test_set_y` (the train
    set is taken where both stand), and `list_classes`. Nothing but plain data inside this one
    file is followed: links, virtual data sets and data kept in other files are refused. What was
    never written is read as its fill value. Data packed by blosc, blosc2, bitshuffle, bzip2, lz4
    or zstd are read once hdf5plugin is imported.

    Parameters
    ----------
    path : str or path
        The file.
    limit : int, default 2³⁰
        Bytes of memory that each of the three may take in any case; above them, at most 1032
        for every byte that the file stores of it, the most that gzip can pack into one.

    Returns
    -------
    Dataset
        X (m, …) in the stored dtype, as a rule (m, h, w, 3) uint8; y (m,) int64 with
        0 ≤ y < number of classes; classes as str; name = the file's name without its ending.
        Labels may be stored as integers or whole floats of any width, as bool, as text of digits,
        or as single bytes whose value is the label.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If the system does not let it be read.
    DataFileError
        If the file is not HDF5, is damaged, is being written, needs a filter that is not there,
        lacks one of the three, refers to other files, claims more memory than it may, or if its
        labels do not fit its images or its class names.
    SettingError
        If `limit` is not a whole number from 0 on.
    """
    limit = arguments.integer(limit, "limit")
    path = existing_file(path)
    with open_hdf5(path) as file:
        return _read(file, path, limit)


def read_labels(path: str | os.PathLike[str]) -> tuple[str, tuple[int, ...], Dataset]:
    """Read all but the images of a file in `load_h5`'s layout: for those that stay there.

    Returns
    -------
    (str, tuple of int, Dataset)
        The name of the images' data set, its shape, and labels and classes. X (m, 1) holds nothing.

    Raises
    ------
    As `load_h5` does; the images may be larger than memory.
    """
    path = existing_file(path)
    with open_hdf5(path) as file:
        images, y, classes = _members(file, path, 2**30, 2**62)
        _check_images(images, path)
        nothing = np.broadcast_to(np.uint8(0), (images.shape[0], 1))
        key = images.name.lstrip("/")
        return key, images.shape, _dataset(nothing, y, classes, path, key)


def _read(file: Any, path: Path, limit: int) -> Dataset:
    """Read X, y and the classes out of the open h5py file, and hold them against each other."""
    images, y, classes = _members(file, path, limit, limit)
    return _dataset(_images(images, path), y, classes, path, images.name.lstrip("/"))


def _members(
    file: Any, path: Path, limit: int, images_limit: int
) -> tuple[Any, NDArray[Any], tuple[str, ...]]:
    """Return the h5py data set of the images, of which nothing is read, y and the classes."""
    held = list(file)  # not `in file`, which would follow links
    prefix = "train_set" if "train_set_x" in held or "test_set_x" not in held else "test_set"
    images = _member(file, f"{prefix}_x", path, images_limit, 1)
    labels = _member(file, f"{prefix}_y", path, limit, np.int64().itemsize)
    names = _member(file, "list_classes", path, limit, TEXT_OBJECT_BYTES)
    return images, _labels(labels, path), _class_names(names, path)


def _dataset(
    X: NDArray[Any], y: NDArray[Any], classes: tuple[str, ...], path: Path, key: str
) -> Dataset:
    """Return a data set whose labels belong to its images, those of the key, and classes."""
    try:
        return Dataset(X, y, classes, path.stem)
    except (DataError, ShapeError) as error:
        raise DataFileError(
            f"'{path}' holds {key}, {key[:-1]}y and list_classes that do not fit as X, y and "
            f"classes: {error}"
        ) from error


def _member(file: Any, key: str, path: Path, limit: int, width: int) -> Any:
    """Return the h5py data set `key`, if it is plain data inside this file and may be read."""
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
    try:
        _ = member.dtype
    except (TypeError, ValueError) as error:
        raise DataFileError(
            f"'{path}': {key} has a type that NumPy does not have ({error}); store usual numbers"
        ) from error
    check_storage(member, key, path, limit, width)
    return member


def _check_images(member: Any, path: Path) -> None:
    """Refuse what are no images: numbers (m, …)."""
    key = member.name.lstrip("/")
    if member.dtype.kind not in "biuf":
        raise DataFileError(f"'{path}': {key} must hold numbers, found dtype {member.dtype}")
    if member.ndim < 2:
        raise DataFileError(
            f"'{path}': {key} must have one row per example, (m, …), found shape {member.shape}"
        )


def _images(member: Any, path: Path) -> NDArray[Any]:
    """Read X (m, …), numbers in the machine's byte order."""
    _check_images(member, path)
    X: NDArray[Any] = member.astype(member.dtype.newbyteorder("="))[()]
    return X.view(np.uint8) != 0 if X.dtype == bool else X  # a file can hold other bytes than 0, 1


def _labels(member: Any, path: Path) -> NDArray[Any]:
    """Read y (m,), numbers of any kind, from (m,), (1, m) or (m, 1)."""
    import h5py

    key, shape, dtype = member.name.lstrip("/"), member.shape, member.dtype
    text = h5py.check_string_dtype(dtype) is not None
    if not (text or dtype.kind in "biuf" or dtype == "V1"):
        raise DataFileError(f"'{path}': {key} must hold integers 0, 1, 2 …, found dtype {dtype}")
    if member.ndim not in (1, 2) or (member.ndim == 2 and 1 not in shape):
        raise DataFileError(
            f"'{path}': {key} must hold one label per example, (m,) or (1, m), found shape "
            f"{shape}; one-hot rows become labels by argmax"
        )
    if not text and dtype != "V1":
        y: NDArray[Any] = member[()].reshape(-1)
        return y
    try:
        if dtype == "O":
            return np.array(_texts(member, path)).astype(np.int64)
        return _numbers_in_bytes(member[()])
    except (ValueError, OverflowError) as error:
        raise DataFileError(
            f"'{path}': {key} must hold integers 0, 1, 2 …, found text ({error})"
        ) from error


def _numbers_in_bytes(stored: NDArray[Any]) -> NDArray[Any]:
    """Return labels (m,) kept as digits, or as single bytes whose value is the label."""
    y = stored.reshape(-1)
    if y.dtype.itemsize == 1:
        codes = y.view(np.uint8)
        if y.dtype.kind == "V" or codes.min() < ord(" "):  # no text has control characters
            return codes
    return y.astype(np.int64)


def _class_names(member: Any, path: Path) -> tuple[str, ...]:
    """Read the names (K,) from bytes, str or integers."""
    import h5py

    text = h5py.check_string_dtype(member.dtype) is not None
    if member.ndim != 1 or not (text or member.dtype.kind in "iu"):
        raise DataFileError(
            f"'{path}': list_classes must be a list of names, (K,), "
            f"found shape {member.shape} of dtype {member.dtype}"
        )
    stored = _texts(member, path) if member.dtype.kind == "O" else member[()].tolist()
    return tuple(_name(name, path) for name in stored)


def _texts(member: Any, path: Path) -> list[bytes]:
    """Read texts of variable length, which lie in heaps of their own."""
    key = member.name.lstrip("/")
    if wrong := find_text_fault(member, path):
        raise DataFileError(
            f"'{path}' is damaged, cut short or forged: {key} {wrong}; fetch it again, or store "
            f'{key} as bytes of one length, np.array([b"cat", b"dog"])'
        )
    texts: list[bytes] = member[()].reshape(-1).tolist()
    return texts


def _name(stored: bytes | int, path: Path) -> str:
    """Return the name of a class as text."""
    try:
        return stored.decode() if isinstance(stored, bytes) else str(stored)
    except UnicodeDecodeError as error:
        raise DataFileError(
            f"'{path}': list_classes holds {stored!r:.60}, which is not UTF-8, the encoding of "
            f"HDF5; is it Latin-1? Store name.encode() of every name"
        ) from error
