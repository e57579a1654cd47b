"""Vectors of the CPU, and the LLVM instructions that load, multiply and store them.

Loops that LLVM vectorises by itself reach a third of the machine's rate in a matrix product; tiles
of these instructions reach it. Vectors are as wide as those that LLVM uses itself: see `cpu.py`.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .cpu import detect_cpu

INT32, INT64 = ir.IntType(32), ir.IntType(64)
void, index = types.void, types.intp


def lanes(number):
    """Return how many elements of a Numba type a vector holds."""
    return detect_cpu().vector_bytes // (number.bitwidth // 8)


def index_constant(value):
    """Return an index that is known at compile time, as an LLVM constant."""
    return ir.Constant(INT64, value)


def element_pointer(context, builder, kind, array, offset):
    """Emit the address of an array's element; offset counts elements."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [offset])


def emit_record(builder, kind, value):
    """Return a record as a named tuple of LLVM values; kind: its Numba type."""
    return kind.instance_class(*cgutils.unpack_tuple(builder, value))


def emit_matrix(context, builder, kind, value):
    """Return a record (data, offset, …) of LLVM values, and its first element's address."""
    matrix = emit_record(builder, kind, value)
    return matrix, element_pointer(context, builder, kind.types[0], matrix.data, matrix.offset)


def clamp_index(builder, i, count):
    """Emit min(i, count − 1) for a constant i: a tile at an edge repeats the last row."""
    last = builder.sub(count, index_constant(1))
    return builder.select(
        builder.icmp_signed("<", index_constant(i), count), index_constant(i), last
    )


def emit_phis(builder, kind, first, here, second, there):
    """Emit phis of an LLVM type: the values `first` from block `here`, `second` from `there`."""
    phis = [builder.phi(kind) for _ in first]
    for phi, x, y in zip(phis, first, second, strict=True):
        phi.add_incoming(x, here)
        phi.add_incoming(y, there)
    return phis


@intrinsic
def prefer_full_width(typingctx):
    """Let LLVM use the widest vectors where it vectorises loops of the calling kernel.

    On Intel's processors it prefers half as wide ones, with which tanh takes 1.2 times as long.
    """

    def codegen(context, builder, sig, args):
        attribute = f'"prefer-vector-width"="{8 * detect_cpu().vector_bytes}"'
        set.add(builder.function.attributes, attribute)  # llvmlite knows no attributes with values
        return context.get_dummy_value()

    return void(), codegen


class Vectors:
    """Emits vector instructions for one Numba type into one function.

    Offsets count elements of that type. A mask is a vector of `lanes` bits: lanes whose bit is not
    set are neither read nor written, and loaded as zero.
    """

    def __init__(self, context, builder, number):
        self.context, self.builder, self.number = context, builder, number
        self.scalar = context.get_data_type(number)
        self.lanes = lanes(number)
        self.itemsize = number.bitwidth // 8  # bytes
        self.type = ir.VectorType(self.scalar, self.lanes)
        self.zero = ir.Constant(self.type, [0.0] * self.lanes)
        self._suffix = f"v{self.lanes}f{number.bitwidth}"

    def call(self, name, result, values):
        """Call the LLVM intrinsic of that full name; result: its LLVM type."""
        kind = ir.FunctionType(result, [value.type for value in values])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, values)

    def splat(self, value):
        """A vector with a scalar, of this type or a 32-bit integer, in every lane."""
        kind = ir.VectorType(value.type, self.lanes)
        first = self.builder.insert_element(
            ir.Constant(kind, ir.Undefined), value, ir.Constant(INT32, 0)
        )
        order = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), order)

    def from_float64(self, value):
        """A float64 scalar rounded to this type."""
        return self.builder.fptrunc(value, self.scalar) if self.itemsize == 4 else value

    def pointer(self, pointer, offset=None):
        """The address of a vector, `offset` elements behind a pointer."""
        pointer = pointer if offset is None else self.builder.gep(pointer, [offset])
        return self.builder.bitcast(pointer, self.type.as_pointer())

    def load(self, pointer, offset=None, mask=None):
        """Load a vector from any element's address."""
        if mask is None:
            return self.builder.load(self.pointer(pointer, offset), align=self.itemsize)
        return self.load_masked(pointer, offset, mask)

    def store(self, vector, pointer, offset=None):
        """Store a vector to any element's address."""
        self.builder.store(vector, self.pointer(pointer, offset), align=self.itemsize)

    def load_masked(self, pointer, offset, mask):
        """Load the lanes of a mask."""
        values = [self.pointer(pointer, offset), INT32(self.itemsize), mask, self.zero]
        return self.call(f"llvm.masked.load.{self._suffix}.p0", self.type, values)

    def store_masked(self, vector, pointer, offset, mask):
        """Store the lanes of a mask."""
        values = [vector, self.pointer(pointer, offset), INT32(self.itemsize), mask]
        self.call(f"llvm.masked.store.{self._suffix}.p0", ir.VoidType(), values)

    def load_converted(self, kind, pointer, mask=None):
        """Load `lanes` uint8, float32 or float64, by a Numba type, and convert them."""
        scalar = ir.IntType(8) if kind == types.uint8 else self.context.get_data_type(kind)
        narrow = ir.VectorType(scalar, self.lanes)
        address = self.builder.bitcast(pointer, narrow.as_pointer())
        itemsize = kind.bitwidth // 8
        if mask is None:
            loaded = self.builder.load(address, align=itemsize)
        else:
            code = f"v{self.lanes}{'i' if kind == types.uint8 else 'f'}{kind.bitwidth}"
            values = [address, ir.Constant(INT32, itemsize), mask, narrow(None)]
            loaded = self.call(f"llvm.masked.load.{code}.p0", narrow, values)
        if kind == types.uint8:
            wide = self.builder.zext(loaded, ir.VectorType(INT32, self.lanes))
            return self.builder.sitofp(wide, self.type)
        if kind.bitwidth == self.number.bitwidth:
            return loaded
        convert = self.builder.fptrunc if itemsize > self.itemsize else self.builder.fpext
        return convert(loaded, self.type)

    def load_indices(self, pointer, mask):
        """Load `lanes` int64."""
        kind = ir.VectorType(ir.IntType(64), self.lanes)
        address = self.builder.bitcast(pointer, kind.as_pointer())
        values = [address, ir.Constant(INT32, 8), mask, ir.Constant(kind, [0] * self.lanes)]
        return self.call(f"llvm.masked.load.v{self.lanes}i64.p0", kind, values)

    def mask(self, count):
        """The mask of the lanes below a 32-bit count."""
        numbers = ir.Constant(ir.VectorType(INT32, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.splat(count))

    def multiply_add(self, x, y, z):
        """X y + z: one instruction where the CPU has it, else two (a call of libm would crawl).

        LLVM gets the two as one intrinsic. Apart it might reorder them with others, and results
        would depend on the tile.
        """
        name = "fma" if detect_cpu().fma else "fmuladd"
        return self.call(f"llvm.{name}.{self._suffix}", self.type, [x, y, z])

    def relu_bound(self, wanted):
        """The lower bound for `relu_clamp`: 0 where the bit `wanted` is set, else −∞."""
        zero, lowest = (self.scalar(value) for value in (0.0, float("-inf")))
        return self.splat(self.builder.select(wanted, zero, lowest))

    def relu_clamp(self, x, bound):
        """max(x, bound), but NaN where x is NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", x, bound), bound, x)

    def shuffle(self, x, y, order):
        """Lanes of x (0 … lanes − 1) and of y (from `lanes` on) in a constant order."""
        order = ir.Constant(ir.VectorType(INT32, len(order)), order)
        return self.builder.shuffle_vector(x, y, order)

    def sum_lanes(self, vectors):
        """One vector whose lane i is the sum of vectors[i]; at most `lanes` vectors.

        Adding halves of pairs takes 3 instructions a vector; summing each alone takes 2 log₂ lanes.
        """
        vectors = vectors + [self.zero] * (self.lanes - len(vectors))
        width = self.lanes // 2
        while width:
            half = len(vectors) // 2
            pairs = zip(vectors[:half], vectors[half:], strict=True)
            vectors = [self._add_halves(x, y, width) for x, y in pairs]
            width //= 2
        return vectors[0]

    def _add_halves(self, x, y, width):
        """Add the halves of every group of 2·width lanes; a group of x, then one of y."""
        low: list[int] = []
        high: list[int] = []
        for start in range(0, self.lanes, 2 * width):
            for base in (start, self.lanes + start):
                low += range(base, base + width)
                high += range(base + width, base + 2 * width)
        return self.builder.fadd(self.shuffle(x, y, low), self.shuffle(x, y, high))

    def transpose(self, vectors):
        """The columns of a square of `lanes` vectors, by exchanging halves, quarters and so on."""
        count, width = self.lanes, self.lanes // 2
        while width:
            low = [q if q & width == 0 else count + q - width for q in range(count)]
            high = [q + width if q & width == 0 else count + q for q in range(count)]
            for i in range(count):
                if i & width == 0:
                    x, y = vectors[i], vectors[i | width]
                    vectors[i] = self.shuffle(x, y, low)
                    vectors[i | width] = self.shuffle(x, y, high)
            width //= 2
        return vectors

    def loop(self, count, step, values, once=False):
        """Open `for i in range(0, count, step)` with values carried along; count > 0.

        Returns i, the carried values and `close(new values)`, which ends the loop's body. once:
        LLVM must not unroll it, where two turns need more registers than there are.
        """
        builder = self.builder
        before = builder.block
        body, after = builder.append_basic_block("body"), builder.append_basic_block("after")
        builder.branch(body)
        builder.position_at_end(body)
        i = builder.phi(INT64)
        i.add_incoming(index_constant(0), before)
        carried = [builder.phi(value.type) for value in values]
        for phi, value in zip(carried, values, strict=True):
            phi.add_incoming(value, before)

        def close(new):
            following = builder.add(i, index_constant(step))
            i.add_incoming(following, builder.block)
            for phi, value in zip(carried, new, strict=True):
                phi.add_incoming(value, builder.block)
            branch = builder.cbranch(builder.icmp_signed("<", following, count), body, after)
            if once:
                _forbid_unrolling(builder.module, branch)
            builder.position_at_end(after)

        return i, carried, close


def _forbid_unrolling(module, branch):
    """Mark the branch that closes a loop with llvm.loop.unroll.disable."""
    disable = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    name = ir.values.MDValue(module, [disable], name=str(len(module.metadata)))
    name.operands = (name, disable)  # the node that names a loop begins with itself
    branch.set_metadata("llvm.loop", name)
