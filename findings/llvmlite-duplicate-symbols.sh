#!/usr/bin/env bash
# In llvmlite's MCJIT two object files may define one function: callers get the first, lookups the last.
#
# Versions: llvmlite 0.50.0 (CPython 3.11, x86-64).
# Guess: the second definition is refused, as a linker of programs does ("multiple definition").
# What happens: no error and no warning. A caller in a third object runs the first definition, while
#   get_function_address returns the second one, so that one process runs both under one name. Who
#   keeps compiled functions as objects and loads them later must therefore make every symbol
#   unique, and all helpers internal; names that a compiler numbers anew in each process are not.
# Output seen:
#   a caller gets 1, the address is that of 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q llvmlite==0.50.0
"$folder/venv/bin/python" - <<'PY'
import ctypes

import llvmlite.binding as llvm

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()
target = llvm.Target.from_default_triple()


def machine():
    return target.create_target_machine(jit=True)


def compiled(code):
    return llvm.ObjectFileRef.from_data(machine().emit_object(llvm.parse_assembly(code)))


engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())
engine.add_object_file(compiled("define i32 @g() { ret i32 1 }"))
engine.add_object_file(
    compiled("declare i32 @g()\ndefine i32 @caller() { %x = call i32 @g() ret i32 %x }")
)
engine.add_object_file(compiled("define i32 @g() { ret i32 2 }"))
engine.finalize_object()
function = ctypes.CFUNCTYPE(ctypes.c_int)
called = function(engine.get_function_address("caller"))()
found = function(engine.get_function_address("g"))()
print(f"a caller gets {called}, the address is that of {found}")
assert (called, found) == (1, 2)
PY
