"""Images that stay in their HDF5 file, and are read from there while a network trains."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np

from fastnn.data import flatten_images, image_rows
from fastnn.data.h5 import read_labels

#: The largest pixel by the dtype of the images.
PIXEL_MAXIMA = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


class StoredImages:
    """Images (m, …) in a file of the course's layout, with what belongs to them in memory.

    Attributes
    ----------
    shape : tuple of int
        (m, …) as stored.
    rows : RowSource
        The images as rows (m, n).
    labels : Dataset
        Their labels and classes; its X holds nothing.
    """

    def __init__(self, path: str) -> None:
        name, self.shape, self.labels = read_labels(path)
        self._file = h5py.File(path)
        self.rows = image_rows(self._file[name])

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def pixel_max(self) -> int | None:
        """The largest pixel of the images' format; None for rows and for other numbers."""
        return PIXEL_MAXIMA.get(self.rows.dtype) if self.ndim > 2 else None

    def __len__(self) -> int:
        return self.shape[0]

    def close(self) -> None:
        """Close the file."""
        self.rows.close()
        self._file.close()


def rows_of(X: Any) -> Any:
    """Return images or rows (m, …) as a network takes them, (m, n)."""
    return X.rows if isinstance(X, StoredImages) else flatten_images(X)
