"""The CPU that kernels are compiled for, and all tile and block sizes by its instruction set.

The names are those of BLIS for C (M, N) += A (M, K) B (K, N): a micro-kernel holds MR × NR elements
of C in registers and adds KC products to each; a macro-kernel packs blocks (KC, NC) of B and (MC,
KC) of A for the caches. Sizes of measured products are given as M × N × K. A new instruction set is
one row of BLOCK_SIZES and one branch of `CPU.instruction_set`.

References: Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS
functionality", ACM Transactions on Mathematical Software 41 (3), 2015.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

CACHE_LINE = 64  # bytes in a cache line, on every CPU


class CPU(NamedTuple):
    """The properties of the CPU, as far as LLVM uses them, that kernels depend on."""

    vector_bytes: int  # bytes of a vector register
    vector_registers: int  # number of vector registers
    fma: bool  # whether one instruction computes x·y + z and rounds once
    vnni: bool  # whether vpdpbusd adds 4 products uint8 · int8 to each of 16 int32
    bf16: bool  # whether one instruction rounds a vector of float32 to bfloat16

    @property
    def instruction_set(self) -> str:
        """The key in BLOCK_SIZES of this CPU's tile and block sizes."""
        if self.vector_bytes == 64:
            return "avx512"
        if self.vector_registers == 32:
            return "neon"
        return "avx2+fma" if self.fma else "baseline"


class BlockSizes(NamedTuple):
    """Tile and block sizes of one instruction set; a default holds for all of them.

    In the comments the product is C (M, N) += A (M, K) B (K, N). The sums of a tile of C, one row
    of vectors of B and one element of A in every lane fill the vector registers.
    """

    # gemm/microkernel.py
    MR: int  # rows of C in a tile
    NR_VECTORS: int  # vectors in each row of a tile
    # gemm/small_k.py
    SMALL_K_MR: int  # rows of A whose elements stay in registers while rows of B are streamed
    # gemm/inner_product.py: (rows, columns) of C in a tile of dot products
    DOT_TILE_WIDE: tuple[int, int]  # where more than DOT_TILE[1] columns of C are left
    DOT_TILE: tuple[int, int]  # where three or more are left, up to DOT_TILE[1]
    DOT_TILE_ONE: tuple[int, int]  # where one is left
    # first_layer/strided_gemm.py: entry i is for a tile of i + 1 units
    STRIDED_MR: tuple[int, ...]  # examples (rows of X) in a tile of the forward pass
    STRIDED_NR_VECTORS: tuple[int, ...]  # vectors of features in a tile of the gradient of W

    DOT_TILE_TWO: tuple[int, int] = (4, 2)  # gemm/inner_product.py: where two are left
    SMALL_K_KC: int = 4  # gemm/small_k.py: rows of B that are streamed at a time
    KC: int = 128  # rows of B that a tile takes at a time: their NR columns stay in the L1 cache
    NR_MAX: int = 64  # elements in a tile's row, at most, for any instruction set and dtype
    #: Largest K for which `multiply_small_k` replaces the tiles of the micro-kernel. Up to these K
    #: tiles took 1.1 to 3.4 times as long (AVX-512, float32), beyond them they were not slower.
    SMALL_K_MAX_ONE_ROW: int = 32  # where C has one row
    SMALL_K_MAX: int = 8  # where C has up to SMALL_K_MAX_M rows
    SMALL_K_MAX_MANY_ROWS: int = 4  # where C has more rows
    SMALL_K_MAX_M: int = 32  # rows of C

    # gemm/blocked.py
    #: Sizes of a block. 1024 × 1024 × 1024 runs at 151 GFLOP/s, with twice MC at 148, with all rows
    #: of A in one block at 124 (Xeon, float32).
    MC: int = 48  # rows of A
    KC_LARGE: int = 256  # rows of B from KC_LARGE_MIN_M rows of C on, else KC
    NC: int = 256  # columns of B
    #: Rows of C from which on a block has KC_LARGE instead of KC rows of B: C is then read and
    #: written half as often. 2048 × 2048 × 256 runs at 157 GFLOP/s instead of 143; for fewer rows
    #: it does not pay: 128 × 512 × 784 would run at 136 instead of 142.
    KC_LARGE_MIN_M: int = 192
    #: Rows of C up to which tiles of full width read a row-major B in place, not packed: 32 × 512 ×
    #: 784 takes 7 to 10 % less time (Xeon, no vector across two cache lines). With more rows that
    #: pays only if no vector of B crosses cache lines, which seldom holds for a user's array.
    MAX_M_UNPACKED: int = 32
    #: Bytes between two columns of a column-major A from which on A is packed: 1024 × 1024 × 1024
    #: runs at 149 GFLOP/s, unpacked at 137 (Xeon); packing saves 4 to 12 % of the time of 256 × 784
    #: × 2048 in float64, and 4 % of 512 × 512 × 512 in float32 (EPYC).
    MIN_STRIDE_PACK_A: int = 2048
    #: Columns of C up to which C is computed by dot products if A is row-major, or by tiles as
    #: Cᵀ = Bᵀ Aᵀ if A is column-major: rows of C would fill few whole vectors.
    MAX_N_DOT: int = 15
    MAX_M_DOT: int = 32  # rows of C up to which A row-major, B column-major use dot products
    MIN_K_DOT: int = 128  # smallest K for dot products: for 32 tiles are faster, for 256 slower

    # gemm/packing.py
    #: Number of rows of X by which prefetches run ahead of the row that is gathered, if a row fills
    #: a cache line: gathering 256 rows of 54 numbers from a large table took 2.6 µs instead of 6.9.
    PREFETCH_DISTANCE: int = 32

    # ops/dense.py
    #: Bytes of a row of W from which on dA = Wᵀ dZ packs Wᵀ, KC rows of W at a time: the elements
    #: of a column of W share too few sets of the first-level cache and lie in too many pages. The
    #: gradient of 3000 → 3000 takes 10 to 21 % less time, of 2000 → 2000 5 to 10 %; of 1024 → 1024,
    #: below this size, it would take up to 3 % more (Xeon, batches of 64 and 128).
    MIN_STRIDE_PACK_W: int = 6 * 1024

    # first_layer/int8_gemm.py
    INT8_MR: int = 4  # rows of C in a tile
    INT8_NR: int = 32  # columns of C in a tile; a panel holds four bytes of a column side by side


#: Tile and block sizes by `CPU.instruction_set`. Entry i of STRIDED_* is for tiles of i + 1 units.
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
    "baseline": BlockSizes(  # without fma the product needs one register more
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

# LLVM code whose assembly tells `detect_cpu` what the CPU has: a multiply-add of 16 float32, a dot
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


def _assembly(probe):
    """Return the assembly of a probe (text of LLVM code), compiled as Numba compiles kernels."""
    from llvmlite import binding
    from numba.core.registry import cpu_target

    target = f'target triple = "{binding.get_process_triple()}"'
    module = binding.parse_assembly(target + probe)
    return cpu_target.target_context.codegen()._tm.emit_assembly(module)


@cache
def detect_cpu() -> CPU:
    """Return the CPU that Numba compiles kernels for.

    It is recognised by the instructions in the assembly of the probes, so it obeys NUMBA_CPU_NAME
    and NUMBA_CPU_FEATURES.
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
    """Return the row of BLOCK_SIZES for the CPU that Numba compiles kernels for."""
    return BLOCK_SIZES[detect_cpu().instruction_set]
