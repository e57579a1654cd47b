"""MLPRegressor: scikit-learn's multilayer perceptron for numbers, by fastnn's kernels."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from fastnn._habits import answers
from fastnn.network import Network

from ..errors import ShapeError
from ..losses import Poisson, Registered
from . import held_out
from .base import Perceptron
from .held_out import HeldOut
from .settings import parse_loss
from .signatures import RegressorInit, dataclass
from .solvers import available_if_solver_steps

Array = np.ndarray[Any, Any]


@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, RegressorInit, Perceptron):  # type: ignore[misc]
    """scikit-learn's multilayer perceptron for numbers: change the import and keep the rest.

    Parameters and attributes are those of `MLPClassifier` but class_weight. With `scale` the
    targets are scaled too; scikit-learn's defaults are without both.

    Parameters
    ----------
    loss : str or losses.Loss
        As in `Network`. "poisson" (of counts y ≥ 0) has the output e^z, a log link as in
        scikit-learn, so that predictions are positive; `loss_` then is ŷ − y ln ŷ, without the
        term of y alone that scikit-learn adds. All others have the output z.
    scale_target : "auto" or bool
        Whether the network learns z-scores of each column of y, by `sample_weight`, learnt in the
        first `fit` from the rows that train. "auto" does so where `scale` is set and the loss is
        one of values; its outputs are values then in y's unit, but `loss_`, `loss_curve_` and
        `tol` are those of z-scores, as are `coefs_` and `intercepts_`.
    """

    _numeric = True

    loss: Any = "squared_error"
    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"
    _: KW_ONLY
    scale_target: Any = "auto"

    def _learn_targets(self, y: Any, classes: Any, again: bool, exact: bool) -> None:
        """Learn nothing, for numbers have no classes."""

    def _output_activation(self) -> str:
        """Return the output's activation."""
        loss = parse_loss(self)
        made_for = loss.needs if isinstance(loss, Poisson | Registered) else ()
        return made_for[-1] if made_for else "identity"

    def _encode_targets(self, y: Any) -> Array:
        """Return the targets (m, K)."""
        return np.asarray(y, np.float64).reshape(len(y), -1)

    def _check_held_out_targets(self, y_val: Any, y: Any) -> None:
        """Refuse another number of targets."""
        found, wanted = (self._encode_targets(part).shape[1] for part in (y_val, y))
        if found != wanted:
            raise ShapeError(
                f"y_val must have as many targets a row as y, {wanted}, got shape {np.shape(y_val)}"
            )

    def _held_out_score(self, held: HeldOut, network: Network) -> float:
        """Return R² of held-out rows; NaN where a prediction left the range of its dtype."""
        found = network.predict(held.X)
        if not np.isfinite(found).all():
            return np.nan
        return float(r2_score(held.y, found, sample_weight=held.w))

    def _check_held_out_size(self, held: HeldOut) -> None:
        """Refuse held-out rows that are too few for R²."""
        held_out.check_large_enough(held, "R²", least=2)

    @answers.explained("predict", "estimator.predict")
    def predict(self, X: Any) -> Array:
        """Return values (m,) or (m, K) of rows X (m, n)."""
        rows = self._check_X(X)
        return self._predictor.predict(rows)

    @available_if_solver_steps
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Take one epoch over rows X (m, n) with targets y, weighed by sample_weight (m,).

        Raises
        ------
        ValueError
            If a parameter or the data break a rule, or the parameters ask for what some of the
            rows do not allow: early_stopping, monitor.
        """
        return self._partial_fit(X, y, sample_weight, None)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: several targets are possible, of counts none is negative."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.positive_only = self.loss == "poisson" or isinstance(self.loss, Poisson)
        return tags


answers.explain(MLPRegressor, "estimator")
