"""The compiled functions that `execution` calls, imported when a call first needs one.

Only this module leads `execution` and `threads` to Numba, and only when `compiled_kernels` is
called. A process that gets compiled functions by other means needs to replace nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple


class CompiledKernels(NamedTuple):
    """The compiled functions that Python calls, and `kernel_pointers`, which makes a table."""

    kernel_pointers: Callable[..., Any]  # returns the kernel pointers (kernels,) for a call
    run: Callable[..., Any]  # takes the steps of a fit
    predict: Callable[..., Any]  # outputs of an op row for many examples
    evaluate: Callable[..., Any]  # cost and share of correctly classified examples
    gradient: Callable[..., Any]  # the gradient of one batch
    update: Callable[..., Any]  # one step of the optimiser
    update_by_rule: Callable[..., Any]  # one step of a custom one
    single_row: Callable[..., Any]  # the prediction of one example, on one thread
    shared_single_row: Callable[..., Any]  # the prediction of one example, with a row worker
    serve_rows: Callable[..., Any]  # the loop of a row worker's thread
    cost_differences: Callable[..., Any]  # central differences of a program's cost
    slopes_of: Callable[..., Any]  # central differences of any compiled function
    standardize: Callable[..., Any]  # A = (X − shift) factor + offset
    penalty: Callable[..., Any]  # the L2 and L1 penalty, and its gradient


@cache
def compiled_kernels():
    """Return the CompiledKernels of this process; the first call imports Numba."""
    from ..api.matrix_ops import standardize
    from ..api.vector_ops import penalty
    from ..compiler.custom_kernels import kernel_pointers
    from ..step import custom_update, gradient, gradient_check, loop, single_row, update

    return CompiledKernels(
        kernel_pointers=kernel_pointers,
        run=loop.run_steps,
        predict=loop.predict_blocks,
        evaluate=loop.evaluate_blocks.kernel,
        gradient=gradient.batch_gradient.kernel,
        update=update.update_parameters.kernel,
        update_by_rule=custom_update.update_by_rule.kernel,
        single_row=single_row.single_row,
        shared_single_row=single_row.shared_single_row,
        serve_rows=single_row.serve_rows,
        cost_differences=gradient_check.cost_differences,
        slopes_of=gradient_check.slopes_of,
        standardize=standardize,
        penalty=penalty,
    )
