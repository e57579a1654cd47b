"""What a product adds its sums to (0, C, a bias) and how it ends (nothing, relu, relu's gradient).

Both are fused into the product: they act on elements of C while these are in registers.
`add_offset` turns a finished product with X into a product with X + offset.
"""

from __future__ import annotations

from ..codegen.simd import element_pointer, emit_phis, emit_record, index_constant
from ..compiler.jit import inlined

#: Values of `Beta.mode`, by which the sum of C[i, j] is added to 0, to the old C[i, j] or to the
#: bias of row i, bias[bias_offset + i].
BETA_ZERO, BETA_ONE, BETA_BIAS = 0, 1, 2
#: Values of `Epilogue.kind`, by which a sum s is stored as s, as max(s, 0), or as mask_scale · s
#: where mask[i, j] > 0 and 0 elsewhere. The mask is relu's output, or dropout's behind that relu,
#: whose factor is mask_scale.
EPILOGUE_NONE, EPILOGUE_RELU, EPILOGUE_RELU_GRAD = 0, 1, 2


class EpilogueEmitter:
    """Emits the epilogue of a tile of C: it turns vectors of sums into the vectors to store.

    v: `Vectors` of C's dtype; C, data: Numba type and LLVM value of the flat vector that holds C
    and the mask; epilogue: (Numba type, LLVM value) of an `Epilogue`; row_offset: elements from row
    0 of C to the tile's first row. The mask has C's leading dimension.
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
        return self.builder.icmp_signed("==", epilogue.kind, index_constant(kind))

    def __call__(self, sums, offsets):
        """Emit the epilogue of `sums` and return the vectors to store in their places.

        offsets[i]: elements from the tile's first row to the place of sums[i], in C and the mask.
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
    """C[o, i] += offset · Σₖ Y[o, k] for o < n, i < L, k < K: one number for all of row o of C.

    It turns C = Y Xᵀ into Y (X + offset)ᵀ, X (L, K). Y[o, k] is at y + o · ldy + k of the flat
    vector Y, C[o, i] at c + o · ldc + i of the flat vector C. An offset of 0 changes nothing.
    """
    for o in range(n if offset != 0 else 0):
        total = 0.0  # This is a float64: sums of float32 over 6144 features lost two digits.
        for k in range(K):
            total += Y[y + o * ldy + k]
        for i in range(L):
            C[c + i + o * ldc] += Y.dtype.type(offset * total)
