"""Products of few by few: numbers of A stay in registers while the rows of B pass.

In networks of a few units a tile of `gemm.py` spends most of its time on its begin and its end.
"""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from ..codegen.cpu import block_sizes
from ..codegen.simd import (
    Vectors,
    clamp_index,
    element_pointer,
    emit_phis,
    index,
    index_constant,
    void,
)
from ..compiler.jit import inlined

#: Rows and columns of A whose elements the registers hold at once.
SMALL_K_MR, SMALL_K_KC = block_sizes().SMALL_K_MR, block_sizes().SMALL_K_KC
BETA_ZERO, BETA_ONE, BETA_BIAS = 0, 1, 2  # what a product starts from: nothing, C, one number a row
EPILOGUE_RELU, EPILOGUE_RELU_GRAD = (
    1,
    2,
)  # how it ends: nothing below zero; times a factor where a gate is open, else 0


def begins(context, builder, kinds, args):
    """Where A, B and C of a product begin, from its arguments."""
    places = zip(kinds, (0, 4, 7), strict=True)
    return [element_pointer(context, builder, kind, args[p], args[p + 1]) for kind, p in places]


class Epilogue:
    """Emits what is done to the sums of a product before they are written."""

    def __init__(self, builder, v, gate, factor, end):
        self.builder, self.v, self.gate = builder, v, gate
        self.low = v.floor(builder.icmp_signed("==", end, index_constant(EPILOGUE_RELU)))
        self.gated = builder.icmp_signed("==", end, index_constant(EPILOGUE_RELU_GRAD))
        self.factor = v.splat(builder.fptrunc(factor, v.scalar) if v.size == 4 else factor)

    def __call__(self, sums, places):
        """The numbers to write, from vectors of sums and their places in C and in the gate."""
        builder, v = self.builder, self.v
        sums = [v.floored(x, self.low) for x in sums]
        before = builder.block
        with builder.if_then(self.gated):
            gates = [v.load(self.gate, place) for place in places]
            opened = [builder.fcmp_ordered(">", gate, v.zero) for gate in gates]
            kept = [
                builder.select(wide, builder.fmul(x, self.factor), v.zero)
                for wide, x in zip(opened, sums, strict=True)
            ]
            there = builder.block
        return emit_phis(builder, v.type, sums, before, kept, there)


def _held(builder, v, a, rs, cs, places, depth):
    """Vectors of the numbers of A, row by row."""
    heads = [builder.gep(a, [builder.mul(i, rs)]) for i in places]
    steps = [builder.mul(cs, index_constant(k)) for k in range(depth)]
    return [[v.splat(builder.load(builder.gep(head, [step]))) for step in steps] for head in heads]


def _stream(builder, v, weights, starts, adds, end, b, ldb, c, rows, N):
    """C[rows] = end(start + weights · B), vector by vector; start is C itself where it adds."""
    j, _, close = v.loop(N, v.lanes, [])
    cells, before = [builder.add(row, j) for row in rows], builder.block
    with builder.if_then(adds):
        found, there = [v.load(c, cell) for cell in cells], builder.block
    sums = emit_phis(builder, v.type, starts, before, found, there)
    for k in range(len(weights[0])):
        line = v.load(b, builder.add(j, builder.mul(ldb, index_constant(k))))
        sums = [v.multiply_add(w[k], line, x) for w, x in zip(weights, sums, strict=True)]
    for x, cell in zip(end(sums, cells), cells, strict=True):
        v.store(x, c, cell)
    close([])


@intrinsic
def _rows(
    typingctx, A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, used, N, K, begin, end, g, factor
):
    """Up to SMALL_K_MR rows of C (·, N) from K ≤ SMALL_K_KC rows of B; N in whole vectors."""
    ints = (index,) * 7
    signature = void(A, *ints[:3], B, index, index, C, index, index, bias, *ints, types.float64)

    def codegen(context, builder, sig, args):
        a, b, c = begins(context, builder, (A, B, C), args)
        rs, cs, ldb, ldc = args[2], args[3], args[6], args[9]
        o, used, N, K, begin, end, g, factor = args[11:]
        v = Vectors(context, builder, C.dtype)
        biased = builder.icmp_signed("==", begin, index_constant(BETA_BIAS))
        adds = builder.icmp_signed("==", begin, index_constant(BETA_ONE))
        first = element_pointer(
            context, builder, bias, args[10], builder.select(biased, o, index_constant(0))
        )
        zero = v.scalar(0.0)
        end = Epilogue(builder, v, element_pointer(context, builder, C, args[7], g), factor, end)
        single = builder.icmp_signed("==", used, index_constant(1))
        shape = builder.add(
            K, builder.select(single, index_constant(SMALL_K_KC), index_constant(0))
        )
        done = builder.append_basic_block("done")
        chosen = builder.switch(shape, done)
        for height, base in ((SMALL_K_MR, 0), (1, SMALL_K_KC)):
            for depth in range(1, SMALL_K_KC + 1):
                block = builder.append_basic_block(f"rows{height}x{depth}")
                chosen.add_case(index_constant(base + depth), block)
                builder.position_at_end(block)
                places = [clamp_index(builder, i, used) for i in range(height)]
                weights = _held(builder, v, a, rs, cs, places, depth)
                numbers = (builder.load(builder.gep(first, [i])) for i in places)
                starts = [v.splat(builder.select(biased, number, zero)) for number in numbers]
                rows = [builder.mul(i, ldc) for i in places]
                _stream(builder, v, weights, starts, adds, end, b, ldb, c, rows, N)
                builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return signature, codegen


@inlined
def multiply_small_k(M, N, K, A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, begin, end, g, factor):
    """As `multiply`, for N in whole vectors, by bands of a few rows of A and of B."""
    for k in range(0, K, SMALL_K_KC):
        depth, start = min(SMALL_K_KC, K - k), begin if k == 0 else BETA_ONE
        last = end if k + depth == K else 0
        for i in range(0, M, SMALL_K_MR):
            _rows(
                A, a + i * rs + k * cs, rs, cs, B, b + k * ldb, ldb, C, c + i * ldc, ldc, bias,
                o + i, min(SMALL_K_MR, M - i), N, depth, start, last, g + i * ldc, factor,
            )  # fmt: skip
