"""uint8 × quantised float32 products on packed panels, summed exactly as int32 by VNNI.

A CPU with VNNI multiplies 64 bytes with 64 signed ones and adds up the products by fours in one
instruction. Three of them, one for each limb, do what four multiply-adds of floats do, and no byte
is converted. Only the other factor is rounded, as `quantize` says, and then each sum once: the
results are nearer to the exact ones than those of float32, by half for 12288 numbers of one size.

References: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VPDPBUSD.
"""

from __future__ import annotations

from ..codegen.pointers import view
from ..codegen.vnni import INT8_MR, INT8_NR, VECTOR_BYTES, WORD_LANES, even_chunk, round_up
from ..compiler.dispatch_table import indirect, restrict_dtypes
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

BACK_KC = 256  # examples of a panel in the gradient
BACK_NC = 128  # features of its panels: with BACK_KC a block for the first-level cache
#: Outputs up to which a block has 2 · BACK_NC features: the gradient of 209 × 12288 bytes and 7
#: outputs takes 0.92 of the time (EPYC).
MAX_OUTPUTS_TWO_NC = 64
PREFETCHED_FEATURES = 2 * VECTOR_BYTES  # that two tiles prefetch, of every fourth example


@indirect("i X I1 Features Scaling Matrix Matrix F1", requires=INT8_FORWARD)
def int8_forward(n_out, X, rows, features, scaling, W, Z, scratch):
    """Z[o, e] += Σₖ (factor X[rows[e], k] + offset) W[o, k] over the features, for o < n_out.

    W (n_out, features.n), Z (n_out, rows.size); scratch (INT8_SCRATCH,). There are at most
    2000 features, or a panel and limbs do not fit. Z is NaN where W is not finite.
    """
    k0, count = features
    weights, w, ldw = W
    z, ldz = Z.offset, Z.ld
    n_words, p = round_up(count, VECTOR_BYTES) // 4, align_cache_line(scratch, 0)
    ld = limbs_ld_by_number(n_words)
    add_offset(n_out, count, scaling.offset, weights, w, ldw, rows.size, Z.data, z, ldz)
    all_panels = round_up(rows.size, INT8_NR) * n_words
    free = INT8_SCRATCH - WORD_LANES
    # All panels are packed once if they fit and outputs go in several chunks, else one at a time.
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
    """dW[o, k] = (accumulate: dW[o, k] +) factor Σⱼ limbs[o, j] X[rows[j], k] over the features.

    Blocks of `block` features are packed where the operands' panel begins, from the last on: what
    the forward pass read last is still in the cache. Each prefetches the features before its own.
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
    """dW[o, k] = Σⱼ dZ[o, j] (factor X[rows[j], k] + offset) over the features, for o < n_out.

    dZ (n_out, rows.size), dW (n_out, features.n); scratch (INT8_SCRATCH,).
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
