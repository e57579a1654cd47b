"""How a run reads X: copied into the workspace as A of the INPUT op row, or read in place.

Read in place, X is multiplied directly by the first DENSE op row's weights, or gathered and scaled
block by block.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...opcodes import AS_IT_IS, OP
from ..first_layer.strategy import multiplies_input_directly, select_strategy
from ..records import Input


class InputMode(NamedTuple):
    """How one run reads X."""

    ops: np.ndarray[Any, Any]  # the op table, changed if its DENSE op row multiplies X directly
    X: Input  # the description of X that compiled code takes
    keepalive: Any  # the array that X describes, which must live as long as the run
    required_kernels: set[str]  # requirements of the kernels that read X


def select_ops(ops, X, state, dtype, batch):
    """Return the op table of a run over X: `ops`, or one whose first DENSE op row multiplies X.

    That other table leaves out the copy of X to the workspace. It is chosen for sparse X that is
    not scaled and has few stored numbers, and for bytes that int8 kernels multiply. ops (rows,); X:
    an array or CSR rows, or None; state: the vector of statistics, None where it is not known;
    dtype: the network's; batch: examples of a step or of a prediction.
    """
    if multiplies_input_directly(ops, X, state, dtype, batch):
        return _without_input(ops.tobytes())
    return ops


@lru_cache(maxsize=256)
def _without_input(ops):
    """Return an op table (rows,): `ops` (bytes), changed so that a DENSE op row multiplies X."""
    ops = np.frombuffer(ops, OP).copy()
    if ops["A"][0] >= 0:  # A of the INPUT op row came first in the workspace and takes no place now
        ops["A"][1:-1] -= ops["n_out"][0]
        ops["Z"][1:-1] -= ops["n_out"][0]
    ops["A"][0] = AS_IT_IS
    return ops


def describe_mode(ops, state, X, dtype, batch):
    """Return the InputMode of a run over X with the op table `ops` (rows,), which is not exchanged.

    X (m, n): an array or CSR rows; state: the vector of statistics; dtype: the network's; batch:
    examples of a step or prediction.
    """
    return InputMode(ops, *select_strategy(ops, state, X, dtype, batch))


def select_input_mode(ops, state, X, dtype, batch):
    """Return the InputMode of a run over X; its ops multiply X directly where that is faster.

    X (m, n): an array or CSR rows; state: the vector of statistics; dtype: the network's; batch:
    examples of a step or prediction.
    """
    return describe_mode(select_ops(ops, X, state, dtype, batch), state, X, dtype, batch)
