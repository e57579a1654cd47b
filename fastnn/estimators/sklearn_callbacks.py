"""scikit-learn's own callbacks, which it has from version 1.9 on, called at every epoch of a fit.

An estimator runs a root task whose subtasks are its epochs, as scikit-learn's callback protocol
(``sklearn.callback``) lays down. With an older scikit-learn there is no ``set_callbacks``, and
nothing is told.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, TypeVar

from fastnn.network import Network

from ..history import History

__all__ = ["CallbackBridge", "Callbacks", "callback_bridges", "with_callbacks"]

Method = TypeVar("Method", bound=Callable[..., Any])

try:
    from sklearn.callback import CallbackSupportMixin as Callbacks
    from sklearn.callback import with_callbacks as _managed
except ImportError:

    class Callbacks:  # type: ignore[no-redef]
        """Nothing: this scikit-learn has no callbacks."""

    def _managed(method: Method) -> Method:
        return method


def with_callbacks(method: Method) -> Method:
    """Return the method, at whose end the callbacks are torn down, whether it returns or raises."""
    managed: Method = _managed(method)
    return managed


class CallbackBridge:
    """A callback of `Network.fit` that calls those which an estimator has from scikit-learn.

    `data` holds what they may ask for: X (m, n), y, and as metadata the sample weights.
    """

    def __init__(self, estimator: Any, epochs: int, data: dict[str, Any]) -> None:
        self.estimator, self.epochs = estimator, epochs
        self.data = {"estimator": estimator} | data
        self.root: Any = None
        self.epoch: Any = None

    def _begin(self) -> None:
        """Call them at the beginning of an epoch."""
        self.epoch = self.root.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.data)

    def start(self, network: Network) -> None:
        """Call them at the beginning of the fit; `fit` calls this before its first step."""
        self.root = self.estimator._init_callback_context(max_subtasks=self.epochs)
        self.root.call_on_fit_task_begin(**self.data)
        self._begin()

    def __call__(self, network: Network, history: History) -> bool:
        """Call them at the end of an epoch and the beginning of the next; return True to stop."""
        stop = self.epoch.call_on_fit_task_end(
            **self.data, reconstruction_attributes=lambda: self._fitted(history)
        )
        self.epoch = None
        if not stop and history.epochs < self.epochs:
            self._begin()
        return bool(stop)

    def _fitted(self, history: History) -> dict[str, Any]:
        """Return the attributes that the estimator would have if its fit stopped here."""
        now = copy(self.estimator)
        now.network_ = now.network_.copy()
        now._record_history(history)
        return {name: value for name, value in vars(now).items() if name.endswith("_")}

    def finish(self, network: Network) -> None:
        """End an epoch that began and never ran, as scikit-learn does: with nothing to look at."""
        if self.epoch is not None:
            self.epoch.call_on_fit_task_end(estimator=self.estimator)

    def close(self) -> None:
        """Call them at the end of the fit, when the estimator has its fitted attributes."""
        self.root.call_on_fit_task_end(**self.data, reconstruction_attributes={})


def callback_bridges(
    estimator: Any, epochs: int, X: Any, y: Any, weight: Any
) -> list[CallbackBridge]:
    """Return the bridge that an estimator needs, if anything was given to its set_callbacks."""
    if not getattr(estimator, "_skl_callbacks", None):
        return []
    metadata = None if weight is None else {"sample_weight": weight}
    return [CallbackBridge(estimator, epochs, {"X": X, "y": y, "metadata": metadata})]
