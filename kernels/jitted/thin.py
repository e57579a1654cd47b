"""Products of few by few: numbers of A stay in registers while the rows of B pass.

In networks of a few units a tile of `gemm.py` spends most of its time on its begin and its end.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ._jit import inlined
from .simd import Vectors, clamped, constant, data, index, machine, void

ROWS, DEPTH = (4 if machine()[1] == 32 else 2), 4  # of A that the registers hold at once
ZERO, ADD, BIAS = 0, 1, 2  # what a product starts from: nothing, C, one number a row


def _stream(builder, v, weights, starts, adds, low, b, ldb, cells, N):
    """C = floor(start + weights · B), vector by vector; start is C itself where it adds."""
    j, _, end = v.loop(N, v.lanes, [])
    before = builder.block
    with builder.if_then(adds):
        found, there = [v.load(cell, j) for cell in cells], builder.block
    sums = [builder.phi(v.type) for _ in cells]
    for phi, start, value in zip(sums, starts, found, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, there)
    for k in range(len(weights[0])):
        line = v.load(b, builder.add(j, builder.mul(ldb, constant(k))))
        sums = [v.multiply_add(w[k], line, x) for w, x in zip(weights, sums, strict=True)]
    for x, cell in zip(sums, cells, strict=True):
        v.store(v.floored(x, low), cell, j)
    end([])


@intrinsic
def _rows(typingctx, A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, used, N, K, begin, floor):
    """Up to ROWS rows of C (·, N) from K ≤ DEPTH rows of B; N in whole vectors."""
    signature = void(A, index, index, index, B, index, index, C, index, index, bias, *(index,) * 6)

    def codegen(context, builder, sig, args):
        a, b, c = (
            data(context, builder, (A, B, C)[i], args[p], args[p + 1])
            for i, p in enumerate((0, 4, 7))
        )
        rs, cs, ldb, ldc = args[2], args[3], args[6], args[9]
        o, used, N, K, begin, floor = args[11:]
        v = Vectors(context, builder, C.dtype)
        biased = builder.icmp_signed("==", begin, constant(BIAS))
        adds = builder.icmp_signed("==", begin, constant(ADD))
        first = data(context, builder, bias, args[10], builder.select(biased, o, constant(0)))
        low, zero = v.floor(floor), v.scalar(0.0)
        single = builder.icmp_signed("==", used, constant(1))
        shape = builder.add(K, builder.select(single, constant(DEPTH), constant(0)))
        done = builder.append_basic_block("done")
        chosen = builder.switch(shape, done)
        for height, base in ((ROWS, 0), (1, DEPTH)):
            for depth in range(1, DEPTH + 1):
                block = builder.append_basic_block(f"rows{height}x{depth}")
                chosen.add_case(constant(base + depth), block)
                builder.position_at_end(block)
                places = [clamped(builder, i, used) for i in range(height)]
                heads = [builder.gep(a, [builder.mul(i, rs)]) for i in places]
                steps = [builder.mul(cs, constant(k)) for k in range(depth)]
                weights = [
                    [v.splat(builder.load(builder.gep(head, [step]))) for step in steps]
                    for head in heads
                ]
                numbers = (builder.load(builder.gep(first, [i])) for i in places)
                starts = [v.splat(builder.select(biased, number, zero)) for number in numbers]
                cells = [builder.gep(c, [builder.mul(i, ldc)]) for i in places]
                _stream(builder, v, weights, starts, adds, low, b, ldb, cells, N)
                builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return signature, codegen


@inlined
def thin(M, N, K, A, a, rs, cs, B, b, ldb, C, c, ldc, bias, o, begin, floor):
    """As `multiply`, for N in whole vectors, by bands of a few rows of A and of B."""
    for k in range(0, K, DEPTH):
        depth, start = min(DEPTH, K - k), begin if k == 0 else ADD
        low = floor if k + depth == K else 0
        for i in range(0, M, ROWS):
            _rows(
                A, a + i * rs + k * cs, rs, cs, B, b + k * ldb, ldb, C, c + i * ldc, ldc, bias,
                o + i, min(ROWS, M - i), N, depth, start, low,
            )  # fmt: skip
