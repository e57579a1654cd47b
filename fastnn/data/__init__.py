"""Data for networks: readers of the usual files, toy sets, splits, batches and the digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn._lazy import attach

# This module is imported at once, because it would hide its function, which has the same name.
from .proportions import proportions

# What type checkers and editors read in the place of `attach` below.
if TYPE_CHECKING:
    from .augmentation import augment, flip, shift
    from .batches import minibatches
    from .bundled import digits
    from .dataset import Dataset
    from .h5 import load_h5
    from .idx import load_idx
    from .image_folder import load_image_folder
    from .images import flatten_images, image_rows, load_image
    from .labels import one_hot
    from .leakage import LeakageWarning, check_leakage
    from .scaling import Standardizer
    from .splits import split
    from .tables import Table, TableEncoder, load_table
    from .toys import circles, flower, moons, spirals

__all__ = [
    "Dataset",
    "LeakageWarning",
    "Standardizer",
    "Table",
    "TableEncoder",
    "augment",
    "check_leakage",
    "circles",
    "digits",
    "flatten_images",
    "flip",
    "flower",
    "image_rows",
    "load_h5",
    "load_idx",
    "load_image",
    "load_image_folder",
    "load_table",
    "minibatches",
    "moons",
    "one_hot",
    "proportions",
    "shift",
    "spirals",
    "split",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "augmentation": "augment flip shift",
            "batches": "minibatches",
            "bundled": "digits",
            "dataset": "Dataset",
            "h5": "load_h5",
            "idx": "load_idx",
            "image_folder": "load_image_folder",
            "images": "flatten_images image_rows load_image",
            "labels": "one_hot",
            "leakage": "LeakageWarning check_leakage",
            "scaling": "Standardizer",
            "splits": "split",
            "tables": "Table TableEncoder load_table",
            "toys": "circles flower moons spirals",
        },
    )
