"""Products of uint8 X, packed, and quantised float32 W or dZ; VNNI sums them exactly in int32.

One instruction of VNNI multiplies 64 uint8 by 64 int8 and adds the products up in fours. A number
of W or dZ is quantised to three limbs (signed bytes, `quantize.py`): three instructions replace
four float multiply-adds, and no byte of X is converted. Only the quantised factor and each final
sum are rounded: for 12288 numbers of one size, errors are half as large as in a float32 product.

References: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VPDPBUSD.
"""

from __future__ import annotations

from ..codegen.pointers import view
from ..codegen.vnni import INT8_MR, INT8_NR, VECTOR_BYTES, WORD_LANES, even_chunk, round_up
from ..compiler.definitions import indirect, restrict_dtypes
from ..compiler.jit import inlined
from ..gemm.epilogue import add_offset
from ..records import Features, Matrix
from ..requirements import in_training
from .int8_microkernel import Columns, Operands, Prefetch, column_backward, column_forward
from .int8_packing import align_start, pack_vnni, pack_vnni_interleaved
from .quantize import align_cache_line, limbs_ld_by_number, quantize_rows_by_number
from .sizes import INT8_SCRATCH
from .strategy import INT8_BACKWARD, INT8_FORWARD, int8_dtypes

restrict_dtypes(INT8_FORWARD, int8_dtypes())
restrict_dtypes(in_training(INT8_BACKWARD), int8_dtypes())

#: Largest number of examples that a panel of the gradient packs.
BACK_KC = 256
#: Features of a block of panels in the gradient: BACK_KC × BACK_NC bytes fit the first-level cache.
BACK_NC = 128
#: Largest number of units for which a block has 2 · BACK_NC features instead of BACK_NC: the
#: gradient of 209 × 12288 bytes and 7 units takes 0.92 of the time then (EPYC).
MAX_OUTPUTS_TWO_NC = 64
#: Features that the first two tiles of a panel prefetch in the gradient, a cache line each.
PREFETCHED_FEATURES = 2 * VECTOR_BYTES


@indirect("i X I1 Features Scaling Matrix Matrix F1", requires=INT8_FORWARD)
def int8_forward(n_out, X, rows, features, scaling, W, Z, scratch):
    """Z[o, e] += Σₖ (factor X[rows[e], first + k] + offset) W[o, k] for o < n_out and e < m.

    k runs to n − 1; (first, n) = features, n ≤ 2000; (factor, offset) = scaling, a Scaling. X: an
    Input of bytes; rows (m,): indices of examples. W: a Matrix (n_out, n), column k for feature
    first + k; Z: a Matrix (n_out, m). scratch (INT8_SCRATCH,) receives packed bytes of X and limbs
    (signed bytes) of W. Row o of Z becomes NaN if a number of row o of W is not finite.
    """
    k0, count = features
    weights, w, ldw = W
    z, ldz = Z.offset, Z.ld
    n_words, p = round_up(count, VECTOR_BYTES) // 4, align_cache_line(scratch, 0)
    ld = limbs_ld_by_number(n_words)
    add_offset(n_out, count, scaling.offset, weights, w, ldw, rows.size, Z.data, z, ldz)
    all_panels = round_up(rows.size, INT8_NR) * n_words
    free = INT8_SCRATCH - WORD_LANES
    # All panels are packed once if they fit and if W is quantised in several chunks of units. Else
    # each panel is packed again for each chunk.
    repack = all_panels > INT8_SCRATCH // 2 or n_out <= (free - INT8_NR * n_words) // ld
    d = p + (INT8_NR * n_words if repack else all_panels)
    chunk = even_chunk(n_out, (free + p - d) // ld, INT8_MR)
    for o in range(0, n_out, chunk):
        n = min(chunk, n_out - o)
        quantize_rows_by_number(n, count, n_words, weights, w + o * ldw, ldw, scratch, d)
        for e in range(0, rows.size, INT8_NR):
            m, b = min(INT8_NR, rows.size - e), p if repack else p + e * n_words
            for j in range(0, m if repack or o == 0 else 0, WORD_LANES):
                used = min(WORD_LANES, m - j)
                pack_vnni(X, view(rows, e + j, m - j), features, scratch, b + j, used)
            row, k = (e + INT8_NR, k0) if e + INT8_NR < rows.size else (0, k0 + count)
            turns, step = n_words if repack else 0, n_words // INT8_NR * VECTOR_BYTES
            column_forward(
                n, scratch, Operands(b, (count + 3) // 4, d, ld), scaling.factor,
                Matrix(Z.data, z + o * ldz + e, ldz), Columns(m, 1), X, rows,
                Prefetch(row, rows.size, k, turns, step),
            )  # fmt: skip


@inlined
def _back_examples(n_out, block, X, rows, features, factor, dW, accumulate, scratch, operands):
    """dW[o, k] = factor Σⱼ dZ[o, j] X[rows[j], first + k] for o < n_out and k < n.

    (first, n) = features. accumulate: 1: the old dW[o, k] is added; 0: it is overwritten. X: an
    Input of bytes; rows: indices of the examples j. dW: a Matrix (n_out, n). operands: an Operands,
    which says where in scratch lie the limbs (signed bytes) of dZ, and room for panels of `block`
    features of X. Blocks go from the last to the first: the end of X is still in the cache from the
    forward pass. While one block is multiplied, bytes of the block that comes next are prefetched.
    """
    panels, n_words, limbs, ld = operands
    data, c, ldc = dW
    k0, count = features
    begin, m = align_start(X, k0, block), rows.size
    for i in range((count - begin + block - 1) // block - 1, -1, -1):
        f = max(begin + i * block, 0)
        wide, k = min(begin + (i + 1) * block, count) - f, k0 + f
        for e in range(0, m, 4):
            place, used = panels + e // 4 * INT8_NR, min(4, m - e)
            own = view(rows, e, m - e)
            pack_vnni_interleaved(X, own, Features(k, wide), scratch, place, n_words, used)
        for j in range(0, wide, INT8_NR):
            ahead = k - block + j // PREFETCHED_FEATURES * PREFETCHED_FEATURES
            column_backward(
                n_out, scratch, Operands(panels + j * n_words, n_words, limbs, ld), factor,
                Matrix(data, c + f + j, ldc), Columns(min(INT8_NR, wide - j), accumulate), X, rows,
                Prefetch(j // INT8_NR % 4, m, ahead, n_words, VECTOR_BYTES),
            )  # fmt: skip


@indirect("i X I1 Features Scaling Matrix Matrix F1", requires=in_training(INT8_BACKWARD))
def int8_backward(n_out, X, rows, features, scaling, dZ, dW, scratch):
    """dW[o, k] = Σⱼ dZ[o, j] (factor X[rows[j], first + k] + offset) for o < n_out and k < n.

    (first, n) = features; (factor, offset) = scaling, a Scaling. X: an Input of bytes; rows (m,):
    indices of examples. dZ: a Matrix (n_out, m); dW: a Matrix (n_out, n), column k for feature
    first + k, overwritten. scratch (INT8_SCRATCH,) receives packed bytes of X and limbs (signed
    bytes) of dZ.
    """
    slopes, d, ldd = dZ
    data, c, ldc = dW
    p = align_cache_line(scratch, 0)
    examples = even_chunk(rows.size, BACK_KC, 4)
    block = 2 * BACK_NC if n_out <= MAX_OUTPUTS_TWO_NC else BACK_NC
    for first in range(0, rows.size, examples):
        m = min(examples, rows.size - first)
        n_words = (m + 3) // 4
        padded, limbs = round_up(n_words, WORD_LANES), p + block * n_words
        ld = limbs_ld_by_number(padded)
        chunk = even_chunk(n_out, (INT8_SCRATCH - WORD_LANES - block * n_words) // ld, INT8_MR)
        for o in range(0, n_out, chunk):
            n = min(chunk, n_out - o)
            quantize_rows_by_number(n, m, padded, slopes, d + o * ldd + first, ldd, scratch, limbs)
            _back_examples(
                n, block, X, view(rows, first, m), features, scaling.factor,
                Matrix(data, c + o * ldc, ldc), 1 if first > 0 else 0, scratch,
                Operands(p, n_words, limbs, ld),
            )  # fmt: skip
    add_offset(n_out, rows.size, scaling.offset, slopes, d, ldd, features.n, data, c, ldc)
