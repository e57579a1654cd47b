"""ONNX Runtime: a network's exported file, and what its own quantisation makes of that."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime import quantization

from .contender import Predictor
from .data import Array
from .rows import Task

CALIBRATION_ROWS = 500
logging.getLogger().setLevel(logging.ERROR)  # quantisation warns that graphs were not prepared


class OnnxRuntime(Predictor):
    """Float32, with all optimisations, on the worker's number of threads."""

    name = "ONNX Runtime"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            self.network().to_onnx(path)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
            options.log_severity_level = 3
            self.session = onnxruntime.InferenceSession(
                self._prepared(path), options, providers=["CPUExecutionProvider"]
            )

    def _prepared(self, path: Path) -> str:
        """Return the path of the model that is run."""
        return str(path)

    def outputs(self) -> Array:
        found: Array = self.session.run(None, {"X": self.X})[0]
        return found


class OnnxRuntimeDynamic(OnnxRuntime):
    """Signed bytes for weights; activations become bytes while it runs, by their range."""

    name = "ONNX Runtime int8 dynamic"

    def _prepared(self, path: Path) -> str:
        made = path.with_name("dynamic.onnx")
        quantization.quantize_dynamic(path, made)
        return str(made)


class OnnxRuntimeStatic(OnnxRuntime):
    """Signed bytes for weights, a scale for each unit; ranges of activations by a sample."""

    name = "ONNX Runtime int8 static"

    def _prepared(self, path: Path) -> str:
        made = path.with_name("static.onnx")
        quantization.quantize_static(
            path, made, _Sample(self.task.scaled), per_channel=True,
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )  # fmt: skip
        return str(made)


class _Sample(quantization.CalibrationDataReader):
    """The rows that calibrate, in one batch."""

    def __init__(self, X: Array) -> None:
        self.batches: list[dict[str, Any]] = [{"X": np.ascontiguousarray(X[:CALIBRATION_ROWS])}]

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, None after the last."""
        return self.batches.pop() if self.batches else None
