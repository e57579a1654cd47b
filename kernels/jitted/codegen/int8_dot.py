"""Sums of four products of bytes in each of 16 int32: by one instruction, or by exact substitutes.

A word is a 32-bit integer that holds four bytes: of an activation, from 0 to 255, or of a weight,
from −128 to 127. Each class multiplies the four bytes of a word of activations with those of 16
words of weights, and adds the products up in 16 int32; all give the same sums. `vpmaddubsw`, which
would take bytes as they are, is no substitute: it saturates sums of two products to 16 bits.

References: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VPDPBUSD,
PMADDWD and PMADDUBSW.
"""

from __future__ import annotations

from llvmlite import ir

from ..loader.source import detect_cpu
from .simd import INT32
from .vnni import WORD_LANES, WORD_VECTOR, splat_word

#: The type, in LLVM, of a vector of 16 words as 32 integers of 16 bits.
PAIR_VECTOR = ir.VectorType(ir.IntType(16), 2 * WORD_LANES)


def splat_to_words(builder, word):
    """Emit a vector of 16 words, each equal to `word`, an LLVM int32."""
    undefined = ir.Constant(WORD_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, word, INT32(0))
    return builder.shuffle_vector(first, undefined, splat_word(0))


class Vnni:
    """vpdpbusd of AVX-512 VNNI: 64 products at once.   v: the `simd.Vectors` that emit."""

    def __init__(self, v):
        self.v, self.builder = v, v.builder

    def activations(self, word):
        """Emit what `add` takes of a word of activations, an LLVM int32."""
        return splat_to_words(self.builder, word)

    def weights(self, words):
        """Emit what `add` takes of 16 words of weights, an LLVM vector."""
        return words

    def add(self, sums, activations, weights):
        """Emit sums, 16 int32, plus the products of each weight's word and that of activations."""
        values = [sums, activations, weights]
        return self.v.call("llvm.x86.avx512.vpdpbusd.512", WORD_VECTOR, values)


class Widened(Vnni):
    """Products of 16 bits, of which pmaddwd adds two to an int32; bytes are widened before.

    Two products of the even bytes and two of the odd ones: none of them leaves 32 bits.
    """

    def activations(self, word):
        """Emit the even and the odd bytes of a word, an LLVM int32, in 16 bits each."""
        pairs = self.builder.bitcast(splat_to_words(self.builder, word), PAIR_VECTOR)
        even = self.builder.and_(pairs, self._constant(255))
        return even, self.builder.lshr(pairs, self._constant(8))

    def weights(self, words):
        """Emit the even and the odd signed bytes of 16 words, an LLVM vector, in 16 bits each."""
        pairs, eight = self.builder.bitcast(words, PAIR_VECTOR), self._constant(8)
        even = self.builder.ashr(self.builder.shl(pairs, eight), eight)
        return even, self.builder.ashr(pairs, eight)

    def add(self, sums, activations, weights):
        """Emit sums, 16 int32, plus the products of each weight's word and that of activations."""
        for x, w in zip(activations, weights, strict=True):
            sums = self.builder.add(sums, self._multiply(x, w))
        return sums

    @staticmethod
    def _constant(value):
        """Return an LLVM constant: 32 integers of 16 bits, each equal to `value`."""
        return ir.Constant(PAIR_VECTOR, [value] * (2 * WORD_LANES))

    def _multiply(self, x, w):
        """Emit 16 int32, each the sum of two products of x and w, vectors of 32 int16."""
        if detect_cpu().vector_bytes == 64:
            return self.v.call("llvm.x86.avx512.pmaddw.d.512", WORD_VECTOR, [x, w])
        half, low = ir.VectorType(INT32, WORD_LANES // 2), list(range(WORD_LANES))
        parts = [
            self.v.call("llvm.x86.avx2.pmadd.wd", half, [self._part(x, q), self._part(w, q)])
            for q in (0, 1)
        ]
        order = ir.Constant(WORD_VECTOR, low)
        return self.builder.shuffle_vector(*parts, order)

    def _part(self, x, q):
        """Emit the lower (q = 0) or upper half of x, a vector of 32 int16."""
        order = [q * WORD_LANES + i for i in range(WORD_LANES)]
        undefined = ir.Constant(PAIR_VECTOR, ir.Undefined)
        return self.builder.shuffle_vector(x, undefined, ir.Constant(WORD_VECTOR, order))


class Plain(Vnni):
    """Products of 32 bits, for CPUs whose instructions this package does not name."""

    def activations(self, word):
        """Emit each of the four bytes of a word, an LLVM int32, in 16 int32."""
        words = splat_to_words(self.builder, word)
        shifted = (self.builder.lshr(words, splat_word(8 * q)) for q in range(4))
        return [self.builder.and_(part, splat_word(255)) for part in shifted]

    def weights(self, words):
        """Emit each of the four signed bytes of 16 words, an LLVM vector, in 16 int32."""
        shifted = (self.builder.shl(words, splat_word(24 - 8 * q)) for q in range(4))
        return [self.builder.ashr(part, splat_word(24)) for part in shifted]

    def add(self, sums, activations, weights):
        """Emit sums, 16 int32, plus the products of each weight's word and that of activations."""
        for x, w in zip(activations, weights, strict=True):
            sums = self.builder.add(sums, self.builder.mul(x, w))
        return sums


def fastest_dot(v):
    """Return the fastest of the classes for the CPU that kernels are compiled for.

    v: the `simd.Vectors` that emit.
    """
    cpu = detect_cpu()
    if cpu.vnni:
        return Vnni(v)
    return Widened(v) if cpu.instruction_set in ("avx512", "avx2+fma") else Plain(v)
