"""Classifiers and what they answer: labels, scores and names of the classes that pictures need."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastnn._validation import arguments
from fastnn.errors import DataError, SettingError, ShapeError
from fastnn.metrics._inputs import class_probabilities, score_columns, true_columns

from ._classes import check_labels


class OneVsRest(NamedTuple):
    """One class against all others: its name, whom it holds (m,), and how likely it was called."""

    name: str
    positive: NDArray[np.bool_]
    score: NDArray[np.float64]


def is_model(given: Any) -> bool:
    """Return whether something answers questions, as a network does."""
    return callable(getattr(given, "predict", None))


def known_classes(model: Any) -> Any:
    """Return a model's classes (K,): an estimator's, 0 … K−1 for a network, or None."""
    if getattr(model, "classes_", None) is not None:
        return model.classes_
    outputs = getattr(model, "outputs", None)
    return np.arange(max(2, outputs)) if isinstance(outputs, int) else None


def ask(model: Any, X: Any, y: Any) -> Any:
    """Return the probabilities (m, K) that a classifier gives to rows X (m, n) with labels y."""
    if y is None:
        raise SettingError("give a classifier with X and y: its inputs, and their labels")
    if not callable(getattr(model, "predict_proba", None)):
        raise SettingError(
            f"{type(model).__name__} has no predict_proba; give y_true and its scores instead"
        )
    return np.asarray(model.predict_proba(X))


def one_vs_rest(
    given: tuple[Any, Any, Any], classes: Any, *, probabilities: bool = False
) -> list[OneVsRest]:
    """Return what each curve is drawn of: the second of two classes, or every class.

    Parameters
    ----------
    given : tuple
        (y_true, y_prob, None), or (classifier, X, y).
    classes : sequence (K,) or None
        Names of the classes.
    probabilities : bool
        Whether scores must lie in [0, 1].
    """
    y, scores, third = given
    labels = None
    if is_model(y):
        scores = ask(y, scores, third)
        labels = getattr(y, "classes_", None)
        y = third
    elif third is not None:
        raise SettingError(
            f"the first of three must be a classifier, got {type(y).__name__}; give y_true and "
            "y_prob, or a network with X and y"
        )
    P = np.asarray(scores)
    if np.ndim(y) == 2 and np.shape(y)[1] > 1:
        name = "y_prob"
        S, T = arguments.numeric(P, name), np.asarray(y)
        if S.shape != T.shape or not np.isin(T, (0, 1)).all():
            raise ShapeError(
                f"y of shape {T.shape} must hold 0 and 1, and {name} be of its shape, got {S.shape}"
            )
        arguments.check_finite(S, name)
        if probabilities and not ((S >= 0) & (S <= 1)).all():
            raise DataError(f"{name} must lie in [0, 1]")
        names = _names(classes, np.arange(T.shape[1]), T.shape[1])
        return _columns(names, T.astype(bool), S)
    S = class_probabilities(P) if probabilities else score_columns(P, "y_score")
    y = check_labels(y, len(S))
    column = true_columns(y, S, labels)
    occurring = np.unique(y) if labels is None else labels
    names = _names(classes, occurring, S.shape[1])
    columns = _columns(names, column[:, None] == np.arange(S.shape[1]), S)
    if len(columns) > 2:
        return columns
    numbers = classes is None and np.asarray(occurring).dtype.kind in "biuf"
    return [columns[1]._replace(name="" if numbers else columns[1].name)]


def _names(classes: Any, found: Any, K: int) -> list[str]:
    """Return the names of K classes: those that were given, or the labels themselves."""
    if classes is None:
        classes = found if len(found) == K else range(K)
    if len(classes) != K:
        raise SettingError(f"classes has {len(classes)} names for {K} classes")
    return [str(name) for name in classes]


def _columns(names: list[str], positive: NDArray[Any], scores: NDArray[Any]) -> list[OneVsRest]:
    """Return each class with its column of both matrices (m, K)."""
    S = scores.astype(np.float64)
    return [OneVsRest(name, positive[:, k], S[:, k]) for k, name in enumerate(names)]
