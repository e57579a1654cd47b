"""How Numba compiles our functions: the passes that they need, and libraries that are never loaded.

Numba's own pipeline has 27 passes, for closures, lists, context managers and parallel loops too. It
emits machine code for each function that a kernel calls, and translates an inlined function anew at
each of its calls. Without all that a kernel takes four fifths of the time, and gives the same bits.
"""

from __future__ import annotations

import copy
from typing import Any

from numba.core import ir, typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.inline_closurecall import InlineWorker


class ObjectLibrary(JITCodeLibrary):
    """The LLVM code of a function: linked and optimised as Numba does it, but never loaded."""

    def _finalize_final_module(self):
        """Note that the code is complete; Numba would emit machine code and load it."""
        self._finalized = True


class _Block(ir.Block):
    """A block of an inlined function's IR, of which `copy.deepcopy` copies what inlining changes.

    Numba copies the IR twice for each call, with every name's place in the source: a tenth of the
    time of a compilation.
    """

    def __deepcopy__(self, memo):
        """Return a copy with statements and a scope of its own; names and constants are shared."""
        scope = copy.copy(self.scope)
        scope.localvars = copy.copy(scope.localvars)
        scope.localvars._con = dict(scope.localvars._con)
        scope.redefined = scope.redefined.copy()
        scope.var_redefinitions = {k: set(v) for k, v in scope.var_redefinitions.items()}
        block = _Block(scope, self.loc)
        block.body = [_copy_of(statement) for statement in self.body]
        return block


def _copy_of(statement):
    """Return a copy of a statement of Numba's IR, and of the expression that it assigns."""
    statement = copy.copy(statement)
    if isinstance(statement, ir.Assign) and isinstance(statement.value, ir.Expr):
        statement.value = copy.copy(statement.value)
        statement.value._kws = dict(statement.value._kws)
    return statement


_inlined: dict[Any, Any] = {}  # Python function → its Numba IR, with blocks of the class `_Block`


class _Inliner(InlineWorker):
    """Numba's inliner, which here translates each function once in a process."""

    def run_untyped_passes(self, func, enable_ssa=False):
        """Return the Numba IR of a Python function."""
        if func not in _inlined:
            self._compiler_pipeline = lambda state: _passes(_UNTYPED)
            self.flags: Any = self.flags.copy()  # Numba would switch SSA off for the caller
            found = super().run_untyped_passes(func, enable_ssa)
            for label, block in found.blocks.items():
                found.blocks[label] = _Block(block.scope, block.loc)
                found.blocks[label].body = block.body
            _inlined[func] = found
        return _inlined[func]


@register_pass(mutates_CFG=True, analysis_only=False)
class _Inline(untyped_passes.InlineInlinables):
    """Numba's pass that inlines functions decorated with inline="always", by `_Inliner`."""

    _name = "inline_in_kernels"

    def _do_work(self, state, work_list, block, i, expr, inline_worker):
        """Inline the call `expr`, statement i of a block, if it is one; return whether it was."""
        context = state.typingctx, state.targetctx
        inliner = _Inliner(*context, state.locals, state.pipeline, state.flags)
        return super()._do_work(state, work_list, block, i, expr, inliner)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lower(typed_passes.NativeLowering):
    """Numba's pass that emits LLVM code, into an ObjectLibrary and without wrappers."""

    _name = "lower_kernels"

    def run_pass(self, state):
        """Emit the function's LLVM code, and let its callers find it."""
        context, flags = state.targetctx, state.flags
        state.library = ObjectLibrary(context.codegen(), state.func_id.func_qualname)
        context.refresh()
        # Numba looks for new definitions at every other operator; this context is this function's.
        context.refresh = lambda: None
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        super().run_pass(state)
        # Numba's dispatcher files a function under its entry point, which must be one of C.
        entry_point = [].clear
        context.insert_user_function(entry_point, state["cr"].fndesc, [state.library])
        state["cr"] = state["cr"]._replace(cfunc=entry_point)
        return True


_UNTYPED = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.RewriteSemanticConstants,
    untyped_passes.GenericRewrites,
    _Inline,
    untyped_passes.DeadBranchPrune,
)
_TYPED = (
    untyped_passes.ReconstructSSA,
    untyped_passes.DeadBranchPrune,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.IRLegalization,
    _Lower,
    typed_passes.NoPythonBackend,
)


def _passes(classes):
    """Return Numba's PassManager of passes, given by their classes."""
    manager = PassManager("kernel")
    for each in classes:
        manager.add_pass(each, each.__name__)
    manager.finalize()
    return manager


class KernelPipeline(CompilerBase):
    """The pipeline of functions that only compiled code calls; Python cannot call them."""

    def define_pipelines(self):
        """Return the list of pipelines that Numba tries: one."""
        return [_passes(_UNTYPED + _TYPED)]
