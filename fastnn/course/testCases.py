# ruff: noqa: N999 - the notebooks import it by this name
"""Small fixed inputs for the exercises of both courses: numbers of our own, in the right shapes."""

from ._core import course1_test_cases, course2_test_cases
from ._core.course1_test_cases import *  # noqa: F403 - all that the module offers
from ._core.course2_test_cases import *  # noqa: F403

__all__ = course1_test_cases.__all__ + course2_test_cases.__all__
