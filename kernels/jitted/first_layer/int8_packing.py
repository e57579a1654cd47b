"""Packing of bytes of X for VNNI, whose vpdpbusd sums products of four uint8 and four int8.

A panel is a matrix (n_words, INT8_NR) of 32-bit integers, each of which holds four bytes of X:
forward, four features of one example, one example a column; in the gradient of the weights, one
feature of four examples, one feature a column.
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
    """Emits loads of 64 features, a byte each, of `count` examples of X.

    kinds, args: Numba types and LLVM values of three arguments: an Input of bytes, the vector of
    indices of examples, and the Features that are read. count: an int. start: LLVM integer, where
    in the vector of indices the examples begin; None: at 0. used: LLVM integer, how many indices
    follow from start on, at least 1; if it is below `count`, the last example is read again.
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
        """Emit loads of features k … k + 63, a byte each; return a list of vectors, one an example.

        k: LLVM integer, counted from the first of the Features. wanted: a mask, 64 single bits, of
        the bytes to load; None: the bytes that the Features hold. Bytes not wanted are not read and
        become 0.
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
        """Emit prefetches of feature k of all examples into the second-level cache.

        k: LLVM integer, counted from the first of the Features. In the first-level cache, examples
        that are 4096 bytes apart would compete for one set.
        """
        for head in self.heads:
            pointer = self.builder.inttoptr(self.builder.add(head, k), BYTE_VECTOR.as_pointer())
            emit_prefetch(self.builder, pointer, level=2)


@intrinsic
def pack_vnni(typingctx, X, rows, features, panel, offset, used):
    """panel[offset + q · INT8_NR + j] = the four bytes X[rows[j], first + 4 q … first + 4 q + 3].

    (first, n) = features, n ≥ 1; q = 0 … N / 4 − 1, where N is n rounded up to a multiple of 64;
    bytes of features from first + n on are 0. j = 0 … 15; from j = used on (1 ≤ used ≤ 16) the
    bytes of example used − 1 are repeated. X: an Input of bytes; rows: indices of examples; panel:
    a flat vector of 32-bit numbers.
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
    """Write the four bytes X[rows[0 … 3], first + k] as one 32-bit integer for each feature k.

    It goes to panels[offset + (k // INT8_NR) · n_words · INT8_NR + k % INT8_NR]: a row of each
    panel (n_words, INT8_NR). panels: a flat vector of 32-bit numbers. X: an Input of bytes; rows:
    indices of examples; used: how many of rows[0 … 3] exist, 1 to 4; bytes of missing ones are
    unspecified. (first, n) = features, n ≥ 1; k runs to n rounded up to a multiple of 64, with
    zeros from n on.
    """
    signature = void(X, rows, features, panels, index, index, index)

    def codegen(context, builder, sig, args):
        source = ByteRows(context, builder, (X, rows, features), args[:3], 4, args[6])
        v, b = source.v, element_pointer(context, builder, panels, args[3], args[4])
        k, _, end = v.loop(source.n_features, VECTOR_BYTES, [])
        # The integers are transposed as 4 × 4: then the features leave interleave4 in order.
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
    """Emit a list of four vectors of 16 words; a word holds the bytes of a feature of 4 examples.

    octets: four LLVM vectors, one an example, of 64 bytes, one a feature. Word 4 q + j of vector i
    is feature 16 q + 4 i + j (q, j = 0 … 3), its lowest byte from the first example.
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
    """Return a shuffle of two vectors, a list of `count` indices: the one of PUNPCKL* or PUNPCKH*.

    An index is a place in two vectors of `count` elements, one after the other. Of each `group`
    elements of both, the first halves (high = 0) or second halves (high = 1) are interleaved.
    """
    starts = range(high * group // 2, count, group)
    return [side + i for start in starts for i in range(start, start + group // 2)
            for side in (0, count)]  # fmt: skip


@inlined
def align_start(X, first, step):
    """Return an int64 begin ≤ 0 at which blocks of features of X begin, relative to `first`.

    first: a feature. Each block has `step` features, a multiple of VECTOR_BYTES. The second block
    and all later ones then begin at a cache line in every example; the caller cuts the first block
    off at 0. If row_stride is no multiple of a cache line, begin is 0. X: an Input of bytes.
    """
    ahead = -(X.address + first) % VECTOR_BYTES if X.row_stride % VECTOR_BYTES == 0 else 0
    return ahead - step if ahead > 0 else 0
