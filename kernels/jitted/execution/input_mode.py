"""How a run reads X: laid out as activations, multiplied where it lies, or read block by block."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...csr import SparseRows
from ...opcodes import AS_IT_IS, OP, Kind
from ..codegen.pointers import MARK, describe_input, reader_of
from ..first_layer import int8_gemm, strategy, strided_gemm

#: Share of the numbers of sparse rows that are stored, up to which rows are multiplied as they are.
#: Laying a batch out was as fast at 1/22 for 8000 features in float32, at 1/8 for 2000.
MAX_DENSITY = 1 / 16


class InputMode(NamedTuple):
    """What compiled code is told of X, and what the run keeps and needs for it."""

    ops: np.ndarray[Any, Any]  # the op table, perhaps with an INPUT row that is not laid out
    X: tuple[int, ...]  # description of X for compiled code
    keepalive: Any  # the array behind the description
    required_kernels: set[str]  # what reads X needs, by the names of `kernel_selection`


def _multiplies_input_directly(ops, X, state, dtype, batch):
    """Tell whether a first DENSE row multiplies X where it lies, which else would be laid out."""
    if isinstance(X, SparseRows):
        return ops["stats"][0] == 0 and len(X.data) <= MAX_DENSITY * X.size
    if X is None or batch < int8_gemm.MANY or X.dtype != int8_gemm.UINT8 or ops["A"][0] < 0:
        return False
    if not int8_gemm.replace(ops, dtype, batch):
        return False
    return (
        state is None
        or strided_gemm.mark(describe_input(X)[0], ops[0], state)[3] == strategy.MARKED
    )


def select_ops(ops, X, state, dtype, batch):
    """Return the op table of a run over X: another where its first DENSE row multiplies X directly.

    That is what it does with sparse rows where nothing is subtracted from them and few enough
    numbers are stored, and with bytes whose products are summed as integers. state: None where it
    is not known. batch: examples of a step, or of a prediction.
    """
    direct = _multiplies_input_directly(ops, X, state, dtype, batch)
    if not direct or ops["kind"][1] != Kind.DENSE:
        return ops
    return _without_input(ops.tobytes())


@lru_cache(maxsize=256)
def _without_input(ops):
    """Return the op table in which X is multiplied directly, from the bytes of one."""
    ops = np.frombuffer(ops, OP).copy()
    if ops["A"][0] >= 0:  # the input's place, which is the first, is not needed
        ops["A"][1:-1] -= ops["n_out"][0]
        ops["Z"][1:-1] -= ops["n_out"][0]
    ops["A"][0] = AS_IT_IS
    return ops


def describe_mode(ops, state, X, dtype, batch):
    """Return the InputMode of a run whose op table reads X as `ops` says."""
    x, keepalive = describe_input(X)
    if ops["A"][0] >= 0:
        return InputMode(ops, x, keepalive, {reader_of(keepalive), "input"})
    x = strided_gemm.mark(x, ops[0], state)
    if x[3] >= MARK:
        x, required_kernels = strategy.chosen(x, keepalive.dtype, ops, dtype, batch)
        return InputMode(ops, x, keepalive, required_kernels)
    direct = isinstance(X, SparseRows) and ops["A"][0] == AS_IT_IS and ops["stats"][0] == 0
    required_kernels = {reader_of(keepalive), "sparse" if direct else "by blocks"}
    return InputMode(ops, x, keepalive, required_kernels)


def select_input_mode(ops, state, X, dtype, batch):
    """Return the InputMode of a run over X.

    batch: examples of a step, or of a prediction.
    """
    return describe_mode(select_ops(ops, X, state, dtype, batch), state, X, dtype, batch)
