"""Pipelines around the estimators become ONNX by skl2onnx and predict in onnxruntime as here."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastnn
from fastnn import LogisticRegression, MLPClassifier, MLPRegressor
from fastnn.errors import DataError, MissingExtraError, ShapeError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries' own imports
    skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from skl2onnx.common import data_types as types
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore")  # fits of three epochs, and the libraries' own
fastnn.estimators.register_skl2onnx()

RNG = np.random.default_rng(8)
X = RNG.normal(2, 3, (60, 5))
TWO = (X[:, 0] > 2).astype(int)
THREE = TWO + (X[:, 1] > 2)
SEVERAL = (X[:, :3] > 2).astype(int)
LABELS = {
    "two": TWO,
    "three": THREE + 4,
    "text": np.array(["a", "b", "é"])[THREE],
    "objects": np.array(["no", "yes"], object)[TWO],
    "bool": TWO == 1,
    "whole floats": TWO * 2.0,
    "several": SEVERAL,
}
SAME = {"max_iter": 3, "random_state": 0}


def run(model, X, **settings):
    """The outputs of a model's ONNX graph, by name."""
    graph = skl2onnx.to_onnx(model, X[:1], **settings).SerializeToString()
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def plain(model, X, **options):
    """Labels and probabilities as arrays."""
    found = run(model, X, options={id(model): {"zipmap": False, **options}})
    return found["label"], found["probabilities"]


def close(found, wanted, dtype):
    """Compare to 1e-5 in float32 and to 1e-12 in float64."""
    assert found.dtype == dtype
    tolerance = {"float32": 1e-5, "float64": 1e-12}[np.dtype(dtype).name]
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("given", ["float32", "float64"])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    "made",
    [
        MLPClassifier((6,), **SAME),
        MLPClassifier(
            (6, 4), activation="tanh", batch_norm=True, scale="standard", dropout=0.2, **SAME
        ),
        MLPClassifier((6,), activation="gelu", scale="robust", dtype="float32", **SAME),
        LogisticRegression(max_iter=5),
    ],
    ids=["plain", "norm and scale", "float32", "logistic"],
)
def test_classifiers(made, labels, given):
    if labels == "several" and isinstance(made, LogisticRegression):
        pytest.skip("LogisticRegression takes one label an example")
    rows, y = X.astype(given), LABELS[labels]
    model = made.fit(X, y)  # in float64, unless it says otherwise
    label, probabilities = plain(model, rows)
    wanted = model.predict(rows)
    assert label.tolist() == (wanted if wanted.dtype.kind in "UO" else wanted.astype(int)).tolist()
    inside = "float32" if model.network_.dtype == np.float32 else given
    wanted = model.predict_proba(rows)
    close(probabilities.astype(inside), wanted, inside)
    assert probabilities.dtype == given


@pytest.mark.parametrize("classes", [[7], ["only"]])
def test_a_classifier_of_one_class_gives_it_whatever_its_sigmoid_says(classes):
    model = MLPClassifier((6,), **SAME).fit(X, np.repeat(classes, 60))
    model.coefs_[-1][...] = 0
    for bias in (-1, 1):
        model.intercepts_[-1] = [bias]
        label, probabilities = plain(model, X)
        assert label.tolist() == model.predict(X).tolist() == classes * 60
        close(probabilities, model.predict_proba(X), "float64")


@pytest.mark.medium
@pytest.mark.parametrize("given", ["float32", "float64", "int64"])
@pytest.mark.parametrize("K", [1, 2])
@pytest.mark.parametrize("settings", [{}, {"batch_norm": True, "scale": "standard"}])
def test_regressors(K, settings, given):
    target = X[:, 0] * 3 if K == 1 else X[:, :K] * 3
    model = MLPRegressor(hidden_layer_sizes=(6,), **SAME, **settings).fit(X, target)
    rows = X.astype(given)
    found = run(model, rows)["variable"]
    close(
        found,
        model.predict(rows).reshape(len(X), K),
        "float64" if given == "float64" else "float32",
    )


@pytest.mark.medium
@pytest.mark.parametrize("zipmap", [None, True, False, "columns"])
@pytest.mark.parametrize("labels", ["two", "three", "text", "several"])
def test_outputs_are_named_and_shaped_as_scikit_learns(labels, zipmap):
    described = []
    for kind in (Theirs, MLPClassifier):
        model = kind((3,), **SAME).fit(X, LABELS[labels])
        options = {} if zipmap is None else {id(model): {"zipmap": zipmap}}
        graph = skl2onnx.to_onnx(model, X[:1].astype("float32"), options=options)
        session = runtime.InferenceSession(
            graph.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        described.append([(o.name, o.type, o.shape) for o in session.get_outputs()])
    assert described[1] == described[0]


class TestOptions:
    def test_tables_and_columns_hold_the_probabilities(self):
        model = MLPClassifier((3,), **SAME).fit(X, LABELS["text"])
        wanted = model.predict_proba(X)
        rows = X.astype("float32")  # the operator ZipMap takes no other
        tables = run(model, rows)["output_probability"]
        np.testing.assert_allclose([list(t.values()) for t in tables], wanted, atol=1e-6)
        assert list(tables[0]) == ["a", "b", "é"]
        columns = run(model, rows, options={id(model): {"zipmap": "columns"}})
        np.testing.assert_allclose(columns["sb"], wanted[:, 1], atol=1e-6)

    @pytest.mark.parametrize("labels", ["two", "three"])
    def test_raw_scores_are_logits(self, labels):
        model = LogisticRegression(max_iter=5).fit(X, LABELS[labels])
        _, found = plain(model, X, raw_scores=True)
        wanted = model.decision_function(X)
        close(found, np.c_[-wanted, wanted] if wanted.ndim == 1 else wanted, "float64")

    def test_labels_and_places(self):
        model = MLPClassifier((3,), **SAME).fit(X, LABELS["text"])
        both = {id(model): {"zipmap": False, "output_class_labels": True}}
        assert run(model, X, options=both)["class_labels"].tolist() == ["a", "b", "é"]
        label, _ = plain(model, X, nocl=True)
        assert np.array_equal(model.classes_[label], model.predict(X))


ESTIMATOR = MLPClassifier((5,), learning_rate_init=0.01, **SAME)


@pytest.mark.medium
@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(SimpleImputer(), StandardScaler(), ESTIMATOR),
        GridSearchCV(ESTIMATOR, {"alpha": [0.1, 1]}, cv=2),
        VotingClassifier([("a", ESTIMATOR)], voting="soft", flatten_transform=False),
        StackingClassifier([("a", ESTIMATOR)], final_estimator=LogisticRegression(), cv=2),
        CalibratedClassifierCV(ESTIMATOR, cv=2),
        OneVsRestClassifier(ESTIMATOR),
        BaggingClassifier(ESTIMATOR, n_estimators=2, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_company(model):
    model.fit(X, THREE)
    options = {id(model): {"zipmap": False}}
    found = run(model, X.astype("float32"), options=options)
    label, probabilities = found.values()
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=1e-4, atol=1e-5)
    assert (label == model.predict(X)).mean() > 0.98  # float32 rounds before it decides


def test_columns_of_text_and_numbers():
    colours = np.array(["red", "green", "blue"])[THREE]
    frame = np.empty((60, 2), object)
    frame[:, 0], frame[:, 1] = X[:, 0], colours
    parts = [("n", StandardScaler(), [0]), ("c", OneHotEncoder(), [1])]
    model = make_pipeline(ColumnTransformer(parts), ESTIMATOR).fit(frame, TWO)
    inputs = [("n", types.FloatTensorType([None, 1])), ("c", types.StringTensorType([None, 1]))]
    graph = skl2onnx.convert_sklearn(
        model, initial_types=inputs, options={id(model): {"zipmap": False}}
    )
    session = runtime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = {"n": X[:, :1].astype("float32"), "c": colours[:, None]}
    label, probabilities = session.run(None, given)
    np.testing.assert_allclose(probabilities, model.predict_proba(frame), atol=1e-5)
    assert np.array_equal(label, model.predict(frame))


@pytest.mark.medium
@pytest.mark.parametrize("opset", [9, 13, 18])
def test_every_opset_of_skl2onnx(opset):
    for activation in ("gelu", "mish", "elu"):
        model = MLPClassifier((3,), activation=activation, **SAME).fit(X, TWO)
        found = run(model, X, target_opset=opset, options={id(model): {"zipmap": False}})
        close(found["probabilities"], model.predict_proba(X), "float64")


class TestRefusals:
    def test_another_width_and_inputs_that_are_no_numbers(self):
        model = MLPClassifier((3,), **SAME).fit(X, TWO)
        wide = [("X", types.FloatTensorType([None, 7]))]
        with pytest.raises(ShapeError, match=r"fitted to 5 features.*\[None, 5\]"):
            skl2onnx.convert_sklearn(model, initial_types=wide)
        text = [("X", types.StringTensorType([None, 5]))]
        with pytest.raises(DataError, match="must be one of Float"):
            skl2onnx.convert_sklearn(model, initial_types=text)

    @pytest.mark.medium
    def test_what_is_not_registered_is_told_how(self):
        """In a process of its own, for a registration holds until its end."""
        code = (
            "import pickle, sys, numpy, skl2onnx\n"
            "for model in pickle.loads(sys.stdin.buffer.read()):\n"
            "    try: skl2onnx.to_onnx(model, numpy.ones((1, 5)))\n"
            "    except ValueError as error: print(error)"
        )
        made = MLPClassifier(**SAME), LogisticRegression(max_iter=5)
        models = [make_pipeline(StandardScaler(), model).fit(X, TWO) for model in made]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            input=pickle.dumps(models), capture_output=True, check=True, timeout=300,
        )  # fmt: skip
        for name in ("MLPClassifier", "LogisticRegression"):
            assert (
                f"does not know {name} yet; call fastnn.estimators.register".encode() in done.stdout
            )

    def test_what_is_not_fitted(self):
        with pytest.raises(NotFittedError):
            skl2onnx.to_onnx(MLPRegressor(), X[:1])

    def test_a_missing_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "skl2onnx", None)
        with pytest.raises(MissingExtraError, match=r'pip install "fastnn\[onnx\]"'):
            fastnn.estimators.register_skl2onnx()
