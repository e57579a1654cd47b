"""The layers that PyTorch lacks: inputs scaled by fixed numbers, and eᶻ."""

from __future__ import annotations

from typing import Any

import torch


class Scaling(torch.nn.Module):  # type: ignore[misc, unused-ignore]  # torch may be absent
    """A = (X − shift) factor + offset; the numbers are buffers, never trained.

    `rest` is what the shift lost to rounding; it counts, in float64, where X is wide, lest a large
    mean cancels.
    """

    def __init__(self, shift: Any, factor: Any, offset: float, rest: Any) -> None:
        super().__init__()
        self.register_buffer("shift", shift)
        self.register_buffer("factor", factor)
        self.register_buffer("rest", rest)
        self.offset = offset

    def forward(self, X: Any) -> Any:
        """Return X (m, n) scaled, in the buffers' dtype."""
        wide = X.dtype.itemsize >= (8 if X.dtype.is_floating_point else 4)
        shift = self.shift.double() + self.rest if wide else self.shift
        return ((X.to(shift.dtype) - shift) * self.factor + self.offset).to(self.factor.dtype)


class Exp(torch.nn.Module):  # type: ignore[misc, unused-ignore]  # torch may be absent
    """A = e^X, the mean of counts where X is its logarithm."""

    def forward(self, X: Any) -> Any:
        """Return e^X, of the shape of X."""
        return X.exp()
