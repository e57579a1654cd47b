"""Data that several fits share: checked and encoded once for each way in which they are needed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import DataError, SettingError, ShapeError
from fastnn.kernels.records import Examples

from .prepare_data import FitData, hold_out, targets_of, weights_of
from .state import NetworkState
from .subset import Subset
from .target_scaling import TargetScaling

Array = np.ndarray[Any, Any]
Made = TypeVar("Made")


class DataSettings(NamedTuple):
    """What the arguments of a fit say of its data; of equal networks equal ones give equal data."""

    sample_weight: Any
    class_weight: Any
    validation_data: Any
    validation_split: Any
    fold: Any  # rows that train and rows that are scored, or None


class SharedData:
    """Rows X (m, n) and targets y, of which each fit gets its part.

    Parts are made once and kept: fits with the same settings get the same arrays. Settings count
    as the same where they are the same objects.
    """

    def __init__(self, X: Any, y: Any) -> None:
        self.X, self.y = arguments.finite_examples(X, None), y
        self._made: dict[Hashable, Any] = {}
        self._kinds: dict[Hashable, int] = {}  # of targets: numbers, whose hashes are cheap

    def _once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made by that key, or make it."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def part(self, state: NetworkState, given: DataSettings) -> FitData:
        """Return the data of a fit of this network, as `Network.fit` takes them."""
        X, dtype, loss, K = self.X, state.dtype, state.loss, state.outputs
        if state.inputs is not None:
            arguments.examples(X, state.inputs, "its first layer")
        self._once(("X", dtype), lambda: arguments.check_representable(X, dtype))
        scaling = state.target_scaling
        made = loss, K, dtype, state.scale_target, None if scaling is None else id(scaling)
        kind = self._kinds.setdefault(made, len(self._kinds))
        Y = self._once(("Y", kind), lambda: targets_of(state, self.y, len(X)))
        drawn = state.seed if given.validation_split else 0
        key = ("part", kind, drawn, *(_identity(setting) for setting in given))
        make = self._whole if given.fold is None else self._of_fold
        return self._once(key, lambda: make(state, given, Y))

    def scaling(self, state: NetworkState, part: FitData) -> tuple[Array, Array]:
        """Return the shift and the factor that a Normalization learns of its training examples."""
        program = state.program
        key = ("scaling", id(part), int(program.ops[0]["stats"]))
        return self._once(key, lambda: part.learn_scaling(program))

    def target_scaling(self, part: FitData, dtype: np.dtype[Any]) -> tuple[TargetScaling, FitData]:
        """Return mean and deviation of the targets that a network trains on, and its data scaled.

        dtype: the network's.
        """
        scaling = self._once(("target scaling", id(part)), part.learn_target_scaling)
        key = ("scaled targets", id(part))
        return scaling, self._once(key, lambda: part.scale_targets(scaling, dtype))

    def _whole(self, state: NetworkState, given: DataSettings, Y: Array) -> FitData:
        """Return all examples, or those that are not held out."""
        loss, dtype = state.loss, state.dtype
        w = weights_of(given.sample_weight, given.class_weight, Y, loss, dtype)
        own = w
        if given.class_weight is not None:
            own = weights_of(given.sample_weight, None, Y, loss, dtype)
        train, validation, kept = hold_out(
            Examples(self.X, Y, w), given.validation_data, given.validation_split, state
        )
        return FitData(train, validation, own[kept])

    def _of_fold(self, state: NetworkState, given: DataSettings, Y: Array) -> FitData:
        """Return the rows that a fold names as subsets, as if they had been given alone."""
        if given.validation_data is not None or given.validation_split:
            raise SettingError(
                "folds name the rows to score; leave out validation_data and validation_split"
            )
        weight, loss, dtype, m = given.sample_weight, state.loss, state.dtype, len(Y)
        weight = None if weight is None else arguments.sample_weight(weight, m)
        taken = []
        for place, rows in enumerate(rows_of_fold(given.fold, m)):
            own = None if weight is None else weight[rows]
            w = weights_of(own, None if place else given.class_weight, Y[rows], loss, dtype)
            taken.append((Examples(Subset(self.X, rows), Y[rows], w), own))
        (train, own), validation = taken[0], taken[1][0] if len(taken) > 1 else None
        return FitData(train, validation, weights_of(own, None, train.Y, loss, dtype))


def _identity(setting: Any) -> Hashable:
    """Return what tells a setting from others: numbers and texts by value, the rest by identity."""
    return setting if isinstance(setting, int | float | str | None) else id(setting)


def rows_of_fold(fold: Any, m: int) -> list[Array]:
    """Return the rows of m that train, and those that are scored if the fold names any."""
    if not isinstance(fold, tuple | list) or len(fold) != 2:
        raise SettingError(
            "a fold must be a pair (rows to train on, rows to score), as splitters of "
            f"scikit-learn give; got {type(fold).__name__}"
        )
    parts = [np.zeros(0, np.int64) if rows is None else np.asarray(rows) for rows in fold]
    for part in parts:
        if part.ndim != 1 or (part.dtype == bool and len(part) != m):
            raise ShapeError(
                f"rows of a fold must be places (k,) or a mask ({m},), got shape {part.shape}"
            )
    places = [np.flatnonzero(rows) if rows.dtype == bool else rows for rows in parts]
    for rows in places:
        if rows.size and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= m):
            raise DataError(f"rows of a fold must be whole numbers from 0 to {m - 1}, its places")
    if not len(places[0]):
        raise DataError("a fold leaves no row to train on")
    return [rows.astype(np.int64) for rows in places if len(rows)]
