"""Write what a version of fastnn leaves on disk: python tests/golden/make.py tests/golden/VERSION

The folder 0.1.0 was written by 0.1.0 at commit 78ef0b0, before modules moved. A folder holds
pickles, each a dict of objects by name, model files, checkpoints and a study, and in told.json what
`told` says of each. `test_golden.py` holds every folder against the code as it is, so one is never
written anew: a later version adds its own.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

if importlib.util.find_spec("fastnn") is None:  # as tests/conftest.py does
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import fastnn
from fastnn import (
    LBFGS,
    Activation,
    Adam,
    AdamW,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    GradientDescent,
    Momentum,
    Nesterov,
    Network,
    Normalization,
    Rescaling,
    RMSprop,
    callbacks,
    data,
    diagnostics,
    errors,
    initializers,
    losses,
    metrics,
    schedules,
    spaces,
)
from fastnn.__main__ import main
from fastnn._display.short_repr import every_field
from fastnn.course import errata, experiments

try:
    from sklearn.exceptions import NotFittedError
except ImportError:
    NotFittedError = AttributeError

RNG = np.random.default_rng(7)
X = RNG.normal(2, 3, (30, 4)).round(3)
Y = (X @ [1.0, -2.0, 0.5, 0.0] > -1).astype(int)
VALUES = np.abs(X[:, :2]).round(3)
NAMES = np.array(["no", "yes"])[Y]
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
ADAM, QUASI = Adam(0.002, 0.8, 0.99), LBFGS(memory=4)
Array = np.ndarray[Any, Any]
Objects = dict[str, Any]


def register() -> None:
    """Register the activation that one of the networks uses."""
    fastnn.activations.register("golden", lambda z: z * z / 2, lambda z: z)


def fitted(layers: Any, y: Any = Y, *, fit: Any = None, **settings: Any) -> Network:
    """Return a network after three epochs."""
    net = Network(layers, **settings)
    net.fit(X, y, **{"epochs": 3, "batch_size": 12, "progress": False} | (fit or {}))
    return net


def networks() -> Objects:
    """Networks with every layer, loss, optimiser and schedule, and some that never trained."""
    register()
    body = [Normalization(), Dense(5), BatchNorm(0.8), Activation("mish"), Dropout(0.2)]
    warm = schedules.WarmUp(2, then=schedules.Cosine(20, per="step"))
    smooth = losses.CategoricalCrossEntropy(label_smoothing=0.1)
    found = {
        "float32": fitted([*body, Dense(1, "sigmoid")],
                          fit={"schedule": warm, "metrics": ["f1"], "validation_split": 0.2}),
        "float64": fitted([*body, Dense(2, "softmax", name="größe", max_norm=2.0)], loss=smooth,
                          dtype="float64", init=initializers.Random(0.5), seed=3),
        "rescaled": fitted([Rescaling(0.1, -0.2), Dense(4, "gelu", use_bias=False),
                            GaussianNoise(0.1), Dense(1, "sigmoid", init="zeros")]),
        "whole": fitted([Normalization(per_feature=False), Dense(2, "softmax")]),
        "custom": fitted([Dense(3, "golden"), Dense(1)], VALUES[:, 0], dtype="float64",
                         fit={"optimizer": GradientDescent(1e-3)}),
        "counts": fitted([Dense(3, "tanh"), Dense(2, "exp")], VALUES.round(), loss="poisson",
                         dtype="float64"),
        "built": Network([Dense(3, "elu"), Dense(1)], inputs=4),
        "not built": Network([Dense(3, "selu"), Dense(1)], loss="huber"),
    }  # fmt: skip
    for loss in (losses.Huber(0.5), losses.Quantile(0.8), losses.AbsoluteError()):
        found[loss.name] = fitted([Dense(3, "silu"), Dense(2)], VALUES, loss=loss, dtype="float64")
    for optimizer in optimizers():
        small = [Dense(3, "tanh"), Dense(1, "sigmoid")]
        name = type(optimizer).__name__
        found[name] = fitted(small, dtype="float64", fit={"optimizer": optimizer})
    return found


def optimizers() -> list[Any]:
    """Every optimiser, with settings of its own."""
    return [
        GradientDescent(0.05), Momentum(0.05, 0.8), Nesterov(0.05, 0.8), RMSprop(0.002, 0.8),
        ADAM, AdamW(0.002, weight_decay=0.1), QUASI,
    ]  # fmt: skip


def settings() -> Objects:
    """Descriptions without arrays: layers, losses, optimisers, schedules, callbacks, spaces."""
    parts = [
        Dense(3, "relu", init=initializers.Random(2.0)), Activation("tanh"), Dropout(0.3),
        GaussianNoise(0.1), BatchNorm(), Rescaling(2.0), Normalization(), *optimizers(),
        losses.SquaredError(), losses.BinaryCrossEntropy(0.1), losses.CategoricalCrossEntropy(),
        losses.AbsoluteError(), losses.Huber(2.0), losses.Quantile(0.9), losses.Poisson(),
        schedules.InverseTime(1.0), schedules.Staircase(1.0), schedules.Exponential(0.9),
        schedules.Step(3), schedules.InverseSqrt(), schedules.Cosine(), schedules.OneCycle(5),
        schedules.WarmUp(2), schedules.Plateau(), initializers.Random(3.0),
        callbacks.EarlyStopping(patience=3), callbacks.Checkpoint("a.h5", every=2),
        callbacks.CSVLogger("a.csv"), callbacks.TimeLimit(5.0), spaces.Log(1e-4, 1.0),
        spaces.Linear(0.0, 1.0), spaces.Integer(2, 9), spaces.Momentum(0.9, 0.99),
        spaces.Choice("relu", "tanh"), metrics.NAMES["mae"],
    ]  # fmt: skip
    wrong = [
        errors.FastnnError("a"), errors.ShapeError("a"), errors.DataError("a"),
        errors.SettingError("a"), errors.NotBuiltError("a"), errors.DataFileError("a"),
        errors.ModelFileError("a"), errors.MissingExtraError("a"),
    ]  # fmt: skip
    return {f"{number} {type(part).__name__}": part for number, part in enumerate([*parts, *wrong])}


def made(seed: int) -> Network:
    """Return a small network that was not trained."""
    return Network([Dense(3, "tanh"), Dense(1, "sigmoid")], inputs=4, seed=seed, dtype="float64")


def results() -> Objects:
    """What fits, checks, diagnoses and experiments return."""
    net, few = fitted([Dense(2, "tanh"), Dense(1, "sigmoid")], dtype="float64"), {"epochs": 2}
    return {
        "history": net.history, "parameters": net.parameters, "summary": net.summary(),
        "check": fastnn.check_gradients(net, X, Y),
        "classes": metrics.classification_report(Y, net.predict(X)),
        "rates": diagnostics.range_test(made, X, Y, rates=[1e-3, 1e-2, 1e-1], seeds=[0], steps=2),
        "sizes": diagnostics.learning_curve(
            made, X, Y, X_dev=X, y_dev=Y, sizes=[10, 20], progress=False, **few
        ),
        "signal": diagnostics.signal(net, X), "diagnosis": diagnostics.diagnose(net, X, Y),
        "depth": diagnostics.depth_experiment(3, width=4, examples=9),
        "errors": diagnostics.bias_variance(0.1, 0.2),
        "experiment": experiments.initialization(epochs=2), "erratum": errata.ERRATA[0],
    }  # fmt: skip


def sets() -> Objects:
    """Data sets and what scales them."""
    kinds = ("z-score", "whole", "min-max", "robust")
    return {
        "set": data.Dataset(X[:5], Y[:5], ("no", "yes"), "small"),
        "leak": data.LeakageWarning("a row stands in both parts"),
        **{kind: data.Standardizer(kind, dtype="float64").fit(X) for kind in kinds},
        "not fitted": data.Standardizer(),
    }


def estimators() -> Objects:
    """Estimators, bare and in a pipeline; raises ImportError without scikit-learn."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    few: Any = {"max_iter": 3, "random_state": 0}
    stop = callbacks.TimeLimit(60.0)
    classifier = fastnn.MLPClassifier(
        (5, 3), batch_norm=True, dropout=0.1, scale="standard", callbacks=[stop],
        early_stopping=True, **few,
    )  # fmt: skip
    momentum = fastnn.MLPClassifier(4, solver="sgd", learning_rate="adaptive", **few)
    regressor = fastnn.MLPRegressor(losses.Huber(0.5), 4, scale="robust", **few)
    return {
        "classifier": classifier.fit(X, NAMES),
        "momentum": momentum.fit(X.astype(np.float32), Y),
        "regressor": regressor.fit(X, VALUES),
        "lbfgs": fastnn.MLPRegressor("huber", 3, solver="lbfgs", **few).fit(X, VALUES[:, 0]),
        "logistic": fastnn.LogisticRegression(max_iter=4).fit(X, NAMES),
        "pipeline": make_pipeline(StandardScaler(), fastnn.MLPClassifier(4, **few)).fit(X, NAMES),
        "not fitted": fastnn.MLPClassifier((3, 2), activation="gelu"),
    }


def from_space(units: int, activation: str) -> Network:
    """Return a network of a search."""
    return Network([Dense(units, activation), Dense(1, "sigmoid")], dtype="float64")


def search(study: Path | None) -> Any:
    """Return what a search of four trials finds; raises MissingExtraError without Optuna."""
    space = {"units": spaces.Integer(2, 5), "activation": spaces.Choice("relu", "tanh"),
             "learning_rate": spaces.Log(1e-3, 1e-1), "beta1": spaces.Momentum(0.8, 0.99),
             "l2": spaces.Linear(0.0, 0.5)}  # fmt: skip
    return fastnn.tune(from_space, X, Y, space, trials=4, epochs=3, study=study)


def searches() -> Objects:
    """A search."""
    return {"search": search(None)}


#: What goes into a pickle, by the name of its file.
GROUPS: dict[str, Callable[[], Objects]] = {
    "networks": networks, "settings": settings, "results": results, "data": sets,
    "estimators": estimators, "searches": searches,
}  # fmt: skip

PROTOCOLS = dict.fromkeys(GROUPS, 4) | {"estimators": 5, "data": 5}

#: Which networks are saved, and in which layouts.
SAVED = ("rescaled", "custom", "counts", "quantile", "whole", "built")
FILES = dict.fromkeys(SAVED, ("safetensors",)) | dict.fromkeys(
    ("float32", "float64"), ("safetensors", "h5")
)


def model_files(folder: Path) -> Iterator[Path]:
    """Save networks and a model of the command line, and checkpoints; yield the paths."""
    for name, net in networks().items():
        for ending in FILES.get(name, ()):
            net.save(folder / f"{name}.{ending}")
            yield folder / f"{name}.{ending}"
    for optimizer in optimizers():
        for ending in ("safetensors", "h5") if optimizer == ADAM else ("safetensors",):
            path = folder / f"checkpoint-{type(optimizer).__name__}.{ending}"
            body = [Normalization(), Dense(3), *([] if optimizer == QUASI else [BatchNorm()])]
            fit = training(optimizer) | {"epochs": 3, "callbacks": [callbacks.Checkpoint(path)]}
            fitted([*body, Activation("tanh"), Dense(1, "sigmoid")], dtype="float64", fit=fit)
            yield path
    yield trained(folder)


def training(optimizer: Any) -> Objects:
    """Return how checkpoints are trained, one epoch at a time."""
    schedule = schedules.WarmUp(2, schedules.Cosine(9)) if optimizer != QUASI else None
    return {"optimizer": optimizer, "schedule": schedule, "metrics": ["f1"], "epochs": 1,
            "batch_size": 12, "progress": False}  # fmt: skip


def resumed(folder: Path) -> Iterator[tuple[str, Network]]:
    """Yield every checkpoint's name, and its network after one more epoch."""
    for optimizer in optimizers():
        for path in sorted(folder.glob(f"checkpoint-{type(optimizer).__name__}.*")):
            net = fastnn.load(path)
            net.fit(X, Y, **training(optimizer))
            yield path.name, net


def trained(folder: Path) -> Path:
    """Train on images by the command line; return the path of its model, which has notes."""
    from h5py import File
    from PIL import Image

    images, y = data.digits()
    table, classes = folder / "images.h5", [f"digit {k}" for k in range(10)]
    with File(table, "w") as file:
        file["train_set_x"], file["train_set_y"] = images[:50], y[:50]
        file["list_classes"] = np.array(classes, dtype="S")
    short = ["--layers", "5", "--epochs", "2", "--out", str(folder)]
    said("train", "--train", str(table), *short)
    for path in (table, *folder.glob("*.png")):
        path.unlink()
    Image.fromarray((images[0] * 15).astype(np.uint8)).save(folder / "digit.png")
    return folder / "model.safetensors"


def said(*arguments: str) -> str:
    """Return what the command line prints."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        if main([*arguments]):
            raise SystemExit(f"fastnn {' '.join(arguments)} failed")
    return text.getvalue()


def predicted(folder: Path) -> str:
    """Return what the command line says of an image, without the image's path."""
    picture = folder / "digit.png"
    text = said("predict", str(folder / "model.safetensors"), str(picture))
    return text.replace(str(picture), "")


def rows(thing: Any) -> Array:
    """Return a few examples for a model: of X, or of the width that it takes."""
    width = getattr(thing, "inputs", X.shape[1])
    return X[:6] if width == X.shape[1] else np.outer(X[:6, 0], np.arange(width) % 5)


def asked(thing: Any) -> list[Any] | None:
    """Return a model's answers to a few rows, or the arrays that something holds, or None."""
    if isinstance(thing, data.Dataset):
        return list(thing)
    if isinstance(thing, Mapping) and all(isinstance(thing[key], np.ndarray) for key in thing):
        return [thing[key] for key in thing]
    if getattr(thing, "inputs", 4) is None:  # not built
        return None
    for question in ("predict_proba", "predict", "transform"):
        with contextlib.suppress(AttributeError, errors.FastnnError, NotFittedError):
            return [getattr(thing, question)(rows(thing))]
    return None


def text_of(thing: Any) -> str:
    """Return how an object prints, at most its beginning, or the plain settings that it holds."""
    with every_field():
        text = repr(thing)
    if not text.startswith("<"):
        return ADDRESS.sub("", text)[:400]
    held = sorted(vars(thing).items())
    return str([(name, value) for name, value in held if isinstance(value, int | float | str)])


def told(thing: Any) -> list[Any]:
    """Return what JSON can say of an object: the name of its type, and numbers or its text."""
    arrays = asked(thing)
    if arrays is None:
        return [type(thing).__name__, text_of(thing)]
    if np.asarray(arrays[0]).dtype.kind in "OU":  # labels
        return [type(thing).__name__, [np.asarray(array).tolist() for array in arrays]]
    rounded = [[float(f"{x:.9g}") for x in np.ravel(array)] for array in arrays]
    return [type(thing).__name__, rounded]


def write(folder: Path) -> None:
    """Write everything into a new folder."""
    folder.mkdir()
    stored: dict[str, Any] = {"fastnn": fastnn.__version__}
    for name, group in GROUPS.items():
        objects = group()
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(objects, PROTOCOLS[name]))
        stored[name] = {key: told(thing) for key, thing in objects.items()}
    stored["files"] = {path.name: told(fastnn.load(path)) for path in model_files(folder)}
    stored["resumed"] = {name: told(net) for name, net in resumed(folder)}
    stored["predicted"] = predicted(folder)
    found = search(folder / "study.journal")
    stored["study"] = [[trial["parameters"], trial["state"]] for trial in found.trials]
    (folder / "told.json").write_text(json.dumps(stored) + "\n")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs are too few
        write(Path(sys.argv[1]))
