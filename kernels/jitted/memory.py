"""Views and addresses: parts of flat vectors, and the user's array whatever its dtype and strides.

A slice in Numba carries wrap-around checks and a reference count; a view here is an address, which
compiles in a third of the time. It lives no longer than the array behind it.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

from ._jit import inlined
from ._link import linked

#: dtypes that are read in place; arrays of others are converted at the door.
CODES = {np.dtype(np.float32): 0, np.dtype(np.float64): 1, np.dtype(np.uint8): 2}


def _view(context, builder, kind, source, array, offset, shape):
    """A C-contiguous array of that type, `offset` elements into another one."""
    data = builder.gep(make_array(source)(context, builder, array).data, [offset])
    view = make_array(kind)(context, builder)
    itemsize = context.get_constant(
        types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype))
    )
    strides = [itemsize]
    for width in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], width))
    populate_array(view, data, shape, strides, itemsize, None)
    return view._getvalue()


@intrinsic
def part(typingctx, vector, start, n):
    """vector[start : start+n] of a contiguous vector, unchecked."""
    kind = types.Array(vector.dtype, 1, "C")

    def codegen(context, builder, sig, args):
        return _view(context, builder, kind, vector, args[0], args[1], [args[2]])

    return kind(vector, types.intp, types.intp), codegen


@intrinsic
def matrix(typingctx, vector, start, n, width):
    """vector[start : start + n·width] as (n, width), unchecked."""
    kind = types.Array(vector.dtype, 2, "C")

    def codegen(context, builder, sig, args):
        return _view(context, builder, kind, vector, args[0], args[1], [args[2], args[3]])

    return kind(vector, types.intp, types.intp, types.intp), codegen


@intrinsic
def row(typingctx, A, i, start, n):
    """A[i, start : start+n] of a C-contiguous matrix, unchecked."""
    kind = types.Array(A.dtype, 1, "C")

    def codegen(context, builder, sig, args):
        whole = make_array(A)(context, builder, args[0])
        width = builder.extract_value(whole.shape, 1)
        offset = builder.add(builder.mul(args[1], width), args[2])
        return _view(context, builder, kind, A, args[0], offset, [args[3]])

    return kind(A, types.intp, types.intp, types.intp), codegen


@intrinsic
def same(typingctx, x, y):
    """Whether two arrays begin at one address."""

    def codegen(context, builder, sig, args):
        first, second = (
            builder.ptrtoint(make_array(kind)(context, builder, array).data, cgutils.intp_t)
            for kind, array in zip((x, y), args, strict=True)
        )
        return builder.icmp_signed("==", first, second)

    return types.boolean(x, y), codegen


@intrinsic
def load(typingctx, address, index, dtype):
    """The index-th number of that dtype behind an address."""
    number = dtype.instance_type

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], context.get_data_type(number).as_pointer())
        return builder.load(builder.gep(pointer, [args[1]]))

    return number(types.intp, types.intp, dtype), codegen


def locate(X):
    """Describe X (m, n) as (address, row step, column step, code); steps count elements.

    Returns the description and the array that must stay alive while it is used.
    """
    if X.dtype not in CODES:
        X = X.astype(np.float64)
    size, flags = X.itemsize, X.flags
    if not flags.aligned or (not flags.c_contiguous and any(step % size for step in X.strides)):
        X = X.copy()
    rows, columns = X.strides
    return (X.__array_interface__["data"][0], rows // size, columns // size, CODES[X.dtype]), X


@inlined
def _line(dtype, wide, address, start, stride, q, scaling, each, shift, factor, rest, offset, line):
    """One row of `_gather`; a stride known to be 1 lets LLVM read vectors."""
    number = line.dtype.type
    if scaling == 0:
        for k in range(line.size):
            line[k] = number(load(address, start + k * stride, dtype))
    elif each:
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype))
            value = value - wide(shift[q + k]) - wide(rest[q + k])
            line[k] = number(value * wide(factor[q + k]) + offset)
    else:
        low, lost, scale = wide(shift[0]), wide(rest[0]), wide(factor[0])
        for k in range(line.size):
            value = wide(load(address, start + k * stride, dtype)) - low - lost
            line[k] = number(value * scale + offset)


@inlined
def _gather(dtype, wide, X, rows, k0, scaling, shift, factor, rest, offset, block):
    """block (n, w) = X[rows, k0 : k0+w], scaled.

    Numbers are scaled as `wide`: in float64 where X is, lest a large mean cancels.
    """
    address, step, stride, _ = X
    offset, each = wide(offset), shift.size > 1
    for j in range(rows.size):
        start = rows[j] * step + k0 * stride
        line = row(block, j, 0, block.shape[1])
        if stride == 1:
            _line(
                dtype, wide, address, start, 1, k0, scaling, each, shift, factor, rest, offset, line
            )
        else:
            _line(
                dtype, wide, address, start, stride, k0, scaling, each, shift, factor, rest,
                offset, line,
            )  # fmt: skip


@linked("X I1 i i F1 F1 F1 f F2", when="float32")
def gather_singles(X, rows, k0, stats, shift, factor, rest, offset, block):
    """block (n, w) = (X[rows, k0 : k0+w] − shift − rest) factor + offset; stats 0: as it is."""
    wide = block.dtype.type
    _gather(np.float32, wide, X, rows, k0, stats, shift, factor, rest, offset, block)


@linked("X I1 i i F1 F1 F1 f F2", when="float64")
def gather_doubles(X, rows, k0, stats, shift, factor, rest, offset, block):
    """The same of float64."""
    _gather(np.float64, np.float64, X, rows, k0, stats, shift, factor, rest, offset, block)


@linked("X I1 i i F1 F1 F1 f F2", when="uint8")
def gather_bytes(X, rows, k0, stats, shift, factor, rest, offset, block):
    """The same of uint8."""
    wide = block.dtype.type
    _gather(np.uint8, wide, X, rows, k0, stats, shift, factor, rest, offset, block)


@inlined
def gather(table, X, rows, k0, stats, shift, factor, rest, offset, block):
    """The same of whatever X holds."""
    if X[3] == 0:
        gather_singles(table, X, rows, k0, stats, shift, factor, rest, offset, block)
    elif X[3] == 1:
        gather_doubles(table, X, rows, k0, stats, shift, factor, rest, offset, block)
    else:
        gather_bytes(table, X, rows, k0, stats, shift, factor, rest, offset, block)
