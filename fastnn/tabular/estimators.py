"""The tabular estimators: classes and numbers from any table, without settings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y

from fastnn.errors import DataError, SettingError
from fastnn.layers import Dense, Layer
from fastnn.network.description import state_of
from fastnn.network.prediction import logits

from .base import Tabular
from .calibration import ResidualQuantiles, find_temperature
from .members import outputs_of

__all__ = ["TabularClassifier", "TabularRegressor"]

Array = NDArray[Any]
#: Rows on which it is measured at most how far the networks of a bag lie apart.
SPREAD_ROWS = 1_000


class TabularClassifier(ClassifierMixin, Tabular):  # type: ignore[misc]
    """Classes from a table of numbers, texts, categories, bools and dates, without settings.

    Columns are encoded as `data.TableEncoder` says. A bag of networks is trained, each on its own
    part of the rows, and keeps the epoch of the least log loss on the others; `rule_` says how many
    of what kind, and `print(model.report_)` what became of columns and networks.

    Parameters
    ----------
    bag : int or "auto"
        Networks in the bag; auto: eight below 1,000 rows, and one like that of `MLPClassifier`
        beside them, else four.
    categorical : list of columns, or "auto"
        Columns whose numbers name categories, by name, or by place in an array. Texts, categories
        and bools always are.
    max_time : float, optional
        Seconds after which networks end their epoch and are used as they are. At least as many
        networks as threads take one epoch.
    random_state : int, RandomState or None
        Of the parts of the rows, first weights, orders and dropout.
    verbose : int
        Whether a line of progress is shown.

    Attributes
    ----------
    classes_ : array (K,)
        The classes, sorted.
    encoder_ : data.TableEncoder
        What became of the columns.
    rule_ : Rule
        How the bag was trained.
    networks_ : list of Network
    report_ : str
    temperature_ : float
        What logits are divided by, so that probabilities are right on held-out rows.
    held_out_ : dict
        `rows` that networks were scored on, each by one that was not trained on it; their
        `log_loss` and `accuracy`; `spread`, the mean Kullback-Leibler divergence of one network's
        probabilities from their mean, and `constant`, the log loss of the shares of the classes.
    n_features_in_, feature_names_in_
        As scikit-learn has them.

    See Also
    --------
    sklearn.inspection.permutation_importance : what each column is worth to the model.

    Examples
    --------
    >>> model = fastnn.TabularClassifier().fit(frame.drop(columns="y"), frame["y"])
    >>> model.predict_proba(new)
    """

    def _check_targets(self, y: Any) -> Array:
        """Return y as an array (m,); refuse what no class can be."""
        y = _check_y(y, estimator=self)
        check_classification_targets(y)
        return np.asarray(y)

    def _learn_targets(self, y: Array, w: Array | None) -> Array:
        """Learn the classes of y (m,), and return their numbers."""
        try:
            self.classes_, codes = np.unique(y, return_inverse=True)
        except TypeError as error:
            raise DataError(
                f"y mixes text with other values ({error}); convert it, as by y.astype(str)"
            ) from error
        if len(self.classes_) < 2:
            raise DataError(f"y holds 1 class, {self.classes_.tolist()[0]!r:.60}; give at least two")
        return np.asarray(codes, np.int64)

    def _output_layers(self) -> list[Layer]:
        """Return one sigmoid for two classes, else a softmax."""
        K = len(self.classes_)
        return [Dense(1, "sigmoid") if K == 2 else Dense(K, "softmax")]

    def _labels(self, y: Array) -> NDArray[np.int64]:
        """Return the classes of encoded targets (m,)."""
        return y

    def _calibrate(self, X: Array, y: Array, w: Array | None) -> None:
        """Find the temperature and divide the logits of each network by it."""
        w = np.ones(len(y)) if w is None else w
        held = self._scored()
        rows = np.concatenate([np.zeros(0, np.int64), *(part for _, part in held)])
        Z = [self._logits(each, X[part]) for each, part in held]
        stacked = np.concatenate([np.zeros((0, len(self.classes_))), *Z])
        self.temperature_ = find_temperature(stacked, y[rows], w[rows])
        for network in self.networks_:
            last = max(int(name[1:]) for name in network.parameters if name.startswith("W"))
            for name in (f"W{last}", f"b{last}"):
                network.parameters[name] /= self.temperature_
        self.held_out_: dict[str, float] = {"rows": len(rows)}
        if held:
            self.held_out_ |= self._score(X, y, w, rows)

    def _logits(self, member: Any, X: Array) -> Array:
        """Return a logit for each class (m, K) of one network."""
        rows = self._codes.transform(X) if member.coded else X
        Z = logits(state_of(member.network), rows).astype(np.float64)
        return np.hstack([np.zeros_like(Z), Z]) if Z.shape[1] == 1 else Z

    def _score(self, X: Array, y: Array, w: Array, rows: Array) -> dict[str, float]:
        """Return how good each network is on the rows that it was scored on, how they differ."""
        shares = np.bincount(y, w, len(self.classes_)) / w.sum()
        parts = [outputs_of(each, X[part], self._codes) for each, part in self._scored()]
        P = np.concatenate(parts)
        right = np.maximum(P[np.arange(len(rows)), y[rows]], np.finfo(np.float32).tiny)
        some = X[rows[:: -(-len(rows) // SPREAD_ROWS)]]
        every = np.stack([outputs_of(each, some, self._codes) for each in self._members])
        mean = every.mean(axis=0)
        return {
            "log_loss": float(np.average(-np.log(right), weights=w[rows])),
            "accuracy": float(np.average(P.argmax(axis=1) == y[rows], weights=w[rows])),
            "spread": float((entr(mean) - entr(every).mean(axis=0)).sum(axis=1).mean()),
            "constant": float(entr(shares).sum()),
        }

    def predict(self, X: Any) -> Array:
        """Return the likeliest class (m,) of each row of X.

        Raises
        ------
        ValueError
            If a column is missing, or holds what is no number or date where such were learnt.
        """
        found: Array = self.classes_[self._mean(X).argmax(axis=1)]
        return found

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability (m, K) of each class; errors are those of `predict`."""
        P = self._mean(X)
        return P / P.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithms of `predict_proba`, at least that of float32's least number."""
        return np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))


class TabularRegressor(RegressorMixin, Tabular):  # type: ignore[misc]
    """A number from a table of numbers, texts, categories, bools and dates, without settings.

    Parameters and attributes are those of `TabularClassifier`, but for what is about classes. Epochs
    are chosen by the squared error; targets are learnt as (y − mean) / deviation and predicted in
    their unit.

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
        if np.asarray(y).dtype.kind in "US":
            raise DataError("y holds text, and a regressor learns numbers; use TabularClassifier")
        return np.asarray(_check_y(y, y_numeric=True, estimator=self), np.float64)

    def _learn_targets(self, y: Array, w: Array | None) -> Array:
        """Learn mean and deviation of y (m,), and return (y − mean) / deviation."""
        self._shift = float(np.average(y, weights=w))
        deviation = float(np.sqrt(np.average((y - self._shift) ** 2, weights=w)))
        self._deviation = deviation if deviation > 1e-12 * abs(self._shift) else 1.0
        return (y - self._shift) / self._deviation

    def _output_layers(self) -> list[Layer]:
        """Return one linear output."""
        return [Dense(1)]

    def _labels(self, y: Array) -> None:
        """Return None: all rows are alike."""

    def _calibrate(self, X: Array, y: Array, w: Array | None) -> None:
        """Learn the residuals of the rows that each network was scored on."""
        w = np.ones(len(y)) if w is None else w
        # Where Ctrl-C left no network that was scored, its training rows must do.
        held = self._scored() or [(self._members[0], np.arange(len(y)))]
        rows = np.concatenate([part for _, part in held])
        found = [y[part] - outputs_of(each, X[part], self._codes)[:, 0] for each, part in held]
        residuals = np.concatenate(found) * self._deviation
        self._residuals = ResidualQuantiles.learn(residuals, w[rows])
        some = X[rows[:: -(-len(rows) // SPREAD_ROWS)]]
        every = np.stack([outputs_of(each, some, self._codes) for each in self._members])
        self.held_out_: dict[str, float] = {
            "rows": len(rows),
            "rmse": float(np.sqrt(np.average(residuals**2, weights=w[rows]))),
            "spread": float(np.sqrt(every.var(axis=0).mean()) * self._deviation),
            "constant": float(np.sqrt(np.average(y**2, weights=w)) * self._deviation),
        }

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
