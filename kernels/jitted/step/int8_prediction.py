"""The prediction by an int8 model: blocks of examples go through all layers as bytes.

The layers stand in a table, a row of `LayerRow` for each, whose offsets point into a vector of
32-bit numbers: packed weights, biases, factors and scales. Threads take whole blocks and never wait
for each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...opcodes import Activation
from ..codegen.pointers import view, view_matrix
from ..compiler.definitions import entry, restrict_dtypes
from ..compiler.jit import inlined, kernel
from ..first_layer.scaled_gather import gather
from ..gemm.int8_dense import Panels, Stored, multiply_int8, quantize_rows
from ..int8_layout import (
    GATHER_ROWS,
    INT8_ROWS,
    LAYER_FIELDS,
    OCTET_PANEL,
    padded,
    thread_scratch,
)
from ..ops.activations import activate
from ..ops.optimizers import largest
from ..records import Matrix

SOFTMAX, IDENTITY, RELU = (
    int(code) for code in (Activation.SOFTMAX, Activation.IDENTITY, Activation.RELU)
)
restrict_dtypes("int8 prediction", (np.dtype(np.float32),))

_padded, _thread_scratch = inlined(padded), inlined(thread_scratch)


class LayerRow(NamedTuple):
    """A layer's row of the table."""

    n_in: int
    n_out: int
    words: int  # offset of its packed weights
    bias: int  # offset of its biases
    factor: int  # offset of its factors
    code: int  # its `Activation`
    scale: int  # offset of the scale of its output's bytes
    zero: int  # zero point of its output's bytes


@inlined
def _layer(table, number):
    """Return a LayerRow: row `number` of the table of layers (rows · LAYER_FIELDS,)."""
    t = number * LAYER_FIELDS
    return LayerRow(
        table[t], table[t + 1], table[t + 2], table[t + 3], table[t + 4], table[t + 5],
        table[t + 6], table[t + 7],
    )  # fmt: skip


@kernel
def _read(kernel_ptrs, X, rows, scaling, first, numbers, scratch, parts):
    """Write the bytes of the examples X[rows], scaled; return a bool: are all numbers finite?

    first: the LayerRow whose output they are like: its n_out is the number of features. parts: an
    Int8Scratch, where in the vector `scratch` numbers are gathered and bytes go.
    """
    n, ld, finite = first.n_out, _padded(first.n_out) // 4, True
    for j in range(0, rows.size, GATHER_ROWS):
        count = min(GATHER_ROWS, rows.size - j)
        block = view_matrix(scratch, parts.gathered, count, n)
        gather(kernel_ptrs, X, view(rows, j, count), 0, scaling, block)
        finite = finite and largest(view(scratch, parts.gathered, count * n)) != np.inf
        quantize_rows(
            count, n, Matrix(scratch, parts.gathered, n), np.float64(numbers[first.scale]),
            np.float64(first.zero), Matrix(scratch, parts.octets + j * ld, ld),
        )  # fmt: skip
    return finite


@kernel
def _hidden(kernel_ptrs, layer, m, numbers, scratch, parts, x, y):
    """Write the bytes of a hidden layer's outputs from y on for those of its inputs from x on.

    layer: its LayerRow; m: examples; x, y: offsets in `scratch`; parts: an Int8Scratch.
    """
    n_in, n_out = layer.n_in, _padded(layer.n_out)
    panels = Panels(layer.words, (n_in + 3) // 4, layer.bias, layer.factor)
    A, C = Matrix(scratch, x, _padded(n_in) // 4), Matrix(scratch, y, n_out // 4)
    zero = np.float64(layer.zero)
    if layer.code == IDENTITY or layer.code == RELU:
        multiply_int8(n_out // OCTET_PANEL, m, numbers, panels, A, C, Stored(1, zero))
        return
    Z = Matrix(scratch, parts.values, n_out)
    multiply_int8(n_out // OCTET_PANEL, m, numbers, panels, A, Z, Stored(0, zero))
    line = view_matrix(scratch, parts.values, 1, m * n_out)
    activate(kernel_ptrs, layer.code, line, line, 0, m * n_out, 0, 1, line)
    quantize_rows(m, n_out, Z, np.float64(numbers[layer.scale]), zero, C)


@kernel
def _last(kernel_ptrs, layer, m, numbers, scratch, parts, x, out, start):
    """Write out[start : start + m] = A of the last layer for the bytes of its inputs from x on.

    layer: its LayerRow; parts: an Int8Scratch. out (examples, K), or (examples, 2) for a sigmoid of
    one unit z: (σ(−z), σ(z)). Each unit's numbers are laid side by side before g is taken of them.
    """
    n_in, ld, K = layer.n_in, _padded(layer.n_out), out.shape[1]
    panels = Panels(layer.words, (n_in + 3) // 4, layer.bias, layer.factor)
    A, Z = Matrix(scratch, x, _padded(n_in) // 4), Matrix(scratch, parts.values, ld)
    multiply_int8(ld // OCTET_PANEL, m, numbers, panels, A, Z, Stored(0, 0.0))
    if layer.n_out < K:
        for i in range(m):
            scratch[parts.columns + i] = -scratch[parts.values + i * ld]
            scratch[parts.columns + m + i] = scratch[parts.values + i * ld]
    else:
        for i in range(m):
            for k in range(K):
                scratch[parts.columns + k * m + i] = scratch[parts.values + i * ld + k]
    columns = view_matrix(scratch, parts.columns, K, m)
    spare = view_matrix(scratch, parts.columns + K * m, 2, m)
    if layer.code != IDENTITY:
        activate(kernel_ptrs, layer.code, columns, columns, 0, m, 0, K, spare)
    for i in range(m):
        for k in range(K):
            out[start + i, k] = scratch[parts.columns + k * m + i]


@entry("T I1 F1 InputScaling X I1 F2 F1 I1 Team", requires="int8 prediction")
def predict_int8(kernel_ptrs, table, numbers, scaling, X, rows, out, scratch, nonfinite, team):
    """out[i] ← A of the last layer for the examples X[rows[i]]; this thread's blocks of them.

    table (layers · LAYER_FIELDS,): a LayerRow for the bytes of X, as if they were a layer's output,
    and one for each layer; numbers: what their offsets point into. scaling: the InputScaling of X,
    an Input; rows (m,): indices of examples. out (m, K), or (m, 2) for one sigmoid. scratch: memory
    of the threads, INT8_ROWS examples each; nonfinite (n_threads,): becomes 1 where a thread has
    found NaN or infinity in X.
    """
    _, tid, n_threads = team
    size = scratch.size // n_threads
    n_layers = table.size // LAYER_FIELDS - 1
    units = 0
    for number in range(1, n_layers + 1):
        units = max(units, _padded(_layer(table, number).n_out))
    widest = max(units, _padded(_layer(table, 0).n_out))
    parts = _thread_scratch(tid * size, widest, units, out.shape[1])
    for start in range(tid * INT8_ROWS, rows.size, n_threads * INT8_ROWS):
        m = min(INT8_ROWS, rows.size - start)
        own, first = view(rows, start, m), _layer(table, 0)
        if not _read(kernel_ptrs, X, own, scaling, first, numbers, scratch, parts):
            nonfinite[tid] = 1
        x, y = parts.octets, parts.other
        for number in range(1, n_layers):
            layer = _layer(table, number)
            _hidden(kernel_ptrs, layer, m, numbers, scratch, parts, x, y)
            x, y = y, x
        last = _layer(table, n_layers)
        _last(kernel_ptrs, last, m, numbers, scratch, parts, x, out, start)
