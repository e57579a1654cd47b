"""Images from an HDF5 file: a train, a dev and a test set, and a look at the errors.

The file has the layout of the course's cat images; `load_h5` reads those in the same way.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np

from fastnn import Network, data, diagnostics, metrics


def write_shapes(path: Path, m: int = 1000) -> None:
    """Write m noisy colour images (16, 16, 3), each of a bright disc or square on dark ground."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, m)
    X = np.empty((m, 16, 16, 3), np.uint8)
    rows, columns = np.mgrid[:16, :16]
    for image, square in zip(X, y, strict=True):
        down, right = np.abs(rows - rng.uniform(5, 10)), np.abs(columns - rng.uniform(7, 8))
        far = np.maximum(down, right) if square else np.hypot(down, right)
        inside = (far < rng.uniform(2, 5))[..., None]
        colours = rng.uniform(150, 255, 3), rng.uniform(0, 100, 3)
        image[...] = np.clip(np.where(inside, *colours) + rng.normal(0, 15, image.shape), 0, 255)
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = X, y
        file["list_classes"] = np.array([b"disc", b"square"])


def main() -> None:
    """Run the example."""
    with tempfile.TemporaryDirectory() as folder:
        write_shapes(Path(folder) / "shapes.h5")
        shapes = data.load_h5(Path(folder) / "shapes.h5")
    print(shapes)
    X = data.flatten_images(shapes.X)
    shares = data.proportions(len(X))
    parts = data.split(X, shapes.y, dev=shares["dev"], test=shares["test"])
    X_train, X_dev, X_test, y_train, y_dev, y_test = parts
    data.check_leakage(X_train, X_dev, X_test)

    net = Network.mlp([X.shape[1], 64, 16, 1], output="sigmoid", rescale=1 / 255)
    net.fit(X_train, y_train, epochs=60, batch_size=32, validation_data=(X_dev, y_dev))
    errors = [1 - net.evaluate(*part)["accuracy"] for part in ((X_train, y_train), (X_dev, y_dev))]
    print(diagnostics.bias_variance(*errors))

    # Rows are the true classes. `plot.most_wrong` draws what the last line names.
    print(metrics.confusion_matrix(y_dev, net.predict(X_dev)))
    truth = net.predict_proba(X_dev)[np.arange(len(y_dev)), y_dev]
    for i in np.argsort(truth)[:3]:
        print(f"dev image {i}, a {shapes.classes[y_dev[i]]}, was given {truth[i]:.1%}")
    print(f"test accuracy: {net.evaluate(X_test, y_test)['accuracy']:.1%}")


if __name__ == "__main__":
    main()
