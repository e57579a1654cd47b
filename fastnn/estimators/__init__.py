"""Estimators: fastnn's networks under scikit-learn's names, parameters and rules."""

from __future__ import annotations

from fastnn._runtime.optional import require

require("sklearn", extra="sklearn", purpose="fastnn's estimators")

from .logistic import LogisticRegression  # noqa: E402 - scikit-learn is asked for first
from .onnx_converters import register_skl2onnx  # noqa: E402
from .perceptrons import MLPClassifier, MLPRegressor  # noqa: E402

__all__ = ["LogisticRegression", "MLPClassifier", "MLPRegressor", "register_skl2onnx"]
