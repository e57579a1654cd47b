"""All tile and block sizes, by the instruction set of the CPU that kernels are compiled for.

The names are those of BLIS for C (M, N) += A (M, K) B (K, N): a micro-kernel holds MR × NR elements
of C in registers and adds KC products to each; a macro-kernel packs blocks (KC, NC) of B and (MC,
KC) of A for the caches. Sizes of measured products are given as M × N × K. A new instruction set is
one row of BLOCK_SIZES and one branch of `loader.cpu.CPU.instruction_set`.

References: Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating BLAS
functionality", ACM Transactions on Mathematical Software 41 (3), 2015.
"""

from __future__ import annotations

from typing import NamedTuple

from ..loader.source import detect_cpu


class BlockSizes(NamedTuple):
    """Tile and block sizes of one instruction set; a default holds for all of them.

    In the comments the product is C (M, N) += A (M, K) B (K, N), and a tile is a part of C whose
    sums stay in registers. These sums, the vectors of one row of B and one vector with an element
    of A in every lane together fill the vector registers.
    """

    # gemm/microkernel.py
    MR: int  # rows of C in a tile
    NR_VECTORS: int  # vectors in each row of a tile
    # gemm/small_k.py
    SMALL_K_MR: int  # rows of A whose elements stay in registers while rows of B are streamed
    # gemm/inner_product.py: (rows, columns) of C in a tile of dot products, by the number of
    # columns of C that are not computed yet
    DOT_TILE_WIDE: tuple[int, int]  # for more than DOT_TILE[1] columns
    DOT_TILE: tuple[int, int]  # for 3 to DOT_TILE[1] columns
    DOT_TILE_ONE: tuple[int, int]  # for one column
    # first_layer/strided_gemm.py: entry i is for a tile of i + 1 units (outputs of the layer)
    STRIDED_MR: tuple[int, ...]  # examples (rows of X) in a tile of the forward pass
    STRIDED_NR_VECTORS: tuple[int, ...]  # vectors of features in a tile of the gradient of W

    DOT_TILE_TWO: tuple[int, int] = (4, 2)  # gemm/inner_product.py: for two columns
    SMALL_K_KC: int = 4  # gemm/small_k.py: rows of B that are streamed at a time
    #: Rows of B that a tile adds up in one pass: their NR columns stay in the L1 cache. Where tiles
    #: are narrow, longer passes pay, as C is read and written less often: with 800 instead of 128
    #: 784 → 512 → 256 → 10 took 2 to 5 % less time for 100 to 1000 examples (EPYC, AVX2).
    KC_TILE: int = 128
    NR_MAX: int = 64  # largest number of columns of a tile, over all instruction sets and dtypes
    #: Largest K for which `multiply_small_k` computes C in place of the micro-kernel's tiles. Up to
    #: this K tiles took 1.1 to 3.4 times as long as it (AVX-512, float32), beyond it not longer.
    SMALL_K_MAX_ONE_ROW: int = 32  # where C has one row
    SMALL_K_MAX: int = 8  # where C has up to SMALL_K_MAX_M rows
    SMALL_K_MAX_MANY_ROWS: int = 4  # where C has more rows
    SMALL_K_MAX_M: int = 32  # largest number of rows of C for SMALL_K_MAX

    # gemm/blocked.py
    KC: int = 128  # rows of B in a packed block, if C has few rows
    #: Sizes of a packed block. 1024 × 1024 × 1024 runs at 151 GFLOP/s, with twice this MC at 148,
    #: with all rows of A in one block at 124 (Xeon, float32).
    MC: int = 48  # rows of A
    KC_LARGE: int = 256  # rows of B, if C has at least KC_LARGE_MIN_M rows; else KC rows
    NC: int = 256  # columns of B
    #: Smallest number of rows of C for which a block has KC_LARGE rows of B, not KC: C is read and
    #: written half as often. 2048 × 2048 × 256 runs at 157 GFLOP/s instead of 143; for fewer
    #: rows it does not pay: 128 × 512 × 784 would run at 136 instead of 142.
    KC_LARGE_MIN_M: int = 192
    #: Largest number of rows of C for which tiles of NR columns read a row-major B where it lies,
    #: not packed: 32 × 512 × 784 takes 7 to 10 % less time (Xeon; no vector crosses cache lines).
    #: With more rows it pays only if no vector of B crosses cache lines: rare for a user's array.
    MAX_M_UNPACKED: int = 32
    #: A column-major A is packed if its columns begin at least this many bytes apart: 1024 × 1024 ×
    #: 1024 runs at 149 GFLOP/s, unpacked at 137 (Xeon); packing saves 4 to 12 % of the time of
    #: 256 × 784 × 2048 in float64, and 4 % of 512 × 512 × 512 in float32 (EPYC).
    MIN_STRIDE_PACK_A: int = 2048
    #: Largest number of columns of C for which C is computed by dot products if A is row-major, or
    #: by tiles as Cᵀ = Bᵀ Aᵀ if A is column-major: rows of C would fill few whole vectors.
    MAX_N_DOT: int = 15
    MAX_M_DOT: int = 32  # most rows of C for dot products if A is row-major, B column-major
    MIN_K_DOT: int = 128  # smallest K for dot products: tiles are faster for K = 32, slower for 256

    # execution/kept_prediction.py
    #: Most examples that are predicted by dot products with rows of W, not by tiles: FEW_ROWS if a
    #: layer has FEW_ROWS_MIN_FEATURES inputs, else FEW_ROWS_NARROW. 12 examples of 784 → 512 → 256
    #: → 10 took 0.7 of the time, 8 of 54 → 128 → 64 → 7 took 0.9, 14 of them 1.3 (EPYC, AVX2).
    FEW_ROWS: int = 12
    FEW_ROWS_NARROW: int = 8
    FEW_ROWS_MIN_FEATURES: int = 256

    # execution/workspace.py
    #: Examples that a prediction passes through all layers at a time; PREDICTION_PANEL where each
    #: takes many multiplications. By rows of one tile's width, which lie one behind the other like
    #: those of a packed panel, 784 → 512 → 256 → 10 took 0.88 to 0.94 of the time of 256 at a time,
    #: for 100 to 1000 examples (EPYC, AVX2). Where the parameters are read from memory, as those of
    #: 2000 → 3000 → 3000 → 10, 112 at a time took 0.8 of the time of 256.
    PREDICTION_BLOCK: int = 256
    PREDICTION_PANEL: int = 256

    # gemm/packing.py
    #: While row i of X is gathered, row i + PREFETCH_DISTANCE is prefetched, if a row fills a cache
    #: line: gathering 256 rows of 54 numbers from a large table took 2.6 µs instead of 6.9.
    PREFETCH_DISTANCE: int = 32

    # ops/dense.py
    #: dA = Wᵀ dZ packs Wᵀ, KC rows of W at a time, if a row of W has at least this many bytes: then
    #: a column's elements share too few sets of the first-level cache, in too many pages. The
    #: gradient of 3000 → 3000 takes 10 to 21 % less time, of 2000 → 2000 5 to 10 %; of 1024 → 1024,
    #: below this size, it would take up to 3 % more (Xeon, batches of 64 and 128).
    MIN_STRIDE_PACK_W: int = 6 * 1024

    # first_layer/int8_gemm.py
    INT8_MR: int = 4  # rows of C in a tile
    INT8_NR: int = 32  # columns of C in a tile

    # gemm/bfloat16.py: a pair is two bfloat16 in a word, consecutive in k
    PAIR_TILE: tuple[int, int] = (6, 4)  # rows of C, vectors of a row, on CPUs with AVX512-BF16
    #: The same on others, which take pairs apart: the halves need registers of their own.
    HALVES_TILE: tuple[int, int] = (4, 4)
    PAIR_MC: int = 48  # rows of A in a packed block
    PAIR_KC: int = 256  # pairs of a row of A, or of a column of B; 128 took 4 % longer (EPYC)
    PAIR_NC: int = 256  # columns of B
    PAIR_MAX_M_DOT: int = 2  # step/mixed_products.py: most units of which dW is by dot products

    # gemm/int8_dense.py
    INT8_DENSE_MR: int = 4  # examples in a tile; their sums, for each panel, stay in registers
    INT8_DENSE_PANELS: int = 1  # panels of 16 units in a tile


#: Tile and block sizes by the name of the instruction set (`CPU.instruction_set`).
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
        INT8_DENSE_MR=8,
        INT8_DENSE_PANELS=2,
    ),
    "avx2+fma": BlockSizes(
        MR=6,
        NR_VECTORS=2,
        KC_TILE=800,
        PREDICTION_BLOCK=112,
        PREDICTION_PANEL=16,
        SMALL_K_MR=2,
        DOT_TILE_WIDE=(2, 4),
        DOT_TILE=(3, 3),
        DOT_TILE_ONE=(6, 1),
        STRIDED_MR=(6, 4, 3, 2, 2, 2),
        STRIDED_NR_VECTORS=(8, 4, 3, 3, 2, 2),
        HALVES_TILE=(4, 2),
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
        HALVES_TILE=(2, 2),
    ),
}


def block_sizes() -> BlockSizes:
    """Return the row of BLOCK_SIZES for the CPU that this process runs kernels for."""
    return BLOCK_SIZES[detect_cpu().instruction_set]


def pack_size() -> int:
    """Return how many numbers the packed blocks of B and A have together."""
    sizes = block_sizes()
    return (sizes.NC + sizes.MC) * sizes.KC_LARGE


def pair_pack_size() -> int:
    """Return how many float32, as many as pairs, the packed blocks of pairs have together."""
    sizes = block_sizes()
    return (sizes.PAIR_NC + sizes.PAIR_MC) * sizes.PAIR_KC
