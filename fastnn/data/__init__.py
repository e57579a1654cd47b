"""Data for networks: readers of the usual files, toy sets, splits, batches and the digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn._habits import answers

from .augmentation import augment, flip, shift
from .batches import minibatches
from .bundled import digits
from .dataset import Dataset
from .h5 import load_h5
from .idx import load_idx
from .image_folder import load_image_folder
from .images import flatten_images, load_image
from .labels import one_hot
from .leakage import LeakageWarning, check_leakage
from .proportions import proportions
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
    __getattr__ = answers.lacks(__name__, __all__)
