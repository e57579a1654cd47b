"""Logistic regression under scikit-learn's interface: a network of one layer, fitted by L-BFGS."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn._habits import answers
from fastnn._validation import arguments
from fastnn.kernels.views import biases, weights
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.prediction import log_probabilities, logits

from ..errors import DataError, SettingError, ShapeError
from ..layers import Dense
from ..optimizers import LBFGS
from .inputs import are_checked_rows, dtypes_of, to_network_input, to_sklearn_input
from .labels import class_factors
from .on_ranks import is_told, shared_by_ranks
from .parameters import Estimator, restores_if_refused
from .sklearn_callbacks import callback_bridges, with_callbacks

Array = np.ndarray[Any, Any]
#: The row of the network's Dense layer in the op table, behind that of the inputs.
DENSE_ROW = 1
#: The share of the cost below which L-BFGS stops: scikit-learn's `ftol`.
COST_TOLERANCE = 64 * float(np.finfo(np.float64).eps)


class LogisticRegression(ClassifierMixin, Estimator):  # type: ignore[misc]
    """Logistic and softmax regression: C Σ wᵢ ℓᵢ + ½‖W‖², scikit-learn's objective.

    Parameters have the names, defaults and meanings of scikit-learn 1.9; what is not the L2 penalty
    by L-BFGS is refused by name.

    Parameters
    ----------
    penalty : "l2" or None
        None is ``C=np.inf``; scikit-learn leaves this parameter to `C` and `l1_ratio`.
    C : float
        Positive; λ = 1/C is the network's ``l2``. Infinite: no penalty.
    l1_ratio : float
        0: other shares of an L1 penalty want another library.
    dual : bool
        False.
    tol : float
        The fit ends when no number of the gradient of the mean cost is larger.
    fit_intercept : bool
        Whether there are intercepts; without, they are zero.
    intercept_scaling : float
        Without effect, as under scikit-learn's solver "lbfgs".
    class_weight : dict, "balanced" or None
        Weight of each class, multiplied with ``sample_weight``; balanced: Σw / (K Σw of the class).
    random_state : object
        Taken for scikit-learn's sake: the fit draws no random numbers.
    solver : "lbfgs"
    max_iter : int
        Iterations of L-BFGS at most.
    verbose : int
        Whether progress is shown.
    warm_start : bool
        Whether `fit` begins with the coefficients it found before; of other classes, features or
        `fit_intercept` it begins anew.
    n_jobs : int or None
        Without effect, as in scikit-learn; `fastnn.set_num_threads` sets the threads.

    Attributes
    ----------
    coef_ : ndarray (1, n) or (K, n)
        A view of the network's weights: to assign to it, or to an entry, changes the predictions.
    intercept_ : ndarray (1,) or (K,)
        Likewise of its biases; read-only zeros without any.
    classes_ : ndarray (K,)
    n_iter_ : ndarray (1,)
    network_ : Network
    """

    def __init__(
        self,
        penalty: Any = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "lbfgs",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.penalty, self.C, self.l1_ratio, self.dual, self.tol = penalty, C, l1_ratio, dual, tol
        self.fit_intercept, self.intercept_scaling = fit_intercept, intercept_scaling
        self.class_weight, self.random_state, self.solver = class_weight, random_state, solver
        self.max_iter, self.verbose, self.warm_start = max_iter, verbose, warm_start
        self.n_jobs = n_jobs

    def _l2(self) -> float:
        """Return λ, after a check of all that says which problem is solved, and how."""
        if not (isinstance(self.solver, str) and self.solver == "lbfgs"):
            raise SettingError(
                f"solver must be 'lbfgs', the one this class has, got {self.solver!r}; with an L2 "
                "penalty its optimum is that of all others but 'liblinear', which also penalizes "
                "intercepts"
            )
        kept = {
            "penalty": self.penalty is None or str(self.penalty) in ("deprecated", "l2"),
            "l1_ratio": self.l1_ratio is None or arguments.real(self.l1_ratio, "l1_ratio") == 0,
        }
        for name in [name for name, good in kept.items() if not good]:
            raise SettingError(
                f"{name} must leave the L2 penalty alone (penalty='l2' or None, l1_ratio=0), got "
                f"{getattr(self, name)!r}; for L1 use scikit-learn's solver 'saga'"
            )
        if arguments.flag(self.dual, "dual"):
            raise SettingError("dual must be False: L-BFGS solves the primal problem alone")
        arguments.flag(self.fit_intercept, "fit_intercept")
        arguments.real(self.tol, "tol", least=0)
        arguments.real(self.intercept_scaling, "intercept_scaling", above=0)
        if not isinstance(self.n_jobs, int | np.integer | None):
            raise SettingError(f"n_jobs must be a whole number or None, got {self.n_jobs!r}")
        endless = isinstance(self.C, Real) and math.inf == self.C
        if self.penalty is None or endless:
            return 0.0
        return 1 / arguments.real(self.C, "C", above=0)

    @restores_if_refused
    @shared_by_ranks
    @answers.explained("fit", "estimator.fit")
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, comm: Any = None,
        shards: int | None = None,
    ) -> Self:  # fmt: skip
        """Fit to rows X (m, n), an array or sparse, and labels y (m,) of any type.

        comm and shards: as in `Network.fit`, to train on all ranks of MPI together.

        Raises
        ------
        ValueError
            If a parameter or the data break a rule; y needs two classes. The estimator is as it
            was before.
        """
        l2 = self._l2()
        X, y = to_sklearn_input(X), to_sklearn_input(y, "y")
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=dtypes_of(X))
        check_classification_targets(y)
        own = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        encoder = LabelEncoder()
        target, before = encoder.fit_transform(y), getattr(self, "classes_", None)
        K = len(encoder.classes_)
        if K < 2:
            raise DataError(f"y must hold at least two classes, got one class: {y[0]!r}")
        layer = Dense(1, "sigmoid") if K == 2 else Dense(K, "softmax")
        layer = replace(layer, use_bias=self.fit_intercept)
        goes_on = arguments.flag(self.warm_start, "warm_start") and before is not None
        goes_on = goes_on and np.array_equal(np.asarray(before), encoder.classes_)
        if not (
            goes_on and self.network_.inputs == X.shape[1] and self.network_.layers == (layer,)
        ):
            self.network_: Network = Network(
                [layer], inputs=X.shape[1], init="zeros", dtype="float64"
            )
        self.classes_ = encoder.classes_
        given = X, y, None if sample_weight is None else own
        sharing = {"comm": comm, "shards": shards}
        history = self._train(given, target, own, l2, sharing)
        if history.converged is False and is_told(sharing):
            warnings.warn(
                f"{history.message}; raise max_iter={self.max_iter} or tol, or scale the inputs",
                ConvergenceWarning,
                stacklevel=5,
            )
        return self

    @with_callbacks
    def _train(
        self, given: tuple[Any, Any, Any], target: Array, weight: Array, l2: float,
        sharing: dict[str, Any],
    ) -> Any:  # fmt: skip
        """Fit to `given` X, y and weights, as targets (m,) with weights (m,)."""
        epochs = arguments.count(self.max_iter, "max_iter", least=1)
        bridges = callback_bridges(self, epochs, *given)
        optimizer = LBFGS(tolerance=self.tol, cost_tolerance=COST_TOLERANCE)
        history = self.network_.fit(
            to_network_input(given[0]), target, epochs=epochs, optimizer=optimizer, l2=l2,
            sample_weight=weight, class_weight=class_factors(self.class_weight, self.classes_),
            callbacks=bridges, progress=bool(self.verbose), **sharing,
        )  # fmt: skip
        self._record_history(history)
        for bridge in bridges:
            bridge.close()
        return history

    def _record_history(self, history: Any) -> None:
        """Take the number of iterations from the history of a fit."""
        self.n_iter_ = np.array([history.epochs], np.int32)

    def _has_intercept(self) -> bool:
        """Return whether the network has biases."""
        return bool(self.network_.program.ops[DENSE_ROW]["b"] >= 0)

    @property
    def coef_(self) -> Array:
        """Weights (1, n) or (K, n): a view of the network's."""
        program = self.network_.program
        return weights(program.theta, program.ops[DENSE_ROW]).T

    @coef_.setter
    def coef_(self, values: Any) -> None:
        shape = self.coef_.shape
        if np.shape(values) != shape:
            raise ShapeError(f"coef_ has shape {shape}, got {np.shape(values)}")
        self.network_.parameters["W1"] = np.asarray(values).T

    @property
    def intercept_(self) -> Array:
        """Biases (1,) or (K,): a view of the network's; zeros that stay where there are none."""
        program = self.network_.program
        view = biases(program.theta, program.ops[DENSE_ROW])
        view.flags.writeable = self._has_intercept()
        return view

    @intercept_.setter
    def intercept_(self, values: Any) -> None:
        if self._has_intercept():
            self.network_.parameters["b1"] = values
        elif np.any(values):
            raise SettingError(
                "this LogisticRegression was fitted without intercepts, which stay zero; fit it "
                "with fit_intercept=True"
            )

    def _check_X(self, X: Any) -> Any:
        """Return X (m, n) for the fitted network, checked."""
        if are_checked_rows(self, X):
            return X
        check_is_fitted(self)
        X = to_sklearn_input(X, verb="predict")
        return validate_data(self, X, accept_sparse="csr", dtype=dtypes_of(X), reset=False)

    def decision_function(self, X: Any) -> Array:
        """Return logits (m,) for two classes, else (m, K), of rows X (m, n)."""
        X = self._check_X(X)
        Z = logits(state_of(self.network_), to_network_input(X))
        return Z[:, 0] if Z.shape[1] == 1 else Z

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (m, K) of rows X (m, n)."""
        X = self._check_X(X)
        return self.network_.predict_proba(to_network_input(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`, finite where a probability rounds to 0."""
        X = self._check_X(X)
        return log_probabilities(state_of(self.network_), to_network_input(X))

    @answers.explained("predict", "estimator.predict")
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


answers.explain(LogisticRegression, "estimator")
