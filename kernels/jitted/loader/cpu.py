"""The CPU that kernels are compiled for, recognised by the code that LLVM emits for probes."""

from __future__ import annotations

from typing import NamedTuple


class CPU(NamedTuple):
    """The properties of the CPU, as far as LLVM uses them, that kernels depend on."""

    vector_bytes: int  # bytes of a vector register
    vector_registers: int  # number of vector registers
    fma: bool  # whether one instruction computes x·y + z and rounds once
    vnni: bool  # whether it has vpdpbusd, which adds 4 products uint8 · int8 to each of 16 int32
    bf16: bool  # whether one instruction rounds the float32 of a vector to bfloat16

    @property
    def instruction_set(self) -> str:
        """The name of this CPU's instruction set: the key of its sizes in BLOCK_SIZES."""
        if self.vector_bytes == 64:
            return "avx512"
        if self.vector_registers == 32:
            return "neon"
        return "avx2+fma" if self.fma else "baseline"

    @property
    def dots_bf16(self) -> bool:
        """Whether it has AVX512-BF16: vdpbf16ps adds 2 products of bfloat16 to each of 16 float32.

        CPUs whose vectors are shorter may round to bfloat16 without multiplying.
        """
        return self.bf16 and self.vector_bytes == 64


# LLVM code whose assembly tells `probe` what the CPU has: a multiply-add of 16 float32, a dot
# product of 64 uint8 with 64 int8, and 16 float32 rounded to bfloat16.
_PROBE_FMA = """
define void @probe(ptr %p) {
  %x = load <16 x float>, ptr %p, align 4
  %y = call <16 x float> @llvm.fma.v16f32(<16 x float> %x, <16 x float> %x, <16 x float> %x)
  store <16 x float> %y, ptr %p, align 4
  ret void
}
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
"""
_PROBE_VNNI = """
define i32 @probe(<64 x i8> %a, <64 x i8> %b) {
  %x = zext <64 x i8> %a to <64 x i32>
  %y = sext <64 x i8> %b to <64 x i32>
  %z = mul <64 x i32> %x, %y
  %s = call i32 @llvm.vector.reduce.add.v64i32(<64 x i32> %z)
  ret i32 %s
}
declare i32 @llvm.vector.reduce.add.v64i32(<64 x i32>)
"""
_PROBE_BF16 = """
define void @probe(ptr %p) {
  %x = load <16 x float>, ptr %p, align 4
  %y = fptrunc <16 x float> %x to <16 x bfloat>
  store <16 x bfloat> %y, ptr %p, align 2
  ret void
}
"""


def probe(target):
    """Return the CPU of a `target.Target`: what LLVM makes of it, whatever its name promises.

    It is recognised by the instructions in the assembly of the probes, LLVM code above.
    """
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple = binding.get_process_triple()
    machine = binding.Target.from_triple(triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, jit=True
    )

    def assembly(code):
        """Return the assembly (a str) of a probe, a str of LLVM code."""
        module = binding.parse_assembly(f'target triple = "{triple}"{code}')
        return machine.emit_assembly(module)

    code = assembly(_PROBE_FMA)
    if "zmm" in code:
        vector_bytes, vector_registers, fma = 64, 32, True
    elif "vfmadd" in code:
        vector_bytes, vector_registers, fma = 32, 16, True
    elif "fmla" in code:
        vector_bytes, vector_registers, fma = 16, 32, True
    else:
        vector_bytes, vector_registers, fma = 16, 16, False
    rounding = assembly(_PROBE_BF16)
    return CPU(
        vector_bytes,
        vector_registers,
        fma,
        vnni=vector_bytes == 64 and "vpdpbusd" in assembly(_PROBE_VNNI),
        bf16="vcvtneps2bf16" in rounding or "bfcvtn" in rounding,
    )
