"""OpenVINO: a network's exported file, compiled for the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import openvino

from .contender import Predictor
from .data import Array
from .rows import Task


class OpenVino(Predictor):
    """Float32, one request at a time, on the worker's number of threads."""

    name = "OpenVINO"
    precision = "f32"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        core = openvino.Core()
        with TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            self._export(path)
            settings = {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": int(os.environ.get("OMP_NUM_THREADS", "1")),
                "INFERENCE_PRECISION_HINT": self.precision,
            }
            model = core.read_model(path)
            model.reshape([len(self.X), self.X.shape[1]])
            self.request = core.compile_model(model, "CPU", settings).create_infer_request()

    def _export(self, path: Path) -> None:
        """Write the model that is run."""
        self.network().to_onnx(path)

    def outputs(self) -> Array:
        found: Array = self.request.infer([self.X], share_inputs=True)[0]
        return found


class OpenVinoBfloat16(OpenVino):
    """Products in bfloat16, where the CPU has them."""

    name = "OpenVINO bfloat16"
    precision = "bf16"


class OpenVinoInt8(OpenVino):
    """The QDQ model of a quantised network of fastnn."""

    name = "OpenVINO int8"

    def _export(self, path: Path) -> None:
        self.network().quantize(self.task.scaled).to_onnx(path)
