"""uint8 × quantised float32 products of long rows and few outputs, without packing the bytes.

Packing long rows takes as long as multiplying them for three or four outputs. Forward, the sums of
a tile span thousands of features, and only their last step rounds. In the gradient of one output,
the bytes of four examples are interleaved in registers.
"""

from __future__ import annotations

from ..codegen.pointers import view
from ..codegen.vnni import VECTOR_BYTES, WORD_LANES, even_chunk, round_up
from ..compiler.dispatch_table import indirect, restrict_dtypes
from ..compiler.jit import inlined
from ..gemm.epilogue import add_offset
from ..records import Features, Matrix
from ..requirements import in_training
from .int8_narrow_microkernel import (
    NARROW_BACK_NC,
    NARROW_MR,
    backward_tile,
    one_output,
    two_outputs,
)
from .int8_packing import align_start
from .quantize import (
    align_cache_line,
    limbs_ld_by_limb,
    limbs_ld_by_number,
    quantize_rows_by_limb,
    quantize_rows_by_number,
)
from .sizes import FEATURE_GROUPS, INT8_SCRATCH
from .strategy import INT8_NARROW_BACKWARD, INT8_NARROW_FORWARD, NARROW_MIN_FEATURES, int8_dtypes

restrict_dtypes(INT8_NARROW_FORWARD, int8_dtypes())
restrict_dtypes(in_training(INT8_NARROW_BACKWARD), int8_dtypes())

#: Features of a tile at most, but for a vector: int32 sums of up to 65,793 do not overflow.
NARROW_KC = 6144
NARROW_BACK_KC = 2048  # examples that the gradient takes at a time


@inlined
def n_narrow_tiles(n_features, n_out):
    """How many tiles rows of so many features have: as many in each half, fourth or eighth.

    Long runs of a row take less time: 209 rows of 12288 to 7 outputs 0.92 and 0.96 of it in halves,
    on one thread and two. To one output a tile should stay in the second-level cache: a step on two
    threads took 77 to 81 µs in fourths in ten of twelve processes, 67 to 114 in halves (EPYC).
    """
    groups, shortest = 1, NARROW_MIN_FEATURES if n_out == 1 else 2 * NARROW_MIN_FEATURES
    while groups < FEATURE_GROUPS and n_features >= 2 * groups * shortest:
        groups *= 2
    return (n_features + groups * NARROW_KC - 1) // (groups * NARROW_KC) * groups


@indirect("i X I1 Features Scaling Matrix Matrix F1", requires=INT8_NARROW_FORWARD)
def int8_narrow_forward(n_out, X, rows, features, scaling, W, Z, scratch):
    """Z[o, e] += Σₖ (factor X[rows[e], k] + offset) W[o, k] over the features, for o < n_out.

    W (n_out, features.n), Z (n_out, rows.size); scratch (INT8_SCRATCH,). There are at most
    NARROW_KC features and a vector. Z is NaN where W is not finite.
    """
    count, factor = features.n, scaling.factor
    weights, w, ldw = W
    out, z, ldz = Z
    add_offset(n_out, count, scaling.offset, weights, w, ldw, rows.size, out, z, ldz)
    n_words, p = round_up(count, VECTOR_BYTES) // 4, align_cache_line(scratch, 0)
    ld = limbs_ld_by_limb(n_words)
    chunk = (INT8_SCRATCH - WORD_LANES) // ld
    for first in range(0, n_out, chunk):
        n = min(chunk, n_out - first)
        quantize_rows_by_limb(n, count, n_words, weights, w + first * ldw, ldw, scratch, p)
        for e in range(0, rows.size, NARROW_MR):
            own, used = view(rows, e, rows.size - e), min(NARROW_MR, rows.size - e)
            for o in range(0, n, 2):
                limbs = Matrix(scratch, p + o * ld, ld)
                target = Matrix(out, z + (first + o) * ldz + e, ldz)
                if o + 1 < n:
                    two_outputs(X, own, features, limbs, factor, target, used)
                else:
                    one_output(X, own, features, limbs, factor, target, used)


@indirect("i X I1 Features Scaling Matrix Matrix F1", requires=in_training(INT8_NARROW_BACKWARD))
def int8_narrow_backward(n_out, X, rows, features, scaling, dZ, dW, scratch):
    """dW[o, k] = Σⱼ dZ[o, j] (factor X[rows[j], k] + offset) over the features, for n_out = 1.

    dZ (1, rows.size), dW (1, features.n); scratch (INT8_SCRATCH,).
    """
    slopes, d, ldd = dZ
    data, c, ldc = dW
    k0, count = features
    examples, p = even_chunk(rows.size, NARROW_BACK_KC, 4), align_cache_line(scratch, 0)
    begin = align_start(X, k0, NARROW_BACK_NC)
    for first in range(0, rows.size, examples):
        m = min(examples, rows.size - first)
        own, n_words = view(rows, first, m), round_up((m + 3) // 4, WORD_LANES)
        quantize_rows_by_number(1, m, n_words, slopes, d + first, ldd, scratch, p)
        limbs = Matrix(scratch, p, limbs_ld_by_number(n_words))
        for i in range((count - begin + NARROW_BACK_NC - 1) // NARROW_BACK_NC - 1, -1, -1):
            k = max(begin + i * NARROW_BACK_NC, 0)
            wide = min(begin + (i + 1) * NARROW_BACK_NC, count) - k
            backward_tile(
                X, own, Features(k0 + k, wide), limbs, scaling.factor, Matrix(data, c + k, ldc),
                1 if first > 0 else 0,
            )  # fmt: skip
    add_offset(n_out, rows.size, scaling.offset, slopes, d, ldd, count, data, c, ldc)
