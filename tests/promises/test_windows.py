"""The promise about where data lie: the same bits from an array, a memory map and windows."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import streamed
from streamed import ArrayRows, classes

from fastnn import BatchNorm, Dense, Dropout, GaussianNoise, Network, Normalization

h5py = pytest.importorskip("h5py")


@pytest.fixture
def places(tmp_path):
    """The same rows of bytes in memory, mapped, and in data sets of HDF5 of three layouts."""
    X, y = classes(150, n=9)
    X = (40 * X + 128).astype("u1")
    np.save(tmp_path / "X.npy", X)
    with h5py.File(tmp_path / "X.h5", "w") as file:
        file["contiguous"] = X
        file.create_dataset("chunked", data=X, chunks=(17, 9))
        file.create_dataset("packed", data=X, chunks=(40, 4), compression="gzip", shuffle=True)
    with h5py.File(tmp_path / "X.h5") as file:
        found = {name: file[name] for name in file}
        found |= {"mapped": np.load(tmp_path / "X.npy", mmap_mode="r"), "array": ArrayRows(X, 21)}
        yield X, y, found


@pytest.mark.medium
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_wherever_the_data_lie(places, dtype, backend):
    X, y, found = places
    w = np.random.default_rng(0).uniform(0, 2, len(X))
    layers = [
        Normalization(), GaussianNoise(0.1), Dense(6, "relu"), Dropout(0.3), BatchNorm(),
        Dense(1, "sigmoid"),
    ]  # fmt: skip
    settings = {
        "epochs": 2, "batch_size": 16, "shuffle": False, "sample_weight": w, "window": 1200,
        "class_weight": "balanced", "progress": False,
    }  # fmt: skip
    whole = Network(layers, dtype=dtype)
    whole.fit(X, y, **settings)
    for rows in found.values():
        net = Network(layers, dtype=dtype)
        net.fit(rows, y, **settings)
        np.testing.assert_array_equal(net.program.theta, whole.program.theta)
        np.testing.assert_array_equal(net.program.state, whole.program.state)
        assert net.history == whole.history


def test_same_bits_shuffled_wherever_windows_lie(places):
    X, y, found = places
    nets = []
    for name in ("contiguous", "array"):
        nets.append(Network([Dense(12, "relu"), Dropout(0.3), Dense(1, "sigmoid")]))
        nets[-1].fit(found[name], y, epochs=2, batch_size=16, window=1200, progress=False)
    assert not np.array_equal(nets[0].program.theta, nets[1].program.theta)  # pieces differ
    again = Network([Dense(12, "relu"), Dropout(0.3), Dense(1, "sigmoid")])
    again.fit(ArrayRows(X), y, epochs=2, batch_size=16, window=1200, progress=False)
    np.testing.assert_array_equal(again.program.theta, nets[0].program.theta)


class TestInterrupts:
    class Pressed(ArrayRows):
        """Rows at whose n-th read Ctrl-C is pressed."""

        def __init__(self, X, n, times):
            super().__init__(X, 10)
            self.n, self.times = n, times

        def _fill(self, start, stop, out):
            super()._fill(start, stop, out)
            if len(self.spans) == self.n:
                for _ in range(self.times):
                    os.kill(os.getpid(), signal.SIGINT)
                    threading.Event().wait(0.05)

    def test_ctrl_c_ends_the_fit_and_the_reader(self):
        X, y = classes()
        net = Network.mlp([5, 6, 1], output="sigmoid")
        rows = self.Pressed(X, 200, 1)
        history = net.fit(rows, y, epochs=10**6, batch_size=32, window=6000, progress=False)
        assert history.interrupted
        assert history.epochs < 10**5
        assert not streamed.readers()
        net.fit(rows, y, epochs=1, batch_size=32, window=6000, progress=False)

    def test_a_second_one_too(self):
        X, y = classes()
        net = Network.mlp([5, 6, 1], output="sigmoid")
        with pytest.raises(KeyboardInterrupt):
            net.fit(
                self.Pressed(X, 200, 2), y, epochs=10**6, batch_size=32, window=6000, progress=False
            )
        assert not streamed.readers()
        assert np.isfinite(net.program.theta).all()
        net.fit(ArrayRows(X), y, epochs=1, batch_size=32, window=6000, progress=False)


LIMITED = """
import resource, sys
import h5py, numpy as np
from fastnn import Dense, Network

path, limit = sys.argv[1], int(sys.argv[2])
with h5py.File(path) as file:
    X, y = file["X"], np.arange(len(file["X"]), dtype="u1") % 2
    settings = {"epochs": 1, "batch_size": 512, "progress": False, "window": "2 MB"}
    net = Network([Dense(8, "relu"), Dense(1, "sigmoid")])
    net.fit(np.zeros((5000, X.shape[1]), "u1"), y[:5000], **settings)  # loads the kernels
    net.predict(X[:5000])
    status = open("/proc/self/status").read()
    used = 1024 * int(status.split("VmData:")[1].split()[0])
    resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
    net.reset()
    net.fit(X, y, validation_split=0.1, **settings)
    print(*net.predict(X).shape)
    try:
        X[:]
    except MemoryError:
        print("the whole does not fit")
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="limits data by RLIMIT_DATA")
def test_memory_beyond_the_windows_is_at_most_64_mb(tmp_path):
    """A file of ten times what the process may have, most of which is never written: it reads as 0.

    That is 28 MB: two windows of 2 MB, two of a prediction, and the stack of the reader.
    """
    rows = 280 * 1024
    with h5py.File(tmp_path / "X.h5", "w") as file:
        X = file.create_dataset("X", (rows, 1024), "u1")
        X[::50_000] = np.arange(6)[:, None]
    done = subprocess.run(
        [sys.executable, "-P", "-c", LIMITED, str(tmp_path / "X.h5"), str(28 * 2**20)],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(rows), "the whole does not fit"]
