"""QuantizedNetwork: predictions of a trained network in int8."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from fastnn._display.table import Table
from fastnn._runtime.backend import active
from fastnn._runtime.text import Text
from fastnn._runtime.threads import get_num_threads
from fastnn._validation import arguments
from fastnn.errors import SettingError, ShapeError
from fastnn.export.stages import Scaling
from fastnn.kernels.csr import SparseRows
from fastnn.kernels.opcodes import READ

from .quantized_dense import SINGLE, QuantizedDense, int8_model
from .report import QuantizationReport

__all__ = ["QuantizedNetwork"]

Array = np.ndarray[Any, Any]


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
        self, scaling: Scaling | None, layers: Sequence[QuantizedDense], report: QuantizationReport
    ) -> None:
        self.scaling, self.layers, self.report = scaling, tuple(layers), report
        self.inputs = int(self.layers[0].W.shape[1])
        self.outputs = len(self.layers[-1].W)
        self.activation = self.layers[-1].activation.name.lower()
        self._predictors: dict[str, Any] = {}  # by the name of a backend

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_predictors": {}}

    @property
    def nbytes(self) -> int:
        """Bytes of weights, scales and biases."""
        return sum(each.W.nbytes + each.scale.nbytes + each.bias.nbytes for each in self.layers)

    def _run(self, X: Any, K: int) -> Array:
        """Return the outputs of rows X (m, n), (m, K) float32; (m, 2) of one sigmoid for K = 2."""
        kernels = active()
        predict = self._predictors.get(kernels.name)
        if predict is None:
            predict = kernels.int8_predictor(int8_model(self.scaling, self.layers))
            self._predictors[kernels.name] = predict
        rows, n = X, self.inputs
        ready = type(X) is np.ndarray and X.ndim == 2 and X.shape[1] == n and X.dtype in READ
        if not (ready and len(X)):
            rows = arguments.examples(X, n, "this quantised network")
        out = np.empty((rows.shape[0], K), SINGLE)
        predict(rows, out, get_num_threads, partial(self._check, rows))
        return out

    def _check(self, rows: Array | SparseRows) -> None:
        """Refuse rows X (m, n) that are not finite in float32."""
        arguments.check_representable(arguments.finite_examples(rows, self.inputs), SINGLE)

    def predict(self, X: Any, *, threshold: float | Sequence[float] = 0.5) -> Array:
        """Return the labels or values of rows X (m, n), as `Network.predict` does.

        Parameters
        ----------
        X : array (m, n)
            In memory, of any dtype, or sparse rows.
        threshold : float or sequence of float (K,)
            Of sigmoid outputs: the label is 1 where the probability is strictly above.

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
        limits = self._limits(threshold)
        A = self._run(X, self.outputs)
        if self.activation == "softmax":
            return np.asarray(A.argmax(axis=1))
        if self.activation == "sigmoid":
            A = (limits < A).astype(np.int64)
        return A[:, 0] if A.shape[1] == 1 else A

    def _limits(self, threshold: Any) -> Any:
        """Return the thresholds (K,) of sigmoid outputs; refuse others than 0.5 elsewhere."""
        if isinstance(threshold, float) and threshold == 0.5:
            return SINGLE.type(0.5)
        if self.activation != "sigmoid":
            raise SettingError(f"threshold is one of sigmoid outputs, not of {self.activation}")
        limits = arguments.numeric(np.atleast_1d(threshold), "threshold")
        if limits.shape not in ((1,), (self.outputs,)):
            raise ShapeError(
                f"threshold must be one number or {self.outputs}, one for each output, got shape "
                f"{limits.shape}"
            )
        if not ((limits >= 0) & (limits <= 1)).all():
            raise SettingError(f"threshold must lie in [0, 1], got {threshold!r}")
        return limits

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities (m, K) float32 of rows X (m, n); for one sigmoid both classes'.

        Raises
        ------
        SettingError
            If the outputs are no probabilities; and what `predict` raises.
        """
        if self.activation not in ("sigmoid", "softmax"):
            raise SettingError(
                f"outputs with activation {self.activation!r} are no probabilities; use predict"
            )
        both = self.activation == "sigmoid" and self.outputs == 1
        return self._run(X, 2 if both else self.outputs)

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

        save((self.scaling, self.layers, self.report), path)

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
