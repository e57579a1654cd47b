# ruff: noqa: N999 - the notebooks import it by this name
"""Small fixed inputs for the exercises of both courses: numbers of our own, in the right shapes."""

from . import _cases_1, _cases_2
from ._cases_1 import *  # noqa: F403 - all that the module offers
from ._cases_2 import *  # noqa: F403

__all__ = _cases_1.__all__ + _cases_2.__all__
