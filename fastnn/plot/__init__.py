"""Pictures of training, data and speed: each function draws on Axes and returns them.

Every function takes `ax=None` and then makes a figure of its own. Matplotlib is imported by the
first picture, not by `import fastnn.plot`; without it `MissingExtraError` names the command that
installs it.
"""

from __future__ import annotations

from .classifiers import calibration_curve, precision_recall_curve, roc_curve
from .curves import history, learning_rates
from .diagnoses import learning_curve, range_test, signal
from .graphs import activations
from .histograms import activation_histogram, gradient_histogram
from .matrices import confusion_matrix
from .mistakes import most_wrong
from .pictures import image
from .searching import search
from .surfaces import decision_boundary, descent
from .timing import comparison
from .weights import first_layer

__all__ = [
    "activation_histogram",
    "activations",
    "calibration_curve",
    "comparison",
    "confusion_matrix",
    "decision_boundary",
    "descent",
    "first_layer",
    "gradient_histogram",
    "history",
    "image",
    "learning_curve",
    "learning_rates",
    "most_wrong",
    "precision_recall_curve",
    "range_test",
    "roc_curve",
    "search",
    "signal",
]
