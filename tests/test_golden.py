"""What earlier versions left on disk loads, says what it said, and goes on: models and pickles.

`golden/make.py` wrote every folder beside it, with the version that the folder is called after.
"""

import importlib
import importlib.util
import json
import pickle
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnn

GOLDEN = Path(__file__).parent / "golden"
FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/told.json"))
#: Largest differences, as a share of the largest number: sums run in another order on other CPUs.
BOUND = {"float32": 1e-5, "float64": 1e-6}
EXTRAS = {"estimators": "sklearn", "searches": "optuna"}

spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)
make.register()


def stored(folder):
    """What the version that wrote a folder said of everything in it."""
    return json.loads((folder / "told.json").read_text())


def unpickled(folder, group):
    """The objects of a pickle by name."""
    if group in EXTRAS:
        pytest.importorskip(EXTRAS[group])
    with warnings.catch_warnings():  # of scikit-learn, which another version of it had pickled
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator")
        return pickle.loads((folder / f"{group}.pickle").read_bytes())


def agree(thing, wanted):
    """Hold an object against what was said of it."""
    name, before = wanted
    found, now = make.told(thing)
    assert found == name
    if isinstance(before, str) or isinstance(before[0][0], str):
        assert now == before
        return
    bound = BOUND[str(getattr(thing, "dtype", "float64") or "float64")]
    for one, other in zip(now, before, strict=True):
        scale = max(map(abs, other))
        np.testing.assert_allclose(one, other, rtol=0, atol=bound * scale, equal_nan=True)


CASES = [
    pytest.param(folder, group, id=f"{folder.name} {group}")
    for folder in FOLDERS
    for group in make.GROUPS
]


@pytest.mark.parametrize(("folder", "group"), CASES)
def test_pickles_are_what_they_were(folder, group):
    objects, wanted = unpickled(folder, group), stored(folder)[group]
    assert set(objects) == set(wanted)
    for name, thing in objects.items():
        agree(thing, wanted[name])


NAMES = [
    pytest.param(module, names.split(), id=f"{folder.name} {module}")
    for folder in FOLDERS
    for module, names in json.loads((folder / "names.json").read_text()).items()
]


@pytest.mark.parametrize(("module", "names"), NAMES)
def test_what_pickles_can_name_is_found(module, names):
    """Pickles name classes and functions by the module that defined them."""
    if module == "fastnn.interop.torch_layers":
        pytest.importorskip("torch")
    found = importlib.import_module(module)
    for name in names:
        thing = getattr(found, name)
        assert pickle.loads(pickle.dumps(thing)) is thing
    with pytest.raises(AttributeError):
        found.nothing_of_that_name  # noqa: B018


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request):
    """Each folder."""
    return request.param


def targets(net):
    """Targets for the rows of X that a network can train on."""
    values = net.layers[-1].activation in ("identity", "exp")
    return make.VALUES[:, : net.outputs] if values else make.Y


def test_pickled_networks_go_on(folder):
    methods = {type(one).__name__: one for one in [*make.optimizers(), make.ADAM]}
    for name, net in unpickled(folder, "networks").items():
        before, optimizer = net.history.epochs, methods.get(name, fastnn.GradientDescent(1e-3))
        history = net.fit(make.X, targets(net), epochs=1, optimizer=optimizer, progress=False)
        assert np.isfinite(history["cost"]).all()
        assert net.history.epochs == before + 1


def test_pickled_estimators_go_on(folder):
    targets = {"regressor": make.VALUES, "lbfgs": make.VALUES[:, 0], "momentum": make.Y}
    for name, model in unpickled(folder, "estimators").items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # three epochs are too few
            model.fit(make.X, targets.get(name, make.NAMES))
        assert len(model.predict(make.X[:3])) == 3


@pytest.mark.medium
def test_model_files_predict_what_they_predicted(folder):
    wanted = stored(folder)["files"]
    for name, told in wanted.items():
        agree(fastnn.load(folder / name), told)


@pytest.mark.medium
def test_checkpoints_go_on(folder):
    """With slots, counts, schedule and metrics: the next epoch is what it was."""
    wanted, found = stored(folder)["resumed"], dict(make.resumed(folder))
    assert set(found) == set(wanted)
    for name, net in found.items():
        agree(net, wanted[name])
        assert net.history.epochs == 4
        assert {"cost", "accuracy", "f1"} <= set(net.history)


def test_the_command_line_knows_its_model(folder):
    pytest.importorskip("PIL")
    assert make.predicted(folder) == stored(folder)["predicted"]


def test_a_study_is_complete(folder, tmp_path):
    pytest.importorskip("optuna")
    trials = make.search(shutil.copy(folder / "study.journal", tmp_path)).trials
    assert [[trial["parameters"], trial["state"]] for trial in trials] == stored(folder)["study"]
