"""What type checkers and editors take for `__init__` of the perceptrons.

Below a class without types, as scikit-learn's are, mypy lets the `__init__` of a dataclass take
any name. So checkers see no dataclass, but the signatures written here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

__all__ = ["ClassifierInit", "RegressorInit", "dataclass"]

Class = TypeVar("Class")


class Settings(TypedDict, total=False):
    """The parameters of both perceptrons that are given by name alone."""

    solver: str
    alpha: float
    batch_size: Any
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: int
    max_fun: int
    dropout: Any
    batch_norm: bool
    init: Any
    schedule: Any
    scale: str | None
    monitor: str | None
    callbacks: Sequence[Any]
    max_time: float | None
    dtype: Any
    n_networks: int
    precision: str


class ClassifierSettings(Settings, total=False):
    """And those of the classifier."""

    loss: Any
    class_weight: Any


class RegressorSettings(Settings, total=False):
    """And those of the regressor."""

    scale_target: Any


class ClassifierInit:
    """The signature of `MLPClassifier`."""

    if TYPE_CHECKING:

        def __init__(
            self,
            hidden_layer_sizes: Any = (100,),
            activation: Any = "relu",
            **settings: Unpack[ClassifierSettings],
        ) -> None: ...


class RegressorInit:
    """The signature of `MLPRegressor`."""

    if TYPE_CHECKING:

        def __init__(
            self,
            loss: Any = "squared_error",
            hidden_layer_sizes: Any = (100,),
            activation: Any = "relu",
            **settings: Unpack[RegressorSettings],
        ) -> None: ...


if TYPE_CHECKING:

    def dataclass(*, eq: bool, repr: bool) -> Callable[[type[Class]], type[Class]]:
        """Return a decorator that leaves the class as it is."""

else:
    from dataclasses import dataclass
