"""How a run reads X: laid out as activations, multiplied where it lies, or read block by block."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...opcodes import AS_IT_IS, OP
from ..first_layer.strategy import multiplies_input_directly, select_strategy
from ..records import Input


class InputMode(NamedTuple):
    """What compiled code is told of X, and what the run keeps and needs for it."""

    ops: np.ndarray[Any, Any]  # the op table, perhaps with an INPUT row that is not laid out
    X: Input  # description of X for compiled code
    keepalive: Any  # the array behind the description
    required_kernels: set[str]  # what reads X needs, by the names of `kernel_selection`


def select_ops(ops, X, state, dtype, batch):
    """Return the op table of a run over X: another where its first DENSE row multiplies X directly.

    That is what it does with sparse rows where nothing is subtracted from them and few enough
    numbers are stored, and with bytes whose products are summed as integers. state: None where it
    is not known. batch: examples of a step, or of a prediction.
    """
    if multiplies_input_directly(ops, X, state, dtype, batch):
        return _without_input(ops.tobytes())
    return ops


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
    return InputMode(ops, *select_strategy(ops, state, X, dtype, batch))


def select_input_mode(ops, state, X, dtype, batch):
    """Return the InputMode of a run over X.

    batch: examples of a step, or of a prediction.
    """
    return describe_mode(select_ops(ops, X, state, dtype, batch), state, X, dtype, batch)
