"""Tabular: estimators for tables of numbers, text and dates that need no settings."""

from __future__ import annotations

from fastnn._runtime.optional import require

require("sklearn", extra="sklearn", purpose="fastnn's estimators")
require("pandas", extra="table", purpose="reading tables")

from .estimators import TabularClassifier, TabularRegressor  # noqa: E402 - both are asked for first

__all__ = ["TabularClassifier", "TabularRegressor"]
