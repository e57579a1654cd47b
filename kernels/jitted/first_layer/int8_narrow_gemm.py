"""Products of uint8 X, read in place, and quantised float32 W or dZ: many features, few units.

To pack an example of thousands of features takes as long as to multiply it for three or four units.
Forward, int32 sums span all features of a tile, and only the final sum is rounded. The gradient is
for one unit: the bytes of four examples are interleaved in registers.
"""

from __future__ import annotations

from ..codegen.pointers import view
from ..codegen.vnni import VECTOR_BYTES, WORD_LANES, even_chunk, round_up
from ..compiler.definitions import indirect, restrict_dtypes
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

#: Largest number of features of a tile, up to rounding to a vector of bytes. int32 sums of products
#: of uint8 and int8 do not overflow up to 65,793 features.
NARROW_KC = 6144
#: Largest number of examples that the gradient quantises and sums at a time.
NARROW_BACK_KC = 2048


@inlined
def n_narrow_tiles(n_features, n_out):
    """Return the number of tiles that n_features are cut into: equally many in 1, 2, 4 or 8 groups.

    n_out: units. Long tiles are faster: in 2 groups, 209 examples of 12288 features to 7 units took
    0.92 of the time on one thread, 0.96 on two. For one unit a tile should stay in the second-level
    cache: a step on two threads took 77 to 81 µs in 4 groups in ten of twelve processes, 67 to 114
    µs in 2 groups (EPYC).
    """
    groups, shortest = 1, NARROW_MIN_FEATURES if n_out == 1 else 2 * NARROW_MIN_FEATURES
    while groups < FEATURE_GROUPS and n_features >= 2 * groups * shortest:
        groups *= 2
    return (n_features + groups * NARROW_KC - 1) // (groups * NARROW_KC) * groups


@indirect("i X I1 Features Scaling Matrix Matrix F1", requires=INT8_NARROW_FORWARD)
def int8_narrow_forward(n_out, X, rows, features, scaling, W, Z, scratch):
    """Z[o, e] += Σₖ (factor X[rows[e], first + k] + offset) W[o, k] for o < n_out and e < m.

    k runs to n − 1; (first, n) = features, n ≤ NARROW_KC + VECTOR_BYTES; (factor, offset) =
    scaling, a Scaling. X: an Input of bytes; rows (m,): indices of examples. W: a Matrix (n_out,
    n), column k for feature first + k; Z: a Matrix (n_out, m). scratch (INT8_SCRATCH,) receives
    limbs (signed bytes) of W. Row o of Z becomes NaN if a number of row o of W is not finite.
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
    """dW[0, k] = Σⱼ dZ[0, j] (factor X[rows[j], first + k] + offset) for k < n; n_out is 1.

    (first, n) = features; (factor, offset) = scaling, a Scaling. X: an Input of bytes; rows (m,):
    indices of examples. dZ: a Matrix (1, m); dW: a Matrix (1, n), column k for feature first + k,
    overwritten. scratch (INT8_SCRATCH,) receives limbs (signed bytes) of dZ. Tiles of features go
    from the last to the first.
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
