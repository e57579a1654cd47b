"""Models of scikit-learn taken over: its fitted MLPs and its logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.errors import NotBuiltError, SettingError
from fastnn.network import Network

from .assembly import Assembly

#: scikit-learn's names of activations that are called otherwise here.
NAMES = {"logistic": "sigmoid", "identity": "identity", "tanh": "tanh", "relu": "relu"}
KNOWN = ("MLPClassifier", "MLPRegressor", "LogisticRegression")


def from_sklearn(model: Any) -> Network:
    """Return a network with the predictions of a fitted scikit-learn model.

    Parameters
    ----------
    model : sklearn MLPClassifier, MLPRegressor or LogisticRegression
        Fitted. What it was trained with (solver, penalty) is not taken over.

    Returns
    -------
    Network
        In the dtype of the model's weights. A network's labels are 0…K−1: the positions in
        ``model.classes_``, so ``model.classes_[net.predict(X)]`` are the model's own labels.
        `fastnn.files.save` can store the classes as notes.

    Raises
    ------
    NotBuiltError
        If the model is not fitted.
    SettingError
        If it is of another class, or its outputs have no counterpart: an exponential one, or
        several one-against-rest classifiers whose probabilities are normalised together.

    Examples
    --------
    >>> net = fastnn.from_sklearn(MLPClassifier().fit(X, y))
    """
    kind = next(
        (k.__name__ for k in type(model).__mro__ if k.__module__.startswith("sklearn.")), ""
    )
    if kind not in KNOWN:
        hint = "; it holds a network already, model.network_" if hasattr(model, "network_") else ""
        raise SettingError(f"from_sklearn takes a fitted {', '.join(KNOWN)}, got {model!r}{hint}")
    if not hasattr(model, "coef_" if kind == "LogisticRegression" else "coefs_"):
        raise NotBuiltError(f"this {kind} has no weights yet; call its fit first")
    made = Assembly()
    if kind == "LogisticRegression":
        K = len(model.classes_)
        rest = model.solver == "liblinear" or getattr(model, "multi_class", "") == "ovr"
        if (K > 2 and rest) or (K == 2 and getattr(model, "multi_class", "") == "multinomial"):
            raise SettingError(
                "this LogisticRegression's probabilities are neither one sigmoid nor a softmax; "
                "fit it with solver='lbfgs' and the default multi_class"
            )
        # Without an intercept scikit-learn stores one zero for all classes.
        bias = np.broadcast_to(np.ravel(model.intercept_), (len(model.coef_),))
        made.dense(np.asarray(model.coef_).T, bias, kind)
        made.activate("sigmoid" if K == 2 else "softmax")
        return made.network(kind)
    hidden, output = NAMES[model.activation], str(model.out_activation_)
    output = NAMES.get(output, output)
    if output not in ("softmax", *NAMES.values()):
        raise SettingError(f"{kind} has the output activation {output!r}, which fastnn lacks")
    last = len(model.coefs_) - 1
    for place, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        made.dense(W, b, f"layer {place} of {kind}")
        made.activate(hidden if place < last else output)
    return made.network(kind)
