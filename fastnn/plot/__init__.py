"""Pictures of training, data and speed: each function draws on Axes and returns them.

Every function takes `ax=None` and then makes a figure of its own. Matplotlib is imported by the
first picture, not by `import fastnn.plot`; without it `MissingExtraError` names the command that
installs it.
"""

from __future__ import annotations

from .curves import history, learning_rates
from .graphs import activations
from .pictures import image
from .surfaces import decision_boundary, descent
from .timing import comparison

__all__ = [
    "activations",
    "comparison",
    "decision_boundary",
    "descent",
    "history",
    "image",
    "learning_rates",
]
