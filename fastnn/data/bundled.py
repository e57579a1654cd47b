"""The data set that comes with fastnn: 1797 handwritten digits of 8 × 8 pixels."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from .dataset import Dataset
from .h5 import load_h5

__all__ = ["digits"]


def digits() -> Dataset:
    """Load the bundled handwritten digits.

    The test part of the Optical Recognition of Handwritten Digits data set, E. Alpaydin and
    C. Kaynak, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, CC BY 4.0; see
    DIGITS.md beside the file.

    Returns
    -------
    Dataset
        X (1797, 8, 8) uint8 from 0 (empty) to 16 (full); y (1797,) int64 from 0 to 9; classes
        "0" … "9"; name "digits".
    """
    with resources.as_file(resources.files("fastnn.data") / "digits.h5") as path:
        return replace(load_h5(path), name="digits")
