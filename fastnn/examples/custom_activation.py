"""An activation of one's own: registered, its gradient checked, and held against a built-in one.

The snake function z + sin²(z), made for waves, is from Liu Ziyin et al., "Neural Networks Fail to
Learn Periodic Functions and How to Fix It", 2020.
"""

from __future__ import annotations

import numpy as np

from fastnn import Adam, Network, activations, check_gradients
from fastnn.errors import SettingError


def main() -> None:
    """Run the example."""
    try:
        activations.register("snake", lambda z: z + np.sin(z) ** 2, lambda z: 1 + np.sin(z))
    except SettingError as error:
        print("refused:", error)
    activations.register("snake", lambda z: z + np.sin(z) ** 2, lambda z: 1 + np.sin(2 * z))

    X = np.linspace(-6, 6, 400)[:, None]
    y = np.sin(3 * X[:, 0])
    for hidden in ("tanh", "snake"):
        net = Network.mlp([1, 32, 32, 1], output="identity", hidden=hidden, dtype="float64")
        print(f"{hidden}: gradient right: {check_gradients(net, X[:20], y[:20]).passed}")
        net.fit(X, y, epochs=150, batch_size=50, optimizer=Adam(0.005))
        print(f"{hidden}: cost of a wave {net.evaluate(X, y)['cost']:.4f}")


if __name__ == "__main__":
    main()
