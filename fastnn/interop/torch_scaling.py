"""The one layer that PyTorch lacks: inputs scaled by fixed numbers."""

from __future__ import annotations

from typing import Any

import torch


class Scaling(torch.nn.Module):  # type: ignore[misc, unused-ignore]  # torch may be absent
    """A = (X − shift) factor + offset; shift and factor are buffers, never trained."""

    def __init__(self, shift: Any, factor: Any, offset: float) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("factor", factor)
        self.offset = offset

    def forward(self, X: Any) -> Any:
        """Return X (m, n) scaled, in the buffers' dtype."""
        return (X.to(self.factor.dtype) - self.shift) * self.factor + self.offset
