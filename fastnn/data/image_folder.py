"""Folders of pictures as data sets: one subfolder for each class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastnn._runtime.text import plural
from fastnn._runtime.threads import get_num_threads
from fastnn._validation import arguments
from fastnn.errors import DataFileError, FastnnError

from .dataset import Dataset
from .images import height_width, load_image

__all__ = ["load_image_folder"]

#: Endings of the formats that `load_image` reads.
ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".avif", ".bmp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".ico"),
)
#: Files that file managers leave behind; those whose names begin with a dot are passed over too.
LITTER = ("thumbs.db", "desktop.ini")
#: Names of the parts of a data set, which are no classes.
PARTS = ("train", "training", "test", "testing", "val", "valid", "validation", "dev")


def load_image_folder(
    path: str | os.PathLike[str],
    size: int | tuple[int, int],
    *,
    grayscale: bool = False,
    skip_unreadable: bool = False,
) -> Dataset:
    """Read a folder with one subfolder of pictures for each class (needs Pillow).

    Pictures may have any sizes, formats and colours; each is read and resized as `load_image`
    does, so that all fit in one array of uint8. Subfolders of a class belong to it. Hidden files
    are passed over, and so are files beside the classes' folders that are no pictures.

    Parameters
    ----------
    path : str or path
        The folder, as ``flowers`` with ``flowers/daisy/1.jpg``, ``flowers/rose/a.png`` …
    size : int or (height, width)
        The size of all pictures in pixels; one number makes a square.
    grayscale : bool, default False
        Keep the brightness alone.
    skip_unreadable : bool, default False
        Warn of files that cannot be read as pictures and leave them out, instead of an error.

    Returns
    -------
    Dataset
        X (m, h, w, 3) or, if grayscale, (m, h, w), uint8; y (m,) int64; classes, the names of the
        subfolders in sorted order; name, that of the folder. Pictures come class by class, sorted
        by their paths.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    DataFileError
        If the path is a file, the folder has no subfolders, a picture stands beside them, a class
        has no pictures, or a file in a class's folder cannot be read as a picture.
    SettingError
        If `size` is not one or two positive whole numbers.
    MissingExtraError
        If Pillow is not installed.

    Examples
    --------
    >>> flowers = fastnn.data.load_image_folder("flowers", 64)
    >>> X, y = fastnn.data.flatten_images(flowers.X), flowers.y
    """
    size = height_width(size)
    grayscale = arguments.flag(grayscale, "grayscale")
    skip = arguments.flag(skip_unreadable, "skip_unreadable")
    folder = _existing_folder(path)
    names = _class_names(folder)
    files = [_files_of(folder / name) for name in names]
    _check_not_parts(folder, names, files)
    y = np.repeat(np.arange(len(names)), [len(each) for each in files])
    _check_every_class(folder, names, y)
    images, readable = _read_all([file for each in files for file in each], size, grayscale, skip)
    _check_every_class(folder, names, y[readable])
    return Dataset(images, y[readable], tuple(names), folder.resolve().name)


def _existing_folder(path: str | os.PathLike[str]) -> Path:
    """Return `path` as a Path to a folder that exists."""
    folder = Path(path)
    if not folder.exists():
        raise FileNotFoundError(
            f"there is no folder '{folder}'; a relative path starts from {Path.cwd()}"
        )
    if not folder.is_dir():
        raise DataFileError(f"'{folder}' is no folder; load_image reads a single picture")
    return folder


def _class_names(folder: Path) -> list[str]:
    """Return the names of the subfolders, sorted; refuse pictures that stand beside them."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    names = [entry.name for entry in entries if entry.is_dir()]
    if not names:
        raise DataFileError(
            f"'{folder}' has no subfolders; put the pictures of each class into a subfolder that "
            "has the name of the class"
        )
    loose = [entry.name for entry in entries if entry.is_file() and _is_picture(entry)]
    if loose:
        raise DataFileError(
            f"'{folder}' holds the picture '{loose[0]}' beside the folders of the classes "
            f"{_some(names)}; move it into the folder of its class"
        )
    return names


def _is_picture(file: Path) -> bool:
    """Whether the name of a file has the ending of a picture."""
    return file.suffix.lower() in ENDINGS


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a class, those in subfolders too, sorted by their paths."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(root, name)
            for name in files
            if not name.startswith(".") and name.lower() not in LITTER
        ]
    return sorted(found)


def _check_not_parts(folder: Path, names: Sequence[str], files: Sequence[list[Path]]) -> None:
    """Refuse a folder of folders train, test …, whose subfolders are the classes."""
    parts = [name for name in names if name.lower() in PARTS]
    inner = [
        file.relative_to(folder / name).parent != Path(".")
        for name, each in zip(names, files, strict=True)
        for file in each
    ]
    if len(parts) == len(names) and inner and all(inner):
        raise DataFileError(
            f"the subfolders of '{folder}' are {_some(names)}, which are parts and no classes; "
            f"load them one by one, beginning with '{folder / parts[0]}'"
        )


def _check_every_class(folder: Path, names: Sequence[str], y: NDArray[np.int64]) -> None:
    """Refuse a class without pictures."""
    counts = np.bincount(y, minlength=len(names))
    if not counts.all():
        empty = folder / names[int(counts.argmin())]
        raise DataFileError(f"'{empty}' holds no picture; add some, or remove that folder")


def _read_all(
    files: Sequence[Path], size: tuple[int, int], grayscale: bool, skip: bool
) -> tuple[NDArray[np.uint8], list[int]]:
    """Return the pictures (m, h, w, 3) or (m, h, w) and the numbers of the files they are from."""
    X = np.empty((len(files), *size) + (() if grayscale else (3,)), np.uint8)
    faults: dict[int, FastnnError] = {}

    def read(i: int) -> None:
        try:
            if not _is_picture(files[i]):
                raise DataFileError(f"'{files[i]}' does not have the ending of a picture")
            X[i] = load_image(files[i], size, grayscale=grayscale)
        except DataFileError as error:
            faults[i] = error

    read(0)  # alone, for it loads Pillow's formats
    with ThreadPoolExecutor(get_num_threads()) as pool:  # Pillow decodes without the GIL
        list(pool.map(read, range(1, len(files))))
    if not faults:
        return X, list(range(len(files)))
    first = faults[min(faults)]
    others = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
    if not skip:
        raise DataFileError(
            f"{first}{others}; remove it, or leave such files out by skip_unreadable=True"
        ) from first
    warnings.warn(
        f"left out {plural(len(faults), 'file')}: {first}{others}", UserWarning, stacklevel=3
    )
    kept = [i for i in range(len(files)) if i not in faults]
    return X[kept], kept


def _some(names: Sequence[str]) -> str:
    """Return names as text, the first five of many."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
