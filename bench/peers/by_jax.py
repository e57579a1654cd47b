"""JAX: a whole run is one compiled call, its epochs and batches two nested `lax.scan`."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from fastnn import Adam

from .contender import Contender
from .data import Array
from .rows import Task

# A call hands its work to another thread and waits for it otherwise: slower where calls are short.
jax.config.update("jax_cpu_enable_async_dispatch", False)


class Jax(Contender):
    """Parameters and slots are donated; masks come from the generator that is fastest on a CPU."""

    name = "JAX"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.X = jnp.asarray(task.scaled)
        self.binary = task.row.output == "sigmoid"
        y = np.asarray(task.y)
        self.y = jnp.asarray(y[:, None].astype(np.float32) if self.binary else y.astype(np.int32))
        self.first = [tuple(map(jnp.asarray, layer)) for layer in task.layers()]
        self.runs = {}
        self.label = jax.jit(self._label)
        if not task.row.predicts:
            whole = len(self.X) // task.row.batch_size
            cut = whole * task.row.batch_size
            shape = (whole, task.row.batch_size)
            self.whole = tuple(a[:cut].reshape(*shape, *a.shape[1:]) for a in (self.X, self.y))
            self.rest = (self.X[cut:], self.y[cut:])

    def _logits(self, layers, X, key):
        """The last layer's Z; without a key no dropout."""
        rate = self.row.dropout
        for i, (W, b) in enumerate(layers[:-1]):
            X = X @ W + b
            X = jnp.tanh(X) if self.row.hidden == "tanh" else jax.nn.relu(X)
            if rate and key is not None:
                bits = jax.random.bits(jax.random.fold_in(key, i), X.shape, "uint32")
                X = jnp.where(bits >= np.uint32(rate * 2**32), X * np.float32(1 / (1 - rate)), 0)
        W, b = layers[-1]
        return X @ W + b

    def _loss(self, layers, X, y, key):
        """The cost, L2 included."""
        Z = self._logits(layers, X, key)
        if self.binary:
            cost = jnp.mean(jax.nn.softplus(Z) - Z * y)  # its derivative is right at 0, too
        else:
            picked = jnp.take_along_axis(Z, y[:, None], axis=1)[:, 0]
            cost = jnp.mean(jax.nn.logsumexp(Z, axis=1) - picked)
        if self.row.l2:
            cost += self.row.l2 / (2 * len(X)) * sum(jnp.vdot(W, W) for W, _ in layers)
        return cost

    def _step(self, carry, batch):
        """One update: carry is (layers, slots, t)."""
        layers, slots, t = carry
        t += 1
        key = None
        if self.row.dropout:
            key = jax.random.fold_in(jax.random.key(0, impl="rbg"), t)
        cost, grads = jax.value_and_grad(self._loss)(layers, *batch, key)
        how, tree = self.row.optimizer, jax.tree.map
        if not isinstance(how, Adam):
            layers = tree(lambda p, g: p - how.learning_rate * g, layers, grads)
            return (layers, slots, t), cost
        v, s = slots
        v = tree(lambda v, g: how.beta1 * v + (1 - how.beta1) * g, v, grads)
        s = tree(lambda s, g: how.beta2 * s + (1 - how.beta2) * g * g, s, grads)
        real = t.astype(jnp.float32)
        scale1, scale2 = 1 - how.beta1**real, 1 - how.beta2**real

        def moved(p, v, s):
            return p - how.learning_rate * (v / scale1) / (jnp.sqrt(s / scale2) + how.epsilon)

        return (tree(moved, layers, v, s), (v, s), t), cost

    def _run(self, layers, slots, whole, rest, epochs):
        """All epochs; returns the last layers and the costs (epochs, steps)."""

        def epoch(carry, _):
            if len(self.row.batches) == 1:  # nothing to slice
                carry, cost = self._step(carry, (whole[0][0], whole[1][0]))
                return carry, cost[None]
            carry, costs = lax.scan(self._step, carry, whole)
            if len(rest[0]):
                carry, last = self._step(carry, rest)
                costs = jnp.append(costs, last)
            return carry, costs

        carry, costs = lax.scan(epoch, (layers, slots, jnp.int32(0)), None, length=epochs)
        return carry[0], carry[1], costs

    def prepare(self, epochs: int) -> None:
        copied = partial(jax.tree.map, jnp.copy)
        adam = isinstance(self.row.optimizer, Adam)
        zeros = partial(jax.tree.map, jnp.zeros_like)
        self.state = (copied(self.first), (zeros(self.first), zeros(self.first)) if adam else ())
        if epochs not in self.runs:
            run = jax.jit(partial(self._run, epochs=epochs), donate_argnums=(0, 1))
            self.runs[epochs] = run.lower(*self.state, self.whole, self.rest).compile()
        jax.block_until_ready(self.state)

    def fit(self, epochs: int) -> Array:
        _, _, costs = self.runs[epochs](*self.state, self.whole, self.rest)
        return self.epoch_means(np.asarray(costs))

    def _label(self, layers, X):
        """Labels (m,): logits are enough for them."""
        Z = self._logits(layers, X, None)
        return Z[:, 0] > 0 if self.binary else Z.argmax(1)

    def predict(self) -> Array:
        return np.asarray(self.label(self.first, self.X))
