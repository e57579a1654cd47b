"""What products start from and end with: biases, relu and its gradient, offsets of scaled factors.

Both are fused: elements of C are still in registers when they get them.
"""

from __future__ import annotations

from ..codegen.simd import element_pointer, emit_phis, emit_record, index_constant
from ..compiler.jit import inlined

#: What the sums are added to: 0, C itself, or a bias for each row of C.
BETA_ZERO, BETA_ONE, BETA_BIAS = 0, 1, 2
#: What is stored: the sum; max(sum, 0); or mask_scale · sum where a mask is positive, else 0.
EPILOGUE_NONE, EPILOGUE_RELU, EPILOGUE_RELU_GRAD = 0, 1, 2


class EpilogueEmitter:
    """Emits what an `Epilogue` does to vectors of sums.

    row: of C, at which the vectors' offsets begin, and the mask's.
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
        """Return the vectors to store; offsets: of each in C and in the mask."""
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
    """C[c + i + o ldc] += offset Σₖ Y[y + o ldy + k], o < n, i < L, k < K.

    This completes a product with X + offset instead of X.
    """
    for o in range(n if offset != 0 else 0):
        total = 0.0  # in float64: sums of float32 over 6144 features lost two digits
        for k in range(K):
            total += Y[y + o * ldy + k]
        for i in range(L):
            C[c + i + o * ldc] += Y.dtype.type(offset * total)
