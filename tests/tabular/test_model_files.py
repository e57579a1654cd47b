"""Model files of tabular estimators: whole, and forged."""

import copy
import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd

import fastnn
from fastnn import Network, TabularClassifier, TabularRegressor, errors
from fastnn.tabular import model_file

pytestmark = [pytest.mark.medium, pytest.mark.usefixtures("few_epochs")]

rng = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": rng.normal(size=40), "c": rng.choice(["u", "v"], 40), "same": 0})
FRAME.loc[3, "x"] = np.nan
VALUES = FRAME["x"].fillna(0) + (FRAME["c"] == "u")


@pytest.fixture(scope="module")
def regressor():
    return TabularRegressor(bag=2, random_state=np.int64(3)).fit(FRAME, VALUES)


@pytest.fixture(scope="module")
def classifier():
    return TabularClassifier(bag=2, random_state=3, max_time=60).fit(FRAME, VALUES > 0.5)


@pytest.mark.parametrize("ending", [".safetensors", ".h5"])
def test_a_regressor_comes_back(regressor, tmp_path, ending):
    path = tmp_path / f"model{ending}"
    regressor.save(path)
    again = fastnn.load(path)
    assert type(again) is TabularRegressor
    np.testing.assert_array_equal(again.predict(FRAME), regressor.predict(FRAME))
    levels = [0.05, 0.5, 0.95]
    np.testing.assert_array_equal(
        again.predict_quantiles(FRAME, levels), regressor.predict_quantiles(FRAME, levels)
    )
    assert again.get_params() == regressor.get_params()
    assert str(again.report_) == str(regressor.report_)
    assert again.rule_ == regressor.rule_
    np.testing.assert_array_equal(again.feature_names_in_, regressor.feature_names_in_)


@pytest.mark.parametrize(
    "classes",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], object),
        np.array([7, 2]),
        np.array([1.0, 3.0]),
        np.array([False, True]),
    ],
)
def test_classes_of_any_dtype_come_back(classes, tmp_path):
    X, y = np.random.default_rng(1).normal(size=(16, 2)), classes[np.arange(16) % 2]
    model = TabularClassifier(bag=1, random_state=0).fit(X, y)
    model.save(tmp_path / "model.safetensors")
    again = fastnn.load(tmp_path / "model.safetensors")
    assert again.classes_.dtype == model.classes_.dtype
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert not hasattr(again, "feature_names_in_")


def test_networks_and_ensembles_load_as_before(tmp_path):
    nets = [Network.mlp([2, 3, 1], output="sigmoid", seed=seed) for seed in range(2)]
    nets[0].save(tmp_path / "one.safetensors")
    fastnn.Ensemble(nets).save(tmp_path / "several.safetensors")
    assert isinstance(fastnn.load(tmp_path / "one.safetensors"), Network)
    assert isinstance(fastnn.load(tmp_path / "several.safetensors"), fastnn.Ensemble)


def test_an_unfitted_estimator_has_nothing_to_save(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        TabularClassifier().save(tmp_path / "model.safetensors")


MEMBER = {"kind": "coded", "trained": 1, "scored": 1, "epochs": 1, "best_epoch": 1, "curve": [1]}
FORGED = {
    "another kind": {"kind": "clusterer"},
    "no kind": {"kind": ["regressor"]},
    "another parameter": {"parameters": {"bag": 2}},
    "a bag of none": {"parameters.bag": 0},
    "no encoder": {"encoder": {}},
    "columns of another width": {"encoder.columns": [
        {"kind": "category", "name": "c", "values": ["u", "v", "w"], "other": 0, "missing": 0}]},
    "codes of other features": {"codes": {"features": [99], "edges": [[0, 1, 2]]}},
    "fewer codes": {"codes": {"features": [], "edges": []}},
    "another rule": {"rule": {"networks": 2}},
    "a rule of text": {"rule.units": "64"},
    "members too few": {"members": []},
    "a member of another kind": {"members.0": MEMBER | {"kind": "tree"}},
    "a member without inputs for codes": {"members.0": MEMBER | {"kind": "linear"}},
    "a curve of text": {"members.0": MEMBER | {"curve": ["a"]}},
    "no curve": {"members.0": MEMBER | {"curve": []}},
    "a best epoch of text": {"members.0": MEMBER | {"best_epoch": "1"}},
    "fewer epochs than none": {"members.0": MEMBER | {"epochs": -1}},
    "a shift of text": {"shift": "0"},
    "no residuals": {"residuals": {"residuals": [], "below": [], "above": []}},
    "a temperature of text": {"temperatures.0": "1"},
    "fewer temperatures than networks": {"temperatures": [1.0]},
    "classes of tables": {"classes": [{}, {}]},
    "one class": {"classes": [True]},
    "more classes than outputs": {"classes": [0, 1, 2], "dtype": "<i8"},
    "a dtype of objects that are none": {"dtype": "V8"},
    "scores of text": {"held_out": {"rows": "many"}},
    "columns that are none": {"columns": 5},
}  # fmt: skip


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_forged_descriptions_are_refused(change, classifier, regressor, tmp_path, monkeypatch):
    of_classes = {"temperatures", "temperatures.0", "classes", "dtype"} & set(change)
    model = classifier if of_classes else regressor
    forged = json.loads(json.dumps(model_file._config(model)))
    for place, value in change.items():
        *way, last = (int(key) if key.isdecimal() else key for key in place.split("."))
        inner = forged
        for key in way:
            inner = inner[key]
        inner[last] = copy.deepcopy(value)
    monkeypatch.setattr(model_file, "_config", lambda _: forged)
    path = tmp_path / "model.safetensors"
    model.save(path)
    with pytest.raises(errors.ModelFileError, match="not a usable model file") as caught:
        fastnn.load(path)
    assert "\n" not in str(caught.value)
