"""Predictions by an int8 model: its numbers are packed once, and kept with what calls need."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ...backend import accept_input, one_thread
from ...int8_model import FUSED, Int8Model
from ...views import aligned_scratch, aligned_zeros, statistics
from ..first_layer.input_descriptor import describe_input, reader
from ..int8_layout import INT8_ROWS, lay_out, scratch_size
from ..loader.tables import entry_point
from ..records import InputScaling
from ..requirements import of_activation
from ..threads.scratch import scratch
from ..threads.team import ALONE, accumulate_flops, run_parallel
from .entry import MIN_FLOPS_PER_STEP, MIN_STEPS_TO_START
from .kernel_selection import kernel_pointers

SINGLE = np.dtype(np.float32)


class _Kept(threading.local):
    """What each thread keeps for calls of up to INT8_ROWS examples, by dtype of X and outputs.

    `prepared` is a dict from (dtype, K) to (kernel pointers, Input, memory, flag of one thread).
    """

    def __init__(self):
        """Begin with an empty dict; this runs in each thread that first uses the object."""
        self.prepared: dict[Any, Any] = {}


class Int8Predictor:
    """Predicts by an int8 model, whose weights it packs.

    `kept` holds what threads keep for small calls: of one row of a small network, Python's way into
    a call takes longer than its arithmetic.
    """

    def __init__(self, model: Int8Model) -> None:
        self.model, self.kept = model, _Kept()
        self.table, numbers = lay_out(model)
        self.numbers = aligned_zeros(numbers.size, SINGLE)
        self.numbers[...] = numbers
        shift, factor, rest = statistics(model.state, model.ops[0])
        self.scaling = InputScaling(shift, factor, rest, float(model.ops[0]["offset"]))
        self.multiplications = sum(layer.W.size for layer in model.layers)
        codes = {layer.code for layer in model.layers[:-1]} - set(FUSED)
        self.required = {"int8 prediction", *map(of_activation, codes | {model.layers[-1].code})}
        self.function = entry_point("step.int8_prediction.predict_int8", SINGLE)
        self.rows = np.arange(INT8_ROWS)

    def predict(self, X, out, threads=one_thread, check=accept_input):
        """Write A (m, K) of the last layer for X (m, n_in), an array or CSR rows.

        out: C-contiguous float32, (m, K), or (m, 2) for one sigmoid; threads(): returns how many
        threads may be used; check() raises an error if X is not finite: it is called only if a
        kernel has found NaN or infinity.
        """
        m, K = out.shape
        found = None
        if m <= INT8_ROWS and type(X) is np.ndarray and X.flags.carray:
            found = self.kept.prepared.get((X.dtype, K))
        if found is None:
            self._predict(X, out, threads, check)
            return
        pointers, x, memory, nonfinite = found
        x = (X.__array_interface__["data"][0], *x[1:])
        self.function(
            pointers, self.table, self.numbers, self.scaling, x, self.rows[:m], out, memory,
            nonfinite, ALONE,
        )  # fmt: skip
        if nonfinite[0]:
            nonfinite[0] = 0
            check()

    def _predict(self, X, out, threads, check):
        """Do what `predict` says for rows of any number and memory order; prepare small calls."""
        (m, K), (x, described) = out.shape, describe_input(X)
        pointers = kernel_pointers(SINGLE, frozenset({*self.required, reader(described)}))
        blocks, n_threads = -(-m // INT8_ROWS), 1
        enough = MIN_STEPS_TO_START * MIN_FLOPS_PER_STEP
        if blocks > 1 and accumulate_flops(m * self.multiplications) >= enough:
            n_threads = min(max(1, threads()), blocks)
        size = scratch_size(self.model, K)
        memory = scratch(n_threads * size, SINGLE)[: n_threads * size]
        nonfinite = np.zeros(n_threads, np.int64)
        arguments = pointers, self.table, self.numbers, self.scaling, x, np.arange(m), out, memory
        run_parallel(self.function, (*arguments, nonfinite), n_threads)
        if any(nonfinite.tolist()):
            check()
        if m <= INT8_ROWS and described is X and isinstance(X, np.ndarray) and X.flags.carray:
            flag = np.zeros(1, np.int64)
            self.kept.prepared[X.dtype, K] = pointers, x, aligned_scratch(size, SINGLE), flag


def int8_predictor(model: Int8Model) -> Any:
    """Return the function (X, out, threads, check) that predicts by an int8 model."""
    return Int8Predictor(model).predict
