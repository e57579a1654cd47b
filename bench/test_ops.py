"""Every op of the table: loops, vectorized and jitted side by side, checked, then timed."""

from __future__ import annotations

import pytest

from fastnn import kernels

from .ops import OPS


@pytest.mark.benchmark(max_time=0.15, min_rounds=5)
@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("op", OPS, ids=lambda op: f"{op.row.name}-{op.dtype}")
def test_op(op, backend, timed):
    benchmark = timed(op.name, backend, dtype=op.dtype)
    op = op.small() if benchmark.disabled else op
    op.check(backend)
    call = op.call(backend)
    if backend == "loops":
        benchmark.pedantic(call, rounds=2)
    else:
        benchmark(call)
