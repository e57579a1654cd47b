"""What every process does alike: the rows, the network's sizes, and the clock of its parts."""

import time

SIZES, BATCH, PREDICTED = (20, 32, 16, 1), 200, 10


def rows():
    """Return X (2000, 20) float32 and y (2000,) int64, 1 where two signs agree."""
    import numpy as np

    X = np.random.default_rng(0).standard_normal((2000, SIZES[0]), dtype=np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(np.int64)


class Clock:
    """Seconds of a process's parts, which follow each other from the clock's start."""

    def __init__(self):
        self.parts = {}
        self.last = time.perf_counter()

    def lap(self, part):
        """Note the seconds since the last lap as those of `part`."""
        now = time.perf_counter()
        self.parts[part] = now - self.last
        self.last = now

    def report(self, prediction, *parameters):
        """Print the parts, and the bytes of the prediction (10,) and of the parameters (arrays)."""
        arrays = {"prediction": prediction.tobytes().hex(), "dtype": str(prediction.dtype)}
        print(self.parts | arrays | {"parameters": "".join(p.tobytes().hex() for p in parameters)})
