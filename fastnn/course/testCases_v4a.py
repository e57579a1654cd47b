# ruff: noqa: N999 - the notebooks import it by this name
"""The step-by-step notebook's inputs, under the file name of 2019 and after."""

from .testCases import *  # noqa: F403 - all that the module offers
from .testCases import __all__ as __all__
