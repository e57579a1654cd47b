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
from fastnn.training.target_scaling import TargetScaling, is_constant

from .base import SPREAD_ROWS, Tabular, present, scored
from .calibration import ResidualQuantiles
from .members import Candidate, outputs_of
from .plain import finite

__all__ = ["TabularRegressor"]

Array = NDArray[Any]


class TabularRegressor(RegressorMixin, Tabular):  # type: ignore[misc]
    """A number from a table of numbers, texts, categories, bools and dates, without settings.

    Parameters and attributes are those of `TabularClassifier`, but for what is about classes.
    Epochs are chosen by the squared error; targets are learnt as (y − mean) / deviation and
    predicted in their unit.

    Attributes
    ----------
    held_out_ : dict
        `rows` that networks were scored on, each by one that was not trained on it; their `rmse`;
        `spread`, the root of the mean variance of the networks' predictions, and `constant`, the
        RMSE of the mean of y.

    Examples
    --------
    >>> model = fastnn.TabularRegressor().fit(frame.drop(columns="y"), frame["y"])
    >>> low, high = model.predict_quantiles(new, [0.05, 0.95]).T
    """

    def _check_targets(self, y: Any) -> Array:
        """Return y as floats (m,); refuse what is no number."""
        y = present(y)
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
        return np.asarray(_check_y(y, y_numeric=True, estimator=self), np.float64)

    def _learn_targets(self, y: Array, w: Array | None) -> Array:
        """Learn mean and deviation of y (m,), and return (y − mean) / deviation."""
        w = np.ones(len(y)) if w is None else w
        scaling = TargetScaling.learn(lambda: [(y[:, None], w)], float(w.sum()))
        self._shift = float(scaling.mean[0])
        constant = is_constant(np.ptp(y), self._shift)
        self._deviation = 0.0 if constant else float(scaling.deviation[0])
        return scaling.encode(y[:, None], np.dtype(np.float32))[:, 0]

    def _output_layers(self) -> list[Layer]:
        """Return one linear output."""
        return [Dense(1)]

    def _labels(self, y: Array) -> None:
        """Return None: all rows are alike."""

    def _calibrate(self, bag: Sequence[Candidate], X: Array, y: Array, w: Array | None) -> None:
        """Learn the residuals of the rows that each network was scored on."""
        w = np.ones(len(y)) if w is None else w
        # Where Ctrl-C left no network that was scored, its training rows must do.
        held = scored(bag) or [(bag[0], np.arange(len(y)))]
        rows = np.concatenate([part for _, part in held])
        found = [y[part] - outputs_of(each, X[part], self._codes)[:, 0] for each, part in held]
        residuals = np.concatenate(found)
        self._residuals = ResidualQuantiles.learn(residuals * self._deviation, w[rows])
        some = X[rows[:: -(-len(rows) // SPREAD_ROWS)]]
        every = np.stack([outputs_of(each, some, self._codes) for each in bag])
        self.held_out_: dict[str, float] = {
            "rows": len(rows),
            "rmse": float(np.sqrt(np.average(residuals**2, weights=w[rows])) * self._deviation),
            "spread": float(np.sqrt(every.var(axis=0).mean()) * self._deviation),
            "constant": float(np.sqrt(np.average(y**2, weights=w)) * self._deviation),
        }

    def _targets_config(self) -> dict[str, Any]:
        """Return the scale of the target and the residuals as plain data."""
        return {
            "kind": "regressor",
            "shift": self._shift,
            "deviation": self._deviation,
            "residuals": self._residuals.config(),
        }

    def _restore_targets(self, data: Mapping[str, Any]) -> None:
        """Take the scale of the target and the residuals."""
        self._shift, self._deviation = finite(data["shift"]), finite(data["deviation"])
        self._residuals = ResidualQuantiles.from_config(data["residuals"])

    def _shown_cost(self, cost: float) -> float:
        """Return a network's cost as users know it: of ½ z² the root mean square, in y's unit."""
        return float(np.sqrt(2 * cost)) * self._deviation

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the values (m,) of the rows of X, in the unit of y.

        Raises
        ------
        ValueError
            If a column is missing, or holds what is no number or date where such were learnt.
        """
        return self._mean(X)[:, 0] * self._deviation + self._shift

    def predict_quantiles(self, X: Any, q: Any) -> NDArray[np.float64]:
        """Return for each row the values below which the target lies with the probabilities q.

        Parameters
        ----------
        X : as in `fit`
        q : float or array (k,)
            Between 0 and 1.

        Returns
        -------
        array (m,) or (m, k)
            In the unit of y.

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
        offsets = self._residuals.at(levels.ravel()).reshape(levels.shape)
        return self.predict(X).reshape((-1,) + (1,) * levels.ndim) + offsets
