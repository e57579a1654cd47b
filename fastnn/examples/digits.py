"""Handwritten digits: train a classifier, judge every class, save the model and load it again."""

from __future__ import annotations

import tempfile
from pathlib import Path

import fastnn
from fastnn import Network, data, metrics


def main() -> None:
    """Run the example."""
    digits = data.digits()
    X = data.flatten_images(digits.X)  # (1797, 64) uint8, from 0 to 16
    X_train, X_test, y_train, y_test = data.split(X, digits.y)

    net = Network.mlp([64, 64, 10], output="softmax", rescale=1 / 16, dropout=0.2)
    net.fit(X_train, y_train, epochs=40, batch_size=32)

    labels = net.predict(X_test)
    print(f"test accuracy: {metrics.accuracy(y_test, labels):.1%}")
    print(metrics.classification_report(y_test, labels))

    # The file holds data alone: sizes, settings and weights.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.safetensors"
        net.save(path)
        again = fastnn.load(path)
    same = (again.predict_proba(X_test) == net.predict_proba(X_test)).all()
    print("the loaded model gives the same probabilities:", bool(same))


if __name__ == "__main__":
    main()
