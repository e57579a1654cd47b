"""Weights of classes: a factor for every example, given by class or balanced over all examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import DataError, SettingError
from fastnn.losses import Loss

Array = np.ndarray[Any, Any]


def labels_of(Y: Array, loss: Loss) -> Array | None:
    """Return one class number for each row of Y (m, K), or None where rows have no single class."""
    if loss.labels == "categorical":
        best: Array = np.argmax(Y, axis=1)
        return best
    if loss.labels == "binary" and Y.shape[1] == 1:
        labels: Array = (Y[:, 0] > 0.5).astype(np.int64)
        return labels
    return None


class ClassWeights:
    """The factor of every class; balanced: Σw / (K Σw of the class), once all are counted.

    Parameters
    ----------
    given : dict or "balanced"
        What `Network.fit` takes as class_weight. Of several sigmoids the balanced factors are
        multiplied.
    loss : Loss
        Which says what targets are.
    K : int
        Columns of the targets.
    """

    def __init__(self, given: Mapping[int, float] | str, loss: Loss, K: int) -> None:
        self.loss, self._given = loss, given
        self._balanced = isinstance(given, str) and given == "balanced"
        several = loss.labels == "binary" and K > 1
        if not loss.labels or (several and not self._balanced):
            raise SettingError(
                "class_weight needs one class for each example: one sigmoid, or softmax"
            )
        self._columns = [slice(k, k + 1) for k in range(K)] if several else [slice(None)]
        self._present = np.zeros((len(self._columns), 2 if several else max(K, 2)))

    def count(self, Y: Array, w: Array, first: int = 0) -> None:
        """Add examples to the counts: Y (m, K), weights w (m,); `first` is the first one's number.

        Raises
        ------
        DataError
            If a row of Y shares its example among classes.
        """
        for present, column in zip(self._present, self._columns, strict=True):
            own, K = Y[:, column], len(present)
            _validate_hard(own, self._smoothed(K), first)
            labels = labels_of(own, self.loss)
            # What was counted before comes first: the sums are those of one count over all rows.
            numbers, weights = np.concatenate([np.arange(K), labels]), np.concatenate([present, w])
            present[...] = np.bincount(numbers, weights=weights, minlength=K)

    def _smoothed(self, K: int) -> float:
        """Return how far below 1 label smoothing puts the target of an example's class."""
        return float(self.loss.smoothing * (1 - 1 / K))

    def of(self, Y: Array) -> Array:
        """Return the factor (m,) of each example of Y (m, K)."""
        each = [
            self._factors(present)[labels_of(Y[:, column], self.loss)]
            for present, column in zip(self._present, self._columns, strict=True)
        ]
        return np.asarray(np.prod(each, axis=0)) if len(each) > 1 else each[0]

    def _factors(self, present: Array) -> Array:
        """Return the factor (K,) of each class, from the weights of its examples (K,)."""
        K = len(present)
        factors = np.ones(K)
        if self._balanced:
            factors[present > 0] = present.sum() / ((present > 0).sum() * present[present > 0])
            return factors
        if not isinstance(self._given, Mapping):
            raise SettingError(
                f"class_weight must be a dict, 'balanced' or None, got {self._given!r}"
            )
        for label, factor in self._given.items():
            if label not in range(K):
                raise SettingError(f"class_weight names class {label!r}; there are 0 … {K - 1}")
            factors[int(label)] = arguments.real(factor, f"class_weight[{label}]", least=0)
        return factors


def _validate_hard(Y: Array, smoothed: float, first: int) -> None:
    """Refuse targets (m, K) that are no classes: `smoothed` is how far below 1 those are put."""
    sure = Y.max(axis=1) if Y.shape[1] > 1 else np.maximum(Y[:, 0], 1 - Y[:, 0])
    soft = np.abs(sure - (1 - smoothed)) > 1e-3
    if soft.any():
        row = int(soft.argmax())
        raise DataError(
            f"class_weight needs one class for each example, but y[{first + row}] is {Y[row]}, "
            "which shares it among classes; give the weights of examples by sample_weight"
        )
