"""The perceptrons: scikit-learn's MLPClassifier and MLPRegressor, trained by fastnn's kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from ..errors import DataError
from .base import Perceptron

Array = np.ndarray[Any, Any]


@dataclass(eq=False, repr=False, kw_only=True)
class MLPClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]
    """scikit-learn's multilayer perceptron for classes: change the import and keep the rest.

    Parameters have scikit-learn's names, defaults and meanings; added are the following. Sparse
    X is never made dense. Where it holds up to a sixteenth of its numbers, the first layer
    multiplies those alone; its sums run in another order than over dense X, so that results may
    differ in the last bits. Where it holds more, that is slower than to lay out one batch after
    the other, and the steps are those of dense X, bit for bit.

    Parameters
    ----------
    activation : str or sequence of str
        Any of ours beside scikit-learn's, or one for each hidden layer.
    dropout : float or sequence of float
        Rate of the Dropout after each hidden layer, or one for each.
    batch_norm : bool
        Whether a BatchNorm stands before each hidden activation.
    loss, init
        As in `Network`; without `init` weights and biases are scikit-learn's Glorot draws.
    schedule : schedules.Schedule, optional
        Of the learning rate, in place of `learning_rate`.
    scale : "standard", "robust" or None
        Whether the model takes z-scores of its inputs, or (x − median) / (distance of the
        quartiles) whatever the weights, learnt in the first `fit`; sparse X cannot be centred.
    monitor : "cost", "accuracy", "validation_cost", "validation_accuracy" or None
        What decides about the end and the best weights, which come back; None watches
        scikit-learn's: the score of held-out rows, else the loss. `validation_scores_` then
        holds its curve.
    callbacks : sequence of callables
        As `Network.fit` takes them. scikit-learn's own, from its version 1.9 on, are given to
        ``set_callbacks``: each epoch is a task of the fit.
    max_time : float, optional
        Seconds after which the fit stops at the end of an epoch.
    dtype : "float32", "float64" or None
        Of the arithmetic; None takes that of X, float64 unless X is float32.
    class_weight : dict, "balanced" or None
        Weight of each class, multiplied with sample_weight.
    """

    _numeric = False

    class_weight: Any = None

    def _encode(self, y: Any, classes: Any, again: bool) -> tuple[Array, str]:
        """Return the targets (m, K) of 0 and 1, and the output's activation."""
        kind = type_of_target(y, input_name="y")
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise DataError(f"Unknown label type: {kind}; a classifier takes classes")
        if not again:
            self._binarizer = LabelBinarizer().fit(y if classes is None else classes)
            if kind == "multilabel-indicator":
                self._binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._binarizer.classes_
        if kind != "multilabel-indicator" and (again or classes is not None):
            unseen = np.setdiff1d(unique_labels(y), self.classes_)
            if len(unseen):
                raise DataError(
                    f"y holds classes {unseen.tolist()} that are not among classes "
                    f"{self.classes_.tolist()} of the first call; name all in its classes"
                )
        if kind == "multilabel-indicator":
            return self._binarizer.transform(y), "sigmoid"
        places, K = np.searchsorted(self.classes_, y), len(self.classes_)
        return (places[:, None], "sigmoid") if K <= 2 else (np.eye(K)[places], "softmax")

    def _strata(self, y: Any) -> Any:
        """Return the labels, unless an example can have several."""
        return None if np.ndim(y) == 2 and np.shape(y)[1] > 1 else y

    def _class_weights(self, y: Any) -> Any:
        """Return a factor for each example."""
        return 1.0 if self.class_weight is None else compute_sample_weight(self.class_weight, y)

    def _checked(self, X: Any, y: Any, reset: bool, many: bool = True) -> tuple[Array, Any]:
        """Return X (m, n) float and y (m,) or (m, K)."""
        X, y = super()._checked(X, y, reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _score_of(self, X: Array, y: Any, weight: Any) -> float:
        """Return the accuracy of held-out rows."""
        return float(accuracy_score(y, self._decide(X), sample_weight=weight))

    def _decide(self, X: Any) -> Array:
        """Return labels of checked rows."""
        labels: Array = self._binarizer.inverse_transform(self.network_._outputs(X))
        return labels

    def predict(self, X: Any) -> Array:
        """Return labels (m,), or (m, K) of 0/1 for several labels an example."""
        return self._decide(self._rows(X))

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (m, K) of rows X (m, n)."""
        rows = self._rows(X)
        return self.network_.predict_proba(rows)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`, finite where a probability rounds to 0."""
        rows = self._rows(X)
        return self.network_._log_proba(rows)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Take one epoch over rows X (m, n); the first call names all classes it may ever see."""
        return self._partial(X, y, classes, sample_weight)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: several labels an example are possible."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """scikit-learn's multilayer perceptron for numbers: change the import and keep the rest.

    Parameters are those of `MLPClassifier` but class_weight.
    """

    _numeric = True

    def _encode(self, y: Any, classes: Any, again: bool) -> tuple[Array, str]:
        """Return the targets (m, K)."""
        return np.asarray(y, np.float64).reshape(len(y), -1), "identity"

    def _score_of(self, X: Array, y: Any, weight: Any) -> float:
        """Return R² of held-out rows."""
        return float(r2_score(y, self.network_.predict(X), sample_weight=weight))

    def predict(self, X: Any) -> Array:
        """Return values (m,) or (m, K) of rows X (m, n)."""
        rows = self._rows(X)
        return self.network_.predict(rows)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Take one epoch over rows X (m, n)."""
        return self._partial(X, y, None, sample_weight)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: several targets are possible."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
