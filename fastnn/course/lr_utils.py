"""The cat set's reader: HDF5 files of images, with labels as a row and class names as bytes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.data import load_h5

__all__ = ["load_dataset"]

TRAIN_PATH = "datasets/train_catvnoncat.h5"
TEST_PATH = "datasets/test_catvnoncat.h5"


def load_dataset(
    train_path: str | os.PathLike[str] = TRAIN_PATH, test_path: str | os.PathLike[str] = TEST_PATH
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bytes_]]:
    """Read a training and a test set of images.

    To flatten them into columns, write ``train_x.reshape(len(train_x), -1).T``. The reshape
    ``train_x.reshape(-1, len(train_x))`` has the right shape, but mixes the images.

    Parameters
    ----------
    train_path, test_path : str or path
        HDF5 files with ``train_set_x``, ``train_set_y`` (or ``test_set_x``, ``test_set_y``) and
        ``list_classes``.

    Returns
    -------
    train_x : ndarray, (m_train, h, w, 3)
        The images as stored, for the cats 64 × 64 and uint8.
    train_y : ndarray, (1, m_train)
        Their labels.
    test_x, test_y : ndarray, (m_test, h, w, 3) and (1, m_test)
        The same of the test set.
    classes : ndarray of bytes, (K,)
        The names of the classes: ``classes[1].decode()`` is a str.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    DataFileError
        If a file is damaged or of another kind.
    """
    train, test = load_h5(train_path), load_h5(test_path)
    names = np.array([name.encode() for name in test.classes])
    return train.X, train.y.reshape(1, -1), test.X, test.y.reshape(1, -1), names
