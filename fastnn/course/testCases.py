# ruff: noqa: N999 - the notebooks import it by this name
"""Small fixed inputs for the exercises of both courses: numbers of our own, in the right shapes."""

from ._core import cases_1, cases_2
from ._core.cases_1 import *  # noqa: F403 - all that the module offers
from ._core.cases_2 import *  # noqa: F403

__all__ = cases_1.__all__ + cases_2.__all__
