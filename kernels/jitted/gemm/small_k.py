"""C (M, N) = A (M, K) B (K, N) for small K: A's elements stay in registers while B and C stream.

A band is SMALL_K_MR rows of C. Its elements of A are broadcast to registers once; then rows of B
and of C pass vector by vector, from the first column to the last. In layers of a few units a
register tile (`microkernel.py`) spends most of its time on its start and its end instead.
"""

from __future__ import annotations

from numba.extending import intrinsic

from ..codegen.cpu import block_sizes
from ..codegen.simd import (
    Vectors,
    clamp_index,
    element_pointer,
    emit_matrix,
    emit_phis,
    emit_record,
    index,
    index_constant,
    void,
)
from ..compiler.jit import inlined
from ..records import BETA_BIAS, BETA_ONE, Beta, Epilogue, Matrix, Operand
from .epilogue import EPILOGUE_NONE, EpilogueEmitter

#: Most rows of C in a band (rows that are computed together), and most rows of B that are added to
#: it in one pass: SMALL_K_MR · SMALL_K_KC elements of A stay in registers, one element in each.
SMALL_K_MR, SMALL_K_KC = block_sizes().SMALL_K_MR, block_sizes().SMALL_K_KC


class _Bands:
    """Emits the computation of C, band by band, from the first K ≤ SMALL_K_KC rows of B.

    kinds: the Numba types of A, B, C and beta; args: the LLVM values of all arguments of `_bands`.
    """

    def __init__(self, context, builder, kinds, args):
        self.builder = builder
        self.kind_of_C = kinds[2].types[0]
        self.v = Vectors(context, builder, self.kind_of_C.dtype)
        (self.A, self.a), (self.B, self.b), (self.C, self.c) = (
            emit_matrix(context, builder, *each) for each in zip(kinds[:3], args[:3], strict=True)
        )
        beta = emit_record(builder, kinds[3], args[3])
        self.M, self.N, _ = args[5:]
        self.has_bias = builder.icmp_signed("==", beta.mode, index_constant(BETA_BIAS))
        self.adds = builder.icmp_signed("==", beta.mode, index_constant(BETA_ONE))
        bias_offset = builder.select(self.has_bias, beta.bias_offset, index_constant(0))
        self.biases = element_pointer(context, builder, kinds[3].types[1], beta.bias, bias_offset)

    def all_rows(self, depth, finish):
        """Emit C = finish(start + A B) of `depth` (an int) rows of B, SMALL_K_MR rows at a time.

        finish: an EpilogueEmitter. A single row that is left is computed alone; of several, fewer
        than SMALL_K_MR, the last one is computed repeatedly.
        """
        builder, zero, one = self.builder, index_constant(0), index_constant(1)
        left = builder.urem(self.M, index_constant(SMALL_K_MR))
        single = builder.icmp_signed("==", left, one)
        end = builder.select(single, builder.sub(self.M, one), self.M)
        with builder.if_then(builder.icmp_signed(">", end, zero)):
            row, _, close = self.v.loop(end, SMALL_K_MR, [])
            places = [index_constant(i) for i in range(SMALL_K_MR)]
            if SMALL_K_MR > 2:
                count = builder.sub(end, row)
                places = [clamp_index(builder, i, count) for i in range(SMALL_K_MR)]
            self.stream([builder.add(row, place) for place in places], depth, finish)
            close([])
        with builder.if_then(single):
            self.stream([end], depth, finish)

    def factors(self, rows, depth):
        """Emit and return f, lists of LLVM vectors: all lanes of f[q][k] hold A[rows[q], k].

        k < depth, an int; rows: a list of LLVM int64.
        """
        builder = self.builder
        starts = [builder.gep(self.a, [builder.mul(i, self.A.row_stride)]) for i in rows]
        steps = [builder.mul(self.A.column_stride, index_constant(k)) for k in range(depth)]
        return [
            [self.v.splat(builder.load(builder.gep(start, [step]))) for step in steps]
            for start in starts
        ]

    def stream(self, rows, depth, finish):
        """Emit C[i, j] = finish(start + Σₖ A[i, k] B[k, j]) for i in `rows`, j < N; k < depth.

        rows: a list of LLVM int64; depth: an int. finish: an EpilogueEmitter. start: 0, the old
        C[i, j] or the bias of row i, as the Beta says.
        """
        builder, v = self.builder, self.v
        factors = self.factors(rows, depth)
        places = [builder.select(self.has_bias, i, index_constant(0)) for i in rows]
        biases = (builder.load(builder.gep(self.biases, [place])) for place in places)
        zero = v.scalar(0.0)
        starts = [v.splat(builder.select(self.has_bias, bias, zero)) for bias in biases]
        C_rows = [builder.mul(i, self.C.ld) for i in rows]
        j, _, close = v.loop(self.N, v.lanes, [])
        offsets, before = [builder.add(row, j) for row in C_rows], builder.block
        with builder.if_then(self.adds):
            loaded, there = [v.load(self.c, offset) for offset in offsets], builder.block
        sums = emit_phis(builder, v.type, starts, before, loaded, there)
        for k in range(depth):
            x = v.load(self.b, builder.add(j, builder.mul(self.B.ld, index_constant(k))))
            sums = [v.multiply_add(f[k], x, s) for f, s in zip(factors, sums, strict=True)]
        for x, offset in zip(finish(sums, offsets), offsets, strict=True):
            v.store(x, self.c, offset)
        close([])


@intrinsic
def _bands(typingctx, A, B, C, beta, epilogue, M, N, K):
    """C[i, j] = epilogue(start + Σₖ A[i, k] B[k, j]) for i < M, j < N; k < K.

    A: an Operand; B, C: each a Matrix, C written. beta: a Beta, which says whether start is 0, the
    old C[i, j] or a bias of row i. epilogue: an Epilogue. M ≥ 1, 1 ≤ K ≤ SMALL_K_KC; N is a
    multiple of the lanes.
    """
    signature = void(A, B, C, beta, epilogue, index, index, index)

    def codegen(context, builder, sig, args):
        bands = _Bands(context, builder, (A, B, C, beta), args)
        finish = EpilogueEmitter(
            context, builder, bands.v, bands.kind_of_C, bands.C.data, (epilogue, args[4]),
            index_constant(0),
        )  # fmt: skip
        done = builder.append_basic_block("done")
        switch = builder.switch(args[7], done)
        for depth in range(1, SMALL_K_KC + 1):
            block = builder.append_basic_block(f"depth{depth}")
            switch.add_case(index_constant(depth), block)
            builder.position_at_end(block)
            bands.all_rows(depth, finish)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return signature, codegen


@inlined
def multiply_small_k(M, N, K, A, B, C, beta, epilogue):
    """C (M, N) = epilogue(start + A (M, K) B (K, N)), where N is a multiple of the lanes.

    A: an Operand; B, C: each a Matrix, C written. beta: a Beta, which says whether start is 0, the
    old C[i, j] or a bias of row i. epilogue: an Epilogue, applied after the last k. C is computed
    from rows 0 … SMALL_K_KC − 1 of B first, then from the next ones.
    """
    for k in range(0, K, SMALL_K_KC):
        depth = min(SMALL_K_KC, K - k)
        mode = beta.mode if k == 0 else BETA_ONE
        kind = epilogue.kind if k + depth == K else EPILOGUE_NONE
        _bands(
            Operand(A.data, A.offset + k * A.column_stride, A.row_stride, A.column_stride),
            Matrix(B.data, B.offset + k * B.ld, B.ld),
            C,
            Beta(mode, beta.bias, beta.bias_offset),
            Epilogue(kind, epilogue.mask_offset, epilogue.mask_scale),
            M, N, depth,
        )  # fmt: skip
