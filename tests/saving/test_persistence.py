"""Saved state is right in a process that never saw the network: whatever carried it there.

Run as a program, this file is that process: it loads what the tests saved in one format, asks and
trains it at one and at two threads, and compares with what the first process found.
"""

import copy
import importlib.util
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import BatchNorm, Dense, Dropout, Network, Normalization
from fastnn.callbacks import TimeLimit
from fastnn.errors import SettingError
from fastnn.network.description import state_of
from fastnn.schedules import Cosine, WarmUp

pytestmark = pytest.mark.medium

CUSTOM = "network of a user's activation"
RNG = np.random.default_rng(3)
X = RNG.normal(size=(60, 5))
Y = (X @ [1, -2, 0.5, 0, 1] > 0).astype(int) + (X[:, 0] > 1)
NAMES = np.array(["a", "b", "c"])[Y]
DTYPES = ("float32", "float64")
#: Formats by the library that they need; the first network of a process finds most faults.
FORMATS = {
    "pickle": ["pickle"],
    "joblib": ["joblib r", "joblib c", "joblib"],
    "skops": ["skops"],
    "mlflow": ["mlflow", "mlflow cloudpickle", "mlflow pickle", "mlflow pyfunc"],
}


def register(others=()):
    """Register the activation of `networks`, behind others that a process may have besides."""
    for name in others:
        fastnn.activations.register(name, lambda z: 7 * z, lambda z: 7 + 0 * z)
    fastnn.activations.register("persisted", lambda z: z * z, lambda z: 2 * z)


def networks():
    """Bare networks, fitted, by name: scaling, BatchNorm, schedules, an activation of a user."""
    register()
    body = [Dense(6), BatchNorm(), fastnn.Activation("mish"), Dropout(0.2)]
    for dtype in DTYPES:
        net = Network([Normalization(), *body, Dense(3, "softmax")], dtype=dtype)
        schedule = WarmUp(3, then=Cosine(20))
        net.fit(X, Y, epochs=4, batch_size=20, schedule=schedule, metrics=["f1"], progress=False)
        yield f"network {dtype}", net
    custom = Network([Dense(4, "persisted"), Dense(3, "softmax")], dtype="float64")
    custom.fit(X, Y, epochs=4, batch_size=20, optimizer=fastnn.Momentum(), progress=False)
    yield CUSTOM, custom


def estimators():
    """Fitted estimators by name; those whose targets are no labels end in what they are."""
    same = {"max_iter": 4, "random_state": 0, "warm_start": True}
    rest = {"batch_norm": True, "scale": "standard", "callbacks": [TimeLimit(60)]}
    for dtype in DTYPES:
        rows = X.astype(dtype)
        model = fastnn.MLPClassifier((6, 4), early_stopping=dtype == "float32", **same, **rest)
        yield f"classifier {dtype}", model.fit(rows, NAMES)
        yield (
            f"regressor {dtype}",
            fastnn.MLPRegressor(hidden_layer_sizes=6, **same).fit(rows, X[:, :2] ** 2),
        )
        logistic = fastnn.LogisticRegression(max_iter=4, warm_start=True)
        yield f"logistic {dtype}", logistic.fit(rows, Y > 0)


def questions(name, model):
    """What a model answers before and after some more training, by question."""
    kind, rows = name.split()[0], X.astype("float32" if "float32" in name else "float64")
    net = getattr(model, "network_", model)
    targets = {"regressor": X[:, :2] ** 2, "logistic": Y > 0, "classifier": NAMES}.get(kind, Y)
    numbers = targets.astype(float) if kind in ("regressor", "logistic") else Y
    found = {}
    for time in ("before", "after"):
        found[f"predict {time}"] = model.predict(rows)
        found[f"predict of a row {time}"] = model.predict(rows[:1])
        if kind != "regressor":
            found[f"predict_proba {time}"] = model.predict_proba(rows)
        found[f"evaluate {time}"] = np.array(list(net.evaluate(rows, numbers).values()))
        cost, gradients = net.cost_and_gradients(rows, numbers)
        found[f"cost {time}"] = np.array(cost)
        found |= {f"gradient of {key} {time}": value for key, value in gradients.items()}
        found[f"parameters {time}"] = net.program.theta.copy()
        found[f"state {time}"] = net.program.state.copy()
        found[f"costs {time}"] = np.array(net.history["cost"])
        if time == "before" and net is model:
            same = {
                "schedule": state_of(net).training.schedule,
                "optimizer": state_of(net).training.optimizer,
            }
            for epochs in (0, 3):
                net.fit(rows, Y, epochs=epochs, batch_size=20, progress=False, **same)
        elif time == "before":
            model.fit(rows, targets)
    return found


def save(form, model, path):
    """Write a model in that format; importing what the format needs may fail."""
    library, _, kind = form.partition(" ")
    if library == "mlflow":
        settings = {"serialization_format": kind}
        if kind in ("", "pyfunc"):  # its default format, skops, loads only types that are named
            io = importlib.import_module("skops.io")
            types = io.get_untrusted_types(data=io.dumps(model))
            settings = {"skops_trusted_types": types}
        flavour = importlib.import_module("mlflow.sklearn")
        flavour.save_model(model, str(path), pip_requirements=["fastnn"], **settings)
    elif library == "skops":
        importlib.import_module("skops.io").dump(model, path)
    elif library == "joblib":
        importlib.import_module("joblib").dump(model, path)
    else:
        path.write_bytes(pickle.dumps(model))


def load(form, path):
    """Return the model of a file."""
    library, _, kind = form.partition(" ")
    if library == "mlflow":
        module = importlib.import_module("mlflow.pyfunc" if kind == "pyfunc" else "mlflow.sklearn")
        model = module.load_model(str(path))
        return model.get_raw_model() if kind == "pyfunc" else model
    if library == "skops":
        io = importlib.import_module("skops.io")
        return io.load(path, trusted=io.get_untrusted_types(file=path))
    if library == "joblib":
        return importlib.import_module("joblib").load(path, mmap_mode=kind or None)
    return pickle.loads(path.read_bytes())


def compare(folder):
    """Load what lies in a format's folder, and hold its answers against those beside it."""
    if (folder / f"{CUSTOM}.npz").exists():
        register(others=["another", "third"])
    for wanted in sorted(folder.glob("*.npz")):
        with np.load(wanted) as file:
            for threads in (1, 2):
                fastnn.set_num_threads(threads)
                found = questions(wanted.stem, load(folder.name, wanted.with_suffix(".model")))
                assert set(found) == set(file)
                for question, answer in file.items():
                    where = f"{folder.name}: {wanted.stem}, {threads} threads: {question}"
                    np.testing.assert_array_equal(found[question], answer, where)
                    assert found[question].dtype == answer.dtype, where


@pytest.fixture(scope="module")
def fitted():
    """Every model by name, with the answers of its copy, for some of them train it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that four epochs are few
        models = dict(networks())
        if importlib.util.find_spec("sklearn"):
            models |= dict(estimators())
        return {name: (m, questions(name, copy.deepcopy(m))) for name, m in models.items()}


@pytest.mark.filterwarnings("ignore")  # the libraries' own
@pytest.mark.parametrize("library", FORMATS)
def test_a_fresh_process_finds_what_the_first_one_found(library, fitted, tmp_path):
    for module in ["mlflow.sklearn", "skops"] if library == "mlflow" else [library]:
        pytest.importorskip(module, reason=f"{module} is not installed", exc_type=ImportError)
    for form in FORMATS[library]:
        (tmp_path / form).mkdir()
        for name, (model, wanted) in fitted.items():
            if library != "mlflow" or not name.startswith(
                "network"
            ):  # whose flavour is scikit-learn's
                save(form, model, tmp_path / form / f"{name}.model")
                np.savez(tmp_path / form / f"{name}.npz", **wanted)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, *(tmp_path / form for form in FORMATS[library])],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


class TestState:
    """State as a carrier may bring it, in this process."""

    def carried(self, change):
        """A fitted network, and what a pickle brings back whose vectors were changed before."""
        net = Network.mlp([5, 4, 3], output="softmax", batch_norm=True)
        net.fit(X, Y, epochs=2, batch_size=20, progress=False)
        sent = net.copy()
        program, memory, history = sent.program, state_of(sent).training, sent.history
        program.ops, program.theta, program.grad, program.state = (
            change(v) for v in (program.ops, program.theta, program.grad, program.state)
        )
        memory.slots, memory.counters = change(memory.slots), change(memory.counters)
        history._curves = {name: (change(c), n) for name, (c, n) in history._curves.items()}
        return net, pickle.loads(pickle.dumps(sent))

    @pytest.mark.parametrize("backend", ["jitted", "vectorized"])
    @pytest.mark.parametrize(
        "change",
        [
            lambda v: v.astype(v.dtype.newbyteorder("S")),
            lambda v: np.repeat(v, 2, axis=-1)[..., ::2],
            lambda v: v.astype([(n, v.dtype[n]) for n in v.dtype.names]) if v.dtype.names else v,
        ],
        ids=["another byte order", "strides", "rows that are not aligned"],
    )
    def test_it_is_as_kernels_take_it(self, change, backend):
        net, again = self.carried(change)
        assert again.program.ops.dtype.isalignedstruct
        with fastnn.backend(backend):
            for each in (net, again):
                each.fit(X, Y, epochs=2, batch_size=20, progress=False)
            np.testing.assert_array_equal(again.program.theta, net.program.theta)
            np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
            assert again.history["cost"].tolist() == net.history["cost"].tolist()

    def test_a_dtype_of_another_machine_is_this_ones(self):
        net = Network.mlp([5, 1], output="sigmoid")
        state = state_of(net)
        state.dtype = state.dtype.newbyteorder("S")
        assert pickle.loads(pickle.dumps(net)).dtype == np.float32

    @pytest.mark.parametrize("ask", ["predict", "fit", "evaluate", "activations"])
    def test_an_activation_that_is_not_registered_is_named(self, ask, monkeypatch):
        register()
        net = Network([Dense(4, "persisted", name="bend"), Dense(1)], inputs=5)
        monkeypatch.setattr("fastnn.kernels.custom_activations.CUSTOM", {})
        monkeypatch.setattr("fastnn.lowering.program.CUSTOM", {})
        with pytest.raises(SettingError, match=r"'bend'.*activations\.register here too"):
            getattr(net, ask)(X, *([Y] if ask in ("fit", "evaluate") else []))


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        compare(Path(folder))
