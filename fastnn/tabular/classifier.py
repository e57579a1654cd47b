"""The tabular classifier: classes from any table, without settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y

from fastnn.errors import DataError, SettingError
from fastnn.layers import Dense, Layer
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.prediction import logits

from .base import SPREAD_ROWS, Tabular, scored
from .calibration import Calibration
from .candidates import Candidate
from .members import outputs_of
from .plain import finite

__all__ = ["TabularClassifier"]

Array = NDArray[Any]
#: Of the dtypes whose classes a file can hold.
CLASS_KINDS = "OUbiuf"


class TabularClassifier(ClassifierMixin, Tabular):  # type: ignore[misc]
    """Classes from a table of numbers, texts, categories, bools and dates, without settings.

    Columns are encoded as `data.TableEncoder` says. A bag of networks is trained, each on its own
    part of the rows, in cycles, and keeps the one that is best on the others by the log loss that
    calibration leaves (Berta et al. 2025, arXiv:2501.19195); `rule_` says how many
    of what kind, and `print(model.report_)` what became of columns and networks.

    Parameters
    ----------
    bag : int or "auto"
        Networks in the bag; auto: eight below 1,000 rows, and three like that of `MLPClassifier`
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
    temperatures_ : list of float
        What the logits of each network, or their distances from those of the shares of the classes,
        are divided by, so that its probabilities are right on the rows that scored it.
    held_out_ : dict
        `rows` that networks were scored on, each by one that was not trained on it, or by two;
        their `log_loss` and `accuracy`; `spread`, the mean Kullback-Leibler divergence of one
        network's probabilities from their mean, and `constant`, the log loss of the shares of the
        classes.
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

    def _check_targets(self, y: Array) -> Array:
        """Return y as an array (m,); refuse what no class can be."""
        y = np.asarray(_check_y(y, estimator=self))
        if y.dtype.kind == "O":
            texts = [isinstance(each, str) for each in y]
            if any(texts) and not all(texts):
                raise DataError(
                    f"y mixes text with other values, {y[texts.index(False)]!r:.60} in row "
                    f"{texts.index(False)}; convert it, as by y.astype(str)"
                )
        check_classification_targets(y)
        return y

    def _learn_targets(self, y: Array, w: Array | None) -> Array:
        """Learn the classes of y (m,), and return their numbers."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._shares = np.bincount(codes, w) / (len(y) if w is None else w.sum())
        if len(self.classes_) < 2:
            raise DataError(
                f"y holds 1 class, {self.classes_.tolist()[0]!r:.60}; give at least two"
            )
        return np.asarray(codes, np.int64)

    def _output_layers(self) -> list[Layer]:
        """Return one sigmoid for two classes, else a softmax."""
        K = len(self.classes_)
        return [Dense(1, "sigmoid") if K == 2 else Dense(K, "softmax")]

    def _labels(self, y: Array) -> NDArray[np.int64]:
        """Return the classes of encoded targets (m,)."""
        return y

    def _losses(self, network: Network, X: Array, y: Array, w: Array) -> Array:
        """Return log losses at the best temperature: what calibration will leave of them."""
        Z = _logits(network, X)
        return Calibration.find(Z, y, w, self._shares).losses(Z, y)

    def _calibrate(self, bag: Sequence[Candidate], X: Array, y: Array, w: Array | None) -> None:
        """Make the probabilities of each network right on the rows that scored it."""
        found = {
            id(each): Calibration.find(_logits(each.network, held.X), held.y, held.w, self._shares)
            for each in bag
            if (held := each.scored_on) is not None
        }
        rows = len(y) / self.rule_.folds
        others = Calibration.mean(list(found.values()), self._shares, rows)
        made = [found.get(id(each), others) for each in bag]
        for each, calibration in zip(bag, made, strict=True):
            calibration.apply(each.network)
        self.temperatures_ = [each.temperature for each in made]
        self.held_out_: dict[str, float] = {"rows": sum(len(rows) for _, rows in scored(bag))}
        if found:
            self.held_out_ |= self._score(bag, X, y, np.ones(len(y)) if w is None else w)

    def _score(self, bag: Sequence[Candidate], X: Array, y: Array, w: Array) -> dict[str, float]:
        """Return how good each network is on the rows that it was scored on, how they differ."""
        parts = [outputs_of(each.network, self._given(each, X[part])) for each, part in scored(bag)]
        P = np.concatenate(parts)
        rows = np.concatenate([part for _, part in scored(bag)])
        right = np.maximum(P[np.arange(len(rows)), y[rows]], np.finfo(np.float32).tiny)
        some = X[rows[:: -(-len(rows) // SPREAD_ROWS)]]
        every = np.stack([outputs_of(each.network, self._given(each, some)) for each in bag])
        mean = every.mean(axis=0)
        return {
            "log_loss": float(np.average(-np.log(right), weights=w[rows])),
            "accuracy": float(np.average(P.argmax(axis=1) == y[rows], weights=w[rows])),
            "spread": float((entr(mean) - entr(every).mean(axis=0)).sum(axis=1).mean()),
            "constant": float(entr(self._shares).sum()),
        }

    def _targets_config(self) -> dict[str, Any]:
        """Return classes and temperatures as plain data."""
        classes = self.classes_
        if classes.dtype.kind not in CLASS_KINDS:
            raise SettingError(
                f"classes of {classes.dtype} cannot be saved; fit to text or numbers"
            )
        dtype = classes.dtype.kind if classes.dtype.kind in "OU" else classes.dtype.str
        return {
            "kind": "classifier",
            "classes": classes.tolist(),
            "dtype": dtype,
            "temperatures": self.temperatures_,
        }

    def _restore_targets(self, data: Mapping[str, Any]) -> None:
        """Take classes and temperatures."""
        dtype, classes = np.dtype(data["dtype"]), data["classes"]
        if dtype.kind not in CLASS_KINDS or not all(
            isinstance(each, str | bool | int | float) for each in classes
        ):
            raise DataError("its classes are no texts or numbers")
        self.classes_ = np.array(classes, dtype)
        self.temperatures_ = [finite(each) for each in data["temperatures"]]
        if len(self.classes_) < 2:
            raise DataError("its classes are none")
        if len(self.temperatures_) != len(self._members):
            raise DataError("it has another number of temperatures")

    @property
    def _cost_name(self) -> str:
        """What `_shown_cost` is."""
        return "log loss"

    def _shown_cost(self, cost: float) -> float:
        """Return a network's cost as users know it: the log loss."""
        return cost

    def predict(self, X: Any) -> Array:
        """Return the likeliest class (m,) of each row of X.

        Raises
        ------
        ValueError
            If a column is missing, or holds what is no number or date where such were learnt.
        """
        places = self._mean(X).argmax(axis=1)
        found: Array = self.classes_[places]
        return found

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability (m, K) of each class; errors are those of `predict`."""
        P = self._mean(X)
        total: NDArray[np.float64] = P.sum(axis=1, keepdims=True)
        return P / total

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithms of `predict_proba`, at least that of float32's least number."""
        return np.log(np.maximum(self.predict_proba(X), np.finfo(np.float32).tiny))


def _logits(network: Network, X: Array) -> NDArray[np.float64]:
    """Return a logit for each class (m, K) of rows as the network is given them."""
    Z = logits(state_of(network), X).astype(np.float64)
    return np.hstack([np.zeros_like(Z), Z]) if Z.shape[1] == 1 else Z
