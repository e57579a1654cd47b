"""C (m, n) = r(X) r(W)ᵀ by dot products, as in `inner_product`, of rows rounded to bfloat16.

The rows are rounded in registers, as they are read: for few rows, which would not repay packing.
"""

from __future__ import annotations

from ..codegen.bfloat16 import rounded_lanes
from ..codegen.cpu import block_sizes
from ..compiler.definitions import indirect
from ..requirements import ROUNDED_ROW
from .inner_product import dot_tile

_sizes = block_sizes()
DOT_TILE, DOT_TILE_ONE = _sizes.DOT_TILE, _sizes.DOT_TILE_ONE
#: Intrinsics, the tiles that `multiply_inner_rounded` chooses from by the number of rows of W.
_few, _one = dot_tile(*DOT_TILE, rounded_lanes), dot_tile(*DOT_TILE_ONE, rounded_lanes)


@indirect("i i i Matrix Matrix Operand i", requires=ROUNDED_ROW)
def multiply_inner_rounded(m, n, K, X, W, C, accumulate):
    """C[e, o] = Σₖ r(X[e, k]) r(W[o, k]), plus the old C[e, o] if accumulate is 1, not 0.

    e < m, o < n; r: rounded to bfloat16. X (m, K), W (n, K): each a Matrix. C (m, n) out: an
    Operand, whose two strides let it be written row by row or column by column.
    """
    if n == 1:
        for e in range(0, m, DOT_TILE_ONE[0]):
            _one(X, W, C, e, 0, min(DOT_TILE_ONE[0], m - e), 1, K, accumulate)
        return
    for o in range(0, n, DOT_TILE[1]):
        left = min(DOT_TILE[1], n - o)
        for e in range(0, m, DOT_TILE[0]):
            _few(X, W, C, e, o, min(DOT_TILE[0], m - e), left, K, accumulate)
