"""A loss of one's own: registered, its gradient checked, compiled, and held against its definition.

The asymmetric squared error of Newey and Powell, "Asymmetric Least Squares Estimation and Testing",
1987: its minimum is the τ-th expectile, at which τ Σ (y − a) over the examples above it equals
(1 − τ) Σ (a − y) over those below.
"""

from __future__ import annotations

import numpy as np

from fastnn import LBFGS, Dense, Network, check_gradients, losses
from fastnn.errors import SettingError


def cost(a: float, y: float, tau: float = 0.5) -> float:
    """Return the weighted square of the error of a prediction a."""
    return (tau if y > a else 1 - tau) * (y - a) ** 2


def slope(a: float, y: float, tau: float = 0.5) -> float:
    """Return the derivative of the cost by the prediction."""
    return 2 * (tau if y > a else 1 - tau) * (a - y)


def main() -> None:
    """Run the example."""
    try:
        losses.register("expectile", cost, lambda a, y, tau=0.5: (a - y) * tau)
    except SettingError as error:
        print("refused:", error)
    loss = losses.register("expectile", cost, slope)
    print("compiled:", loss.compiled)

    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=500) * (1 + X[:, 0] ** 2)
    for tau in (0.5, 0.9):
        net = Network([Dense(1)], loss=losses.Registered("expectile", tau), dtype="float64")
        net.fit(X, y, epochs=100, batch_size=None, optimizer=LBFGS())
        rest = y - net.predict(X)
        above, below = rest[rest > 0].sum(), -rest[rest < 0].sum()
        print(f"tau {tau}: gradient right: {check_gradients(net, X, y).passed}")
        print(f"tau {tau}: errors below over errors above {below / above:.3f}")


if __name__ == "__main__":
    main()
