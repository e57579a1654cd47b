"""What both perceptrons share: parameters to a network, targets in, epochs run, attributes out."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastnn._habits import answers
from fastnn._validation import arguments

from ..errors import DataError, SettingError, ShapeError
from ..history import History
from ..network import Network
from . import held_out, settings
from .fitted import Fitted
from .held_out import HeldOut
from .inputs import are_checked_rows, dtypes_of, to_network_input, to_sklearn_input
from .networks import build_networks
from .on_ranks import is_told, shared_by_ranks, sharing_of
from .outside import outside_rows, outside_targets
from .parameters import Parameters, restores_if_refused
from .several import fit_networks, why_not_converged
from .sklearn_callbacks import callback_bridges, with_callbacks
from .stopping import Patience, Waiting

Array = np.ndarray[Any, Any]


class Perceptron(Fitted, Parameters):
    """A multilayer perceptron; subclasses say how targets become numbers and back."""

    _numeric: bool
    _described: dict[str, Any]  # the parameters that the network was made by
    _waiting: Waiting | None  # what the patience of `network_` goes on with
    _others_waiting: Sequence[Waiting | None] = ()  # those of the other networks

    @abstractmethod
    def _learn_targets(self, y: Any, classes: Any, again: bool, exact: bool) -> None:
        """Learn the classes of y (m,) or (m, K); refuse what does not fit to an earlier call."""

    @abstractmethod
    def _encode_targets(self, y: Any) -> Array:
        """Return the targets (m, K)."""

    @abstractmethod
    def _output_activation(self) -> str:
        """Return the output's activation."""

    @abstractmethod
    def _held_out_score(self, held: HeldOut, network: Network) -> float:
        """Return what early stopping watches on held-out rows, of one of the networks."""

    @abstractmethod
    def _check_held_out_targets(self, y_val: Any, y: Any) -> None:
        """Refuse held-out targets (k,) or (k, K) that cannot be compared with predictions of y."""

    def _check_held_out_size(self, held: HeldOut) -> None:
        """Refuse held-out rows that are too few for that score; one will do."""

    def _build_network(self, X: Any, w: Array, K: int) -> None:
        """Make the network for rows X (m, n) with weights w (m,), and forget what was fitted."""
        hidden = settings.parse_hidden_layers(self)
        self._described = settings.describe_network(self, hidden)
        networks = build_networks(self, hidden, X, w, K, self._output_activation())
        self.network_, self._others = networks[0], networks[1:]
        self.t_, self.n_iter_, self._waiting = 0, 0, None
        self._others_waiting = [None] * len(self._others)
        self.loss_curve_: list[float] = []
        self.best_loss_: float | None = np.inf
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        self.held_out_: Array | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled; the first pickles of fastnn 0.1.0 lack some attributes."""
        super().__setstate__(state)
        if "network_" in state and "_described" not in state:
            hidden = settings.parse_hidden_layers(self)
            self._described, self._waiting = settings.describe_network(self, hidden), None
            names = ("validation_scores_", "best_validation_score_", "held_out_")
            self.__dict__.update(dict.fromkeys(names) | state)

    def _check_unchanged(self, call: str) -> None:
        """Refuse to go on where the parameters describe another network than the fitted one."""
        settings.check_unchanged(self, self._described, self.network_.dtype.name, call)

    def _check_X_y(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Return X (m, n) and y, as scikit-learn checks them; dense X is as it was given."""
        if (rows := outside_rows(self, X, reset)) is not None:
            return rows, outside_targets(self, rows, to_sklearn_input(y, "y"), self._numeric)
        found: tuple[Any, Any] = validate_data(
            self, to_sklearn_input(X), to_sklearn_input(y, "y"), accept_sparse="csr",
            dtype=dtypes_of(X), multi_output=True, y_numeric=self._numeric, reset=reset,
        )  # fmt: skip
        if self.scale is not None and issparse(found[0]):
            raise SettingError(
                f"scale={self.scale!r} subtracts a centre from every input, and sparse X would not "
                "stay sparse; leave scale out, or give X.toarray()"
            )
        return found

    @restores_if_refused
    @shared_by_ranks
    @answers.explained("fit", "estimator.fit")
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
        comm: Any = None, shards: int | None = None,
    ) -> Self:  # fmt: skip
        """Fit to rows X (m, n) and targets y, and return the estimator.

        Parameters
        ----------
        X : array (m, n)
        y : array (m,) or (m, K)
        sample_weight : array (m,), optional
            Not negative, not all zero.
        X_val, y_val : arrays, optional
            Watched by early stopping instead of a held-out part of X.
        comm, shards
            As in `Network.fit`: train on all ranks of MPI together, which pass the same arguments
            and a `random_state` that is a number. All of them have the same estimator afterwards.

        Raises
        ------
        ValueError
            If a parameter or the data break a rule; the estimator is as it was before.
        """
        again = arguments.flag(self.warm_start, "warm_start") and hasattr(self, "network_")
        sharing = sharing_of(self, comm, shards)
        if (X_val is None) != (y_val is None):
            alone = "y_val" if X_val is None else "X_val"
            raise SettingError(f"{alone} was given alone; give X_val and y_val, or none of them")
        X, y = self._check_X_y(X, y, reset=not again)
        w = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self._learn_targets(y, None, again, exact=True)
        if again:
            self._check_unchanged("fit with warm_start=True")
        kept = held = rows = None
        if X_val is not None:
            X_v, y_v = self._check_X_y(X_val, y_val, reset=False)
            self._check_held_out_targets(y_v, y)
            held = HeldOut(to_network_input(X_v), y_v, np.ones(X_v.shape[0]))
        elif arguments.flag(self.early_stopping, "early_stopping"):
            several = self._numeric or (np.ndim(y) == 2 and np.shape(y)[1] > 1)
            seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            kept, rows = held_out.draw_held_out(self, y, w, several, seed)
            held = HeldOut(to_network_input(X[rows]), y[rows], w[rows])
            X, y, w = X[kept], y[kept], w[kept]
        if not again:
            self._build_network(X, w, self._encode_targets(y[:1]).shape[1])
        self.held_out_ = rows
        given = X, y, None if sample_weight is None else w
        return self._run_fit(given, w, held, again, sharing)

    def _monitored_data(self, held: HeldOut | None) -> tuple[Any, Array, Array] | None:
        """Return the rows, targets and weights that the network scores for `monitor`, if any."""
        settings.check_monitor(self, not self._numeric)
        if self.monitor is None:
            if held is not None:
                self._check_held_out_size(held)
            return None
        if not self.monitor.startswith("validation"):
            return None
        if held is None:
            raise SettingError(
                f"monitor={self.monitor!r} needs held-out rows: set early_stopping=True, or give "
                "X_val and y_val"
            )
        try:
            self._learn_targets(held.y, None, again=True, exact=False)
        except DataError as error:
            raise DataError(f"the held-out part: {error}") from None
        return held.X, self._encode_targets(held.y), held.w

    def _run_fit(
        self, given: tuple[Any, Any, Any], w: Array, held: HeldOut | None, again: bool,
        sharing: dict[str, Any],
    ) -> Self:  # fmt: skip
        """Run up to max_iter epochs and set the attributes that scikit-learn sets."""
        validation, epochs = self._monitored_data(held), self.max_iter
        patiences = [
            settings.make_patience(self, self._score_of(net, held), again) for net in self.networks_
        ]
        histories = self._train(given, w, epochs, patiences, validation, sharing)
        self._record_scores(patiences)
        problem = why_not_converged(self, histories, patiences)
        if problem and is_told(sharing):
            warnings.warn(problem, ConvergenceWarning, stacklevel=6)
        return self

    def _score_of(self, network: Network, held: HeldOut | None) -> Callable[[], float] | None:
        """Return what scores a network on held-out rows, if there are any."""
        return None if held is None else lambda: self._held_out_score(held, network)

    def _record_scores(self, patiences: Sequence[Patience]) -> None:
        """Keep what the last call watched: scores of held-out rows or of `monitor`, or the loss.

        That is of the first network; of the others what their patience goes on with.
        """
        patience = patiences[0]
        self._others_waiting = [other.waiting for other in patiences[1:]]
        if patience.scores:
            self.validation_scores_ = [*(self.validation_scores_ or []), *patience.scores]
        self.best_validation_score_ = patience.best_score
        self.best_loss_ = None if patience.scores else min(self.loss_curve_, default=np.inf)
        self._waiting = patience.waiting

    def _class_factors(self) -> Any:
        """Return the class weights as `Network.fit` takes them."""
        return None

    @with_callbacks
    def _train(
        self, given: tuple[Any, Any, Any], w: Array, epochs: int, patiences: list[Patience],
        validation: Any, sharing: dict[str, Any],
    ) -> list[History]:  # fmt: skip
        """Run epochs over `given` X, y and weights, with the weights w (m,)."""
        X, Y = to_network_input(given[0]), self._encode_targets(given[1])
        shared = {
            "epochs": arguments.count(epochs, "max_iter", least=1), "sample_weight": w,
            "class_weight": self._class_factors(), "validation_data": validation,
        }  # fmt: skip
        if self._others:
            bridges = []
            histories = fit_networks(self, self.networks_, patiences, X, Y, self.t_, shared)
        else:
            chosen = settings.fit_arguments(self, len(Y), self.t_, patiences[0])
            bridges = callback_bridges(self, shared["epochs"], *given)
            chosen["callbacks"] += bridges
            histories = [self.network_.fit(X, Y, **shared, **chosen, **sharing)]
        history = histories[0]
        self._record_history(history)
        self.t_ += history.epochs * len(Y)
        for bridge in bridges:
            bridge.close()
        return histories

    def _record_history(self, history: Any) -> None:
        """Take the epochs of a call: `loss_curve_` grows by them, `n_iter_` is their number."""
        curve = history["cost"].tolist() if history.epochs else []
        self.loss_curve_ = [*self.loss_curve_, *curve]
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else np.inf
        self.n_iter_, self.history_ = history.epochs, self.network_.history

    @restores_if_refused
    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> Self:
        """Take one epoch over these rows."""
        settings.check_partial_fit(self)
        first = not hasattr(self, "network_")
        X, y = self._check_X_y(X, y, reset=first)
        if sample_weight is not None and np.shape(sample_weight) not in ((), (X.shape[0],)):
            raise ShapeError(
                f"sample_weight must have shape ({X.shape[0]},), one for each row, got "
                f"{np.shape(sample_weight)}; if these are the classes, give them as classes=…"
            )
        w = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self._learn_targets(y, classes, not first, exact=False)
        if first:
            self._build_network(X, w, self._encode_targets(y[:1]).shape[1])
        else:
            self._check_unchanged("partial_fit")
        patiences = [settings.make_patience(self, None, goes_on=False) for _ in self.networks_]
        waiting = [self._waiting, *self._others_waiting]
        for patience, earlier in zip(patiences, waiting, strict=True):
            if earlier is not None:
                patience.best, patience.waited, patience.factor = earlier
        given = X, y, None if sample_weight is None else w
        self._train(given, w, 1, patiences, None, {})
        self._record_scores(patiences)
        return self

    def _check_X(self, X: Any) -> Any:
        """Return X (m, n) for the fitted network, checked."""
        if are_checked_rows(self, X):
            return to_network_input(X)
        check_is_fitted(self)
        rows: Any = outside_rows(self, X, reset=False, verb="predict")
        if rows is None:
            X = to_sklearn_input(X, verb="predict")
            rows = validate_data(self, X, accept_sparse="csr", dtype=dtypes_of(X), reset=False)
        return to_network_input(rows)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: sparse rows are taken, unless they are to be scaled."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.scale is None
        return tags
