"""NumPy: the course's formulas in place, on flat vectors and float32 throughout."""

from __future__ import annotations

import numpy as np

from fastnn import Adam

from .contender import Contender
from .data import Array
from .rows import Task

One = np.float32(1)


class NumPy(Contender):
    """One flat vector each of parameters, gradient and slots; activations in kept buffers."""

    name = "NumPy"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.X, row = task.scaled, task.row
        self.binary = row.output == "sigmoid"
        K = row.sizes[-1]
        Y = task.y[:, None] if self.binary else np.arange(K) == task.y[:, None]
        self.Y = Y.astype(np.float32)
        self.first = np.concatenate([a.ravel() for pair in task.layers() for a in pair])
        self.theta, self.grad = self.first.copy(), np.zeros_like(self.first)
        self.layers, self.gradients = self._views(self.theta), self._views(self.grad)
        self.buffers: dict[int, list[Array]] = {}
        self.rng = np.random.default_rng(0)

    def _views(self, flat: Array) -> list[tuple[Array, Array]]:
        """W and b of each layer inside a flat vector."""
        views, i = [], 0
        for W, b in self.task.layers():
            j = i + W.size
            views.append((flat[i:j].reshape(W.shape), flat[j : j + b.size]))
            i = j + b.size
        return views

    def prepare(self, epochs: int) -> None:
        self.theta[...] = self.first
        self.slots = np.zeros((3, self.theta.size), np.float32)

    def fit(self, epochs: int) -> Array:
        costs, t = [], 0
        batches = [(self.X[batch], self.Y[batch]) for batch in self.row.batches]
        for _ in range(epochs):
            for X, Y in batches:
                t += 1
                costs.append(self._gradient(X, Y))
                self._update(t)
        return self.epoch_means(np.array(costs))

    def predict(self) -> Array:
        Z = self._forward(self.X, train=False)[0][-1]
        return Z[:, 0] > 0 if self.binary else Z.argmax(axis=1)

    def _forward(self, X: Array, train: bool) -> tuple[list[Array], list[Array | None]]:
        """Return X, each hidden A after dropout and the logits; and the dropout masks."""
        m, rate = len(X), np.float32(self.row.dropout)
        if m not in self.buffers:
            self.buffers[m] = [np.empty((m, n), np.float32) for n in self.row.sizes[1:]]
        outputs, masks = [X], []
        for (W, b), Z in zip(self.layers, self.buffers[m], strict=True):
            np.matmul(outputs[-1], W, out=Z)
            Z += b
            outputs.append(Z)
            if len(outputs) == len(self.row.sizes):
                break
            np.tanh(Z, out=Z) if self.row.hidden == "tanh" else np.maximum(Z, 0, out=Z)
            mask = None
            if rate and train:
                mask = (self.rng.random(Z.shape, np.float32) >= rate) * (One / (One - rate))
                Z *= mask
            masks.append(mask)
        return outputs, masks

    def _loss(self, Z: Array, Y: Array) -> tuple[float, Array]:
        """Return the cost from logits Z (m, K), and dZ."""
        m = np.float32(len(Z))
        if self.binary:
            small = np.exp(-np.abs(Z))
            cost = np.maximum(Z, 0) - Z * Y + np.log1p(small)
            P = np.where(Z >= 0, One, small) / (One + small)
        else:
            Z = Z - Z.max(axis=1, keepdims=True)
            P = np.exp(Z)
            total = P.sum(axis=1, keepdims=True)
            cost = np.log(total[:, 0]) - np.einsum("ij,ij->i", Z, Y)
            P /= total
        P -= Y
        P /= m
        return float(cost.sum() / m), P

    def _gradient(self, X: Array, Y: Array) -> float:
        """Fill the gradient and return the cost, L2 included."""
        outputs, masks = self._forward(X, train=True)
        cost, dZ = self._loss(outputs[-1], Y)
        for i in reversed(range(len(self.layers))):
            (W, _), (dW, db), A = self.layers[i], self.gradients[i], outputs[i]
            np.matmul(A.T, dZ, out=dW)
            dZ.sum(axis=0, out=db)
            if self.row.l2:
                scale = np.float32(self.row.l2 / len(X))
                cost += float(scale / 2 * np.vdot(W, W))
                dW += scale * W
            if i == 0:
                break
            dZ = dZ @ W.T
            mask = masks[i - 1]
            if mask is not None:
                dZ *= mask
            if self.row.hidden == "tanh":  # no row drops out after tanh, so A is tanh(Z) itself
                dZ *= One - A * A
            else:
                dZ *= A > 0
        return cost

    def _update(self, t: int) -> None:
        """Take the optimiser's t-th step."""
        how, grad, theta = self.row.optimizer, self.grad, self.theta
        rate = np.float32(how.learning_rate)
        if not isinstance(how, Adam):
            grad *= rate
            theta -= grad
            return
        v, s, scratch = self.slots
        beta1, beta2 = np.float32(how.beta1), np.float32(how.beta2)
        v *= beta1
        np.multiply(grad, One - beta1, out=scratch)
        v += scratch
        s *= beta2
        np.multiply(grad, grad, out=grad)
        grad *= One - beta2
        s += grad
        np.divide(s, np.float32(1 - how.beta2**t), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += np.float32(self._epsilon(t))
        np.divide(v, scratch, out=scratch)
        scratch *= np.float32(rate / (1 - how.beta1**t))
        theta -= scratch

    def _epsilon(self, t: int) -> float:
        """What Adam adds to the corrected root in step t."""
        return self.row.optimizer.epsilon


class NumPyUncorrected(NumPy):
    """Adam with ε beside the root before its bias is corrected.

    Kingma and Ba, "Adam", ICLR 2015, end of section 2: ε̂, for which ε = ε̂ / √(1 − β₂ᵗ). It is
    what scikit-learn's costs are compared with. On images, whose corner pixels have tiny
    gradients, the two forms differ by a percent after some steps.
    """

    def _epsilon(self, t: int) -> float:
        return super()._epsilon(t) / (1 - self.row.optimizer.beta2**t) ** 0.5
