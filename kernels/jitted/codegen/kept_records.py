"""Records that lie in a vector: how one thread leaves a kernel's arguments there for another.

A record lies there as LLVM lays out its value: an array as Numba's structure of address, shape and
strides. It may be loaded as long as its arrays live.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from ..compiler.array_abi import abi_type
from ..compiler.signatures import record_type


def _place(context, builder, source, vector, start, kind):
    """Emit and return the address of vector[start], a pointer to a value of the Numba type `kind`.

    source: the Numba type of the vector; vector, start: LLVM values.
    """
    data = context.make_array(source)(context, builder, vector).data
    return builder.bitcast(builder.gep(data, [start]), context.get_value_type(kind).as_pointer())


@intrinsic
def store_record(typingctx, vector, start, record):
    """Store a record in a vector of int64 from vector[start] on; its arrays' data stay in place."""

    def codegen(context, builder, signature, args):
        place = _place(context, builder, signature.args[0], args[0], args[1], record)
        builder.store(args[2], place, align=8)
        return context.get_dummy_value()

    return types.void(vector, types.intp, record), codegen


@intrinsic
def load_record(typingctx, kind, vector, start, numbers):
    """Return the record of the class `kind` that `store_record` left at vector[start].

    numbers: any vector of the dtype of the record's network.
    """
    found = abi_type(record_type(kind.instance_class, numbers.dtype))

    def codegen(context, builder, signature, args):
        place = _place(context, builder, signature.args[1], args[1], args[2], found)
        return builder.load(place, align=8)

    return found(kind, vector, types.intp, numbers), codegen
