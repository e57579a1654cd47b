"""JAX: one compiled step, called for each batch, and a compiled prediction; Adam is its own."""

from itertools import pairwise

from work import BATCH, PREDICTED, SIZES, Clock, rows

clock = Clock()
import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax import numpy as jnp  # noqa: E402
from jax.example_libraries.optimizers import adam  # noqa: E402

clock.lap("import")
X, y = rows()
y = y[:, None].astype(np.float32)
clock.lap("data")


def logits(layers, X):
    """Return the last layer's Z (m, 1)."""
    for W, b in layers[:-1]:
        X = jax.nn.relu(X @ W + b)
    W, b = layers[-1]
    return X @ W + b


def cost(layers, X, y):
    """Return the mean binary cross-entropy."""
    Z = logits(layers, X)
    return jnp.mean(jax.nn.softplus(Z) - Z * y)


start, update, parameters = adam(1e-3)


@jax.jit
def step(t, state, X, y):
    """Return the state after step t."""
    return update(t, jax.grad(cost)(parameters(state), X, y), state)


rng = np.random.default_rng(1)
state = start([
    (rng.normal(0, np.sqrt(2 / n), (n, k)).astype(np.float32), np.zeros(k, np.float32))
    for n, k in pairwise(SIZES)
])  # fmt: skip
for t, batch in enumerate(np.split(rng.permutation(len(X)), len(X) // BATCH)):
    state = step(t, state, X[batch], y[batch])
jax.block_until_ready(state)
clock.lap("fit")
prediction = np.asarray(jax.jit(lambda layers, X: jax.nn.sigmoid(logits(layers, X)))(
    parameters(state), X[:PREDICTED]
))[:, 0]  # fmt: skip
clock.lap("predict")
clock.report(prediction)
