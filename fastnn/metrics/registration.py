"""Registration of metrics: a user's function of true and predicted values, under a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import history
from fastnn._validation import arguments
from fastnn.errors import SettingError

from .classification import NAMES, Metric, accuracy, f1, precision, recall
from .scores import log_loss, mae, mse, r2, roc_auc

#: Names that histories and their tables use otherwise, and those of the built-in metrics.
TAKEN = frozenset({"cost", "epoch", "learning_rate", *NAMES})
#: The functions that users call, by which a metric may be named as well.
BUILT_IN: dict[Any, str] = {
    function: function.__name__
    for function in (accuracy, precision, recall, f1, log_loss, roc_auc, r2, mae, mse)
}
#: The functions of users by name.
REGISTERED: dict[str, Callable[[Any, Any], float]] = {}
NEEDS = ("values", "labels", "probabilities")


def register(
    name: str,
    function: Callable[[Any, Any], float],
    *,
    higher_is_better: bool = True,
    needs: str = "values",
) -> None:
    """Add a metric that may be named from here on in this process, as ``fit(metrics=[name])``.

    `EarlyStopping`, schedules and `tune` take its name, or ``"validation_"`` and its name, and
    know by `higher_is_better` which of two values is better.

    Parameters
    ----------
    name : str
        Not the name of a built-in metric; one's own may be registered again.
    function : callable
        Takes the true values and the predicted ones, arrays of one shape, and returns one number;
        NaN where it is not defined.
    higher_is_better : bool
        Whether larger values are better.
    needs : {"values", "labels", "probabilities"}
        What it takes. ``"values"``: what `Network.predict` returns, of any network: values or
        labels (m,), or (m, K) of several outputs. ``"labels"``: labels (m,), of networks that give
        each example one class. ``"probabilities"``: of those networks the probability (m,) of
        class 1, or (m, K) of K > 2 classes, beside true labels (m,).

    Raises
    ------
    SettingError
        If the name is taken or another argument is none of these. A fit whose examples the
        function does not take, or of which it returns no number, is refused before it begins.

    Examples
    --------
    >>> def mape(y_true, y_pred):
    ...     return np.mean(np.abs((y_true - y_pred) / y_true))
    >>> fastnn.metrics.register("mape", mape, higher_is_better=False)
    >>> net.fit(X, y, metrics=["mape"], validation_split=0.2,
    ...         callbacks=[fastnn.callbacks.EarlyStopping("validation_mape")])
    """
    arguments.new_name(name, TAKEN)
    if name.startswith("validation_"):
        raise SettingError(
            f"name {name!r} begins with validation_, which histories put before a metric's name; "
            "leave it out"
        )
    if isinstance(function, type) or not callable(function):
        raise SettingError(f"function must be one of (y_true, y_pred), got {function!r}")
    if needs not in NEEDS:
        raise SettingError(f"needs must be one of {', '.join(NEEDS)}, got {needs!r}")
    higher_is_better = arguments.flag(higher_is_better, "higher_is_better")
    NAMES[name] = Metric(_of_one_number(name, function), needs)
    history.DIRECTIONS[name] = higher_is_better
    REGISTERED[name] = function


def name_of(metric: Any) -> Any:
    """Return the name of a function that is a metric; of anything else, the thing itself.

    Raises
    ------
    SettingError
        If it is a function without a name here, which says how to give it one.
    """
    if not callable(metric):
        return metric
    named = {metric.function: name for name, metric in NAMES.items()} | BUILT_IN
    named |= {function: name for name, function in REGISTERED.items()}
    if metric not in named:
        word = getattr(metric, "__name__", "mine")
        raise SettingError(
            f"metrics holds the function {word!r}, whose direction is not known; call "
            f"fastnn.metrics.register({word!r}, {word}, higher_is_better=…) once and give its name"
        )
    return named[metric]


def _of_one_number(name: str, function: Callable[[Any, Any], float]) -> Callable[..., float]:
    """Return the function with its result as a float, or a sentence where it is no number."""

    def one_number(y_true: Any, y_pred: Any) -> float:
        found = function(_read_only(y_true), _read_only(y_pred))
        shape = np.shape(found) if isinstance(found, np.ndarray | list | tuple) else ()
        try:
            if not shape and not isinstance(found, str | bytes | complex | np.complexfloating):
                return float(found)
        except (TypeError, ValueError):  # None and the like
            pass
        what = f"an array of shape {shape}" if shape else repr(found)
        raise SettingError(f"metric {name!r} must return one number, got {what}")

    return one_number


def _read_only(array: Any) -> Any:
    """Return a view of an array that cannot be written: y_true may be the targets of the fit."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
