"""`fastnn quantize`: a saved network that predicts in int8, by the ranges of some rows of data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.data import digits, flatten_images
from fastnn.data.tables.targets import Target
from fastnn.errors import DataError, SettingError
from fastnn.loading import load_with_notes
from fastnn.network import Network
from fastnn.plot._text import format_percent
from fastnn.quantization import model_file

from .option_types import count, positive
from .output import check_free, print_fact, print_note, print_result, readable
from .predict import read_image_format
from .table import SEPARATOR, TableSource
from .task import IMAGE_SIZE, read_examples
from .verb import OVERWRITE, Verb, option

Array = np.ndarray[Any, Any]
#: Rows X (m, n), which of them have a known label or value (a mask), and those.
Rows = tuple[Array, Any, Array]
ROWS = 1000


def run(arguments: argparse.Namespace) -> int:
    """Write the quantised network, and say how far it is from the network."""
    net, notes = load_with_notes(arguments.model)
    if not isinstance(net, Network):
        raise SettingError(
            f"'{arguments.model}' holds another kind of model, {type(net).__name__}; give the file "
            "of one network, as `fastnn train` or `Network.save` writes it"
        )
    check_free(arguments.out, arguments.overwrite)
    X, known, y = read_rows(net, notes, arguments)
    some = np.unique(np.linspace(0, len(X) - 1, arguments.rows).round().astype(np.int64))
    small = net.quantize(X[some], max_error=arguments.max_error)
    model_file.save(small.parts, arguments.out, notes=notes)
    print_fact("sample", f"{len(some):,} of {len(X):,} rows")
    print_fact("report", str(small.report))
    if len(y):
        name = "accuracy" if "accuracy" in small.evaluate(X[known][:1], y[:1]) else "cost"
        scores = [model.evaluate(X[known], y)[name] for model in (net, small)]
        texts = [format_percent(s, 2) if name == "accuracy" else f"{s:.5g}" for s in scores]
        own = small.report.compared_with
        print_fact(name, f"{texts[0]} in {own}, {texts[1]} in int8, of {len(y):,} rows")
    print_result(f"wrote {arguments.out}")
    return 0


def read_rows(net: Network, notes: dict[str, Any], arguments: argparse.Namespace) -> Rows:
    """Return the rows of the data as the network was trained on them, and what is known of y."""
    if "table" in notes:
        if arguments.data is None:
            raise SettingError(f"'{arguments.model}' predicts rows of a table; name one as DATA")
        source = TableSource.from_notes(notes, net, arguments.model)
        frame, X = source.read(arguments.data, arguments.separator)
        return X, *_known(source.target, frame)
    size = IMAGE_SIZE
    if "image_shape" in notes:
        size = read_image_format(net, notes, arguments.model).shape[0]
    data = digits() if arguments.data is None else read_examples(arguments.data, size)
    same = [readable(name) for name in data.classes] == notes.get("classes")
    return flatten_images(data.X), slice(None), data.y if same else data.y[:0]


def _known(target: Target, frame: Any) -> tuple[Any, Array]:
    """Return which rows of a table have a target, as a mask (m,), and their targets."""
    nothing = np.zeros(len(frame), bool), np.zeros(0)
    if target.name not in frame.columns:
        return nothing
    known = ~np.asarray(frame[target.name].isna(), bool)
    try:
        return known, target.encode(frame[target.name][known])
    except DataError as error:
        print_note(f"no score: {error}")
        return nothing


VERB = Verb(
    "make a saved network predict in int8",
    run,
    options=(
        option("model", metavar="MODEL", help="written by `fastnn train` or `Network.save`"),
        option("data", metavar="DATA", nargs="?",
               help="rows like those it was trained on: an HDF5 file or a folder of images, or a "
               "table (default: the bundled digits)"),
        option("--out", metavar="FILE", type=Path, required=True, help="the file to write"),
        option("--max-error", metavar="E", type=positive,
               help="refuse outputs that differ from the network's by more"),
        option("--rows", metavar="N", type=count, default=ROWS,
               help="rows of DATA, evenly apart, by which the ranges of layers are found "
               f"(default: {ROWS})"),
        SEPARATOR,
        OVERWRITE,
    ),
    examples="""\
examples:
  fastnn quantize fastnn-out/model.safetensors --out small.safetensors
  fastnn quantize model.safetensors train.h5 --out small.safetensors

`fastnn predict` and `fastnn export` take the file, and so does fastnn.load.
""",
)  # fmt: skip
