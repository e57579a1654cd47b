"""Views of arrays without checks, and loads and prefetches by address.

A slice in Numba wraps negative indices around and counts references; a view here is an address and
a shape, which compiles in a third of the time. It is valid only while the viewed array lives.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ..compiler.jit import inlined


def _view_at(context, builder, kind, source, array, offset, shape):
    """Emit a C-contiguous view of `array` from its element `offset` on; return the view.

    kind: the Numba array type of the view; source: that of `array`. array, offset (in elements of
    `array`) and the list `shape` (the sizes of the view) hold LLVM values, as does the result.
    """
    data = builder.gep(make_array(source)(context, builder, array).data, [offset])
    view = make_array(kind)(context, builder)
    data = builder.bitcast(data, view.data.type)
    itemsize = context.get_constant(
        types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype))
    )
    strides = [itemsize]
    for width in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], width))
    populate_array(view, data, shape, strides, itemsize, None)
    return view._getvalue()


def _view_as(number):
    """Return the intrinsic view(vector, start, n): n elements in the memory from vector[start] on.

    They are of type `number`, a Numba type, and not converted; None: of the vector's own type.
    """

    @intrinsic
    def view(typingctx, vector, start, n):
        """Return a view (n,) of the memory from vector[start] on; nothing is converted.

        Its elements have the type `number` that `_view_as` was given; None: the vector's own.
        start counts elements of the vector, n elements of the view; both are int64.
        """
        kind = types.Array(number or vector.dtype, 1, "C")

        def codegen(context, builder, sig, args):
            return _view_at(context, builder, kind, vector, args[0], args[1], [args[2]])

        return kind(vector, types.intp, types.intp), codegen

    return view


view = _view_as(None)  # view(vector, start, n) is vector[start : start + n]
#: view_float64(vector, start, n): n float64 in the memory of a vector of any dtype. The address of
#: vector[start] must be a multiple of 8 bytes.
view_float64 = _view_as(types.float64)


@intrinsic
def view_matrix(typingctx, vector, start, n, width):
    """Return a row-major view (n, width) of vector[start : start + n·width].

    vector: of any dtype, which the view keeps; start, n and width are int64.
    """
    kind = types.Array(vector.dtype, 2, "C")

    def codegen(context, builder, sig, args):
        return _view_at(context, builder, kind, vector, args[0], args[1], [args[2], args[3]])

    return kind(vector, types.intp, types.intp, types.intp), codegen


@intrinsic
def view_row(typingctx, A, i, start, n):
    """Return a view (n,) of A[i, start : start + n]; A is a C-contiguous matrix, the rest int64."""
    kind = types.Array(A.dtype, 1, "C")

    def codegen(context, builder, sig, args):
        whole = make_array(A)(context, builder, args[0])
        width = builder.extract_value(whole.shape, 1)
        offset = builder.add(builder.mul(args[1], width), args[2])
        return _view_at(context, builder, kind, A, args[0], offset, [args[3]])

    return kind(A, types.intp, types.intp, types.intp), codegen


@inlined
def unsigned(i):
    """Return the index i ≥ 0 as a uint64: Numba emits code for negative indices of signed types."""
    return np.uint64(i)


@inlined
def fill_zero(x):
    """x[i] = 0 for all i; the vector x (n,) is written.

    To clear a part of a vector, pass a `view` of it: LLVM writes whole vectors if i counts from 0.
    """
    for i in range(x.size):
        x[i] = 0


def emit_prefetch(builder, pointer, level=1):
    """Emit a prefetch of the cache line at `pointer`, an LLVM pointer to anything.

    level: an int, the cache that it is loaded into, from 1 (first-level) to 3.
    """
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.bitcast(pointer, byte), word(0), word(4 - level), word(1)])


@intrinsic
def prefetch(typingctx, address):
    """Prefetch the cache line with the byte at `address` (int64) into the first-level cache."""

    def codegen(context, builder, sig, args):
        emit_prefetch(builder, builder.inttoptr(args[0], ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(types.intp), codegen


@intrinsic
def address_of(typingctx, x):
    """Return the address, an int64 in bytes, of the first element of the array x."""

    def codegen(context, builder, sig, args):
        return builder.ptrtoint(make_array(x)(context, builder, args[0]).data, cgutils.intp_t)

    return types.intp(x), codegen


def _half_to_single(builder, half):
    """Emit the float32 that equals a float16; return it as an LLVM value.

    half: the bits of the float16, an LLVM integer of 16 bits. Exponent and fraction are shifted to
    their places in a float32, and a product with 2¹¹² corrects the bias of the exponent: it is
    exact, for subnormal numbers too. Infinity and NaN then get the largest exponent. LLVM's own
    conversion calls a library for each number on CPUs without F16C.
    """
    word, single = ir.IntType(32), ir.FloatType()
    bits = builder.zext(half, word)
    size = builder.and_(bits, word(0x7FFF))
    small = builder.bitcast(builder.shl(size, word(13)), single)
    value = builder.bitcast(builder.fmul(small, single(2.0**112)), word)
    endless = builder.icmp_unsigned(">=", size, word(0x7C00))
    value = builder.or_(value, builder.select(endless, word(0x7F800000), word(0)))
    sign = builder.shl(builder.and_(bits, word(0x8000)), word(16))
    return builder.bitcast(builder.or_(value, sign), single)


@intrinsic
def load(typingctx, address, index, dtype):
    """Return element `index` of the vector at `address`, whose elements have type `dtype`.

    address: int64, in bytes; index: int64, in elements; dtype: a NumPy scalar type, as np.uint8. A
    float16 is returned as a float32, another number as it is.
    """
    number = dtype.instance_type
    half = number == types.float16

    def codegen(context, builder, signature, args):
        kind = ir.IntType(16) if half else context.get_data_type(number)
        pointer = builder.inttoptr(args[0], kind.as_pointer())
        value = builder.load(builder.gep(pointer, [args[1]]))
        return _half_to_single(builder, value) if half else value

    return (types.float32 if half else number)(types.intp, types.intp, dtype), codegen


@intrinsic
def call_address(typingctx, address):
    """Call the C function at `address` (int64), which takes nothing; return its int64."""

    def codegen(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(64), [])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), [])

    return types.int64(types.intp), codegen
