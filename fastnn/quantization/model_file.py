"""Model files of quantised networks: signed bytes, scales and biases as plain data.

The layout is that of networks' files (`saving.model_file`): tensors by name, ``W1`` (n_out, n_in),
``scale1``, ``bias1`` … for each layer, ``input.shift`` and so on of learnt scaling; and a
description, JSON under ``quantized``, with checksums. Notes stand where those of networks do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from fastnn._version import __version__
from fastnn.errors import ModelFileError, SettingError
from fastnn.export.stages import Scaling
from fastnn.kernels.int8_model import MAX_BYTE, MAX_INT8_BIAS, MAX_INT8_FEATURES, Bytes
from fastnn.kernels.opcodes import Activation
from fastnn.layers import Dense
from fastnn.saving import config, model_file, safetensors
from fastnn.saving.model_file import FORMAT, HDF5_ENDINGS, SCALING, VERSION
from fastnn.saving.safetensors import TensorFile
from fastnn.training.metric_recorder import check_metric_names
from fastnn.training.state import NetworkState
from fastnn.training.target_scaling import TargetScaling

from .quantized_dense import QuantizedDense
from .report import QuantizationReport

__all__ = ["read", "save"]

Array = np.ndarray[Any, Any]
#: What a `QuantizedNetwork` is made of: scaling of inputs, layers, report, state of the output.
Parts = tuple[Scaling | None, Sequence[QuantizedDense], QuantizationReport, NetworkState]
KEY = "quantized"
#: The tensors of a layer: their field, and how it is held.
TENSORS = {"W": np.int8, "scale": np.float32, "bias": np.int32}


def save(
    parts: Parts, path: str | os.PathLike[str], *, notes: Mapping[str, Any] | None = None
) -> None:
    """Write the parts of a quantised network; its `save` says what it raises.

    notes: anything that JSON can say, as a network's file takes it.
    """
    scaling, layers, report, state = parts
    if Path(path).suffix.lower() in HDF5_ENDINGS:
        raise SettingError(
            f"a quantised network is saved in the safetensors layout alone; give {str(path)!r} "
            "the ending .safetensors"
        )
    tensors: dict[str, Array] = {}
    for number, layer in enumerate(layers, start=1):
        tensors |= {f"{name}{number}": getattr(layer, name) for name in TENSORS}
    if scaling is not None:
        vectors = scaling.shift, scaling.factor, scaling.rest
        tensors |= dict(zip(SCALING, vectors, strict=True))
    data = {
        "layers": [
            {
                "activation": layer.activation.name.lower(),
                "input_scale": float(layer.input.scale),
                "input_zero_point": layer.input.zero_point,
            }
            for layer in layers
        ],
        "offset": None if scaling is None else scaling.offset,
        "report": vars(report),
        "output": _output_config(state),
    }
    metadata = {
        "format": FORMAT,
        "format_version": VERSION,
        "fastnn_version": __version__,
        KEY: config.to_json(data, "the quantised network"),
    }
    if notes is not None:
        metadata["notes"] = config.to_json(dict(notes), "notes")
    safetensors.write(path, tensors, metadata)


def _output_config(state: NetworkState) -> dict[str, Any]:
    """Return what predictions are scored by, as plain data."""
    scaling = state.target_scaling
    vectors = None if scaling is None else (scaling.mean.tolist(), scaling.deviation.tolist())
    return {
        "loss": config.loss_config(state.loss),
        "metrics": list(state.metrics),
        "target_scaling": vectors,
    }


def read(file: TensorFile) -> tuple[Parts, dict[str, Any]]:
    """Return the parts of the quantised network of an open file, and the notes saved with it.

    A ModelFileError refuses what describes none.
    """
    data = file.table(KEY)
    try:
        with np.errstate(over="ignore"):  # of scales that no float32 holds
            return _parts(file, data), model_file.notes_of(file)
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise file.refuse(f"it describes no quantised network ({error!s:.200})") from error


def _parts(file: TensorFile, data: dict[str, Any]) -> Parts:
    """Return the parts of the network that data describe, with the file's tensors."""
    layers = [_layer(file, each, number) for number, each in enumerate(data["layers"], start=1)]
    names = {f"{name}{number + 1}" for number in range(len(layers)) for name in TENSORS}
    scaling = None
    if data["offset"] is not None:
        scaling, names = _scaling(file, float(data["offset"])), names | set(SCALING)
    if not layers or set(file.entries) != names:
        raise ValueError("its tensors are not those of its layers")
    for before, after in pairwise(layers):
        if len(before.W) != after.W.shape[1] or before.activation == Activation.SOFTMAX:
            raise ValueError("its layers do not fit together")
    if scaling is not None and scaling.shift.size not in (1, layers[0].W.shape[1]):
        raise ValueError("its scaling has another number of features")
    state = _output_state(file, layers[-1], data["output"])
    return scaling, layers, QuantizationReport(**data["report"]), state


def _output_state(file: TensorFile, last: QuantizedDense, data: dict[str, Any]) -> NetworkState:
    """Return the state of the output layer, with the loss, scaling of targets and metrics."""
    K, activation = len(last.W), last.activation.name.lower()
    loss, vectors = config.loss_from_config(file, data["loss"]), data["target_scaling"]
    state = NetworkState.checked([Dense(K, activation)], loss=loss, scale_target=bool(vectors))
    state.metrics = check_metric_names(data["metrics"], activation, K)
    if vectors is not None:
        mean, deviation = (np.array(each, np.float64) for each in vectors)
        whole = mean.shape == deviation.shape == (K,) and np.isfinite([mean, deviation]).all()
        if not whole or not (deviation > 0).all():
            raise ValueError("its scaling of targets is none")
        state.target_scaling = TargetScaling(mean, deviation)
    return state


def _tensor(file: TensorFile, name: str, dtype: Any, ndim: int) -> Array:
    """Return a tensor of this dtype and number of dimensions."""
    entry = file.entries[name]
    if entry.dtype != np.dtype(dtype).newbyteorder("<") or len(entry.shape) != ndim:
        raise ValueError(f"{name!r} is of another kind")
    array = np.empty(entry.shape, dtype)
    file.read_into(name, array)
    return array


def _scaling(file: TensorFile, offset: float) -> Scaling:
    """Return the scaling of inputs."""
    shift, factor, rest = (_tensor(file, name, np.float32, 1) for name in SCALING)
    if not shift.shape == factor.shape == rest.shape or not np.isfinite(offset):
        raise ValueError("its scaling is none")
    return Scaling(shift, factor, offset, rest)


def _layer(file: TensorFile, data: dict[str, Any], number: int) -> QuantizedDense:
    """Return a layer; its scales are positive numbers, and no sum of it can leave int32."""
    W, scale, bias = (
        _tensor(file, f"{name}{number}", dtype, 2 if name == "W" else 1)
        for name, dtype in TENSORS.items()
    )
    held = Bytes(np.float32(data["input_scale"]), data["input_zero_point"])
    good = scale.shape == bias.shape == W.shape[:1] and 0 < W.shape[1] <= MAX_INT8_FEATURES
    good = good and len(W) > 0 and bool((scale > 0).all()) and 0 < held.scale < np.inf
    good = good and type(held.zero_point) is int and 0 <= held.zero_point <= MAX_BYTE
    if not good or W.min() == -128 or np.abs(bias.astype(np.int64)).max() > MAX_INT8_BIAS:
        raise ValueError(f"layer {number} is none")
    layer = QuantizedDense(W, scale, bias, Activation[data["activation"].upper()], held)
    if not np.isfinite(layer.unit).all():
        raise ValueError(f"layer {number} has scales beyond float32")
    return layer
