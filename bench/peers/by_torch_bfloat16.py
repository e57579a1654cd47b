"""PyTorch under bfloat16 autocast: products of rounded operands, all else in float32."""

from __future__ import annotations

import torch
from torch import Tensor

from .by_torch import PyTorch, PyTorchCompiled


class PyTorchBfloat16(PyTorch):
    """Eager. Autocast rounds each weight once a step; losses and the optimiser take float32."""

    name = "PyTorch bfloat16"

    def _logits(self, X: Tensor, train: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            Z = super()._logits(X, train)
        return Z.float()


class PyTorchCompiledBfloat16(PyTorchBfloat16, PyTorchCompiled):
    """The same through `torch.compile`."""

    name = "PyTorch compiled bfloat16"
