"""The exercises' inputs, under the file name of 2021."""

from .testCases import *  # noqa: F403 - all that the module offers
from .testCases import __all__ as __all__
