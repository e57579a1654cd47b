"""The perceptrons: scikit-learn's MLPClassifier and MLPRegressor, trained by fastnn's kernels."""

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
