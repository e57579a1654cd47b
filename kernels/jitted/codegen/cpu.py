"""The CPU that kernels are compiled for, and every tile and block size by its instruction set.

The names are those of BLIS: a micro-kernel holds MR × NR elements of C in registers and takes KC
products for each; a macro-kernel packs (KC, NC) of B and (MC, KC) of A for the caches. A new
instruction set is one row of BLOCK_SIZES and one branch of `CPU.instruction_set`.

References: Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS
functionality", ACM Transactions on Mathematical Software 41 (3), 2015.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

CACHE_LINE = 64  # bytes


class CPU(NamedTuple):
    """What LLVM uses of this CPU."""

    vector_bytes: int
    vector_registers: int
    fma: bool  # one instruction multiplies, adds and rounds once
    vnni: bool  # one instruction multiplies 64 pairs of bytes and adds them up by fours (vpdpbusd)
    bf16: bool  # one instruction rounds float32 to bfloat16

    @property
    def instruction_set(self) -> str:
        """The row of BLOCK_SIZES for this CPU."""
        if self.vector_bytes == 64:
            return "avx512"
        if self.vector_registers == 32:
            return "neon"
        return "avx2+fma" if self.fma else "baseline"


class BlockSizes(NamedTuple):
    """Tile and block sizes; those with a default hold for every instruction set.

    A tile's sums, a row of one factor and a broadcast of the other fill the vector registers.
    """

    # gemm/microkernel.py
    MR: int  # rows of C that a tile holds
    NR_VECTORS: int  # vectors of each of these rows
    # gemm/small_k.py
    SMALL_K_MR: int  # rows of A whose elements the registers hold while rows of B pass
    # gemm/inner_product.py: (rows of A, rows of Bᵀ) of a tile of dot products
    DOT_TILE_WIDE: tuple[int, int]
    DOT_TILE: tuple[int, int]
    DOT_TILE_ONE: tuple[int, int]
    # first_layer/strided_gemm.py, by the outputs of a tile from 1 on
    STRIDED_MR: tuple[int, ...]  # rows of X of a forward tile
    STRIDED_NR_VECTORS: tuple[int, ...]  # vectors of features of a backward tile

    DOT_TILE_TWO: tuple[int, int] = (4, 2)
    SMALL_K_KC: int = 4  # rows of B that pass at a time
    KC: int = 128  # rows of B that a tile takes at a time: a panel stays in the first-level cache
    NR_MAX: int = 64  # elements of the widest tile's row, of any instruction set and dtype
    #: Most rows of B for which `multiply_small_k` is called, for one row of C, for up to
    #: SMALL_K_MAX_M rows, and for more: tiles took 1.1 to 3.4 times as long there (AVX-512,
    #: float32), and no longer beyond.
    SMALL_K_MAX_ONE_ROW: int = 32
    SMALL_K_MAX: int = 8
    SMALL_K_MAX_MANY_ROWS: int = 4
    SMALL_K_MAX_M: int = 32

    # gemm/blocked.py
    #: Rows of A, rows of B and columns of B in a block. Cubes of 1024 run at 151 GFLOP/s, with
    #: twice MC at 148, with all rows of A for each panel at 124 (Xeon, float32).
    MC: int = 48
    KC_LARGE: int = 256
    NC: int = 256
    #: Rows of C from which on a block has KC_LARGE rows of B, for C then passes the caches half as
    #: often: 2048 × 2048 × 256 runs at 157 GFLOP/s instead of 143, but 128 × 512 × 784 at 136
    #: instead of 142.
    KC_LARGE_MIN_M: int = 192
    #: Rows of C up to which whole tiles of a row-major B are not packed: 32 × 512 × 784 takes 7 to
    #: 10 % less time (Xeon, vectors within cache lines). With more rows that pays only where all
    #: vectors lie within cache lines, and arrays of the user seldom do.
    MAX_M_UNPACKED: int = 32
    #: Bytes between the columns of A from which on A is packed: a cube of 1024 runs at 149 GFLOP/s,
    #: unpacked at 137 (Xeon); 256 × 784 × 2048 of float64 takes 4 to 12 % less time, a cube of 512
    #: of float32 4 % (EPYC).
    MIN_STRIDE_PACK_A: int = 2048
    MAX_N_DOT: int = 15  # columns of C up to which C or its transpose is dot products
    MAX_M_DOT: int = 32  # rows of C up to which it is dot products where B is column-major
    MIN_K_DOT: int = 128  # terms of a dot product: of 32 they are slower than tiles, of 256 faster

    # gemm/packing.py
    #: Rows that are prefetched before they are transposed, where one fills a cache line: 256 rows
    #: of 54 numbers of a large table took 6.9 µs without, 2.6 with.
    PREFETCH_DISTANCE: int = 32

    # ops/dense.py
    #: Bytes of a row of W from which on W is transposed, KC rows at a time: a column then meets too
    #: few sets of the first-level cache and too many pages. A gradient of 3000 → 3000 takes 10 to
    #: 21 % less time, of 2000 → 2000 5 to 10 %, of 1024 → 1024 up to 3 % more (Xeon, batches of 64
    #: and 128).
    MIN_STRIDE_PACK_W: int = 6 * 1024

    # first_layer/int8_gemm.py: rows of limbs and words of four bytes in a row of a tile
    INT8_MR: int = 4
    INT8_NR: int = 32


#: One row for each instruction set. STRIDED_*: tiles of 1, 2 … outputs.
BLOCK_SIZES = {
    "avx512": BlockSizes(
        MR=6,
        NR_VECTORS=4,
        SMALL_K_MR=4,
        DOT_TILE_WIDE=(3, 8),
        DOT_TILE=(4, 4),
        DOT_TILE_ONE=(8, 1),
        STRIDED_MR=(8, 8, 7, 5, 5, 4, 3, 3, 3, 2),
        STRIDED_NR_VECTORS=(16, 8, 6, 6, 4, 4, 3, 3, 3, 2),
    ),
    "avx2+fma": BlockSizes(
        MR=6,
        NR_VECTORS=2,
        SMALL_K_MR=2,
        DOT_TILE_WIDE=(2, 4),
        DOT_TILE=(3, 3),
        DOT_TILE_ONE=(6, 1),
        STRIDED_MR=(6, 4, 3, 2, 2, 2),
        STRIDED_NR_VECTORS=(8, 4, 3, 3, 2, 2),
    ),
    "neon": BlockSizes(
        MR=6,
        NR_VECTORS=4,
        SMALL_K_MR=4,
        DOT_TILE_WIDE=(3, 8),
        DOT_TILE=(4, 4),
        DOT_TILE_ONE=(8, 1),
        STRIDED_MR=(8, 8, 7, 5, 5, 4, 3, 3, 3, 2),
        STRIDED_NR_VECTORS=(16, 8, 6, 6, 4, 4, 3, 3, 3, 2),
    ),
    "baseline": BlockSizes(  # a product and a sum take a register more than one fma
        MR=3,
        NR_VECTORS=4,
        SMALL_K_MR=2,
        DOT_TILE_WIDE=(2, 4),
        DOT_TILE=(3, 3),
        DOT_TILE_ONE=(6, 1),
        STRIDED_MR=(6, 4, 3, 2, 2, 2),
        STRIDED_NR_VECTORS=(8, 4, 3, 3, 2, 2),
    ),
}

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


def _assembly(probe):
    """What LLVM makes of a probe with the settings that Numba compiles by."""
    from llvmlite import binding
    from numba.core.registry import cpu_target

    target = f'target triple = "{binding.get_process_triple()}"'
    module = binding.parse_assembly(target + probe)
    return cpu_target.target_context.codegen()._tm.emit_assembly(module)


@cache
def detect_cpu() -> CPU:
    """Return the CPU for which Numba compiles.

    It is read from the code that LLVM emits, so NUMBA_CPU_NAME and NUMBA_CPU_FEATURES count.
    """
    code = _assembly(_PROBE_FMA)
    if "zmm" in code:
        vector_bytes, vector_registers, fma = 64, 32, True
    elif "vfmadd" in code:
        vector_bytes, vector_registers, fma = 32, 16, True
    elif "fmla" in code:
        vector_bytes, vector_registers, fma = 16, 32, True
    else:
        vector_bytes, vector_registers, fma = 16, 16, False
    rounding = _assembly(_PROBE_BF16)
    return CPU(
        vector_bytes,
        vector_registers,
        fma,
        vnni=vector_bytes == 64 and "vpdpbusd" in _assembly(_PROBE_VNNI),
        bf16="vcvtneps2bf16" in rounding or "bfcvtn" in rounding,
    )


def block_sizes() -> BlockSizes:
    """Return the tile and block sizes for `detect_cpu`."""
    return BLOCK_SIZES[detect_cpu().instruction_set]
