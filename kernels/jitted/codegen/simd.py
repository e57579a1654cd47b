"""Vectors of the CPU: how wide they are, and the LLVM instructions that load, multiply, store them.

Loops that LLVM vectorises by itself reach a third of the machine's rate in a matrix product; tiles
built from these reach it. They are emitted for what LLVM will really use on this CPU, so that
NUMBA_CPU_NAME and NUMBA_CPU_FEATURES are obeyed.
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
    """How many numbers of a type a vector holds."""
    return detect_cpu().vector_bytes // (number.bitwidth // 8)


def index_constant(value):
    """An index known while compiling."""
    return ir.Constant(INT64, value)


def element_pointer(context, builder, kind, array, offset):
    """Pointer to the element `offset` of an array."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [offset])


def clamp_index(builder, i, count):
    """Index i, or the last below a count: a tile at an edge computes its last row twice."""
    last = builder.sub(count, index_constant(1))
    return builder.select(
        builder.icmp_signed("<", index_constant(i), count), index_constant(i), last
    )


def emit_phis(builder, kind, first, here, second, there):
    """Values that come from one of two blocks, in the block that both lead to."""
    phis = [builder.phi(kind) for _ in first]
    for phi, x, y in zip(phis, first, second, strict=True):
        phi.add_incoming(x, here)
        phi.add_incoming(y, there)
    return phis


@intrinsic
def prefer_full_width(typingctx):
    """Let LLVM take vectors as wide as ours where it vectorises the kernel that calls this.

    On Intel's processors it prefers half as wide ones, with which tanh takes 1.2 times as long.
    """

    def codegen(context, builder, sig, args):
        attribute = f'"prefer-vector-width"="{8 * detect_cpu().vector_bytes}"'
        set.add(builder.function.attributes, attribute)  # llvmlite knows no attributes with values
        return context.get_dummy_value()

    return void(), codegen


class Vectors:
    """Emits vector instructions for one number type into one function."""

    def __init__(self, context, builder, number):
        self.context, self.builder, self.number = context, builder, number
        self.scalar = context.get_data_type(number)
        self.lanes = lanes(number)
        self.size = number.bitwidth // 8
        self.type = ir.VectorType(self.scalar, self.lanes)
        self.zero = ir.Constant(self.type, [0.0] * self.lanes)
        self._suffix = f"v{self.lanes}f{number.bitwidth}"

    def call(self, name, result, values):
        """Call an LLVM intrinsic of that full name."""
        kind = ir.FunctionType(result, [value.type for value in values])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, values)

    def splat(self, value):
        """A vector of one number, or of one 32-bit integer."""
        kind = ir.VectorType(value.type, self.lanes)
        first = self.builder.insert_element(
            ir.Constant(kind, ir.Undefined), value, ir.Constant(INT32, 0)
        )
        places = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), places)

    def at(self, pointer, offset=None):
        """The address of a vector, `offset` elements behind a pointer."""
        pointer = pointer if offset is None else self.builder.gep(pointer, [offset])
        return self.builder.bitcast(pointer, self.type.as_pointer())

    def load(self, pointer, offset=None):
        """The vector there, aligned or not."""
        return self.builder.load(self.at(pointer, offset), align=self.size)

    def store(self, vector, pointer, offset=None):
        """Write a vector there."""
        self.builder.store(vector, self.at(pointer, offset), align=self.size)

    def read(self, pointer, offset, mask):
        """The vector there; with a mask, zero and unread where it is not set."""
        if mask is None:
            return self.load(pointer, offset)
        return self.load_masked(pointer, offset, mask)

    def load_as(self, kind, pointer, mask=None):
        """As many numbers of a Numba type as a vector has lanes, as its own; masked ones are 0."""
        scalar = ir.IntType(8) if kind == types.uint8 else self.context.get_data_type(kind)
        narrow = ir.VectorType(scalar, self.lanes)
        address = self.builder.bitcast(pointer, narrow.as_pointer())
        size = kind.bitwidth // 8
        if mask is None:
            read = self.builder.load(address, align=size)
        else:
            code = f"v{self.lanes}{'i' if kind == types.uint8 else 'f'}{kind.bitwidth}"
            values = [address, ir.Constant(INT32, size), mask, narrow(None)]
            read = self.call(f"llvm.masked.load.{code}.p0", narrow, values)
        if kind == types.uint8:
            wide = self.builder.zext(read, ir.VectorType(INT32, self.lanes))
            return self.builder.sitofp(wide, self.type)
        if kind.bitwidth == self.number.bitwidth:
            return read
        change = self.builder.fptrunc if size > self.size else self.builder.fpext
        return change(read, self.type)

    def load_indices(self, pointer, mask):
        """As many int64 as a vector has lanes, zero and unread where the mask is not set."""
        kind = ir.VectorType(ir.IntType(64), self.lanes)
        address = self.builder.bitcast(pointer, kind.as_pointer())
        values = [address, ir.Constant(INT32, 8), mask, ir.Constant(kind, [0] * self.lanes)]
        return self.call(f"llvm.masked.load.v{self.lanes}i64.p0", kind, values)

    def multiply_add(self, x, y, z):
        """X y + z: one instruction where the CPU has it, else two (a call of libm would crawl).

        Not two of ours: LLVM may reorder those, and results would depend on the tile.
        """
        name = "fma" if detect_cpu().fma else "fmuladd"
        return self.call(f"llvm.{name}.{self._suffix}", self.type, [x, y, z])

    def floor(self, wanted):
        """What `floored` needs: zeros where the condition `wanted` holds, else −∞."""
        zero, least = (self.scalar(value) for value in (0.0, float("-inf")))
        return self.splat(self.builder.select(wanted, zero, least))

    def floored(self, x, low):
        """The numbers of low where x is below them; NaN stays."""
        return self.builder.select(self.builder.fcmp_ordered("<", x, low), low, x)

    def mask(self, count):
        """Lanes below a 32-bit count."""
        line = ir.Constant(ir.VectorType(INT32, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", line, self.splat(count))

    def load_masked(self, pointer, offset, mask):
        """The vector there, zero and unread where the mask is not set."""
        address = self.at(pointer, offset)
        align = ir.Constant(INT32, self.size)
        name = f"llvm.masked.load.{self._suffix}.p0"
        return self.call(name, self.type, [address, align, mask, self.zero])

    def store_masked(self, vector, pointer, offset, mask):
        """Write the lanes of a vector whose mask is set."""
        address = self.at(pointer, offset)
        align = ir.Constant(INT32, self.size)
        name = f"llvm.masked.store.{self._suffix}.p0"
        self.call(name, ir.VoidType(), [vector, address, align, mask])

    def shuffle(self, x, y, places):
        """Lanes of x and (from `lanes` on) of y in a new order."""
        order = ir.Constant(ir.VectorType(INT32, len(places)), places)
        return self.builder.shuffle_vector(x, y, order)

    def sums(self, vectors):
        """One vector whose lane i is the sum of vectors[i]; as many vectors as lanes, or fewer.

        Halving by pairs takes 3 instructions a vector; summing each by itself takes 2 log₂ lanes.
        """
        vectors = vectors + [self.zero] * (self.lanes - len(vectors))
        width = self.lanes // 2
        while width:
            half = len(vectors) // 2
            pairs = zip(vectors[:half], vectors[half:], strict=True)
            vectors = [self._halve(x, y, width) for x, y in pairs]
            width //= 2
        return vectors[0]

    def _halve(self, x, y, width):
        """Add the halves of every group of 2·width lanes, those of x and y side by side."""
        low, high = [], []
        for start in range(0, self.lanes, 2 * width):
            for base in (start, self.lanes + start):
                low += range(base, base + width)
                high += range(base + width, base + 2 * width)
        return self.builder.fadd(self.shuffle(x, y, low), self.shuffle(x, y, high))

    def transposed(self, vectors):
        """The square of lanes × lanes numbers with rows and columns exchanged, by halves."""
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
        """Begin `for i in range(0, count, step)` with values carried along; count > 0.

        Returns i, the values, and `end(new values)`, which closes the loop. once: LLVM must not put
        two turns into one, for which the registers would be too few.
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

        def end(new):
            following = builder.add(i, index_constant(step))
            i.add_incoming(following, builder.block)
            for phi, value in zip(carried, new, strict=True):
                phi.add_incoming(value, builder.block)
            branch = builder.cbranch(builder.icmp_signed("<", following, count), body, after)
            if once:
                module = builder.module
                never = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
                name = ir.values.MDValue(module, [never], name=str(len(module.metadata)))
                name.operands = (name, never)  # the node that names a loop begins with itself
                branch.set_metadata("llvm.loop", name)
            builder.position_at_end(after)

        return i, carried, end
