"""The compiled functions that Python calls, which are looked up when a call first needs one.

It alone brings the compiler into `execution` and `threads`: what runs kernels from elsewhere fills
this one place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple


class CompiledKernels(NamedTuple):
    """Compiled functions and what fills the table of kernels that they call."""

    kernel_pointers: Callable[..., Any]
    run: Callable[..., Any]
    predict: Callable[..., Any]
    evaluate: Callable[..., Any]
    gradient: Callable[..., Any]
    update: Callable[..., Any]
    single_row: Callable[..., Any]
    shared_single_row: Callable[..., Any]
    serve_rows: Callable[..., Any]
    cost_differences: Callable[..., Any]
    slopes_of: Callable[..., Any]
    standardize: Callable[..., Any]
    penalty: Callable[..., Any]


@cache
def compiled_kernels():
    """Return the CompiledKernels of this process; the first call imports the compiler."""
    from ..api.matrix_ops import standardize
    from ..api.vector_ops import penalty
    from ..compiler.dispatch_table import kernel_pointers
    from ..step import gradient, gradient_check, loop, single_row, update

    return CompiledKernels(
        kernel_pointers=kernel_pointers,
        run=loop.run_steps,
        predict=loop.predict_blocks,
        evaluate=loop.evaluate_blocks.kernel,
        gradient=gradient.batch_gradient.kernel,
        update=update.update_parameters.kernel,
        single_row=single_row.single_row,
        shared_single_row=single_row.shared_single_row,
        serve_rows=single_row.serve_rows,
        cost_differences=gradient_check.cost_differences,
        slopes_of=gradient_check.slopes_of,
        standardize=standardize,
        penalty=penalty,
    )
