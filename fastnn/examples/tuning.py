"""Hyper-parameters: learning rate, width and dropout by random search, then one last fit."""

from __future__ import annotations

from fastnn import Adam, Network, data, spaces, tune


def build(units: int, dropout: float) -> Network:
    """Return a new network for the digits; `tune` calls this with what it draws."""
    return Network.mlp([64, units, 10], output="softmax", rescale=1 / 16, dropout=dropout)


def main() -> None:
    """Run the example."""
    digits = data.digits()
    X = data.flatten_images(digits.X)
    X_train, X_dev, X_test, y_train, y_dev, y_test = data.split(X, digits.y, dev=0.2, test=0.2)

    search = tune(
        build,
        X_train,
        y_train,
        {
            "units": spaces.Integer(8, 128, log=True),
            "dropout": spaces.Linear(0.0, 0.5),
            "learning_rate": spaces.Log(1e-4, 1e-1),
        },
        trials=16,
        epochs=10,
        validation_data=(X_dev, y_dev),
    )
    print(search)

    # The test set is touched once, by the network that the search chose.
    best = search.best
    net = build(best["units"], best["dropout"])
    net.fit(X_train, y_train, epochs=30, optimizer=Adam(best["learning_rate"]))
    print(f"test accuracy: {net.evaluate(X_test, y_test)['accuracy']:.1%}")


if __name__ == "__main__":
    main()
