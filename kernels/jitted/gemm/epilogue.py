"""What a product adds its sums to (0, C, a bias) and how it ends (nothing, relu, relu's gradient).

Both are fused into the product: they act on elements of C while these are in registers.
`add_offset` turns a finished product with X into a product with X + offset.
"""

from __future__ import annotations

from ..codegen.simd import element_pointer, emit_phis, emit_record, index_constant
from ..compiler.jit import inlined

#: Values of `Epilogue.kind`: the sum s of C[i, j] is stored as s, as max(s, 0), or as relu's
#: gradient, which is mask_scale · s where mask[i, j] > 0 and 0 elsewhere. The mask is the output of
#: the relu, or of a dropout after it; mask_scale is 1, or 1 / (1 − rate) of the dropout.
EPILOGUE_NONE, EPILOGUE_RELU, EPILOGUE_RELU_GRAD = 0, 1, 2


class EpilogueEmitter:
    """Emits the epilogue of a tile of C: it turns LLVM vectors of sums into the vectors to store.

    v: a Vectors of C's dtype. C, data: Numba type and LLVM value of the flat vector in which C
    lies, and also the mask, a matrix of C's shape and leading dimension whose positive elements let
    relu's gradient through. epilogue: the pair (Numba type, LLVM value) of an Epilogue. row_offset:
    an LLVM int64, the elements from row 0 of C to the tile's first row.
    """

    def __init__(self, context, builder, v, C, data, epilogue, row_offset):
        kind, value = epilogue
        epilogue = emit_record(builder, kind, value)
        mask_offset = builder.add(epilogue.mask_offset, row_offset)
        self.builder, self.v = builder, v
        self.mask = element_pointer(context, builder, C, data, mask_offset)
        self.bound = v.relu_bound(self._is(epilogue, EPILOGUE_RELU))
        self.is_relu_grad = self._is(epilogue, EPILOGUE_RELU_GRAD)
        self.scale = v.splat(v.from_float64(epilogue.mask_scale))

    def _is(self, epilogue, kind):
        """Emit the bit epilogue.kind == kind; kind: an int, a value of `Epilogue.kind`."""
        return self.builder.icmp_signed("==", epilogue.kind, index_constant(kind))

    def __call__(self, sums, offsets):
        """Emit the epilogue of `sums`, a list of LLVM vectors of a tile of C.

        Returns the list of vectors to store instead. offsets[i]: an LLVM int64, where sums[i] lies,
        in elements from the start of the tile's first row; in C and in the mask, the matrix whose
        positive elements let relu's gradient through.
        """
        builder, v = self.builder, self.v
        sums = [v.relu_clamp(x, self.bound) for x in sums]
        before = builder.block
        with builder.if_then(self.is_relu_grad):
            masks = [v.load(self.mask, offset) for offset in offsets]
            positive = [builder.fcmp_ordered(">", mask, v.zero) for mask in masks]
            scaled = [
                builder.select(lanes, builder.fmul(x, self.scale), v.zero)
                for lanes, x in zip(positive, sums, strict=True)
            ]
            there = builder.block
        return emit_phis(builder, v.type, sums, before, scaled, there)


@inlined
def add_offset(n, K, offset, Y, y, ldy, L, C, c, ldc):
    """C[o, i] += offset · Σₖ Y[o, k] for o < n and i < L, where k < K. offset: a number.

    If C (n, L) was Y Xᵀ, it becomes Y (X + offset)ᵀ, for Y (n, K) and X (L, K). Y[o, k] is element
    y + o · ldy + k of the flat vector Y; C[o, i] is element c + o · ldc + i of the flat vector C.
    """
    for o in range(n if offset != 0 else 0):
        total = 0.0  # This is a float64: sums of float32 over 6144 features lost two digits.
        for k in range(K):
            total += Y[y + o * ldy + k]
        for i in range(L):
            C[c + i + o * ldc] += Y.dtype.type(offset * total)
