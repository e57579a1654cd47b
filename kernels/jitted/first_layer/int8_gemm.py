"""Products of bytes with numbers in digits, summed as integers: exactly, four at a time.

A CPU with VNNI multiplies 64 bytes with 64 signed ones, and adds up the products by fours, in one
instruction. Three of them, one for each digit, do what four multiply-adds of floats do, and no byte
is widened. Only the other factor is rounded, as `digits` says; sums are rounded where three of
them become a number. So they are nearer to the exact ones than those of float32: by half, with
12288 numbers of one size.

References: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VPDPBUSD.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from ..codegen.cpu import detect_cpu
from ..codegen.pointers import emit_prefetch, view
from ..codegen.simd import (
    INT32,
    Vectors,
    element_pointer,
    index,
    index_constant,
    void,
)
from ..codegen.vnni import (
    INT8_MR,
    INT8_NR,
    VECTOR_BYTES,
    WORD_LANES,
    WORD_VECTOR,
    even_chunk,
    round_up,
    splat_word,
)
from ..compiler.dispatch_table import REQUIRED_DTYPES, in_training, indirect
from ..compiler.jit import inlined
from ..gemm.epilogue import add_offset
from . import int8_narrow_gemm
from .int8_packing import lined, mixed, turned
from .quantize import ROOM, aligned, cut, length, number

NAME, PANELS = "integers", "panels of bytes"  # what calls name: for gradients, and for outputs
UINT8, DTYPES = np.dtype(np.uint8), (np.dtype(np.float32),) if detect_cpu().vnni else ()
for use in (PANELS, int8_narrow_gemm.NAME, *map(in_training, (NAME, int8_narrow_gemm.ONE))):
    REQUIRED_DTYPES[use] = DTYPES
#: Examples and features at a time, on the way back: a panel for the first cache. To few outputs
#: twice as many, since 209 rows of 12288 then go to 7 in 0.92 of the time (EPYC).
EXAMPLES, FEATURES, NARROW = 256, 128, 64
ASKED = 2 * VECTOR_BYTES  # features that two tiles ask for, of every fourth example
#: Outputs and examples from which on they take less time than what else reads rows in place:
#: 209 × 12288 bytes to 5 outputs and back took as long, to 7 0.8 times.
OUTPUTS, FEW = 6, 32
#: The same of features and examples where bytes would be laid out first: steps of 784 → 33 and 512
#: → 10 took 0.79 and 0.95 times as long with 48, 0.58 and 0.79 with 256 (Xeon).
LONG, MANY = 256, 48


def known(dtype):
    """Tell whether these kernels exist on this CPU for networks of a dtype."""
    return dtype in DTYPES


def multiply(ops, dtype, batch):
    """Tell whether so many rows of bytes, read in place, go through the first DENSE row so."""
    n, outputs = ops["n_in"][1], ops["n_out"][1]
    worth = outputs >= OUTPUTS or int8_narrow_gemm.suit_back.py_func(n, outputs)
    return batch >= FEW and known(dtype) and worth


def replace(ops, dtype, batch):
    """Tell whether that is faster than to lay the bytes out first, where that is done."""
    worth = ops["n_in"][1] >= LONG and ops["n_out"][1] >= OUTPUTS
    return batch >= MANY and known(dtype) and worth


class _Wish:
    """Emits the wish for bytes that come next, a cache line in each of a tile's first turns."""

    def __init__(self, builder, X, order, r, m, k, turns, forwards):
        self.builder, self.order, self.r = builder, order, r
        self.turns, self.forwards = turns, forwards
        address, self.step = (builder.extract_value(X, i) for i in range(2))
        self.place, self.last = builder.add(address, k), builder.sub(m, index_constant(1))

    def __call__(self, turn):
        """Ask, if there is something left to ask for."""
        with self.builder.if_then(self.builder.icmp_signed("<", turn, self.turns)):
            self._ask(turn)

    def _ask(self, turn):
        """Forwards: the lines of PANEL examples in turn; back: one of every fourth example."""
        builder, place = self.builder, self.place
        row = builder.mul(turn, index_constant(4))
        if self.forwards:
            row = builder.and_(turn, index_constant(INT8_NR - 1))
            line = builder.lshr(turn, index_constant(INT8_NR.bit_length() - 1))
            place = builder.add(place, builder.mul(line, index_constant(VECTOR_BYTES)))
        row = builder.add(self.r, row)
        row = builder.select(builder.icmp_signed("<", row, self.last), row, self.last)
        start = builder.mul(builder.load(builder.gep(self.order, [row])), self.step)
        pointer = builder.inttoptr(builder.add(place, start), ir.IntType(8).as_pointer())
        emit_prefetch(builder, pointer)


def _sums(builder, v, words, b, rows, wish):
    """sums[i][j][q]: vector j of the sums of row i's q-th digits."""
    tall = len(rows)
    k, sums, end = v.loop(words, 1, [splat_word(0)] * (tall * 6), once=True)
    wish(k)
    sums = list(sums)
    b = builder.gep(b, [builder.mul(k, index_constant(INT8_NR))])
    octets = [
        builder.bitcast(v.load(b, index_constant(j * WORD_LANES)), WORD_VECTOR) for j in range(2)
    ]
    at, word = builder.mul(k, index_constant(4)), INT32.as_pointer()
    for i in range(tall):
        row = builder.bitcast(builder.gep(rows[i], [at]), word)
        for q in range(3):
            digit = v.splat(builder.load(builder.gep(row, [index_constant(q)])))
            for j, line in enumerate(octets):
                place = (i * 2 + j) * 3 + q
                values = [sums[place], line, digit]
                sums[place] = v.call("llvm.x86.avx512.vpdpbusd.512", WORD_VECTOR, values)
    end(sums)
    return [[sums[(i * 2 + j) * 3 : (i * 2 + j) * 3 + 3] for j in range(2)] for i in range(tall)]


def _tile_of(tall, forwards):
    """Return the intrinsic that computes so many rows of C in PANEL columns, or fewer columns."""

    @intrinsic
    def tile(typingctx, B, b, words, d, ldd, factor, C, c, ldc, used, add, X, rows, r, m, k, turns):
        """C[c + i ldc + j] = (add: itself +) factor Σ digits times bytes, i < tall, j < used.

        A panel of bytes lies at B[b:], lines of digits at B[d:], ldd apart. Asks in so many
        turns for bytes of X[rows[r …]], of m rows, from the feature k on.
        """
        signature = void(B, *(index,) * 4, factor, C, *(index,) * 4, X, rows, *(index,) * 4)

        def codegen(context, builder, sig, args):
            v = Vectors(context, builder, C.dtype)
            b, d = (element_pointer(context, builder, B, args[0], args[place]) for place in (1, 3))
            c, ldc, used = element_pointer(context, builder, C, *args[6:8]), *args[8:10]
            lines = [builder.gep(d, [builder.mul(index_constant(i), args[4])]) for i in range(tall)]
            order = element_pointer(context, builder, rows, args[12], index_constant(0))
            wish = _Wish(builder, args[11], order, *args[13:], forwards)
            sums = _sums(builder, v, args[2], b, lines, wish)
            factor = v.splat(builder.fptrunc(args[5], v.scalar))
            end = builder.sub(args[4], index_constant(WORD_LANES))
            adds = builder.icmp_signed("!=", args[10], index_constant(0))
            for i, line in enumerate(lines):
                unit = v.splat(builder.load(builder.gep(line, [end])))
                for j in range(2):
                    rest = builder.sub(used, index_constant(j * WORD_LANES))
                    mask = v.mask(builder.trunc(rest, INT32))
                    place = builder.add(
                        builder.mul(index_constant(i), ldc), index_constant(j * WORD_LANES)
                    )
                    start = builder.select(adds, v.load_masked(c, place, mask), v.zero)
                    total = builder.fmul(number(builder, v, sums[i][j]), unit)  # no subnormal
                    total = v.multiply_add(total, factor, start)
                    v.store_masked(total, c, place, mask)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def _tiles_of(forwards):
    """Return the function that computes all rows of C in up to PANEL columns."""
    one, two, three, four = (_tile_of(tall, forwards) for tall in range(1, INT8_MR + 1))

    @inlined
    def tiles(n, words, B, b, d, ldd, factor, C, c, ldc, used, add, X, rows, r, m, k, step, turns):
        """C[c + o ldc + j] = (add: itself +) factor Σ digits times bytes, o < n, j < used.

        Two tiles ask for bytes that come next, from the features k and k + step on: with that a
        step of 12288 → 7 takes 7 % less time.
        """
        for o in range(0, n, INT8_MR):
            q, at, tall = d + o * ldd, c + o * ldc, n - o
            if tall > 3:
                four(B, b, words, q, ldd, factor, C, at, ldc, used, add, X, rows, r, m, k, turns)
            elif tall == 3:
                three(B, b, words, q, ldd, factor, C, at, ldc, used, add, X, rows, r, m, k, turns)
            elif tall == 2:
                two(B, b, words, q, ldd, factor, C, at, ldc, used, add, X, rows, r, m, k, turns)
            else:
                one(B, b, words, q, ldd, factor, C, at, ldc, used, add, X, rows, r, m, k, turns)
            k += step
            turns = turns if o == 0 else 0

    return tiles


_tiles_forward, _tiles_back = _tiles_of(True), _tiles_of(False)


@indirect("i i X I1 i f f F1 i i F1 i i F1 i", requires=PANELS)
def forward(n, N, X, rows, k0, scale, offset, W, w, ldw, C, c, ldc, work, p):
    """C[c + e + o ldc] += Σₖ (scale X[rows[e], k0 + k] + offset) W[w + o ldw + k], o < n, k < N.

    N is at most 2000, for a panel and digits have to fit; work[p:] has ROOM. What is not finite in
    W makes its output NaN.
    """
    words = round_up(N, VECTOR_BYTES) // 4
    p = aligned(work, p)
    add_offset(n, N, offset, W, w, ldw, rows.size, C, c, ldc)
    kept = round_up(rows.size, INT8_NR) * words  # numbers of all panels, if they are laid only once
    again = kept > ROOM // 2 or n <= (ROOM - WORD_LANES - INT8_NR * words) // length(words)
    d = p + (INT8_NR * words if again else kept)
    many = even_chunk(n, (ROOM - WORD_LANES + p - d) // length(words), INT8_MR)
    for o in range(0, n, many):
        count = min(many, n - o)
        cut(count, N, words, W, w + o * ldw, ldw, work, d)
        for e in range(0, rows.size, INT8_NR):
            m, b = min(INT8_NR, rows.size - e), p if again else p + e * words
            for j in range(0, m if again or o == 0 else 0, WORD_LANES):
                turned(X, view(rows, e + j, m - j), k0, N, work, b + j, min(WORD_LANES, m - j))
            r, k = (e + INT8_NR, k0) if e + INT8_NR < rows.size else (0, k0 + N)
            _tiles_forward(
                count, (N + 3) // 4, work, b, d, length(words), scale, C, c + o * ldc + e, ldc, m,
                1, X, rows, r, rows.size, k, words // INT8_NR * VECTOR_BYTES, words if again else 0,
            )  # fmt: skip


@indirect("i i X I1 i f f F1 i i F1 i i F1 i", requires=in_training(NAME))
def backward(n, N, X, rows, k0, scale, offset, D, d, ldd, C, c, ldc, work, p):
    """C[c + o ldc + k] = Σⱼ D[d + o ldd + j] (scale X[rows[j], k0 + k] + offset), o < n, k < N.

    work[p:] has ROOM.
    """
    step, p = even_chunk(rows.size, EXAMPLES, 4), aligned(work, p)
    most = 2 * FEATURES if n <= NARROW else FEATURES
    begin = lined(X, k0, most)
    blocks = (N - begin + most - 1) // most
    for first in range(0, rows.size, step):
        m, add = min(step, rows.size - first), 1 if first > 0 else 0
        words = (m + 3) // 4
        long, q = round_up(words, WORD_LANES), p + most * words
        many = even_chunk(n, (ROOM - WORD_LANES - most * words) // length(long), INT8_MR)
        for o in range(0, n, many):
            count = min(many, n - o)
            cut(count, m, long, D, d + o * ldd + first, ldd, work, q)
            for block in range(blocks - 1, -1, -1):
                f = max(begin + block * most, 0)
                wide, k = min(begin + (block + 1) * most, N) - f, k0 + f
                for e in range(0, m, 4):
                    own = view(rows, first + e, m - e)
                    mixed(X, own, k, wide, work, p + e // 4 * INT8_NR, words, min(4, m - e))
                for j in range(0, wide, INT8_NR):
                    _tiles_back(
                        count, words, work, p + j * words, q, length(long), scale, C,
                        c + o * ldc + f + j, ldc, min(INT8_NR, wide - j), add, X, rows,
                        first + j // INT8_NR % 4, first + m, k - most + j // ASKED * ASKED,
                        VECTOR_BYTES, words,
                    )  # fmt: skip
    add_offset(n, rows.size, offset, D, d, ldd, N, C, c, ldc)
