"""Logistic regression under scikit-learn's interface: a network of one layer, fitted by L-BFGS."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import _check
from ..errors import DataError
from ..network import Network
from ..optimizers import LBFGS
from .convertible import Convertible
from .parameters import unchanged_if_refused
from .reporting import Callbacks, reports, with_callbacks
from .rows import FLOATS, rows_of

Array = np.ndarray[Any, Any]

COST_TOLERANCE = 64 * float(np.finfo(np.float64).eps)  # scikit-learn's `ftol`


class LogisticRegression(  # type: ignore[misc]
    ClassifierMixin, Convertible, Callbacks, BaseEstimator
):
    """Logistic and softmax regression: C Σ wᵢ ℓᵢ + ½‖W‖², scikit-learn's objective.

    Parameters
    ----------
    C : float
        Positive; λ = 1/C is the network's ``l2``.
    class_weight : dict, "balanced" or None
        Weight of each class, multiplied with ``sample_weight``.
    max_iter : int
        Iterations of L-BFGS at most.
    tol : float
        The fit ends when no number of the gradient of the mean cost is larger.
    random_state : object
        Taken for scikit-learn's sake: the fit draws no random numbers.
    warm_start : bool
        Whether `fit` begins with the coefficients it found before.

    Attributes
    ----------
    coef_ : ndarray (1, n) or (K, n)
    intercept_ : ndarray (1,) or (K,)
    classes_ : ndarray (K,)
    n_iter_ : ndarray (1,)
    network_ : Network
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        class_weight: Any = None,
        max_iter: int = 100,
        tol: float = 1e-4,
        random_state: Any = None,
        warm_start: bool = False,
    ) -> None:
        self.C, self.class_weight, self.max_iter, self.tol = C, class_weight, max_iter, tol
        self.random_state, self.warm_start = random_state, warm_start

    @unchanged_if_refused
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to rows X (m, n), an array or sparse, and labels y (m,) of any type.

        Raises
        ------
        ValueError
            If a parameter or the data break a rule; y needs two classes. The estimator is as it
            was before.
        """
        l2 = 1 / _check.real(self.C, "C", above=0)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=FLOATS)
        check_classification_targets(y)
        own = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        weight = own * compute_sample_weight(self.class_weight, y)
        encoder = LabelEncoder()
        target, before = encoder.fit_transform(y), getattr(self, "classes_", None)
        K = len(encoder.classes_)
        if K < 2:
            raise DataError(f"y must hold at least two classes, got one class: {y[0]!r}")
        sizes = [X.shape[1], 1 if K == 2 else K]
        goes_on = self.warm_start and before is not None
        goes_on = goes_on and np.array_equal(np.asarray(before), encoder.classes_)
        if not (goes_on and self.network_.inputs == X.shape[1]):
            output = "sigmoid" if K == 2 else "softmax"
            self.network_: Network = Network.mlp(
                sizes, output=output, init="zeros", dtype="float64"
            )
        self.classes_ = encoder.classes_
        given = X, y, None if sample_weight is None else own
        history = self._train(given, target, weight, l2)
        if history.converged is False:
            warnings.warn(
                f"{history.message}; raise max_iter={self.max_iter} or tol, or scale the inputs",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    @with_callbacks
    def _train(self, given: tuple[Any, Any, Any], target: Array, weight: Array, l2: float) -> Any:
        """Fit to `given` X, y and weights, as targets (m,) with weights (m,)."""
        epochs = _check.count(self.max_iter, "max_iter", least=1)
        told = reports(self, epochs, *given)
        optimizer = LBFGS(tolerance=self.tol, cost_tolerance=COST_TOLERANCE)
        history = self.network_.fit(
            rows_of(given[0]), target, epochs=epochs, optimizer=optimizer, l2=l2,
            sample_weight=weight, callbacks=told, progress=False,
        )  # fmt: skip
        self._note(history)
        for report in told:
            report.close()
        return history

    def _note(self, history: Any) -> None:
        """Set the fitted attributes after these iterations."""
        self.n_iter_ = np.array([history.epochs], np.int32)
        self.coef_ = self.network_.parameters["W1"].T.copy()
        self.intercept_ = self.network_.parameters["b1"].copy()

    def decision_function(self, X: Any) -> Array:
        """Return logits (m,) for two classes, else (m, K), of rows X (m, n)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        Z: Array = X @ self.coef_.T + self.intercept_
        return Z[:, 0] if Z.shape[1] == 1 else Z

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (m, K) of rows X (m, n)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return self.network_.predict_proba(rows_of(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`, finite where a probability rounds to 0."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False)
        return self.network_._log_proba(rows_of(X))

    def predict(self, X: Any) -> Array:
        """Return labels (m,) of rows X (m, n)."""
        Z = self.decision_function(X)
        found: Array = self.classes_[(Z > 0).astype(int) if Z.ndim == 1 else Z.argmax(axis=1)]
        return found

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: sparse rows are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
