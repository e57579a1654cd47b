"""BACKEND, the compiled backend: its ops, and the calls that run a program."""

from __future__ import annotations

from ..backend import Backend
from .api import matrix_ops, vector_ops
from .api.checks import checked
from .execution import entry, gradient_check, kept_prediction, kernel_selection, work
from .loader import source, tables
from .threads import team


class Compiled(Backend):
    """The `Backend` whose calls run compiled programs, by the functions of `execution`."""

    workspace = staticmethod(entry.workspace)
    forward = staticmethod(entry.forward)
    predict = staticmethod(entry.predict)
    predict_rows = staticmethod(kept_prediction.predict_rows)
    evaluate = staticmethod(entry.evaluate)
    gradient = staticmethod(entry.gradient)
    update = staticmethod(entry.update)
    run = staticmethod(entry.run)
    run_all = staticmethod(entry.run_all)
    gradient_check = staticmethod(gradient_check.gradient_check)
    shares_steps = staticmethod(work.shares_steps)
    first_steps = staticmethod(work.first_steps)
    keep_team = staticmethod(team.keep_team)
    compile_all = staticmethod(tables.provide_all)
    count_kept = staticmethod(tables.count_ready)

    def run_sharded(self, *args):
        """See `Backend.run_sharded`, whose arguments these are."""
        from .execution import sharded_fit  # only fits with shards need it

        return sharded_fit.run_sharded(*args)

    def int8_predictor(self, model):
        """See `Backend.int8_predictor`."""
        from .execution import int8_prediction  # only quantised networks need it

        return int8_prediction.int8_predictor(model)

    def rule_error(self, method, samples, values):
        """See `Backend.rule_error`. Custom methods are always compiled, so Numba is imported."""
        if reason := source.no_compiler():
            return reason
        from .ops import custom_methods

        return custom_methods.rule_error(method, samples, values)

    def compile_error(self, op, samples, values):
        """See `Backend.compile_error`. Custom ops are always compiled, so Numba is imported."""
        if reason := source.no_compiler():
            return reason
        from .compiler import custom_kernels

        return custom_kernels.compile_error(op, samples, values)


BACKEND = Compiled(
    name="jitted",
    available=source.source().level is not None or not source.no_compiler(),
    threaded=True,
    activations=matrix_ops.ACTIVATIONS,
    losses=matrix_ops.LOSSES,
    methods=vector_ops.METHODS,
    kinds=frozenset(kernel_selection.KINDS),
    standardize=matrix_ops.standardize,
    product=matrix_ops.product,
    philox=vector_ops.philox,
    dot=checked("dot", matrix_ops.dot),
    dense_forward=checked("dense_forward", matrix_ops.dense_forward),
    dense_backward=checked("dense_backward", matrix_ops.dense_backward),
    mixed_forward=checked("mixed_forward", matrix_ops.mixed_forward),
    mixed_backward=checked("mixed_backward", matrix_ops.mixed_backward),
    batch_moments=checked("batch_moments", matrix_ops.batch_moments),
    batchnorm_forward=checked("batchnorm_forward", matrix_ops.batchnorm_forward),
    batchnorm_backward=checked("batchnorm_backward", matrix_ops.batchnorm_backward),
    dropout=checked("dropout", vector_ops.dropout),
    noise=checked("noise", vector_ops.noise),
    shuffle=checked("shuffle", vector_ops.shuffle),
    penalty=checked("penalty", vector_ops.penalty),
    norm=checked("norm", vector_ops.norm),
    largest=checked("largest", vector_ops.largest),
    clip=checked("clip", vector_ops.clip),
    bound_norms=checked("bound_norms", vector_ops.bound_norms),
)
