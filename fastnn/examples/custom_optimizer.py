"""An optimiser of one's own: registered, compiled, refused where it is wrong, and compared.

Lion keeps the sign of an average of gradients alone, so that every step has the same length: Chen
et al., "Symbolic Discovery of Optimization Algorithms", 2023.
"""

from __future__ import annotations

import numpy as np

from fastnn import Adam, Network, data, optimizers, schedules
from fastnn.errors import SettingError


def lion(
    w: float, g: float, m: float, learning_rate: float = 1e-3, beta1: float = 0.9,
    beta2: float = 0.99, weight_decay: float = 0.0,
) -> tuple[float, float]:  # fmt: skip
    """Return a parameter and its average of gradients after a step along the gradient g."""
    direction = np.sign(beta1 * m + (1 - beta1) * g)
    w = w - learning_rate * (direction + weight_decay * w)
    return w, beta2 * m + (1 - beta2) * g


def main() -> None:
    """Run the example."""
    try:
        optimizers.register("Lion", lambda w, g, learning_rate=1e-3: w + learning_rate * g)
    except SettingError as error:
        print("refused:", error)
    Lion = optimizers.register("Lion", lion)
    print(f"Lion is compiled: {Lion().compiled}")

    X, y = data.spirals(600, seed=1)
    for optimizer in (Adam(0.01), Lion(0.003, weight_decay=0.01)):
        net = Network.mlp([2, 64, 64, 1], output="sigmoid")
        net.fit(
            X, y, epochs=150, batch_size=64, optimizer=optimizer, schedule=schedules.Cosine(150)
        )
        print(f"{optimizer}: accuracy {100 * net.evaluate(X, y)['accuracy']:.1f}%")


if __name__ == "__main__":
    main()
