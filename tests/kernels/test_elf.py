"""Linking object code without LLVM: the same functions, and what is left to LLVM."""

import ctypes

import pytest
from fastnn.kernels.jitted.loader import elf, linker, target

llvm = target.llvm()
pytestmark = pytest.mark.skipif(
    not elf.SUPPORTED or llvm is None, reason="elf.py links on Linux and x86-64 alone"
)

CODE = """
@table = internal constant [3 x i64] [i64 5, i64 7, i64 11]
@counted = internal global i64 0
declare double @pow(double, double)
define i64 @"entry of {name}"(i64 %i) {{
  %place = getelementptr [3 x i64], ptr @table, i64 0, i64 %i
  %x = load i64, ptr %place
  %c = load i64, ptr @counted
  %y = add i64 %x, %c
  ret i64 %y
}}
define double @"power of {name}"(double %x) {{
  %y = call double @pow(double %x, double 2.5)
  ret double %y
}}
"""


def compiled(code, **options):
    """The object code of LLVM code, by default as kernels are compiled."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    options = {"reloc": "static", "codemodel": "jitdefault", "jit": True, "opt": 2} | options
    machine = llvm.Target.from_default_triple().create_target_machine(**options)
    return machine.emit_object(llvm.parse_assembly(code))


def integers(address):
    """The function of an int64 at an address."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)


@pytest.fixture
def fresh():
    """A linker that has linked nothing."""
    return linker._Linker()


class TestOwnWay:
    def test_data_and_calls_of_the_c_library_are_found(self, fresh):
        names = ["entry of a", "power of a"]
        found = elf.link([compiled(CODE.format(name="a"))], fresh.address_of)
        assert set(names) <= set(found)
        assert [integers(found[names[0]])(i) for i in range(3)] == [5, 7, 11]
        power = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(found[names[1]])
        assert power(4.0) == 32.0

    def test_objects_call_each_other_and_earlier_ones(self, fresh):
        call = (
            "declare i64 @{callee}(i64)\ndefine i64 @{name}(i64 %i) {{\n"
            "  %x = call i64 @{callee}(i64 %i)\n  %y = add i64 %x, 1\n  ret i64 %y\n}}"
        )
        first = call.format(name="f", callee='"entry of b"')
        second = call.format(name="g", callee="f")
        fresh.link({"entry of b": compiled(CODE.format(name="b")), "f": compiled(first)})
        fresh.link({"g": compiled(second)})
        assert integers(fresh.addresses["g"])(2) == 13
        assert fresh._engine is None

    def test_no_symbol_of_one_object_hides_that_of_another(self, fresh):
        """Both have a table of their own under one name that only they may refer to."""
        other = CODE.format(name="d").replace("i64 5", "i64 50")
        fresh.link({"entry of c": compiled(CODE.format(name="c")), "entry of d": compiled(other)})
        values = [integers(fresh.addresses[f"entry of {name}"])(0) for name in "cd"]
        assert values == [5, 50]


class TestLeftToLLVM:
    def test_relocations_of_position_independent_code(self, fresh):
        code = compiled(CODE.format(name="e"), reloc="pic", codemodel="default")
        with pytest.raises(elf.UnsupportedError, match="relocations of type"):
            elf.link([code], fresh.address_of)
        fresh.link({"entry of e": code})
        assert integers(fresh.addresses["entry of e"])(1) == 7
        assert fresh._engine is not None

    def test_llvm_finds_what_was_linked_without_it(self, fresh):
        fresh.link({"entry of h": compiled(CODE.format(name="h"))})
        call = (
            'declare i64 @"entry of h"(i64)\ndefine i64 @k(i64 %i) {\n'
            '  %x = call i64 @"entry of h"(i64 %i)\n  ret i64 %x\n}'
        )
        fresh.link({"k": compiled(call, reloc="pic", codemodel="large")})
        assert integers(fresh.addresses["k"])(2) == 11

    def test_a_symbol_that_nobody_knows(self, fresh):
        code = compiled(
            "declare void @unheard_of()\ndefine void @n() { call void @unheard_of() ret void }"
        )
        with pytest.raises(elf.UnsupportedError, match="unheard_of is not known"):
            elf.link([code], fresh.address_of)

    @pytest.mark.parametrize("place", [4, 16, 18])  # class, type and machine
    def test_files_of_another_kind(self, place, fresh):
        code = bytearray(compiled(CODE.format(name="o")))
        code[place] ^= 3
        with pytest.raises(elf.UnsupportedError, match="no object file of x86-64"):
            elf.link([code], fresh.address_of)


def test_every_kernel_of_a_fit_is_linked_without_llvm():
    import numpy as np
    from fastnn.kernels.jitted.loader.linker import LINKER
    from fastnn.kernels.jitted.loader.source import source

    from fastnn import Network

    net = Network.mlp([3, 4, 1], output="sigmoid")
    net.fit(np.eye(3), [0, 1, 1], epochs=1, progress=False)
    net.predict(np.eye(3))
    # Users' functions, which other tests may have compiled here, are left to LLVM, and not kept.
    codes = [code for name in LINKER.addresses if (code := source().store.read(name))]
    assert codes
    assert elf.link(codes, LINKER.address_of)


@pytest.mark.skipif(not target._linux_flags(), reason="/proc/cpuinfo names no flags")
def test_linux_and_llvm_name_the_same_features():
    flags, features = target._linux_flags(), target._host_features()
    wanted = {name for level in target.LEVELS.values() for name in level.required} - {"neon"}
    named = {name for name in wanted if target._LINUX_NAMES.get(name, name) in flags}
    assert named == {name for name in wanted if features.get(name)}


def test_addresses_are_stored_with_their_addends(fresh):
    """The second element of a constant is referred to by the table's symbol and an addend."""
    code = (
        CODE.format(name="q")
        .replace("i64 %i\n", "i64 1\n")
        .replace("i64 0, i64 %i", "i64 0, i64 1")
    )
    found = elf.link([compiled(code)], fresh.address_of)
    assert integers(found["entry of q"])(0) == 7
