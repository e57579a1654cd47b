"""Labels: those of a later call held against those of the first, and the weights of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.multiclass import unique_labels

from fastnn._validation import arguments

from ..errors import DataError, SettingError

Array = np.ndarray[Any, Any]


def check_labels(binarizer: Any, y: Any, several: bool, classes: Any, exact: bool) -> None:
    """Refuse labels y, or `classes`, that are not those that a binarizer has learnt.

    exact: every class must be there, as in a fit that goes on.
    """
    known = binarizer.classes_
    if several != (binarizer.y_type_ == "multilabel-indicator"):
        counts = ["one label", "several labels"]
        raise DataError(
            f"y holds {counts[several]} an example, but that of the first call held "
            f"{counts[not several]}; begin anew with another estimator"
        )
    if classes is not None and not np.array_equal(unique_labels(classes), known):
        raise DataError(
            f"classes {np.unique(classes).tolist()} are not those of the first call, "
            f"{known.tolist()}; leave them out, or begin anew with another estimator"
        )
    found = unique_labels(y)
    if exact and not np.array_equal(found, known):
        raise DataError(
            "warm_start can only be used where `y` has the same classes as in the previous call to "
            f"fit. Previously got {known}, `y` has {found}"
        )
    unseen = np.setdiff1d(found, known)
    if len(unseen):
        raise DataError(
            f"y holds classes {unseen.tolist()} that are not among classes {known.tolist()} of the "
            "first call; name all in its classes"
        )


def class_factors(class_weight: Any, classes: Array) -> Any:
    """Return weights of classes by their places, as `Network.fit` takes them, of those by label.

    As in scikit-learn a class that is not named weighs 1, and a label that is no class is let pass
    where all classes are named: a fold may lack it.
    """
    if class_weight is None or (isinstance(class_weight, str) and class_weight == "balanced"):
        return class_weight
    if not isinstance(class_weight, Mapping):
        raise SettingError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}")
    for label, weight in class_weight.items():
        arguments.real(weight, f"class_weight[{label!r}]", least=0)
    named = {i: class_weight[c] for i, c in enumerate(classes.tolist()) if c in class_weight}
    unknown = [label for label in class_weight if label not in classes.tolist()]
    if unknown and len(named) < len(classes):
        raise SettingError(
            f"class_weight names {unknown}, but the classes are {classes.tolist()}; name those"
        )
    return named
