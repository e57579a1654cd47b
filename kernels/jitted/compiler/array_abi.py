"""Arrays as indirect kernels take them: an address and a shape.

Numba passes an array in seven words and two more for each dimension, each stored by the caller and
loaded by the callee. That was a sixth of the step of a small net, which makes some thirty calls.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import ArrayModel
from numba.extending import intrinsic, lower_cast, register_model


class AbiArray(types.Array):
    """The type of a C-contiguous array that is passed so; a kernel uses it like any array."""

    def __init__(self, array):
        super().__init__(array.dtype, array.ndim, "C", name=f"passed({array})")
        self.array = array


@register_model(AbiArray)
class _Model(ArrayModel):
    """The data model: values in registers are those of an array, arguments are fewer."""

    def _member(self, name):
        """Return the model of one member of an array's structure."""
        return self._models[self.get_field_position(name)]

    def get_argument_type(self):
        """Return LLVM's types of the arguments: the address, and the shape."""
        return tuple(self._member(name).get_argument_type() for name in ("data", "shape"))

    def as_argument(self, builder, value):
        """Return the arguments that stand for an array's value."""
        return tuple(
            self._member(name).as_argument(builder, self.get(builder, value, name))
            for name in ("data", "shape")
        )

    def from_argument(self, builder, value):
        """Return the array's value from its arguments: strides and sizes follow from the shape."""
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
        array = ir.Constant(self.get_value_type(), None)  # no reference count, no parent
        for name, member in members.items():
            array = self.set(builder, array, member, self.get_field_position(name))
        return array


@lower_cast(AbiArray, types.Array)
def _array(context, builder, given, wanted, value):
    """Return the value unchanged, where a variable holds a passed array or another one."""
    return value


@intrinsic
def as_abi_array(typingctx, array):
    """Return the array typed as indirect kernels have it, so that helpers are compiled once."""

    def codegen(context, builder, signature, args):
        return args[0]

    return AbiArray(array)(array), codegen


def abi_type(kind):
    """The type as which a linked kernel takes an argument: arrays in records are such as well."""
    if isinstance(kind, types.Array):
        return kind if isinstance(kind, AbiArray) else AbiArray(kind)
    if isinstance(kind, types.BaseNamedTuple):
        return types.BaseTuple.from_types([*map(abi_type, kind.types)], kind.instance_class)
    return kind


def abi_types(kinds):
    """The types as which a linked kernel takes arguments of these types."""
    return tuple(map(abi_type, kinds))
