"""Handing models on and taking them over: ONNX, PyTorch, scikit-learn and Keras.

What is taken over gives equal predictions; how it was trained (optimiser, penalties) stays behind.
None of those libraries is imported before a function needs it.
"""

from __future__ import annotations

from .exports import to_onnx, to_torch
from .keras_models import from_keras
from .sklearn_models import from_sklearn
from .torch_models import from_torch

__all__ = ["from_keras", "from_sklearn", "from_torch", "to_onnx", "to_torch"]
