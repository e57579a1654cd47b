"""A table of numbers: normalised inputs, early stopping, and the errors in the target's units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn import Adam, Dense, Network, Normalization, data, metrics
from fastnn._runtime.text import plural
from fastnn.callbacks import EarlyStopping


def houses(m: int = 2000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return made-up houses: area in m², age in years, distance in m (m, 3), and prices (m,)."""
    rng = np.random.default_rng(0)
    area, age = rng.uniform(40, 250, m), rng.uniform(0, 100, m)
    distance = rng.exponential(5000, m)
    price = 3000 * area * np.exp(-distance / 10000) * (0.7 + 0.3 * np.cos(age / 30))
    return np.column_stack([area, age, distance]), price + rng.normal(0, 15000, m)


def main() -> None:
    """Run the example."""
    X, y = houses()
    X_train, X_dev, X_test, y_train, y_dev, y_test = data.split(X, y, dev=0.2, test=0.2)

    # Means and deviations of inputs and prices are learnt from X_train and y_train.
    net = Network(
        [Normalization(), Dense(32, "relu"), Dense(32, "relu"), Dense(1)], scale_target=True
    )
    stop = EarlyStopping(patience=20)
    history = net.fit(
        X_train,
        y_train,
        epochs=400,
        batch_size=64,
        optimizer=Adam(0.003),
        validation_data=(X_dev, y_dev),
        callbacks=[stop],
    )
    print(f"stopped after {plural(history.epochs, 'epoch')}, best was epoch {stop.best_epoch}")

    for name, guess in (
        ("the mean price", np.full(len(y_test), y_train.mean())),
        ("the network", net.predict(X_test)),
    ):
        error, share = metrics.mae(y_test, guess), metrics.r2(y_test, guess)
        print(f"{name}: off by {error:,.0f} on average, R² {share:.3f}")


if __name__ == "__main__":
    main()
