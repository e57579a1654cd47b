"""MLPClassifier: scikit-learn's multilayer perceptron for classes, by fastnn's kernels."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from fastnn._habits import answers
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.prediction import outputs

from ..errors import DataError
from .base import Perceptron
from .held_out import HeldOut
from .labels import check_labels, class_factors
from .settings import parse_loss
from .signatures import ClassifierInit, dataclass
from .solvers import available_if_solver_steps

Array = np.ndarray[Any, Any]


@dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, ClassifierInit, Perceptron):  # type: ignore[misc]
    """scikit-learn's multilayer perceptron for classes: change the import and keep the rest.

    Parameters have scikit-learn's names, defaults and meanings; added are the following. Dense X
    of any numbers is read where it lies. Sparse X is never made dense. Where up to a sixteenth of
    its numbers are not zero, the first layer multiplies those alone, in sums of another order than
    over dense X; where more are, the steps are those of dense X, bit for bit.

    Parameters
    ----------
    activation : str or sequence of str
        Any of ours beside scikit-learn's, or one for each hidden layer.
    dropout : float or sequence of float
        Rate of the Dropout after each hidden layer, or one for each.
    batch_norm : bool
        Whether a BatchNorm stands before each hidden activation.
    loss, init
        As in `Network`; a categorical cross-entropy of two classes has a softmax output. Without
        `init` weights and biases are scikit-learn's Glorot draws.
    schedule : schedules.Schedule, optional
        Of the learning rate, in place of `learning_rate`.
    scale : "standard", "robust" or None
        Whether the model takes z-scores of its inputs, or (x − median) / (distance of the
        quartiles), learnt in the first `fit` from the rows that train, by `sample_weight` but not
        by `class_weight`: a row of weight 2 is a row that stands there twice. Sparse X cannot be
        centred.
    monitor : "cost", "accuracy", "validation_cost", "validation_accuracy" or None
        What decides about the end and the best weights, which come back; None watches
        scikit-learn's: the score of held-out rows, else the loss. `validation_scores_` then
        holds its curve.
    callbacks : sequence of callables
        As `Network.fit` takes them. scikit-learn's own, from its version 1.9 on, are given to
        ``set_callbacks``: each epoch is a task of the fit.
    max_time : float, optional
        Seconds after which the fit stops at the end of an epoch.
    dtype : "float32", "float64" or None
        Of the arithmetic; None takes that of X, float64 unless X is float32.
    precision : "float32" or "mixed"
        As in `Network`; "mixed" is for float32, which dtype=None then is, whatever X holds.
    n_networks : int
        Networks that are trained at once, from weights and orders of their own; predictions are
        means of theirs. Each stops by its own losses or scores. Fitted attributes are the first's.
    class_weight : dict, "balanced" or None
        Weight of each class, multiplied with sample_weight; balanced: Σw / (K Σw of the class).

    Attributes
    ----------
    network_, networks_ : Network, and list of Network
        The first that was fitted, and all. `coefs_` and `intercepts_` are the first one's arrays:
        to assign to one, or to all, changes its predictions, and a warm start goes on from there.
    n_iter_, loss_
        Epochs of the last call, and its last loss: the mean over rows of the sum over outputs,
        which for several outputs is that many times scikit-learn's; `tol` is compared with it.
    loss_curve_, validation_scores_
        Of all epochs since the network was made, over warm starts and calls of `partial_fit`;
        `validation_scores_` of those epochs that were scored, None without any.
    best_validation_score_
        Of the weights that the last call left, None where it did not score.
    held_out_ : ndarray of int or None
        The rows of X that `early_stopping` held out in the last `fit`.
    t_ : int
        Rows that have been trained on, each counted once an epoch.

    Notes
    -----
    With `warm_start`, and in `partial_fit`, the optimiser goes on with its memory, so that two fits
    of five epochs are one fit of ten; scikit-learn's `fit` forgets it. As there, each `fit` counts
    to `n_iter_no_change` anew, and "adaptive" begins it at learning_rate_init. Parameters that
    describe the network (sizes, activation, loss, dropout, batch_norm, scale, dtype, precision)
    must then be as before.
    `early_stopping` holds out rows class by class where the classes have enough of them.
    """

    _numeric = False

    hidden_layer_sizes: Any = (100,)
    activation: Any = "relu"
    _: KW_ONLY
    class_weight: Any = None

    def _learn_targets(self, y: Any, classes: Any, again: bool, exact: bool) -> None:
        """Learn the classes, or hold those of y (m,) or (m, K) against those of an earlier call."""
        kind = type_of_target(y, input_name="y")
        if kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise DataError(f"Unknown label type: {kind}; a classifier takes classes")
        several = kind == "multilabel-indicator"
        if classes is not None and np.ndim(classes) != 1:
            raise DataError(f"classes must be a list of labels, got {classes!r}")
        if again:
            check_labels(self._binarizer, y, several, classes, exact)
            return
        self._binarizer: Any = LabelBinarizer().fit(y if several or classes is None else classes)
        self.classes_ = self._binarizer.classes_
        check_labels(self._binarizer, y, several, None, exact=False)

    def _is_multilabel(self) -> bool:
        """Return whether an example can have several labels."""
        return bool(self._binarizer.y_type_ == "multilabel-indicator")

    def _output_activation(self) -> str:
        """Return the output's activation."""
        several, K = self._is_multilabel(), len(self.classes_)
        if several or K < 2:
            return "sigmoid"
        loss = parse_loss(self)
        categorical = loss is not None and loss.labels == "categorical"
        return "sigmoid" if K == 2 and not categorical else "softmax"

    def _encode_targets(self, y: Any) -> Array:
        """Return the targets (m, K) of 0 and 1."""
        if self._is_multilabel():
            return np.asarray(self._binarizer.transform(y))
        places: Array = np.searchsorted(self.classes_, y)
        if self._output_activation() == "softmax":
            hot: Array = np.eye(len(self.classes_))[places]
            return hot
        return places[:, None]

    def _class_factors(self) -> Any:
        """Return the class weights as `Network.fit` takes them."""
        return class_factors(self.class_weight, self.classes_)

    def _check_X_y(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Return X (m, n) float and y (m,) or (m, K)."""
        X, y = super()._check_X_y(X, y, reset)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _check_held_out_targets(self, y_val: Any, y: Any) -> None:
        """Refuse labels that no accuracy can be taken of; others than those of y count as wrong."""
        try:
            unique_labels(y, y_val)
        except ValueError as error:
            raise DataError(f"y_val must hold labels like those of y: {error}") from None

    def _held_out_score(self, held: HeldOut, network: Network) -> float:
        """Return the accuracy of held-out rows."""
        found = self._labels(outputs(state_of(network), held.X))
        return float(accuracy_score(held.y, found, sample_weight=held.w))

    def _labels(self, A: Array) -> Array:
        """Return labels of outputs (m, K), or of both classes' probabilities (m, 2)."""
        if A.shape[1] == 2 and not self._is_multilabel():
            A = A[:, 1:]
        K, kind = len(self.classes_), self._binarizer.y_type_
        # As the binarizer does, which takes 100 µs for it.
        if kind == "multiclass" and A.shape[1] == K:
            return np.asarray(self.classes_[A.argmax(axis=1)])
        if kind == "binary" and A.shape[1] == 1 and K == 2:
            return np.asarray(self.classes_[(A[:, 0] > 0.5).astype(np.intp)])
        labels: Array = self._binarizer.inverse_transform(A)
        return labels

    @answers.explained("predict", "estimator.predict")
    def predict(self, X: Any) -> Array:
        """Return labels (m,), or (m, K) of 0/1 for several labels an example."""
        return self._labels(self._class_outputs(self._check_X(X)))

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (m, K) of rows X (m, n)."""
        rows = self._check_X(X)
        return self._predictor.predict_proba(rows)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`, finite where a probability rounds to 0."""
        return self._log_probabilities(self._check_X(X))

    @available_if_solver_steps
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Take one epoch over rows X (m, n) with labels y.

        Parameters
        ----------
        X : array (m, n)
        y : array (m,) or (m, K)
        sample_weight : array (m,), optional
        classes : array (K,), optional
            All labels that any call will see; without them, those of the first call are all.

        Raises
        ------
        ValueError
            If a parameter or the data break a rule, or the parameters ask for what some of the
            rows do not allow: early_stopping, monitor, class_weight="balanced".
        """
        return self._partial_fit(X, y, sample_weight, classes)

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags: several labels an example are possible."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


answers.explain(MLPClassifier, "estimator")
