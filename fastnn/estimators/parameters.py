"""What estimators share, and the parameters of both perceptrons: scikit-learn's, then ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from ..errors import DivergenceError
from .convertible import Convertible
from .old_pickles import OldPickles
from .sklearn_callbacks import Callbacks

Fit = TypeVar("Fit", bound=Callable[..., Any])


def restores_if_refused(fit: Fit) -> Fit:
    """Decorate a fit: where it raises a ValueError, the attributes are those of before.

    Not where it diverged: that has trained, up to the step before. A network that went on, by
    warm_start or partial_fit, keeps the steps that it took before a callback raised.
    """

    @wraps(fit)
    def guarded(self: Any, *args: Any, **settings: Any) -> Any:
        before = dict(vars(self))
        try:
            return fit(self, *args, **settings)
        except DivergenceError:
            raise
        except ValueError:
            vars(self).clear()
            vars(self).update(before)
            raise

    return guarded  # type: ignore[return-value]


class Estimator(Convertible, OldPickles, Callbacks, BaseEstimator):  # type: ignore[misc]
    """What all three estimators are to skl2onnx, to pickle and to scikit-learn."""


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters(Estimator):
    """Keeps what it is given, as scikit-learn's estimators do; `fit` checks it.

    A dataclass, for scikit-learn reads the names of the parameters off the signature of __init__.
    Subclasses say which of the first three may be given by position.
    """

    loss: Any = None
    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"
    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: Any = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: int = 10
    max_fun: int = 15_000
    dropout: Any = 0.0
    batch_norm: bool = False
    init: Any = None
    schedule: Any = None
    scale: str | None = None
    monitor: str | None = None
    callbacks: Sequence[Any] = ()
    max_time: float | None = None
    dtype: Any = None
    n_networks: int = 1
    precision: str = "float32"
