"""What both tabular estimators share: a frame to features, a bag that is trained, a report."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted

from fastnn._runtime.text import Text
from fastnn._validation import arguments
from fastnn.errors import DataError, SettingError
from fastnn.estimators.old_pickles import OldPickles
from fastnn.estimators.parameters import restores_if_refused
from fastnn.layers import Layer
from fastnn.network import Network

from . import frames
from .candidates import Candidate, Draft
from .codes import PiecewiseLinearCodes
from .folds import deal_rows
from .members import Member, mean_outputs
from .report import report
from .rule import Rule, rule_for
from .target_statistics import TargetStatistics, learn_statistics
from .targets import to_targets
from .training import Training

__all__ = ["SPREAD_ROWS", "Tabular", "scored"]

Array = NDArray[Any]
#: Rows on which it is measured at most how far the networks of a bag lie apart.
SPREAD_ROWS = 1_000


class Tabular(OldPickles, BaseEstimator):  # type: ignore[misc]
    """A bag of networks on a table; subclasses say how targets become numbers and back."""

    rule_: Rule
    _members: list[Member]
    _codes: PiecewiseLinearCodes
    _statistics: tuple[TargetStatistics, ...]
    _names: list[str]
    _named: bool
    _targets: list[str]  # names of the columns of y, "" of one without

    def __init__(
        self,
        *,
        bag: int | str = "auto",
        categorical: Sequence[Any] | str = "auto",
        max_time: float | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.bag, self.categorical, self.max_time = bag, categorical, max_time
        self.random_state, self.verbose = random_state, verbose

    @abstractmethod
    def _check_targets(self, y: Array) -> Array:
        """Return targets (m,) or (m, k) as they are learnt; refuse what no target can be."""

    @abstractmethod
    def _learn_targets(self, y: Array, w: Array | None) -> Array:
        """Learn the classes or the scale of y, and return it as networks are trained on it."""

    @abstractmethod
    def _output_layers(self) -> list[Layer]:
        """Return the last layer of each network."""

    @abstractmethod
    def _labels(self, y: Array) -> NDArray[np.int64] | None:
        """Return the classes of encoded targets (m,), by which rows are held out; None for none."""

    @abstractmethod
    def _losses(self, network: Network, X: Array, y: Array, w: Array) -> Array:
        """Return a network's loss on each of the rows (k, n) that score it, as it is given them."""

    @abstractmethod
    def _calibrate(self, bag: Sequence[Candidate], X: Array, y: Array, w: Array | None) -> None:
        """Learn from the rows that each network was scored on, X (m, n) and y as it was trained."""

    @abstractmethod
    def _targets_config(self) -> dict[str, Any]:
        """Return what was learnt of the targets as plain data, and the kind of the estimator."""

    @abstractmethod
    def _restore_targets(self, data: Mapping[str, Any]) -> None:
        """Take what `_targets_config` returned; raise an error of any kind if it is none."""

    @property
    @abstractmethod
    def _cost_name(self) -> str:
        """What `_shown_cost` is."""

    @abstractmethod
    def _shown_cost(self, cost: float) -> float:
        """Return a network's cost as the number that users know."""

    @restores_if_refused
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to a table and its targets, and return the estimator.

        Parameters
        ----------
        X : DataFrame, table of Arrow or Polars, mapping of columns, or array (m, n)
            At least two rows. Missing values are allowed, infinite ones are not.
        y : array (m,)
            None missing. Several targets of a regressor are an array (m, k) or a frame.
        sample_weight : array (m,), optional
            Not negative; rows of weight 0 count as not there.

        Raises
        ------
        ValueError
            If a parameter or the data break a rule; the estimator is as it was before.
        """
        self._check_settings()
        frame = frames.to_frame(self, X, reset=True)
        targets, self._targets = to_targets(y)
        targets = self._check_targets(targets)
        check_consistent_length(frame, targets)
        frame, targets, w = _with_weight(frame, targets, sample_weight)
        if len(frame) < 2:
            raise DataError(
                f"{type(self).__name__} learns from two rows at least, got n_samples={len(frame)}"
            )
        encoded = self._learn_targets(targets, w)
        self.encoder_ = frames.learn_encoder(frame, self.categorical, self._named)
        rng, labels = check_random_state(self.random_state), self._labels(encoded)
        self._statistics, added = learn_statistics(frame, self.encoder_, encoded, labels, w, rng)
        rows = frames.features(frame, self.encoder_, added)
        self.rule_ = rule_for(len(rows), rows.shape[1], self.bag)
        self._codes = PiecewiseLinearCodes.learn(rows, self.rule_.bins)
        fold = deal_rows(labels, len(rows), self.rule_.folds, rng)
        draft = Draft(self.rule_, fold, self._codes.width > 0, self._output_layers(), rng)
        bag = Training(
            draft, rows, self._codes, encoded, w, self._losses, self.max_time, bool(self.verbose)
        ).run()
        self._calibrate(bag, rows, encoded, w)
        self._members = [each.member for each in bag]
        return self

    def _check_settings(self) -> None:
        """Refuse parameters that cannot be."""
        if isinstance(self.bag, str):
            if self.bag != "auto":
                raise SettingError(f"bag must be 'auto' or a number of networks, got {self.bag!r}")
        else:
            arguments.integer(self.bag, "bag", least=1)
        if self.max_time is not None:
            arguments.real(self.max_time, "max_time", above=0)

    def _given(self, candidate: Candidate, X: Array) -> Array:
        """Return rows X (m, n) as a network is given them."""
        return self._codes.transform(X) if candidate.coded else X

    def _mean(self, X: Any) -> NDArray[np.float64]:
        """Return the mean of the networks' outputs (m, K) for rows X."""
        check_is_fitted(self)
        return mean_outputs(self._members, frames.encode(self, X), self._codes)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_members")

    @property
    def _features(self) -> int:
        """Number of features, those of the encoder and the statistics, codes apart."""
        return len(self.encoder_.feature_names) + sum(each.width for each in self._statistics)

    @property
    def networks_(self) -> list[Network]:
        """The networks of the bag."""
        return [each.network for each in self._members]

    @property
    def report_(self) -> Text:
        """What was done to each column, how each network was trained, and what the bag brought."""
        return report(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole model to one file, encoding and all, as data: `fastnn.load` reads it.

        Parameters
        ----------
        path : str or path
            ``.safetensors`` is the usual ending, ``.h5`` gives an HDF5 file. A file there is
            replaced in one piece.

        Raises
        ------
        SettingError
            If `categorical` or the classes are no plain data.
        OSError
            If the file cannot be written.
        """
        from .model_file import save  # only this needs it

        save(self, path)

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the whole model as one ONNX graph, encoding and mean of the networks included.

        Each column that is used is an input (m, 1) of its name: numbers in float64, NaN where they
        are missing; text, categories and bools as text without spaces at its ends, "True" or "1"
        for a bool, numbers of a category like "3" and "1.5", "" where they are missing; dates as
        int64 microseconds since 1970-01-01 UTC, the least int64 where they are missing. Of a model
        that was fitted to an array of numbers ``X`` (m, n) is the one input.
        Outputs are ``values`` (m, k) of k targets, or ``label`` (m,) and ``probabilities`` (m, K),
        in float64.

        Parameters
        ----------
        path : str or path
            ``.onnx`` is the usual ending. A file there is replaced, in one piece.

        Raises
        ------
        MissingExtraError
            Without the onnx package; the extra is ``fastnn[onnx]``.
        SettingError
            If a column has the name of an output.
        OSError
            If the file cannot be written.
        """
        from .onnx_file import write_onnx  # only this needs it

        write_onnx(self, path)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: text, categories and missing values are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags


def _with_weight(frame: Any, y: Array, sample_weight: Any) -> tuple[Any, Array, Array | None]:
    """Return the rows of a frame that have a weight, their targets, and weights if any are given.

    Weights are shares of the largest one, which is 1: none is too large or too small for float32.

    Raises
    ------
    ValueError
        If weights are negative, or all are 0.
    """
    if sample_weight is None:
        return frame, y, None
    w = _check_sample_weight(sample_weight, y, ensure_non_negative=True)
    w = w / (w.max(initial=0) or 1.0)
    kept = np.flatnonzero(w)
    if not len(kept):
        raise DataError("sample_weight is 0 in all rows; give at least two rows a weight")
    return frame.iloc[kept], y[kept], w[kept]


def scored(bag: Sequence[Candidate]) -> list[tuple[Candidate, NDArray[np.int64]]]:
    """Return the networks that were scored, and on which rows."""
    return [(each, each.held) for each in bag if each.held is not None]
