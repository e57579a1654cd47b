"""Packing of bytes of X into panels for VNNI: words of four bytes that one instruction multiplies.

A panel holds INT8_NR words side by side. Forward a word holds four features of one example, in the
gradient of the weights one feature of four examples.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..codegen.pointers import emit_prefetch
from ..codegen.simd import (
    INT32,
    Vectors,
    clamp_index,
    element_pointer,
    emit_record,
    index,
    index_constant,
    void,
)
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


class ByteRows:
    """Emits loads of 64 bytes of each of `count` rows of X, from a feature on.

    kinds, args: Numba's types and LLVM's values of an Input, of the row indices and of the Features
    to load. used: how many rows there are, at least 1; rows beyond are the last one again. start:
    the first of them that is taken, by default the 0-th.
    """

    def __init__(self, context, builder, kinds, args, count, used, start=None):
        X, features = (emit_record(builder, kinds[i], args[i]) for i in (0, 2))
        self.builder, self.v = builder, Vectors(context, builder, types.float32)
        self.n_features = features.n
        start = index_constant(0) if start is None else start
        order = element_pointer(context, builder, kinds[1], args[1], start)
        first, self.heads = builder.add(X.address, features.first), []
        for j in range(count):
            row = builder.load(builder.gep(order, [clamp_index(builder, j, used)]))
            self.heads.append(builder.add(first, builder.mul(row, X.row_stride)))

    def loads(self, k, wanted=None):
        """Vectors of the bytes of all rows from feature k on; zero and unread beyond the last one.

        wanted: a mask of the bytes to load, by default of those within the features.
        """
        builder = self.builder
        if wanted is None:
            bits = remaining_bits(builder, self.n_features, k)
            wanted = mask_from_bits(builder, bits, VECTOR_BYTES)
        name, octets = f"llvm.masked.load.v{VECTOR_BYTES}i8.p0", []
        for head in self.heads:
            address = builder.inttoptr(builder.add(head, k), BYTE_VECTOR.as_pointer())
            octets.append(
                self.v.call(name, BYTE_VECTOR, [address, INT32(1), wanted, BYTE_VECTOR(None)])
            )
        return octets

    def prefetch(self, k):
        """Prefetch these bytes into the second-level cache.

        In the first-level one, rows of 4096 bytes would share a set.
        """
        for head in self.heads:
            pointer = self.builder.inttoptr(self.builder.add(head, k), BYTE_VECTOR.as_pointer())
            emit_prefetch(self.builder, pointer, level=2)


@intrinsic
def pack_vnni(typingctx, X, rows, features, panel, offset, used):
    """Write words of four features of up to 16 examples into a panel.

    panel[offset + q INT8_NR + j] = the bytes X[rows[j], 4q … 4q+3] for j < used, 4q < the count of
    the features, which 4q is counted from; bytes beyond them are 0.
    """
    signature = void(X, rows, features, panel, index, index)

    def codegen(context, builder, sig, args):
        source = ByteRows(context, builder, (X, rows, features), args[:3], WORD_LANES, args[5])
        v, b = source.v, element_pointer(context, builder, panel, args[3], args[4])
        k, _, end = v.loop(source.n_features, VECTOR_BYTES, [])
        lines = v.transpose([builder.bitcast(line, v.type) for line in source.loads(k)])
        place = builder.mul(k, index_constant(INT8_NR // 4))
        for q, line in enumerate(lines):
            v.store(line, b, builder.add(place, index_constant(q * INT8_NR)))
        end([])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def pack_vnni_interleaved(typingctx, X, rows, features, panels, offset, n_words, used):
    """Write words of one feature of four examples into panels that are n_words high.

    panels[offset + (k // INT8_NR) n_words INT8_NR + k % INT8_NR] = the bytes X[rows[0 … 3], k] for
    each k of the features, counted from the first. used: how many rows there are, at most 4; the
    bytes of others are unspecified.
    """
    signature = void(X, rows, features, panels, index, index, index)

    def codegen(context, builder, sig, args):
        source = ByteRows(context, builder, (X, rows, features), args[:3], 4, args[6])
        v, b = source.v, element_pointer(context, builder, panels, args[3], args[4])
        k, _, end = v.loop(source.n_features, VECTOR_BYTES, [])
        spread, lines = [i % 4 * 4 + i // 4 for i in range(WORD_LANES)], []
        for octets in source.loads(k):
            line = builder.bitcast(octets, WORD_VECTOR)
            lines.append(builder.bitcast(shuffle_lanes(builder, line, line, spread), BYTE_VECTOR))
        place = builder.mul(k, args[5])
        for i, line in enumerate(interleave4(builder, lines)):
            if i == 2:
                place = builder.add(place, builder.mul(index_constant(INT8_NR), args[5]))
            at = builder.add(place, index_constant(i % 2 * WORD_LANES))
            v.store(builder.bitcast(line, v.type), b, at)
        end([])
        return context.get_dummy_value()

    return signature, codegen


def interleave4(builder, octets):
    """Interleave the bytes of four vectors: four vectors of words, a byte of each example in each.

    Vector i holds the features 4i … 4i+3 of every quarter of the 64. pack_vnni_interleaved spreads
    the words of the features over the quarters first, and so gets the features in order.
    """
    pairs = ir.VectorType(ir.IntType(16), VECTOR_BYTES // 2)
    halves = [
        builder.bitcast(shuffle_lanes(builder, x, y, _unpack_places(VECTOR_BYTES, 16, high)), pairs)
        for high in (0, 1)
        for x, y in (octets[:2], octets[2:])
    ]
    lines = [
        shuffle_lanes(builder, x, y, _unpack_places(VECTOR_BYTES // 2, 8, high))
        for x, y in (halves[:2], halves[2:])
        for high in (0, 1)
    ]
    return [builder.bitcast(line, WORD_VECTOR) for line in lines]


def _unpack_places(count, group, high):
    """Indices that interleave the low or high halves of each group of x and y, as PUNPCK does."""
    starts = range(high * group // 2, count, group)
    return [side + i for start in starts for i in range(start, start + group // 2)
            for side in (0, count)]  # fmt: skip


@inlined
def align_start(X, first, step):
    """Where steps over the features begin, relative to `first`: 0 or less.

    Each step but the first then begins a cache line of every row. 0 where rows are not all aligned
    alike.
    """
    ahead = -(X.address + first) % VECTOR_BYTES if X.row_stride % VECTOR_BYTES == 0 else 0
    return ahead - step if ahead > 0 else 0
