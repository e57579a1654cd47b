"""The tabular regressor: numbers from any table, without settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import _check_y

from fastnn.errors import DataError, SettingError
from fastnn.layers import Dense, Layer
from fastnn.network import Network
from fastnn.training.target_scaling import TargetScaling, is_constant

from .base import SPREAD_ROWS, Tabular, scored
from .calibration import ResidualQuantiles
from .candidates import Candidate
from .members import outputs_of
from .plain import finite_array

__all__ = ["TabularRegressor"]

Array = NDArray[Any]


class TabularRegressor(RegressorMixin, Tabular):  # type: ignore[misc]
    """A number from a table of numbers, texts, categories, bools and dates, without settings.

    Parameters and attributes are those of `TabularClassifier`, but for what is about classes.
    Cycles are chosen by the squared error; targets are learnt as (y − mean) / deviation and
    predicted in their unit. Several targets Y (m, k), as an array or a frame, are learnt together:
    each network has an output for each, and all weigh alike.

    Attributes
    ----------
    held_out_ : dict
        `rows` that networks were scored on, each by one that was not trained on it, or by two;
        their `rmse`; `spread`, the root of the mean variance of the networks' predictions, and
        `constant`, the RMSE of the mean of y. The latter three are arrays (k,) of a Y (m, k).
    n_outputs_ : int
        Number of targets.

    Examples
    --------
    >>> model = fastnn.TabularRegressor().fit(frame.drop(columns="y"), frame["y"])
    >>> low, high = model.predict_quantiles(new, [0.05, 0.95]).T
    """

    _shift: Array  # (k,) in the unit of each target, as the deviations are
    _deviation: Array
    _residuals: list[ResidualQuantiles]
    _several: bool  # whether y was given as (m, k)

    def _check_targets(self, y: Array) -> Array:
        """Return y as floats (m,) or (m, k); refuse what is no number."""
        if y.dtype.kind in "Mmc":
            raise DataError(
                f"y must be numbers, got {y.dtype}; convert dates to a time since one of them, as "
                "by (y - y.min()).dt.days"
            )
        if y.dtype.kind in "OUS":
            try:
                y = y.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"y holds what is no number ({error}); name classes to TabularClassifier"
                ) from error
        several = y.ndim == 2
        y = _check_y(y, multi_output=several, y_numeric=True, estimator=self)
        return np.asarray(y, np.float64)

    def _learn_targets(self, y: Array, w: Array | None) -> Array:
        """Learn mean and deviation of each target, and return (y − mean) / deviation, as y is."""
        w = np.ones(len(y)) if w is None else w
        Y = y.reshape(len(y), -1)
        scaling = TargetScaling.learn(lambda: [(Y, w)], float(w.sum()))
        constant = is_constant(np.ptp(Y, axis=0), scaling.mean)
        self._shift, self._several = scaling.mean, y.ndim == 2
        self._deviation = np.where(constant, 0.0, scaling.deviation)
        return scaling.encode(Y, np.dtype(np.float32)).reshape(y.shape)

    def _output_layers(self) -> list[Layer]:
        """Return a linear output for each target."""
        return [Dense(self.n_outputs_)]

    def _labels(self, y: Array) -> None:
        """Return None: all rows are alike."""

    def _losses(self, network: Network, X: Array, y: Array, w: Array) -> Array:
        """Return half the squares of the errors, added up over the targets."""
        errors = outputs_of(network, X) - y.reshape(len(X), -1)
        halves: Array = (errors**2).sum(axis=1) / 2
        return halves

    def _calibrate(self, bag: Sequence[Candidate], X: Array, y: Array, w: Array | None) -> None:
        """Learn the residuals of the rows that each network was scored on."""
        w, Y = np.ones(len(y)) if w is None else w, y.reshape(len(y), -1)
        # Where Ctrl-C left no network that was scored, its training rows must do.
        held = scored(bag) or [(bag[0], np.arange(len(Y)))]
        rows = np.concatenate([part for _, part in held])
        found = [
            Y[part] - outputs_of(each.network, self._given(each, X[part])) for each, part in held
        ]
        residuals = np.concatenate(found)
        self._residuals = [
            ResidualQuantiles.learn(column, w[rows]) for column in (residuals * self._deviation).T
        ]
        some = X[rows[:: -(-len(rows) // SPREAD_ROWS)]]
        every = np.stack([outputs_of(each.network, self._given(each, some)) for each in bag])
        squares = {
            "rmse": np.average(residuals**2, axis=0, weights=w[rows]),
            "spread": every.var(axis=0).mean(axis=0),
            "constant": np.average(Y**2, axis=0, weights=w),
        }
        self.held_out_: dict[str, Any] = {"rows": len(rows)}
        for name, square in squares.items():
            root = np.sqrt(square) * self._deviation
            self.held_out_[name] = root if self._several else float(root[0])

    def _targets_config(self) -> dict[str, Any]:
        """Return the scale of the targets and the residuals as plain data."""
        return {
            "kind": "regressor",
            "several": self._several,
            "shift": self._shift.tolist(),
            "deviation": self._deviation.tolist(),
            "residuals": [each.config() for each in self._residuals],
        }

    def _restore_targets(self, data: Mapping[str, Any]) -> None:
        """Take the scale of the targets and the residuals."""
        self._shift, self._deviation = finite_array(data["shift"]), finite_array(data["deviation"])
        self._residuals = [ResidualQuantiles.from_config(each) for each in data["residuals"]]
        self._several = data["several"] is True
        k = len(self._shift)
        fits = k == 1 or self._several
        if not fits or {len(self._deviation), len(self._residuals), len(self._targets)} != {k}:
            raise DataError("its targets do not fit together")

    @property
    def n_outputs_(self) -> int:
        """Number of targets."""
        return len(self._shift)

    @property
    def _cost_name(self) -> str:
        """What `_shown_cost` is."""
        return "RMSE in deviations" if self.n_outputs_ > 1 else "RMSE"

    def _shown_cost(self, cost: float) -> float:
        """Return a cost, ½ Σ z² over the targets, as a root mean square: of one in y's unit."""
        root = float(np.sqrt(2 * cost / self.n_outputs_))
        return root if self.n_outputs_ > 1 else root * float(self._deviation[0])

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the values (m,), or (m, k) of a Y (m, k), of the rows of X, in the unit of y.

        Raises
        ------
        ValueError
            If a column is missing, or holds what is no number or date where such were learnt.
        """
        values = self._mean(X) * self._deviation + self._shift
        return values if self._several else values[:, 0]

    def predict_quantiles(self, X: Any, q: Any) -> NDArray[np.float64]:
        """Return for each row the values below which the target lies with the probabilities q.

        Parameters
        ----------
        X : as in `fit`
        q : float or array (j,)
            Between 0 and 1.

        Returns
        -------
        array (m,) or (m, j); of a Y (m, k) array (m, k) or (m, k, j)
            In the unit of y; each target by itself.

        Notes
        -----
        The prediction plus a quantile of the residuals y − ŷ of rows that were held out, each
        predicted by a network that was not trained on it: cross-conformal prediction (Vovk, Annals
        of Mathematics and Artificial Intelligence 74, 2015), with signed residuals. From the 5 % to
        the 95 % quantile about nine tenths of new targets lie, on average over rows like those of
        the fit; the distance is the same for all rows. The bag is more accurate than its networks
        are, so that intervals are rather too wide than too narrow.
        """
        levels = np.asarray(q, np.float64)
        if levels.ndim > 1 or not ((levels > 0) & (levels < 1)).all():
            raise SettingError(f"q must be numbers between 0 and 1, as [0.05, 0.95], got {q!r:.80}")
        found = np.stack([each.at(levels.ravel()) for each in self._residuals])
        offsets = found.reshape(found.shape[:1] + levels.shape)  # (k, j) or (k,)
        values = self.predict(X)
        return values.reshape(values.shape + (1,) * levels.ndim) + (
            offsets if self._several else offsets[0]
        )

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: several targets are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
