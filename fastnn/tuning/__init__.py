"""Tuning: searches over spaces of settings, their trials, studies and results."""

from __future__ import annotations

from .search import tune

__all__ = ["tune"]
