"""Panels: bytes of the user's array, laid by fours as products of bytes take them."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..codegen.pointers import emit_prefetch
from ..codegen.simd import INT32, Vectors, clamp_index, element_pointer, index, index_constant, void
from ..codegen.vnni import (
    BYTE_VECTOR,
    INT8_NR,
    VECTOR_BYTES,
    WORD_LANES,
    WORD_VECTOR,
    mask_from_bits,
    remaining_bits,
    shuffle_lanes,
)
from ..compiler.jit import inlined


class Bytes:
    """Emits loads of 64 bytes of X[rows[j]] from k0 + k on, of n, for several j from start on."""

    def __init__(self, context, builder, args, kind, count, used, start=None):
        X, rows, k0, self.n = args
        self.builder, self.v = builder, Vectors(context, builder, types.float32)
        address, step = (builder.extract_value(X, i) for i in range(2))
        order = element_pointer(
            context, builder, kind, rows, index_constant(0) if start is None else start
        )
        first, self.heads = builder.add(address, k0), []
        for j in range(count):
            row = builder.load(builder.gep(order, [clamp_index(builder, j, used)]))
            self.heads.append(builder.add(first, builder.mul(row, step)))

    def loads(self, k, wanted=None):
        """The bytes of every example; zero and unread where there are none, or none are wanted."""
        builder = self.builder
        wanted = wanted or mask_from_bits(builder, remaining_bits(builder, self.n, k), VECTOR_BYTES)
        name, octets = f"llvm.masked.load.v{VECTOR_BYTES}i8.p0", []
        for head in self.heads:
            address = builder.inttoptr(builder.add(head, k), BYTE_VECTOR.as_pointer())
            octets.append(
                self.v.call(name, BYTE_VECTOR, [address, INT32(1), wanted, BYTE_VECTOR(None)])
            )
        return octets

    def ask(self, k):
        """Wish for them in the second cache: in one set of the first, rows of 4096 bytes meet."""
        for head in self.heads:
            pointer = self.builder.inttoptr(self.builder.add(head, k), BYTE_VECTOR.as_pointer())
            emit_prefetch(self.builder, pointer, level=2)


@intrinsic
def turned(typingctx, X, rows, k0, n, B, b, used):
    """B[b + q PANEL + j] = the four bytes X[rows[j], k0 + 4q …], 4q < n, j < used, at most 16."""
    signature = void(X, rows, index, index, B, index, index)

    def codegen(context, builder, sig, args):
        source = Bytes(context, builder, args[:4], rows, WORD_LANES, args[6])
        v, b = source.v, element_pointer(context, builder, B, args[4], args[5])
        k, _, end = v.loop(args[3], VECTOR_BYTES, [])
        lines = v.transpose([builder.bitcast(line, v.type) for line in source.loads(k)])
        place = builder.mul(k, index_constant(INT8_NR // 4))
        for q, line in enumerate(lines):
            v.store(line, b, builder.add(place, index_constant(q * INT8_NR)))
        end([])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def mixed(typingctx, X, rows, k0, n, B, b, words, used):
    """B[b + (k // PANEL) words PANEL + k % PANEL] = the four bytes X[rows[0 … 3], k0 + k], k < n.

    used: how many of `rows` there are; what stands for others is anything.
    """
    signature = void(X, rows, index, index, B, index, index, index)

    def codegen(context, builder, sig, args):
        source = Bytes(context, builder, args[:4], rows, 4, args[7])
        v, b = source.v, element_pointer(context, builder, B, args[4], args[5])
        k, _, end = v.loop(args[3], VECTOR_BYTES, [])
        spread, lines = [i % 4 * 4 + i // 4 for i in range(WORD_LANES)], []
        for octets in source.loads(k):
            line = builder.bitcast(octets, WORD_VECTOR)
            lines.append(builder.bitcast(shuffle_lanes(builder, line, line, spread), BYTE_VECTOR))
        place = builder.mul(k, args[6])
        for i, line in enumerate(by_fours(builder, lines)):
            if i == 2:
                place = builder.add(place, builder.mul(index_constant(INT8_NR), args[6]))
            at = builder.add(place, index_constant(i % 2 * WORD_LANES))
            v.store(builder.bitcast(line, v.type), b, at)
        end([])
        return context.get_dummy_value()

    return signature, codegen


def by_fours(builder, octets):
    """Four vectors of words from bytes of four examples: each makes one byte of every word.

    Features 4i … 4i+3 of every quarter are the i-th vector's. They are in order where the words of
    four features that are wanted there lay spread over the quarters before.
    """
    pairs = ir.VectorType(ir.IntType(16), VECTOR_BYTES // 2)
    halves = [
        builder.bitcast(shuffle_lanes(builder, x, y, _zipped(VECTOR_BYTES, 16, high)), pairs)
        for high in (0, 1)
        for x, y in (octets[:2], octets[2:])
    ]
    lines = [
        shuffle_lanes(builder, x, y, _zipped(VECTOR_BYTES // 2, 8, high))
        for x, y in (halves[:2], halves[2:])
        for high in (0, 1)
    ]
    return [builder.bitcast(line, WORD_VECTOR) for line in lines]


def _zipped(count, group, high):
    """Places of the low or high halves of each group of x and y, taken in turn."""
    starts = range(high * group // 2, count, group)
    return [side + i for start in starts for i in range(start, start + group // 2)
            for side in (0, count)]  # fmt: skip


@inlined
def lined(X, k0, step):
    """Where steps begin, at most 0, so that each but the first one's bytes begin a cache line.

    Counted from the feature k0 on. Where not all rows lie alike, it is 0.
    """
    ahead = -(X[0] + k0) % VECTOR_BYTES if X[1] % VECTOR_BYTES == 0 else 0
    return ahead - step if ahead > 0 else 0
