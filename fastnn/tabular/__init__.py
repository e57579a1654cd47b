"""Tabular: estimators for tables of numbers, text and dates that need no settings."""

from __future__ import annotations

from fastnn._runtime.optional import require

require("sklearn", extra="sklearn", purpose="fastnn's estimators")
require("pandas", extra="table", purpose="reading tables")

from .classifier import TabularClassifier  # noqa: E402 - both are asked for first
from .regressor import TabularRegressor  # noqa: E402

__all__ = ["TabularClassifier", "TabularRegressor"]
