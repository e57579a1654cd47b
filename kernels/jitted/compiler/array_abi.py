"""A calling convention for arrays: indirect kernels take an array as an address and a shape.

Numba passes an array as five 64-bit values and two more for each dimension, each stored by the
caller and loaded by the callee. That was a sixth of the step of a small net, which makes some
thirty calls.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import ArrayModel
from numba.extending import intrinsic, lower_cast, register_model


class AbiArray(types.Array):
    """Numba's type of a C-contiguous array that is passed as an address and a shape.

    Inside a kernel it behaves like any other array.
    """

    def __init__(self, array):
        """Make the type; array: a Numba array type, whose dtype and ndim it gets."""
        super().__init__(array.dtype, array.ndim, "C", name=f"passed({array})")
        self.array = array


@register_model(AbiArray)
class _Model(ArrayModel):
    """The data model of `AbiArray`: an ordinary array inside a function, two values in a call."""

    def _member(self, name):
        """Return the Numba data model of one member of an array's structure.

        name: the member's name, as "data" or "shape".
        """
        return self._models[self.get_field_position(name)]

    def get_argument_type(self):
        """Return the LLVM types (pointer, (i64, …)) of an array's address and ndim sizes."""
        return tuple(self._member(name).get_argument_type() for name in ("data", "shape"))

    def as_argument(self, builder, value):
        """Emit loads of an array's address and shape; return the LLVM values (address, shape).

        builder: llvmlite's IRBuilder; value: the LLVM value of the array's structure.
        """
        return tuple(
            self._member(name).as_argument(builder, self.get(builder, value, name))
            for name in ("data", "shape")
        )

    def from_argument(self, builder, value):
        """Emit the array's structure and return it as an LLVM value.

        builder: llvmlite's IRBuilder; value: (address, shape), the LLVM values that were passed.
        The emitted code computes strides (bytes) and the number of elements from the shape.
        """
        data = self._member("data").from_argument(builder, value[0])
        shape = self._member("shape").from_argument(builder, value[1])
        dtype = self._fe_type.dtype
        strides: list[Any] = []
        itemsize = dtype.size if isinstance(dtype, types.Record) else dtype.bitwidth // 8
        numbers, step = cgutils.intp_t(1), cgutils.intp_t(itemsize)
        for width in reversed(cgutils.unpack_tuple(builder, shape)):
            strides.insert(0, step)
            numbers, step = builder.mul(numbers, width), builder.mul(step, width)
        members = {
            "nitems": numbers,
            "itemsize": cgutils.intp_t(itemsize),
            "data": data,
            "shape": shape,
            "strides": cgutils.pack_array(builder, strides),
        }
        # The array has no reference count and no parent object: both members stay null.
        array = ir.Constant(self.get_value_type(), None)
        for name, member in members.items():
            array = self.set(builder, array, member, self.get_field_position(name))
        return array


@lower_cast(AbiArray, types.Array)
def _array(context, builder, given, wanted, value):
    """Return `value`, an array's LLVM structure, unchanged: both types have one structure.

    given, wanted: the two Numba types; context, builder: Numba's and LLVM's, unused. Numba needs
    this cast where a variable holds an `AbiArray` on one path and an ordinary array on another.
    """
    return value


@intrinsic
def as_abi_array(typingctx, array):
    """Intrinsic: return `array`, unchanged, as an `AbiArray`, its type in indirect kernels.

    Functions that both direct and indirect kernels call are then compiled for one type only.
    """

    def codegen(context, builder, signature, args):
        """Emit nothing; return args[0], the LLVM value of the array."""
        return args[0]

    return AbiArray(array)(array), codegen


def abi_type(kind):
    """Return the Numba type that an indirect kernel has for an argument of the Numba type `kind`.

    An array type becomes an `AbiArray`, also as a field of a named tuple; any other type stays.
    """
    if isinstance(kind, types.Array):
        return kind if isinstance(kind, AbiArray) else AbiArray(kind)
    if isinstance(kind, types.BaseNamedTuple):
        return types.BaseTuple.from_types([*map(abi_type, kind.types)], kind.instance_class)
    return kind


def abi_types(kinds):
    """Return a tuple with abi_type(kind) for each Numba type `kind` in the sequence `kinds`."""
    return tuple(map(abi_type, kinds))
