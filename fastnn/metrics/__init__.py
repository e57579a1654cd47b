"""Metrics: how good predictions are, in the numbers that scikit-learn would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn._habits import answers

from .classification import (
    NAMES,
    Metric,
    accuracy,
    classification_report,
    confusion_matrix,
    f1,
    precision,
    recall,
)
from .registration import name_of as name_of
from .registration import register
from .report import ClassReport
from .scores import log_loss, mae, mse, r2, roc_auc

__all__ = [
    "NAMES",
    "ClassReport",
    "Metric",
    "accuracy",
    "classification_report",
    "confusion_matrix",
    "f1",
    "log_loss",
    "mae",
    "mse",
    "precision",
    "r2",
    "recall",
    "register",
    "roc_auc",
]

if not TYPE_CHECKING:
    __getattr__ = answers.lacks(__name__, __all__)
