"""Arrays as linked kernels take them: an address and a shape.

Numba hands an array over in seven words and two more a dimension, each stored by the caller and
loaded by the callee. That was a sixth of the step of a small net, which makes some thirty calls.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import ArrayModel
from numba.extending import intrinsic, lower_cast, register_model


class AbiArray(types.Array):
    """A C-contiguous array while it is an argument; inside of a kernel it is like any other."""

    def __init__(self, array):
        super().__init__(array.dtype, array.ndim, "C", name=f"passed({array})")
        self.array = array


@register_model(AbiArray)
class _Model(ArrayModel):
    """Values are laid out as those of an array, so one stands for the other."""

    def _member(self, name):
        """Model of one of an array's words."""
        return self._models[self.get_field_position(name)]

    def get_argument_type(self):
        """LLVM's types of what is handed over."""
        return tuple(self._member(name).get_argument_type() for name in ("data", "shape"))

    def as_argument(self, builder, value):
        """What is handed over of an array."""
        return tuple(
            self._member(name).as_argument(builder, self.get(builder, value, name))
            for name in ("data", "shape")
        )

    def from_argument(self, builder, value):
        """The array again: strides and sizes follow from the shape."""
        data = self._member("data").from_argument(builder, value[0])
        shape = self._member("shape").from_argument(builder, value[1])
        dtype, strides = self._fe_type.dtype, []
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
        array = ir.Constant(self.get_value_type(), None)  # nobody counts references to it
        for name, member in members.items():
            array = self.set(builder, array, member, self.get_field_position(name))
        return array


@lower_cast(AbiArray, types.Array)
def _array(context, builder, given, wanted, value):
    """The same array, where a variable holds what was passed or another."""
    return value


@intrinsic
def as_abi_array(typingctx, array):
    """The same array as linked kernels have it: what they share with others is compiled once."""

    def codegen(context, builder, signature, args):
        return args[0]

    return AbiArray(array)(array), codegen


def abi_types(kinds):
    """The types as which a linked kernel takes arguments of these types."""
    return tuple(AbiArray(kind) if isinstance(kind, types.Array) else kind for kind in kinds)
