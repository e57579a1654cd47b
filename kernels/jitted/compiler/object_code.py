"""Object code: what Numba and LLVM make of a definition, for one dtype and this process's target.

Numba infers types and emits LLVM code; here that is optimised as Numba would do it, and written as
object code under the kernel's own name, without Numba's wrappers for calls from Python.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba import types
from numba.core import compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from ..loader import elf
from ..loader.linker import LINKER, waits
from ..loader.manifest import kernel_of
from .definitions import definitions
from .entrance_code import entrance_module
from .jit import kernel, uncollected
from .pipeline import KernelPipeline
from .signatures import abi_argument_types, network_type

#: Numba's type of a result, by its letter in a definition.
RESULTS = {"": types.none, "f": types.float64, "i": types.int64, "b": types.boolean}


def _codegen() -> Any:
    """Return what compiles code in this process: Numba's code generator."""
    return cpu_target.target_context.codegen()


def _numba_library(dispatcher, signature, result):
    """Return (library, symbol) of a dispatcher's function, not optimised yet.

    signature: the tuple of its arguments' Numba types; result: Numba's type of its result.
    """
    descriptor, flags = dispatcher.targetdescr, compiler.Flags()
    descriptor.options.parse_as_flags(flags, dispatcher.targetoptions)
    found = compiler.compile_extra(
        descriptor.typing_context, descriptor.target_context, dispatcher.py_func, signature,
        result, flags, {}, pipeline_class=KernelPipeline,
    )  # fmt: skip
    return found.library, found.fndesc.llvm_func_name


def _optimized(library):
    """Return the LLVM module of a library with all that it calls, optimised as Numba does it."""
    module = library._final_module
    for linked in dict.fromkeys(library._linking_libraries):
        module.link_in(linked._get_module_for_linking(), preserve=True)
    library._optimize_final_module()
    return module


@global_compiler_lock
def compile_function(dispatcher, signature, result, name, kept=False):
    """Return the object code (bytes) of a dispatcher's function, under the symbol `name`.

    signature: the tuple of its arguments' Numba types; result: Numba's type of its result; kept:
    whether processes without Numba link the code too. All other functions of the module become its
    own: objects are linked by the names of kernels alone.
    """
    with uncollected():
        library, symbol = _numba_library(dispatcher, signature, result)
        module = _optimized(library)
        for item in (*module.functions, *module.global_variables):
            if not item.is_declaration and item.name != symbol:
                item.linkage = "internal"
        _require_known(module, name, kept)
        module.get_function(symbol).name = name
        return _codegen()._tm.emit_object(module)


def _require_known(module, name, kept):
    """Raise an error if a kernel's LLVM module calls a function that does not exist.

    LLVM would end the process that links it. Kernels call the C library, which every process has,
    the two waits of `loader/linker.py`, and LLVM's intrinsics; code that is not kept may also call
    functions of Numba, as users' functions do.
    """
    called = {item.name for item in module.functions if item.is_declaration} - waits().keys()
    outside = sorted(item for item in called if not item.startswith("llvm."))
    find = LINKER.address_of if kept and elf.SUPPORTED else llvm.address_of_symbol
    unknown = [item for item in outside if find(item) is None]
    if unknown:
        raise RuntimeError(f"kernel {name} calls {', '.join(unknown)}, which cannot be linked")


@global_compiler_lock
def _compile_entrance(definition, dtype, name):
    """Return the object code (bytes) of the entrance of a definition, under the symbol `name`."""
    codegen = _codegen()
    text = entrance_module(definition, dtype, name, codegen._tm.triple)
    module = llvm.parse_assembly(text)
    manager, builder = codegen._module_pass_manager()
    manager.run(module, builder)
    return codegen._tm.emit_object(module)


def compile_object(name):
    """Return the object code (bytes) of that name, as `manifest.object_names` makes them."""
    kernel_name, dtype, *is_entrance = kernel_of(name)
    definition = definitions()[kernel_name]
    if is_entrance:
        return _compile_entrance(definition, dtype, name)
    signature = abi_argument_types(definition.signature, network_type(dtype))
    function = kernel(definition.function)
    return compile_function(function, signature, RESULTS[definition.returns], name, kept=True)
