"""How an int8 model lies in memory: packed weights, the table of layers, scratch of a thread.

Compiled code and what prepares its arguments share this module, which imports no Numba.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..int8_model import Bytes, Int8Model

Array = np.ndarray[Any, Any]

INT8_ROWS = 64  # examples that go through all layers at a time: their bytes stay in the caches
GATHER_ROWS = 8  # examples whose numbers are gathered before they become bytes
OCTET_PANEL = 16  # units in a panel of packed weights
LAYER_FIELDS = 8  # numbers in a layer's row of the table


class Int8Scratch(NamedTuple):
    """Where a thread's memory begins in the scratch vector, counted in 32-bit numbers."""

    octets: int  # bytes of INT8_ROWS examples
    other: int  # bytes of as many: layers read one and write the other in turn
    values: int  # (INT8_ROWS, units) float32: Z of a layer
    columns: int  # (K + 2, INT8_ROWS) float32: outputs, and scratch of softmax
    gathered: int  # (GATHER_ROWS, features) float32: examples before they become bytes


def padded(n: int) -> int:
    """Return n, a number of units or features, rounded up to whole panels."""
    return -(-n // OCTET_PANEL) * OCTET_PANEL


def thread_scratch(base: int, widest: int, units: int, K: int) -> Int8Scratch:
    """Return the Int8Scratch of a thread whose memory begins at `base`.

    widest: bytes of the longest row of inputs; units: of the widest layer; both padded. K: outputs.
    """
    other = base + INT8_ROWS * widest // 4
    values = other + INT8_ROWS * widest // 4
    columns = values + INT8_ROWS * units
    return Int8Scratch(base, other, values, columns, columns + INT8_ROWS * (K + 2))


def scratch_size(model: Int8Model, K: int) -> int:
    """Return how many 32-bit numbers a thread needs, K outputs wide."""
    n_in = model.layers[0].W.shape[1]
    units = max(padded(len(layer.W)) for layer in model.layers)
    parts = thread_scratch(0, max(units, padded(n_in)), units, K)
    return parts.gathered + GATHER_ROWS * n_in + OCTET_PANEL


def pack_panels(W: Array) -> Array:
    """Return signed bytes W (n_out, n_in) in panels: (panels, n_words, 16) int32, zeros added.

    A word holds four weights of a unit, its lowest byte the first; a row the words of 16 units.
    """
    n_out, n_in = W.shape
    n_words, units = -(-n_in // 4), padded(n_out)
    whole = np.zeros((units, 4 * n_words), np.int8)
    whole[:n_out, :n_in] = W
    words = whole.view("<i4").astype(np.int32)
    panels = words.reshape(-1, OCTET_PANEL, n_words).transpose(0, 2, 1)
    return np.ascontiguousarray(panels)


def lay_out(model: Int8Model) -> tuple[Array, Array]:
    """Return the table of layers and the vector of 32-bit numbers that its offsets point into.

    The fields of a row are those of `step.int8_prediction.LayerRow`.
    """
    parts: list[Array] = []

    def place(values: Any, dtype: Any) -> int:
        """Append a vector, padded to whole panels, and return where it begins."""
        start = sum(part.size for part in parts)
        vector = np.zeros(padded(np.size(values)), dtype)
        vector[: np.size(values)] = values
        parts.append(vector.view(np.float32))
        return start

    rows = [(0, model.layers[0].W.shape[1], 0, 0, 0, 0, *_output(model.input, place))]
    for layer in model.layers:
        n_out, n_in = layer.W.shape
        words = place(pack_panels(layer.W).reshape(-1), np.int32)
        bias, factor = place(layer.bias, np.int32), place(layer.factor, np.float32)
        output = (0, 0) if layer.output is None else _output(layer.output, place)
        rows.append((n_in, n_out, words, bias, factor, int(layer.code), *output))
    return np.array(rows, np.int64).reshape(-1), np.concatenate(parts)


def _output(output: Bytes, place: Any) -> tuple[int, int]:
    """Return the offset of a scale and the zero point."""
    return place([output.scale], np.float32), output.zero_point
