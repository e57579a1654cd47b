"""Diagnostics: what is wrong with a network or its training, in numbers, and what to do next."""

from __future__ import annotations

from .folds import CrossValidation, cross_validate
from .rates import RangeTest, range_test
from .recipe import BiasVariance, bias_variance
from .signals import DepthExperiment, LayerSignal, Signal, depth_experiment, diagnose, signal
from .sizes import LearningCurve, learning_curve

__all__ = [
    "BiasVariance",
    "CrossValidation",
    "DepthExperiment",
    "LayerSignal",
    "LearningCurve",
    "RangeTest",
    "Signal",
    "bias_variance",
    "cross_validate",
    "depth_experiment",
    "diagnose",
    "learning_curve",
    "range_test",
    "signal",
]
