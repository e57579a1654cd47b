"""Models of scikit-learn taken over: its fitted MLPs and its logistic regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import activations
from fastnn.errors import NotBuiltError, SettingError
from fastnn.network import Network

from .assembly import Assembly
from .settings import LayerRule, check_settings, library_class, overridden_method

#: scikit-learn's names of activations that are called otherwise here.
NAMES = {"logistic": "sigmoid"}
#: What an estimator predicts with; one that has another of these is not what its class says.
METHODS = ("predict", "predict_proba", "decision_function", "_predict", "_forward_pass_fast")
MLP = LayerRule(
    read="activation loss",
    free="hidden_layer_sizes solver alpha batch_size learning_rate learning_rate_init power_t "
    "max_iter shuffle random_state tol verbose warm_start momentum nesterovs_momentum "
    "early_stopping validation_fraction beta_1 beta_2 epsilon n_iter_no_change max_fun",
)
#: What is taken of scikit-learn, and under which settings; most of them act on a fit alone.
ESTIMATORS = {
    "MLPClassifier": MLP,
    "MLPRegressor": MLP,
    "LogisticRegression": LayerRule(
        read="solver multi_class",
        free="penalty C l1_ratio dual tol fit_intercept intercept_scaling class_weight "
        "random_state max_iter verbose warm_start n_jobs",
    ),
}


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
        `fastnn.saving.model_file.save` can store the classes as notes.

    Raises
    ------
    NotBuiltError
        If the model is not fitted.
    SettingError
        If it is of another class, or its outputs have no counterpart: several one-against-rest
        classifiers whose probabilities are normalised together, or an activation fastnn lacks.

    Examples
    --------
    >>> net = fastnn.from_sklearn(MLPClassifier().fit(X, y))
    """
    base = library_class(model, "sklearn.")
    kind = "" if base is None else base.__name__
    if base is None or kind not in ESTIMATORS:
        hint = "; it holds a network already, model.network_" if hasattr(model, "network_") else ""
        given = model if isinstance(model, type) else type(model).__name__
        raise SettingError(
            f"from_sklearn takes a fitted {', '.join(ESTIMATORS)}, got {given}{hint}"
        )
    method = overridden_method(model, base, METHODS)
    if method is not None:
        raise SettingError(
            f"{type(model).__name__} has a {method} of its own, which from_sklearn cannot read; "
            f"give it a {kind}"
        )
    check_settings(ESTIMATORS[kind], base, model, kind)
    if not hasattr(model, "coef_" if kind == "LogisticRegression" else "coefs_"):
        raise NotBuiltError(f"this {kind} has no weights yet; call its fit first")
    assembly = Assembly()
    (_take_logistic if kind == "LogisticRegression" else _take_perceptron)(assembly, model, kind)
    return assembly.network(kind)


def _take_logistic(assembly: Assembly, model: Any, kind: str) -> None:
    """Append the layer of a logistic regression: one sigmoid, or a softmax.

    Versions before 1.8 normalise one-against-rest classifiers together where `multi_class` or,
    by default, `solver` says so; later ones have no `multi_class`.
    """
    K, older = len(model.classes_), getattr(model, "multi_class", None)
    rest = older is not None and (older == "ovr" or model.solver == "liblinear")
    if (K > 2 and rest) or (K == 2 and older == "multinomial"):
        raise SettingError(
            "this LogisticRegression's probabilities are neither one sigmoid nor a softmax; "
            "fit it with solver='lbfgs' and the default multi_class"
        )
    W = model.coef_.toarray() if hasattr(model.coef_, "toarray") else np.asarray(model.coef_)
    # Without an intercept scikit-learn stores one zero for all classes.
    assembly.dense(W.T, np.broadcast_to(np.ravel(model.intercept_), (len(W),)), kind)
    assembly.activate("sigmoid" if K == 2 else "softmax")


def _take_perceptron(assembly: Assembly, model: Any, kind: str) -> None:
    """Append the layers of an MLP; its parameter `activation` is what it predicts with."""
    hidden, output = model.activation, str(model.out_activation_)
    for name in (hidden, output):
        if NAMES.get(name, name) not in activations.NAMES:
            raise SettingError(f"{kind} has the activation {name!r}, which fastnn lacks")
    last = len(model.coefs_) - 1
    for place, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        assembly.dense(W, b, f"layer {place + 1} of {kind}")
        name = hidden if place < last else output
        assembly.activate(NAMES.get(name, name))
