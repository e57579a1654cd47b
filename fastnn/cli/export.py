"""`fastnn export`: a saved network as a file that other programs read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fastnn.errors import SettingError
from fastnn.loading import load_with_notes
from fastnn.network import Network
from fastnn.network.ensemble import Ensemble

from .bag import is_bag
from .option_types import one_of
from .output import check_free, print_note, print_result
from .verb import OVERWRITE, Verb, option

INPUT_DTYPES = ("float32", "float64", "uint8")


def run(arguments: argparse.Namespace) -> int:
    """Write the ONNX file, and say what goes in and what comes out."""
    path: Path = arguments.onnx
    net, notes = load_with_notes(arguments.model)
    if isinstance(net, Ensemble):
        raise SettingError(
            f"'{arguments.model}' holds an ensemble, and a graph holds one network; in Python, "
            "fastnn.load(…)[0].to_onnx(…) writes its first"
        )
    check_free(path, arguments.overwrite)
    if is_bag(net):
        return _export_bag(net, path, arguments.input_dtype)
    net.to_onnx(path, input_dtype=arguments.input_dtype)
    print_result(f"wrote {path}")
    print_note(f"input     X: {format_input(net, notes, arguments.input_dtype)}")
    print_note(f"output    {format_output(net, notes)}")
    return 0


def _export_bag(model: Any, path: Path, input_dtype: str | None) -> int:
    """Write the ONNX file of a bag of networks on a table, its encoding included."""
    if input_dtype is not None:
        raise SettingError("--input-dtype is about one network; a bag takes the columns of a table")
    model.to_onnx(path)
    print_result(f"wrote {path}")
    print_note(f"input     {', '.join(column.name for column in model.encoder_.columns)}")
    outputs = "label, probabilities" if hasattr(model, "classes_") else "values"
    print_note(f"output    {outputs}")
    return 0


def format_input(net: Network, notes: dict[str, Any], dtype: str | None) -> str:
    """Return what the rows of the graph's input are."""
    shape, largest = notes.get("image_shape"), notes.get("pixel_max")
    text = f"{dtype or net.dtype.name}, rows of {net.inputs} numbers"
    if isinstance(shape, list) and largest is not None:
        text += f": images of {' × '.join(map(str, shape))}, flattened, pixels 0 … {largest}"
    return f"{text}; scaling is part of the file"


def format_output(net: Network, notes: dict[str, Any]) -> str:
    """Return what the rows of the graph's output are."""
    classes = notes.get("classes")
    if net.loss.endswith("cross_entropy"):
        names = f": {', '.join(map(str, classes))}" if isinstance(classes, list) else ""
        return f"probabilities, a column for each class{names}"
    return f"values, {net.outputs} in a row"


VERB = Verb(
    "write a saved network as an ONNX file",
    run,
    options=(
        option("model", metavar="MODEL", help="written by `fastnn train` or `Network.save`"),
        option("--onnx", metavar="FILE.onnx", type=Path, required=True, help="the file to write"),
        option("--input-dtype", metavar="NAME", type=one_of(INPUT_DTYPES),
               help="what the file takes: float32, float64, or uint8 for images as they are "
               "stored (default: the network's own)"),
        OVERWRITE,
    ),
    compiles=False,
    examples="""\
examples:
  fastnn export fastnn-out/model.safetensors --onnx digits.onnx

onnxruntime and many other programs run ONNX files, without fastnn. In Python,
net.to_torch() gives a torch.nn.Sequential, and net.save("model.h5") HDF5.
Needs onnx: pip install "fastnn[onnx]"
""",
)  # fmt: skip
