"""Vectors of the CPU, and the LLVM instructions that load, multiply and store them.

In a matrix product loops that LLVM vectorises by itself reach a third of the CPU's peak rate; tiles
of these instructions reach it. A vector fills one register of the CPU (`cpu.CPU.vector_bytes`).

Functions that emit take Numba's `context` and llvmlite's `builder`, which appends instructions to
an LLVM function. Numbers known only when the kernel runs are LLVM values, in Python objects;
others are plain Python numbers.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ..loader.source import detect_cpu

INT32, INT64 = ir.IntType(32), ir.IntType(64)  # types in LLVM
void, index = types.void, types.intp  # types in Numba; index is int64


def lanes(number):
    """Return how many elements of `number`, a Numba type as types.float32, a vector holds."""
    return detect_cpu().vector_bytes // (number.bitwidth // 8)


def index_constant(value):
    """Return `value`, a Python int, as an LLVM constant of type int64."""
    return ir.Constant(INT64, value)


def element_pointer(context, builder, kind, array, offset):
    """Emit and return the address of array[offset], all LLVM values; kind: array's Numba type."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [offset])


def emit_record(builder, kind, value):
    """Emit the fields of a record (a named tuple); return that named tuple of LLVM values.

    value: the record as one LLVM value; kind: its Numba type.
    """
    return kind.instance_class(*cgutils.unpack_tuple(builder, value))


def emit_matrix(context, builder, kind, value):
    """Return a Matrix or Operand of LLVM values, and the LLVM pointer to its element (0, 0).

    value: the Matrix or Operand as one LLVM value; kind: its Numba type.
    """
    matrix = emit_record(builder, kind, value)
    return matrix, element_pointer(context, builder, kind.types[0], matrix.data, matrix.offset)


def clamp_index(builder, i, count):
    """Emit min(i, count − 1), an int64; i: a Python int; count: an LLVM int64 > 0.

    At the edge of C a tile has only `count` rows. It still computes all of its rows i, but for
    i ≥ count it repeats the last row, count − 1.
    """
    last = builder.sub(count, index_constant(1))
    return builder.select(
        builder.icmp_signed("<", index_constant(i), count), index_constant(i), last
    )


def emit_phis(builder, kind, first, here, second, there):
    """Return a list of phis; phi i is first[i] after block `here`, second[i] after block `there`.

    first, second: lists of values of LLVM type kind; here, there: blocks that jump to this one.
    """
    phis = [builder.phi(kind) for _ in first]
    for phi, x, y in zip(phis, first, second, strict=True):
        phi.add_incoming(x, here)
        phi.add_incoming(y, there)
    return phis


@intrinsic
def prefer_full_width(typingctx):
    """Make LLVM vectorise the loops of the calling kernel with the widest vectors of the CPU.

    By default it uses vectors of half that width on Intel's processors, with which tanh takes 1.2
    times as long. No instruction is emitted; the kernel gets an attribute.
    """

    def codegen(context, builder, sig, args):
        attribute = f'"prefer-vector-width"="{8 * detect_cpu().vector_bytes}"'
        set.add(builder.function.attributes, attribute)  # llvmlite knows no attributes with values
        return context.get_dummy_value()

    return void(), codegen


class Vectors:
    """Emits instructions on vectors of one Numba type, float32 or float64, into one LLVM function.

    Methods take and return LLVM values. number: the Numba type; offsets (int64) count its elements.
    A vector has `lanes` of them. A mask is a vector of `lanes` single bits: where a bit is 0, the
    lane is neither read nor written, and a load returns 0 in it.
    """

    def __init__(self, context, builder, number):
        self.context, self.builder, self.number = context, builder, number
        self.scalar = context.get_data_type(number)  # LLVM type of an element
        self.lanes = lanes(number)  # elements of a vector
        self.itemsize = number.bitwidth // 8  # bytes of an element
        self.type = ir.VectorType(self.scalar, self.lanes)  # LLVM type of a vector
        self.zero = ir.Constant(self.type, [0.0] * self.lanes)  # a vector with 0 in every lane
        self._suffix = f"v{self.lanes}f{number.bitwidth}"  # of names of LLVM intrinsics

    def call(self, name, result, values):
        """Emit name(*values); name: an LLVM intrinsic with its types; result: its LLVM type."""
        kind = ir.FunctionType(result, [value.type for value in values])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, values)

    def splat(self, value):
        """Emit a vector with `value`, a number of any LLVM type, in each of `lanes` lanes."""
        kind = ir.VectorType(value.type, self.lanes)
        first = self.builder.insert_element(
            ir.Constant(kind, ir.Undefined), value, ir.Constant(INT32, 0)
        )
        order = ir.Constant(ir.VectorType(INT32, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), order)

    def from_float64(self, value):
        """Emit the number `value`, a float64, converted to this type: rounded if it is float32."""
        return self.builder.fptrunc(value, self.scalar) if self.itemsize == 4 else value

    def pointer(self, pointer, offset=None):
        """Emit pointer + offset as a pointer to a vector; offset None: 0 elements."""
        pointer = pointer if offset is None else self.builder.gep(pointer, [offset])
        return self.builder.bitcast(pointer, self.type.as_pointer())

    def load(self, pointer, offset=None, mask=None):
        """Emit the load of a vector from pointer + offset (None: 0); mask None: all lanes."""
        if mask is None:
            return self.builder.load(self.pointer(pointer, offset), align=self.itemsize)
        return self.load_masked(pointer, offset, mask)

    def store(self, vector, pointer, offset=None):
        """Emit the store of all lanes of `vector` to pointer + offset (None: 0), aligned or not."""
        self.builder.store(vector, self.pointer(pointer, offset), align=self.itemsize)

    def load_masked(self, pointer, offset, mask):
        """Emit a vector: lanes from pointer + offset (None: 0) where mask is 1, else 0."""
        values = [self.pointer(pointer, offset), INT32(self.itemsize), mask, self.zero]
        return self.call(f"llvm.masked.load.{self._suffix}.p0", self.type, values)

    def store_masked(self, vector, pointer, offset, mask):
        """Emit the store of those lanes of `vector` to pointer + offset where mask is 1."""
        values = [vector, self.pointer(pointer, offset), INT32(self.itemsize), mask]
        self.call(f"llvm.masked.store.{self._suffix}.p0", ir.VoidType(), values)

    def load_converted(self, kind, pointer, mask=None):
        """Emit a vector of `lanes` numbers of Numba type kind at pointer, converted to this type.

        kind: uint8, float32 or float64; mask: the lanes that are loaded, others are 0; None: all.
        """
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
        """Emit a vector of `lanes` int64 loaded from pointer; lanes are 0 where mask is 0."""
        kind = ir.VectorType(ir.IntType(64), self.lanes)
        address = self.builder.bitcast(pointer, kind.as_pointer())
        values = [address, ir.Constant(INT32, 8), mask, ir.Constant(kind, [0] * self.lanes)]
        return self.call(f"llvm.masked.load.v{self.lanes}i64.p0", kind, values)

    def mask(self, count):
        """Emit a mask whose bit i is 1 for i < count, an LLVM int32; all are 0 for count ≤ 0."""
        numbers = ir.Constant(ir.VectorType(INT32, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.splat(count))

    def multiply_add(self, x, y, z):
        """Emit x y + z of three vectors: one fma where the CPU has it, else a product and a sum.

        Either is one LLVM intrinsic, fma or fmuladd. LLVM may reorder separate products and sums:
        results would depend on the tile. On CPUs without fma, the intrinsic fma calls libm: slow.
        """
        name = "fma" if detect_cpu().fma else "fmuladd"
        return self.call(f"llvm.{name}.{self._suffix}", self.type, [x, y, z])

    def relu_bound(self, wanted):
        """Emit a vector for `relu_clamp`: 0 in all lanes if the single bit wanted is 1, else −∞."""
        zero, lowest = (self.scalar(value) for value in (0.0, float("-inf")))
        return self.splat(self.builder.select(wanted, zero, lowest))

    def relu_clamp(self, x, bound):
        """Emit the vector max(x, bound), lane by lane, NaN where x is NaN; both are vectors."""
        return self.builder.select(self.builder.fcmp_ordered("<", x, bound), bound, x)

    def shuffle(self, x, y, order):
        """Emit a vector: lane i is lane order[i] of vector x followed by y; order: list of int."""
        order = ir.Constant(ir.VectorType(INT32, len(order)), order)
        return self.builder.shuffle_vector(x, y, order)

    def sum_lanes(self, vectors):
        """Emit one vector whose lane i is the sum of all lanes of vectors[i].

        vectors: a list of at most `lanes`; if it has no vectors[i], lane i is 0. Halves of two
        vectors are added in one step: 3 instructions a vector, instead of 2 log₂ lanes.
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
        """Emit a vector of the sums of the two halves of each group of 2·width lanes of x and y.

        The sums, `width` lanes each, are those of x's first group, y's first, x's second, ….
        """
        low: list[int] = []
        high: list[int] = []
        for start in range(0, self.lanes, 2 * width):
            for base in (start, self.lanes + start):
                low += range(base, base + width)
                high += range(base + width, base + 2 * width)
        return self.builder.fadd(self.shuffle(x, y, low), self.shuffle(x, y, high))

    def transpose(self, vectors):
        """Emit the transpose of `lanes` vectors: lane j of vectors[i] becomes lane i of vectors[j].

        Pairs of vectors exchange halves, then quarters, …. The list is overwritten and returned.
        """
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
        """Emit the head of a loop `for i in range(0, count, step)`; return (i, carried, close).

        count: an LLVM int64 > 0; step: an int; i: an LLVM int64; values: a list of LLVM values
        before the first turn; carried: the list of them in a turn. Emit the body, then call
        close(new), new: the list of them after the turn. once: a bool, True: LLVM must not unroll.
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
            """Emit the end of the body; new: the list of LLVM values carried to the next turn."""
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
    """Mark `branch`, which closes a loop of the LLVM module: LLVM must not unroll that loop."""
    disable = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
    name = ir.values.MDValue(module, [disable], name=str(len(module.metadata)))
    name.operands = (name, disable)  # the node that names a loop begins with itself
    branch.set_metadata("llvm.loop", name)
