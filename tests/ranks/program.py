"""What ranks do in the tests: ``mpiexec -n 3 python program.py FOLDER`` prints it as JSON.

Names of checks may follow. Each function of CHECKS is called on every rank with the rank's number;
what it returns, or the error that it raises, is gathered. Ranks go on after an error, for it came
to all of them.
"""

import hashlib
import io
import json
import os
import signal
import sys
import threading
import warnings
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import h5py
import numpy as np

import fastnn
from fastnn import Network
from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.cli.main import main as command_line
from fastnn.errors import FastnnError, RankError
from fastnn.network.description import state_of
from fastnn.schedules import Plateau, Schedule

sys.path.append(str(Path(__file__).resolve().parent.parent))
from streamed import ArrayRows

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
comm = None  # none for whoever imports this file


def examples(m=330):
    r = np.random.default_rng(3)
    w = r.random(m)
    w[::7] = w[30:60] = 0
    return r.normal(size=(m, 6)), r.integers(0, 3, m), w


def network(**settings):
    return Network.mlp([6, 8, 3], output="softmax", hidden="tanh", seed=1, **settings)


def digest(net):
    """Bits of all that a fit leaves behind."""
    found = hashlib.sha256(net.program.theta)
    for curve in net.history.values():
        found.update(curve)
    return found.hexdigest()[:12]


#: Fits whose bits are those of one process: backend, network, settings.
FITS = {
    "all at once": ("jitted", {"dropout": 0.2}, {"l2": 0.1, "clip_norm": 0.4}),
    "vectorized": ("vectorized", {"dtype": "float64"}, {"l1": 0.1, "clip_value": 0.01}),
    "early": ("jitted", {}, {"callbacks": [EarlyStopping(patience=1)], "metrics": ["f1"]}),
    "plateau": ("jitted", {}, {"schedule": Plateau("cost", patience=1), "epochs": 6}),
    "lbfgs": ("jitted", {"dtype": "float64"}, {"optimizer": "lbfgs", "epochs": 4}),
    "full batch": ("jitted", {}, {"batch_size": None, "shuffle": False}),
    "read": ("jitted", {"dropout": 0.2}, {"window": 9000, "l2": 0.1}),
    "read in order": ("vectorized", {}, {"window": 9000, "shuffle": False, "epochs": 2}),
    "all read": ("jitted", {}, {"window": 7000, "validation_data": "read", "metrics": ["f1"]}),
}


def fitted(name):
    backend, layers, settings = FITS[name]
    X, y, w = examples()
    net = network(**layers)
    settings = {"epochs": 4, "batch_size": 64, "validation_split": 0.2, "shards": 8} | settings
    X = ArrayRows(X, 10) if "window" in settings else X
    if "validation_data" in settings:
        settings |= {"validation_data": (ArrayRows(X.X[:150]), y[:150]), "validation_split": 0}
    with fastnn.backend(backend):
        net.fit(X, y, sample_weight=w, comm=comm, **settings)
    return digest(net)


def fit(X=None, y=None, **settings):
    """A short fit of the usual examples; what is given takes their place."""
    usual = examples()
    X, y = usual[0] if X is None else X, usual[1] if y is None else y
    settings = {"epochs": 3, "batch_size": 64, "comm": comm} | settings
    net = network()
    net.fit(X, y, **settings)
    return net


def bits(rank):
    return {name: fitted(name) for name in FITS}


def bad_data(rank):
    X = examples()[0]
    if rank == 1:
        X[3, 4] = np.nan
    fit(X)


def other_shapes(rank):
    X, y, _ = examples(330 if rank < 2 else 300)
    fit(X, y)


def other_settings(rank):
    fit(l2=0.5 if rank == 1 else 0.25)


def other_windows(rank):
    X, y, _ = examples()
    fit(ArrayRows(X), y, window=7000 if rank == 1 else 9000)


def diverges(rank):
    """By a row of rank 1, which the others read to say where."""
    X, y, _ = examples()
    X *= 1e-3
    X[150] = 3e38
    net = Network.mlp([6, 8, 3], output="softmax", hidden="relu", seed=1)
    settings = {"batch_size": 64, "window": 9000, "shuffle": False}
    net.fit(ArrayRows(X.astype("f")), y, comm=comm, **settings)


def too_few_shards(rank):
    fit(shards=2)


#: Estimators whose fits have the bits of one process.
ESTIMATORS = {
    "adam": lambda: fastnn.MLPClassifier((8,), max_iter=4, early_stopping=True, random_state=2),
    "lbfgs": lambda: fastnn.MLPRegressor(
        hidden_layer_sizes=(8,), solver="lbfgs", max_iter=5, random_state=2
    ),
    "logistic": lambda: fastnn.LogisticRegression(max_iter=20),
}


def fitted_estimator(name):
    X, y, w = examples()
    model = ESTIMATORS[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, sample_weight=w, comm=comm, shards=8)
    found = hashlib.sha256(np.ascontiguousarray(model.predict(X)))
    for vector in (model.network_.program.theta, np.array(getattr(model, "loss_curve_", 0))):
        found.update(vector)
    return found.hexdigest()[:12]


def estimators(rank):
    return {name: fitted_estimator(name) for name in ESTIMATORS}


def bad_estimator(rank):
    X, y, _ = examples()
    X[5] = np.inf if rank == 2 else 0
    fastnn.MLPClassifier((4,), max_iter=2, random_state=0).fit(X, y, comm=comm)


def draws_apart(rank):
    X, y, _ = examples()
    fastnn.MLPClassifier((4,), max_iter=2).fit(X, y, comm=comm)


def warns(rank):
    """How often a fit that has not converged says so."""
    X, y, _ = examples()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        fastnn.MLPClassifier((4,), max_iter=1, random_state=0).fit(X, y, comm=comm)
    return len(said)


def late_rows(rank):
    """Rank 1 meets a NaN in the second epoch: all networks are as they were before the fit."""
    X, y, _ = examples()
    rows, net = ArrayRows(X.astype("f")), network()
    net.fit(X, y, epochs=1, shards=8)
    before = digest(net)

    def spoil(network, history):
        rows.X[rank * 110 : rank * 110 + 20] = np.nan if rank == 1 else 0

    try:
        net.fit(rows, y, epochs=4, batch_size=64, window=6000, comm=comm, callbacks=[spoil])
    except FastnnError as error:
        return type(error).__name__, str(error), digest(net) == before
    return None


def read_by_the_command_line(rank):
    """The digest of the model that `fastnn train --window` makes of a file."""
    if rank == 0:
        write_images(FOLDER)
    comm.Barrier()
    with redirect_stdout(io.StringIO()):
        code = command_line(train_on_images(FOLDER, FOLDER / "of ranks"))
    comm.Barrier()
    return code, digest(fastnn.load(FOLDER / "of ranks" / "model.safetensors"))


def write_images(folder):
    """Files of 90 and of 20 dark or light images."""
    y = np.arange(110) % 2
    X = np.random.default_rng(0).integers(0, 128, (110, 4, 5, 3)) + 127 * y[:, None, None, None]
    for name, part in (("train", slice(90)), ("test", slice(90, 110))):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset(f"{name}_set_x", data=X[part].astype("u1"), chunks=(8, 4, 5, 3))
            file[f"{name}_set_y"], file["list_classes"] = y[part], np.array([b"dark", b"light"])


def train_on_images(folder, out):
    """The arguments of `fastnn train` that read those images, in windows."""
    return ["train", "--train", f"{folder}/train.h5", "--test", f"{folder}/test.h5", "--shards",
            "5", "--window", "3KB", "--batch-size", "16", "--epochs", "2", "--layers", "4",
            "--out", str(out)]  # fmt: skip


def callback_raises(rank):
    def callback(network, history):
        if rank == 2 and history.epochs == 2:
            raise KeyError("the lamp is out")

    fit(callbacks=[callback])


class Failing(Schedule):
    """A schedule that has no factor in the middle of the second epoch, on rank 1."""

    def factor(self, time):
        if comm.rank == 1 and time > 1.4:
            raise OSError("the sensor is gone")
        return 1.0


def schedule_raises(rank):
    fit(schedule=Failing(per="step"))


def goes_on(rank):
    """After an error in the middle of an epoch all ranks are where one process would be."""
    X, y, _ = examples()
    net = network()
    with suppress(OSError, RankError):
        net.fit(X, y, batch_size=64, epochs=3, comm=comm, schedule=Failing(per="step"))
    begun = state_of(net).training.epoch
    net.fit(X, y, batch_size=64, epochs=1, comm=comm)
    return begun, digest(net)


def no_folder(rank):
    fit(callbacks=[Checkpoint(FOLDER / "nowhere" / f"{rank}.safetensors")])


def stop_wish(rank):
    return fit(epochs=9, callbacks=[lambda net, history: rank == 2 and history.epochs == 2]).history


def checkpoint(rank):
    net = fit(callbacks=[Checkpoint(FOLDER / f"{rank}.safetensors")], shards=8)
    comm.Barrier()
    return digest(net), sorted(path.name for path in FOLDER.glob("*.safetensors"))


def alone_in_a_change(rank):
    def callback(network, history):
        if rank == 1 and history.epochs == 2:
            network.parameters["b1"][0] += 1

    fit(callbacks=[callback])


def ctrl_c(rank):
    """Rank 1 is interrupted while its compiled steps run; all stop at one step."""
    X, y, _ = examples(20_000)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    net = network()
    if rank == 1:
        timer.start()
    history = net.fit(X, y, epochs=10**6, batch_size=64, comm=comm, shards=8)
    return history.interrupted, net.program.theta.any().item(), digest(net)


def progress(rank):
    said = io.StringIO()
    with redirect_stderr(said):
        fit(progress=True)
    return bool(said.getvalue())


def other_places(rank):
    from fastnn.ranks.group import Ranks

    with Ranks(comm) as ranks:
        if rank:
            ranks.agree(1)


def threads(rank):
    from fastnn.ranks.group import Ranks

    with Ranks(comm) as ranks:
        share = ranks.threads
        fastnn.set_num_threads(5)
        return share, ranks.threads


CHECKS = (
    bits, estimators, bad_estimator, draws_apart, warns, bad_data, late_rows,
    read_by_the_command_line, other_shapes, other_settings, other_windows, diverges,
    too_few_shards, callback_raises, schedule_raises, goes_on, no_folder, stop_wish, checkpoint,
    alone_in_a_change, ctrl_c, progress, other_places, threads,
)  # fmt: skip


def told(check, rank):
    """What a check returns on this rank, or its error."""
    try:
        found = check(rank)
        return {"found": found.epochs if isinstance(found, fastnn.History) else found}
    except Exception as error:
        return {"error": type(error).__name__, "is": isinstance(error, RankError),
                "sentence": str(error)}  # fmt: skip


def main():
    global comm  # noqa: PLW0603 - of all checks
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test's launcher may ignore it
    for check in CHECKS:
        if sys.argv[2:] and check.__name__ not in sys.argv[2:]:
            continue
        found = comm.gather(told(check, comm.rank))
        if comm.rank == 0:
            sys.stdout.write(json.dumps({"check": check.__name__, "ranks": found}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
