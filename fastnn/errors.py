"""The errors a user can meet: each names the argument or layer, the rule, the value, the mend."""

from __future__ import annotations

from functools import partial
from typing import Any

__all__ = [
    "DataError",
    "DataFileError",
    "DivergenceError",
    "FastnnError",
    "FitWarning",
    "MissingExtraError",
    "ModelFileError",
    "NotBuiltError",
    "RankError",
    "SettingError",
    "ShapeError",
]


class FastnnError(ValueError):
    """Base of every error that fastnn raises about its input."""


class ShapeError(FastnnError):
    """An array has another shape than the rule asks for."""


class DataError(FastnnError):
    """Data of the right shape hold values that cannot be used: NaN, text, unknown labels."""


class SettingError(FastnnError):
    """A setting lies outside its range or names something that does not exist."""


class NotBuiltError(FastnnError):
    """A network was used for something that needs sizes before it knew its inputs."""


class DataFileError(FastnnError):
    """A data file is damaged, lacks what was expected, or holds what is refused."""


class ModelFileError(FastnnError):
    """A model file is damaged or is not a model file."""


class DivergenceError(FastnnError):
    """A cost or a gradient stopped being finite while training.

    Attributes
    ----------
    layer : str
        The first layer in which a non-finite number appeared.
    history : History
        The epochs that were finished before.
    """

    def __init__(self, message: str, *, layer: str, history: Any) -> None:
        super().__init__(message)
        self.layer = layer
        self.history = history

    def __reduce__(self) -> tuple[Any, ...]:
        """Let processes hand the error on: pickle alone would call it with the message alone."""
        return partial(type(self), layer=self.layer, history=self.history), self.args


class RankError(FastnnError):
    """A fit on several ranks ended because another rank failed, or computed something else.

    Attributes
    ----------
    undone : bool
        Whether all ranks' networks are as they were before the fit.
    """

    undone = False


class FitWarning(UserWarning):
    """A fit ended no better than one answer for all examples."""


class MissingExtraError(FastnnError, ImportError):
    """An optional dependency is not installed; the message holds the command that installs it."""
