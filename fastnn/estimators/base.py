"""What both perceptrons share: parameters to a network, targets in, epochs run, attributes out."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import _check
from ..blueprint import perceptron
from ..callbacks import TimeLimit
from ..data import Standardizer
from ..errors import SettingError
from ..layers import Normalization
from ..network import Network
from .parameters import Parameters, unchanged_if_refused
from .reporting import reports, with_callbacks
from .rows import FLOATS, rows_of
from .solvers import optimizer_of, schedule_of
from .stopping import Patience

Array = np.ndarray[Any, Any]
MONITORS = (None, "cost", "accuracy", "validation_cost", "validation_accuracy")


class Perceptron(Parameters):
    """A multilayer perceptron; subclasses say how targets become numbers and back."""

    @abstractmethod
    def _encode(self, y: Any, classes: Any, again: bool) -> tuple[Array, str]:
        """Return the targets (m, K) and the output's activation."""

    @abstractmethod
    def _score_of(self, X: Array, y: Any, weight: Any) -> float:
        """Return what early stopping watches on held-out rows."""

    def _names(self) -> list[str]:
        """Return the activation of each hidden layer."""
        n, given = len(self._sizes()), self.activation
        names = [given] * n if isinstance(given, str) else list(given)
        return ["sigmoid" if name == "logistic" else name for name in names]

    def _sizes(self) -> list[int]:
        """Return the units of the hidden layers."""
        given = self.hidden_layer_sizes
        sizes = list(given) if isinstance(given, Sequence | np.ndarray) else [given]
        return [_check.count(n, "hidden_layer_sizes", least=1) for n in sizes]

    def _build(self, X: Array, K: int, output: str) -> None:
        """Make the network; without `init` its weights are scikit-learn's draws, in their order."""
        n, rng = X.shape[1], check_random_state(self.random_state)
        sizes, drawn = [n, *self._sizes(), K], {}
        layers = perceptron(
            sizes,
            output,
            hidden=self._names(),
            dropout=self.dropout,
            batch_norm=_check.flag(self.batch_norm, "batch_norm"),
        )
        if self.init is None:
            power = 2.0 if self.activation == "logistic" else 6.0  # as scikit-learn has it
            for i, (a, b) in enumerate(pairwise(sizes), start=1):
                bound = np.sqrt(power / (a + b))
                drawn[f"W{i}"] = rng.uniform(-bound, bound, (a, b))
                drawn[f"b{i}"] = rng.uniform(-bound, bound, b)
        seed = int(rng.randint(2**31 - 1))
        if self.scale not in (None, "standard", "robust"):
            raise SettingError(f"scale must be 'standard', 'robust' or None, got {self.scale!r}")
        layers = [Normalization(), *layers] if self.scale else layers
        self.network_ = Network(
            layers, inputs=n, loss=self.loss, init=self.init or "zeros", seed=seed,
            dtype=np.dtype(self.dtype or X.dtype).name,
        )  # fmt: skip
        self.network_.parameters.update(drawn)
        if self.scale == "robust":
            scaler = Standardizer("robust").fit(X)
            self.network_.program.scale_inputs(scaler.shift, scaler.factor)
            self.network_._scaled = True
        self.t_, self.out_activation_ = 0, "logistic" if output == "sigmoid" else output
        self.loss_curve_: list[float] = []
        self.n_iter_ = 0
        self.best_loss_: float | None = np.inf

    def _checked(self, X: Any, y: Any, reset: bool, many: bool = True) -> tuple[Array, Any]:
        """Return X (m, n) float, dense or sparse, and y, as scikit-learn checks them."""
        found: tuple[Array, Any] = validate_data(
            self, X, y, accept_sparse="csr", dtype=FLOATS, multi_output=many,
            y_numeric=self._numeric, reset=reset,
        )  # fmt: skip
        if self.scale is not None and issparse(found[0]):
            raise SettingError(
                f"scale={self.scale!r} subtracts a centre from every input, and sparse X would not "
                "stay sparse; leave scale out, or give X.toarray()"
            )
        return found

    @unchanged_if_refused
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Fit to rows X (m, n) and targets y, and return the estimator.

        Parameters
        ----------
        X : array (m, n)
        y : array (m,) or (m, K)
        sample_weight : array (m,), optional
            Not negative, not all zero.
        X_val, y_val : arrays, optional
            Watched by early stopping instead of a held-out part of X.

        Raises
        ------
        ValueError
            If a parameter or the data break a rule; the estimator is as it was before.
        """
        again = _check.flag(self.warm_start, "warm_start") and hasattr(self, "network_")
        X, y = self._checked(X, y, reset=not again)
        w = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        held = None
        if X_val is not None:
            X_v, y_v = self._checked(X_val, y_val, reset=False)
            held = (rows_of(X_v), y_v, None)
        elif _check.flag(self.early_stopping, "early_stopping"):
            share = _check.share(self.validation_fraction, "validation_fraction")
            _check.real(share, "validation_fraction", above=0)
            X, X_v, y, y_v, w, w_v = train_test_split(
                X, y, w, test_size=share, random_state=self.random_state,
                stratify=self._strata(y),
            )  # fmt: skip
            held = (rows_of(X_v), y_v, w_v)
        Y, output = self._encode(y, None, again)
        if not again:
            self._build(X, Y.shape[1], output)
        return self._run((X, y, None if sample_weight is None else w), Y, w, held)

    def _strata(self, y: Any) -> Any:
        """Return what a held-out part is stratified by."""
        return None

    def _class_weights(self, y: Any) -> Any:
        """Return a factor for each example."""
        return 1.0

    def _batch(self, m: int) -> int:
        """Return the examples of a step; "auto" is min(200, m)."""
        if self.batch_size == "auto":
            return min(200, m)
        return min(_check.count(self.batch_size, "batch_size", least=1), m)

    def _monitored(self, held: Any) -> tuple[Array, Array] | None:
        """Return the rows and targets that the network scores for `monitor`, if any."""
        if self.monitor not in MONITORS or (self._numeric and "accuracy" in str(self.monitor)):
            names = [name for name in MONITORS if not (self._numeric and "acc" in str(name))]
            raise SettingError(f"monitor must be one of {names}, got {self.monitor!r}")
        if self.monitor is None or not self.monitor.startswith("validation"):
            return None
        if held is None:
            raise SettingError(
                f"monitor={self.monitor!r} needs held-out rows: set early_stopping=True, or give "
                "X_val and y_val"
            )
        return held[0], self._encode(held[1], None, True)[0]

    def _run(self, given: tuple[Any, Any, Any], Y: Array, w: Array, held: Any) -> Self:
        """Run up to max_iter epochs and note what scikit-learn notes."""
        score = None if held is None else lambda: self._score_of(*held)
        scored = self._monitored(held)
        rate = self.learning_rate_init if self.learning_rate == "adaptive" else None
        count = self.n_iter_no_change
        if count != np.inf:
            count = _check.count(count, "n_iter_no_change", least=1)
        tol = _check.real(self.tol, "tol", least=0)
        patience = Patience(
            tol, count, rate if self.solver == "sgd" else None, score, self.monitor
        )  # fmt: skip
        m, epochs = len(Y), _check.count(self.max_iter, "max_iter", least=1)
        plain = self.solver == "lbfgs" and score is None and self.monitor is None
        limits = [] if self.max_time is None else [TimeLimit(self.max_time)]
        history = self._train(
            given, Y, w * self._class_weights(given[1]), epochs=epochs,
            callbacks=[*([] if plain else [patience]), *limits, *self.callbacks],
            schedule=schedule_of(self, m, patience), validation_data=scored,
            progress=bool(self.verbose),
        )  # fmt: skip
        self.best_loss_ = None if patience.scores else min(self.loss_curve_, default=np.inf)
        self.validation_scores_ = patience.scores or None
        self.best_validation_score_ = patience.best_score
        over = history.epochs == epochs and not patience.stopped
        if history.converged is False or (over and not history.converged):
            why = f"{self.solver} reached max_iter={epochs} without converging; raise it"
            if history.message:
                why = f"{history.message}; raise max_iter={epochs}, max_fun={self.max_fun} or tol"
            warnings.warn(f"{why}, or scale the inputs", ConvergenceWarning, stacklevel=4)
        return self

    @with_callbacks
    def _train(
        self, given: tuple[Any, Any, Any], Y: Array, w: Array, *, epochs: int, callbacks: list[Any],
        **settings: Any,
    ) -> Any:  # fmt: skip
        """Run epochs over `given` X, y and weights, as targets Y (m, K) with weights w (m,)."""
        told = reports(self, epochs, *given)
        history = self.network_.fit(
            rows_of(given[0]), Y, epochs=epochs, batch_size=self._batch(len(Y)),
            optimizer=optimizer_of(self), l2=_check.real(self.alpha, "alpha", least=0),
            sample_weight=w, shuffle=self.shuffle,
            callbacks=[*callbacks, *told], **settings,
        )  # fmt: skip
        self._note(history)
        self.t_ += history.epochs * len(Y)
        for report in told:
            report.close()
        return history

    def _note(self, history: Any) -> None:
        """Add the epochs of a history to the fitted attributes."""
        curve = history["cost"].tolist() if history.epochs else []
        self.loss_curve_ = [*self.loss_curve_, *curve]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.inf
        self.n_iter_ += history.epochs
        self.n_layers_, self.history_ = len(self._sizes()) + 2, self.network_.history
        self.n_outputs_ = self.network_.outputs

    @unchanged_if_refused
    def _partial(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> Self:
        """Take one epoch over these rows."""
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for solvers 'sgd' and 'adam'")
        first = not hasattr(self, "network_")
        X, y = self._checked(X, y, reset=first)
        w = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        Y, output = self._encode(y, classes, not first)
        if first:
            self._build(X, Y.shape[1], output)
        given = X, y, None if sample_weight is None else w
        self._train(given, Y, w, epochs=1, callbacks=[*self.callbacks], progress=False)
        self.best_loss_ = min(self.loss_curve_)
        return self

    def _rows(self, X: Any) -> Any:
        """Return X (m, n) for the fitted network, checked."""
        check_is_fitted(self)
        return rows_of(validate_data(self, X, accept_sparse="csr", dtype=FLOATS, reset=False))

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: sparse rows are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def coefs_(self) -> list[Array]:
        """Weights (n_in, n_out) of each layer: views of the network's."""
        return [self.network_.parameters[f"W{i}"] for i in range(1, len(self._sizes()) + 2)]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases (n_out,) of each layer: views of the network's."""
        return [self.network_.parameters[f"b{i}"] for i in range(1, len(self._sizes()) + 2)]
