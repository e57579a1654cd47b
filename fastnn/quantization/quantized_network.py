"""QuantizedNetwork: predictions of a trained network in int8."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from fastnn._display.table import Table
from fastnn._habits.answers import explained
from fastnn._runtime.backend import active
from fastnn._runtime.text import Text
from fastnn._runtime.threads import get_num_threads
from fastnn._validation import arguments
from fastnn.export.stages import Scaling
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.opcodes import Activation
from fastnn.kernels.records import Examples
from fastnn.lowering.program import scores_of_outputs
from fastnn.training.fit_config import WINDOW
from fastnn.training.metric_recorder import check_metric_names, evaluate, examples_with
from fastnn.training.state import NetworkState

from .quantized_dense import SINGLE, QuantizedDense, int8_model
from .report import QuantizationReport

__all__ = ["QuantizedNetwork"]

Array = np.ndarray[Any, Any]
BLOCK = 4096  # rows in memory that are scored at a time
NAME = "this quantised network"


class QuantizedNetwork:
    """What `Network.quantize` gives: it predicts with weights and activations of eight bits.

    A number x between layers is held as a byte q, x = s (q − z), with the scale s and the zero
    point z that the sample gave its layer: q = clip(round(x / s) + z) to 0 … 255, ties to even. A
    weight is a signed byte, in a scale of its unit. Products are added up in int32, exactly; the
    output's sums are turned into float32, and so are those of other activations than relu. This is
    the arithmetic of ONNX's QuantizeLinear and DequantizeLinear.

    Results do not depend on the number of threads nor on a row's neighbours.

    Attributes
    ----------
    report : QuantizationReport
        How far its outputs are from the network's on the sample.
    layers : tuple of QuantizedDense
        Signed bytes, scales and biases, from input to output.
    scaling : Scaling or None
        How X is scaled before it becomes bytes.
    inputs, outputs : int
        Numbers of features and of outputs K.
    activation : str
        Of the output.
    loss : str
        The loss of the network, which `evaluate` gives.
    dtype : dtype
        Of probabilities and values: float32.

    References
    ----------
    Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", CVPR 2018, arXiv:1712.05877; ONNX operators QuantizeLinear
    and DequantizeLinear, https://onnx.ai/onnx/operators.

    Examples
    --------
    >>> small = net.quantize(X_train[:1000])
    >>> small.predict(X_test)
    """

    def __init__(
        self, scaling: Scaling | None, layers: Sequence[QuantizedDense],
        report: QuantizationReport, state: NetworkState,
    ) -> None:  # fmt: skip
        self.scaling, self.layers, self.report = scaling, tuple(layers), report
        self.inputs = int(self.layers[0].W.shape[1])
        self.outputs = len(self.layers[-1].W)
        self.activation = self.layers[-1].activation.name.lower()
        self.loss, self.dtype = state.loss.name, SINGLE
        self._state = state  # of the output layer alone: loss, scaling of targets, metrics
        self._predictors: dict[Any, Any] = {}  # by the name of a backend, and whether of logits

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_predictors": {}}

    @property
    def nbytes(self) -> int:
        """Bytes of weights, scales and biases."""
        return sum(each.W.nbytes + each.scale.nbytes + each.bias.nbytes for each in self.layers)

    def _run(
        self, X: Any, K: int, window: Any = WINDOW, verb: str = "predict", logits: bool = False
    ) -> Array:
        """Return the outputs of rows X (m, n), (m, K) float32; (m, 2) of one sigmoid for K = 2.

        logits: whether the arguments of the output's activation are returned in their place.
        """
        predict, n = partial(self._fill, self._predictor(logits)), self.inputs
        if window is WINDOW and arguments.are_plain_rows(X, n):
            out = np.empty((len(X), K), SINGLE)
            predict(X, out)
            return out
        from fastnn.training.windows.opening import opened_rows, outputs_of  # few calls need them

        with opened_rows(X, n, SINGLE, NAME, window, verb) as rows:
            return outputs_of(rows, predict, K, SINGLE)

    def _predictor(self, logits: bool) -> Any:
        """Return the function of the active backend that predicts, made when it is first used."""
        kernels = active()
        predict = self._predictors.get((kernels.name, logits))
        if predict is None:
            layers = list(self.layers)
            if logits:
                layers[-1] = replace(layers[-1], activation=Activation.IDENTITY)
            predict = kernels.int8_predictor(int8_model(self.scaling, layers))
            self._predictors[kernels.name, logits] = predict
        return predict

    def _fill(self, predict: Any, rows: Any, out: Array) -> None:
        """Write the outputs of rows (m, n) into out."""
        predict(rows, out, get_num_threads, partial(self._check, rows))

    def _check(self, rows: Array | SparseRows) -> None:
        """Refuse rows X (m, n) that are not finite in float32."""
        arguments.check_representable(arguments.finite_examples(rows, self.inputs), SINGLE)

    @explained("QuantizedNetwork.predict", "Network.predict")
    def predict(
        self, X: Any, *, threshold: float | Sequence[float] = 0.5, window: int | str = WINDOW
    ) -> Array:
        """Return the labels or values of rows X (m, n), as `Network.predict` does.

        Parameters
        ----------
        X : array (m, n)
            Of any dtype, sparse rows, or rows that are read, as `Network.fit` takes them.
        threshold : float or sequence of float (K,)
            Of sigmoid outputs: the label is 1 where the probability is strictly above.
        window : int or str
            Bytes of rows that are held at a time where X is read, as a number or like ``"1 GB"``.

        Returns
        -------
        ndarray
            (m,) or (m, K): int64 labels of softmax and sigmoid outputs, else float32 values.

        Raises
        ------
        ShapeError, DataError
            If X has another number of features, or numbers that are not finite.
        SettingError
            If a threshold is no probability, or the outputs are no sigmoids.
        """
        limits: Any = SINGLE.type(0.5)
        if not (isinstance(threshold, float) and threshold == 0.5):
            limits = self._state.check_thresholds(threshold).astype(SINGLE)
        A = self._run(X, self.outputs, window)
        if self.activation == "softmax":
            return np.asarray(A.argmax(axis=1))
        if self.activation == "sigmoid":
            A = (limits < A).astype(np.int64)
        return A[:, 0] if A.shape[1] == 1 else A

    @explained("QuantizedNetwork.predict_proba", "Network.predict_proba")
    def predict_proba(self, X: Any, *, window: int | str = WINDOW) -> Array:
        """Return probabilities (m, K) float32 of rows X (m, n); for one sigmoid both classes'.

        `window` is that of `predict`.

        Raises
        ------
        SettingError
            If the outputs are no probabilities; and what `predict` raises.
        """
        both = self._state.check_probabilities() == "sigmoid" and self.outputs == 1
        return self._run(X, 2 if both else self.outputs, window, "predict_proba")

    @explained("QuantizedNetwork.evaluate", "Network.evaluate")
    def evaluate(
        self, X: Any, y: Any, *, metrics: Sequence[str] = (), window: int | str = WINDOW
    ) -> dict[str, float]:
        """Return ``{"cost": …}``, for classes ``"accuracy"``, and metrics of rows X (m, n).

        Parameters, meaning and errors are those of `Network.evaluate`; the loss and the metrics of
        the last fit are those of the network that was quantised. Costs are taken in float64.
        """
        state = self._state
        names = check_metric_names(metrics, self.activation, self.outputs)
        from fastnn.training.windows.opening import opened_rows  # predictions need none

        with opened_rows(X, self.inputs, SINGLE, NAME, window, "evaluate") as rows:
            return evaluate(self, state, examples_with(state, rows, y), names, self._score)

    def _score(self, examples: Any) -> tuple[float, float]:
        """Return the mean cost and the share of right labels of examples, in memory or read."""
        if not isinstance(examples, Examples):
            from fastnn.training.windows.scan import scores_of  # what is read needs it

            return scores_of(examples, self._score_rows)
        return self._score_rows(*examples)

    def _score_rows(self, X: Any, Y: Array, w: Array) -> tuple[float, float]:
        """Return (cost, share of right rows), means by weight.   X (m, n); Y (m, K); w (m,)."""
        state, w, cost, right = self._state, w.astype(np.float64), 0.0, 0.0
        for rows in (slice(i, i + BLOCK) for i in range(0, len(w), BLOCK)):
            A = self._run(X[rows], self.outputs, logits=state.loss.from_logits).astype(np.float64)
            if state.target_scaling is not None:  # Y are z-scores already
                A = state.target_scaling.encode(A)
            part, hits = scores_of_outputs(state.loss, A, Y[rows], w[rows])
            weight = float(w[rows].sum() / w.sum())
            cost, right = cost + part * weight, right + hits * weight
        return cost, right

    def outputs_of(self, X: Any) -> Array:
        """Return A (m, K) float32 of the last layer for rows X (m, n): probabilities or values."""
        return self._run(X, self.outputs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the quantised network to a file that `fastnn.load` reads.

        Raises
        ------
        SettingError
            If the path ends in .h5.
        OSError
            If the file cannot be written; a file that was there is as it was.
        """
        from .model_file import save  # only this needs it

        save(self.parts, path)

    @property
    def parts(self) -> tuple[Any, ...]:
        """What it is made of, in the order of the constructor."""
        return self.scaling, self.layers, self.report, self._state

    def to_onnx(self, path: str | os.PathLike[str], *, input_dtype: str | None = None) -> None:
        """Write an ONNX model of the same arithmetic, with QuantizeLinear and DequantizeLinear.

        Parameters
        ----------
        path : str or path
            A file there is replaced, in one piece.
        input_dtype : {"float32", "float64", "uint8"}, optional
            Dtype of its input ``X``; by default float32.

        Raises
        ------
        MissingExtraError
            Without the onnx package; the extra is ``fastnn[onnx]``.
        SettingError
            If the input dtype is another one.
        OSError
            If the file cannot be written; a file that was there is as it was.
        """
        from .onnx_file import write_quantized_onnx  # only this needs it

        write_quantized_onnx(self.scaling, self.layers, path, input_dtype)

    def summary(self) -> Text:
        """Return a table of layers and their scales, and the report; it prints as text."""
        rows: list[tuple[str, ...]] = [()]
        for layer in self.layers:
            n_out, n_in = layer.W.shape
            scale, zero_point = layer.input
            name = f"Dense {layer.activation.name.lower()}"
            rows.append((name, f"{n_in} → {n_out}", f"{scale:.4g}", str(zero_point)))
        table = Table(
            ("layer", "sizes", "scale of inputs", "zero point"), [*rows, ()], align="llrr", rule="-"
        )
        return Text(f"{table.text()}\n{self.nbytes:,} bytes, int8; {self.report}")

    def __repr__(self) -> str:
        sizes = [self.inputs, *(len(layer.W) for layer in self.layers)]
        return f"<QuantizedNetwork {' → '.join(map(str, sizes))}, {self.activation}: {self.report}>"
