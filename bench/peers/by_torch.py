"""PyTorch, eager and compiled: tensors sliced by hand, fused optimisers, costs kept as tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fastnn import Adam

from .contender import Contender
from .data import Array
from .rows import Task


class PyTorch(Contender):
    """Eager. Functions on bare parameters, which spares the calls of modules."""

    name = "PyTorch"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.X = torch.from_numpy(task.scaled)
        self.binary = task.row.output == "sigmoid"
        y = torch.from_numpy(np.asarray(task.y))
        self.y = y[:, None].float() if self.binary else y
        self.first = [(torch.from_numpy(W.T.copy()), torch.from_numpy(b)) for W, b in task.layers()]
        self.layers = [(W.clone(), b.clone()) for W, b in self.first]
        for parameter in self.parameters:
            parameter.requires_grad_()
        self.loss, self.label = self._compiled(self._loss), self._compiled(self._label)

    def _compiled(self, function):
        """Return the function as this contender runs it."""
        return function

    @property
    def parameters(self) -> list[Tensor]:
        """W and b of all layers."""
        return [p for layer in self.layers for p in layer]

    def _logits(self, X: Tensor, train: bool) -> Tensor:
        """The last layer's Z."""
        for W, b in self.layers[:-1]:
            X = functional.linear(X, W, b)
            X = torch.tanh(X) if self.row.hidden == "tanh" else torch.relu(X)
            if self.row.dropout and train:
                X = functional.dropout(X, self.row.dropout)
        return functional.linear(X, *self.layers[-1])

    def _loss(self, X: Tensor, y: Tensor) -> Tensor:
        """The cost without L2."""
        Z = self._logits(X, train=True)
        if self.binary:
            return functional.binary_cross_entropy_with_logits(Z, y)
        return functional.cross_entropy(Z, y)

    def _label(self, X: Tensor) -> Tensor:
        """Labels (m,): logits are enough for them."""
        Z = self._logits(X, train=False)
        return Z[:, 0] > 0 if self.binary else Z.argmax(1)

    def prepare(self, epochs: int) -> None:
        row = self.row
        with torch.no_grad():
            for layer, first in zip(self.layers, self.first, strict=True):
                for parameter, value in zip(layer, first, strict=True):
                    parameter.copy_(value)
        decay = row.l2 / row.batch_size  # the optimiser adds what L2 does to the gradient
        groups = [
            {"params": [W for W, _ in self.layers], "weight_decay": decay},
            {"params": [b for _, b in self.layers], "weight_decay": 0.0},
        ]
        how = row.optimizer
        if isinstance(how, Adam):
            self.optimizer = torch.optim.Adam(
                groups, lr=how.learning_rate, betas=(how.beta1, how.beta2), eps=how.epsilon,
                fused=True,
            )  # fmt: skip
        else:
            self.optimizer = torch.optim.SGD(groups, lr=how.learning_rate, fused=True)

    def fit(self, epochs: int) -> Array:
        batches = [(self.X[batch], self.y[batch]) for batch in self.row.batches]
        costs = torch.empty(epochs, len(batches))
        for epoch in range(epochs):
            for i, (X, y) in enumerate(batches):
                self.optimizer.zero_grad(set_to_none=True)
                loss = self.loss(X, y)
                loss.backward()
                costs[epoch, i] = self._cost(loss.detach(), len(X))
                self.optimizer.step()
        return self.epoch_means(costs.numpy())

    def _cost(self, loss: Tensor, m: int) -> Tensor:
        """The cost with its L2."""
        if not self.row.l2:
            return loss
        with torch.no_grad():
            norms = torch._foreach_norm([W for W, _ in self.layers])
            return loss + self.row.l2 / (2 * m) * torch.stack(norms).square().sum()

    def predict(self) -> Array:
        with torch.inference_mode():
            return self.label(self.X).numpy()


torch._dynamo.config.fail_on_recompile_limit_hit = True  # never time eager code as compiled


class PyTorchCompiled(PyTorch):
    """Loss and gradient through `torch.compile`, the fused optimiser beside it."""

    name = "PyTorch compiled"

    def __init__(self, task: Task) -> None:
        # Shapes of all rows count against one limit, past which it would go on uncompiled.
        torch.compiler.reset()
        super().__init__(task)

    def _compiled(self, function):
        return torch.compile(function, dynamic=False)
