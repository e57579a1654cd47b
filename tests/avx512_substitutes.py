"""A pytest plugin that runs the kernels for AVX-512, VNNI and BF16 on CPUs without them.

Kernels are compiled as for such a CPU: its sizes of tiles, its layout of packed numbers, vectors of
64 bytes, which LLVM emits in halves. Only the intrinsics that no other CPU has are replaced, by
LLVM code that computes what Intel's manual says. What is compiled so must go to a cache of its own,
`FASTNN_CACHE_DIR`. No helper process compiles, for it would know nothing of all this.

Reference: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
"""

from fastnn.kernels.jitted.codegen.simd import INT32, Vectors
from fastnn.kernels.jitted.compiler import parallel_compile
from fastnn.kernels.jitted.loader import source
from fastnn.kernels.jitted.loader.cpu import CPU
from llvmlite import ir

LANES = 16
WORDS, HALVES = (ir.VectorType(kind, LANES) for kind in (INT32, ir.IntType(16)))
FLOATS = ir.VectorType(ir.FloatType(), LANES)


def words(value):
    """A constant: `value` in each of 16 int32."""
    return ir.Constant(WORDS, [value] * LANES)


def halves_of_rounded(b, x):
    """16 float32 rounded to bfloat16, nearest even, as int16; subnormal numbers become 0."""
    bits = b.bitcast(x, WORDS)
    top = b.lshr(bits, words(16))
    even = b.add(bits, b.add(b.and_(top, words(1)), words(0x7FFF)))
    quiet = b.or_(top, words(0x40))
    small = b.icmp_unsigned("==", b.and_(bits, words(0x7F800000)), words(0))
    found = b.select(b.fcmp_unordered("uno", x, x), quiet, b.lshr(even, words(16)))
    return b.trunc(b.select(small, b.and_(top, words(0x8000)), found), HALVES)


def vcvtne2ps2bf16(v, kind, values):
    """The bfloat16 of the second vector, then those of the first."""
    low, high = (halves_of_rounded(v.builder, x) for x in reversed(values))
    order = ir.Constant(ir.VectorType(INT32, 2 * LANES), list(range(2 * LANES)))
    return v.builder.bitcast(v.builder.shuffle_vector(low, high, order), kind)


def vdpbf16ps(v, kind, values):
    """Sums + products of the odd bfloat16, then + those of the even ones, each rounded once."""
    b, sums = v.builder, values[0]
    pairs = [b.bitcast(x, WORDS) for x in values[1:]]
    for take in (
        lambda x: b.and_(x, words(-0x10000)),
        lambda x: b.shl(x, words(16)),
    ):
        sums = v.multiply_add(*(b.bitcast(take(x), FLOATS) for x in pairs), sums)
    return sums


def vpdpbusd(v, kind, values):
    """Sums + the products of four unsigned and four signed bytes."""
    b, (sums, octets, signed) = v.builder, values
    for place in (0, 8, 16, 24):
        x = b.and_(b.lshr(octets, words(place)), words(255))
        y = b.ashr(b.shl(signed, words(24 - place)), words(24))
        sums = b.add(sums, b.mul(x, y))
    return sums


def vpmaddwd(v, kind, values):
    """Sums of two neighbouring products of int16, in 16 int32."""
    b, sums = v.builder, words(0)
    for side in (0, 1):
        order = ir.Constant(WORDS, list(range(side, 2 * LANES, 2)))
        factors = [b.sext(b.shuffle_vector(x, x, order), WORDS) for x in values]
        sums = b.add(sums, b.mul(*factors))
    return sums


def vcvtps2dq(v, kind, values):
    """16 float32 rounded to the nearest even int32; what has none becomes the least one."""
    b, limit = v.builder, ir.Constant(FLOATS, [2.0**31] * LANES)
    x = v.call("llvm.rint.v16f32", FLOATS, values[:1])
    inside = b.and_(
        b.fcmp_ordered("<", x, limit), b.fcmp_ordered(">=", x, b.fneg(limit))
    )  # fmt: skip
    safe = b.select(inside, x, ir.Constant(FLOATS, [0.0] * LANES))
    return b.select(inside, b.fptosi(safe, WORDS), words(-(2**31)))


SUBSTITUTES = {
    "llvm.x86.avx512bf16.cvtne2ps2bf16.512": vcvtne2ps2bf16,
    "llvm.x86.avx512bf16.dpbf16ps.512": vdpbf16ps,
    "llvm.x86.avx512.vpdpbusd.512": vpdpbusd,
    "llvm.x86.avx512.pmaddw.d.512": vpmaddwd,
    "llvm.x86.avx512.mask.cvtps2dq.512": vcvtps2dq,
}
_call = Vectors.call


def call(v, name, result, values):
    """Emit an intrinsic, or its substitute."""
    if substitute := SUBSTITUTES.get(name):
        return substitute(v, result, values)
    assert "avx512" not in name, name
    return _call(v, name, result, values)


Vectors.call = call
source.probe = lambda target: CPU(64, 32, fma=True, vnni=True, bf16=True)
parallel_compile.available_cores = lambda: 1
