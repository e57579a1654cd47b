"""Use: what a network gives once it is trained: predictions, scores, outputs and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._habits.answers import explained
from fastnn.lowering.lower import output_activation
from fastnn.training.fit_config import WINDOW
from fastnn.training.metric_recorder import check_metric_names, evaluate, examples_with

from . import prediction
from .description import NetworkDescription

if TYPE_CHECKING:
    from fastnn.quantization.quantized_network import QuantizedNetwork

__all__ = ["UsableNetwork"]

Array = np.ndarray[Any, Any]


class UsableNetwork(NetworkDescription):
    """A described network that predicts; `Network` adds training and files."""

    @explained("Network.predict")
    def predict(
        self, X: Any, *, threshold: float | Sequence[float] = prediction.DEFAULT_THRESHOLD,
        window: int | str = WINDOW,
    ) -> Array:  # fmt: skip
        """Return the labels or values that the network gives to rows X (m, n).

        Parameters
        ----------
        X : array (m, n)
            As `fit` takes it.
        threshold : float or sequence of float (K,)
            Of sigmoid outputs, in [0, 1]: the label is 1 where the probability is strictly above,
            as in ``net.predict_proba(X)[:, 1] > threshold``; one for all outputs, or one for each.
        window : int or str
            Bytes of rows that are held at a time where X is read, as a number or like ``"1 GB"``.

        Returns
        -------
        ndarray
            (m,) int64 labels for one sigmoid and for softmax (the most probable class); (m, K) of
            0/1 for K sigmoids; else values in the network's dtype, (m,) when there is one output.
            Rows do not depend on their neighbours, nor on the number of threads. Up to 12 rows, 8
            of a network none of whose layers has 256 inputs, and fewer than 48 rows of bytes, are
            summed in another order and may differ from those of more in the last bits; so are those
            of a window that holds so few. Each of up to 12 or 8 has the bits that it has alone.

        Raises
        ------
        SettingError
            If a threshold is no probability, or is given for outputs that are no sigmoids.
        """
        if threshold is prediction.DEFAULT_THRESHOLD:
            return prediction.labels_or_values(self._state, X, window)
        return prediction.labels_above(self._state, X, threshold, window)

    @explained("Network.predict_proba")
    def predict_proba(self, X: Any, *, window: int | str = WINDOW) -> Array:
        """Return probabilities (m, K) of rows X (m, n); for one sigmoid both classes', (m, 2).

        Those are σ(−z) and σ(z) of the logit z, each within 2.5 units in the last place: neither is
        0 while e^−|z| is not, and below the dtype's normal numbers digits go gradually.
        `window` is that of `predict`.

        Raises
        ------
        SettingError
            If the outputs are no probabilities.
        """
        return prediction.probabilities(self._state, X, window)

    @explained("Network.evaluate")
    def evaluate(
        self, X: Any, y: Any, *, metrics: Sequence[str] = (), window: int | str = WINDOW
    ) -> dict[str, float]:
        """Return ``{"cost": …}``, for classes ``"accuracy"``, and metrics of rows X (m, n).

        Parameters
        ----------
        X, y : arrays
            As `fit` takes them. Costs are without L2 and L1, with `scale_target` those of
            z-scores; of several sigmoids an example counts as right where all of its labels are.
        metrics : sequence of str
            Further names of `fastnn.metrics`, beside those of the last fit.
        window : int or str
            Bytes of rows that are held at a time where X is read, as a number or like ``"1 GB"``.

        Raises
        ------
        ShapeError, DataError, SettingError
            If something that comes in breaks a rule, or a metric cannot be taken of these examples.
        """
        state = self._state
        names = check_metric_names(metrics, output_activation(self.layers), self.outputs)
        if window is not WINDOW:
            prediction.check_window(window)
        with prediction.rows_of(state, X, window, "evaluate") as rows:
            score = partial(prediction.cost_and_accuracy, state)
            return evaluate(self, state, examples_with(state, rows, y), names, score)

    @explained("Network.quantize")
    def quantize(self, X_sample: Any, *, max_error: float | None = None) -> QuantizedNetwork:
        """Return a network that predicts the same in int8; this one stays as it is.

        Weights become signed bytes, activations bytes whose scales the sample gives; BatchNorm is
        folded into the weights, dropout and noise are gone. `QuantizedNetwork` says the arithmetic.

        Parameters
        ----------
        X_sample : array (m, n)
            Some hundred typical rows, in memory. Numbers between layers that are larger than any
            in the sample are clipped.
        max_error : float, optional
            How far an output may be from this network's on the sample: a probability, or a value
            in y's unit. By default any; the result's `report` says it.

        Raises
        ------
        NotBuiltError
            If the network is not trained.
        ShapeError, DataError
            If the sample has another number of features, is empty, or holds numbers that are not
            finite; if weights are so large that float32 cannot hold products of scales.
        SettingError
            If an output differs by more than `max_error`, an activation is the user's own, or a
            layer stands where no dense layer can take it up.

        Examples
        --------
        >>> small = net.quantize(X_train[:1000], max_error=0.1)
        """
        from fastnn.quantization.quantize import quantize  # only this needs it

        predict = partial(prediction.outputs, self._state)
        return quantize(self._state, X_sample, max_error, predict)

    def activations(self, X: Any) -> list[Array]:
        """Return the output A (m, units) of every layer for rows X (m, n)."""
        return prediction.layer_outputs(self._state, X)

    def cost_and_gradients(
        self, X: Any, y: Any, *, l2: float = 0.0, l1: float = 0.0, sample_weight: Any = None
    ) -> tuple[float, dict[str, Array]]:
        """Return the cost of all rows and its gradient by every parameter; nothing is updated.

        Without dropout and noise; BatchNorm takes these rows as its batch. For networks of a few
        layers, float32 agrees with float64 to 2⁻²² of the cost and to 2⁻¹⁸ of the largest entry of
        each gradient.

        Returns
        -------
        (float, dict of str to ndarray)
            Names and shapes as in `parameters`.
        """
        return prediction.cost_and_gradients(self._state, X, y, l2, l1, sample_weight)
