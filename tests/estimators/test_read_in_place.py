"""Dense rows of every dtype are read where they lie: the same results, and no copy of the whole."""

import tracemalloc

import numpy as np
import pytest
from fastnn.kernels.opcodes import READ

import fastnn
from fastnn import LogisticRegression, MLPClassifier, MLPRegressor
from fastnn.data import scaling
from fastnn.training import prepare_data

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits

from fastnn.estimators import base, logistic
from fastnn.estimators.inputs import to_network_input

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS, LABELS = DIGITS[:400], LABELS[:400]
SETTINGS = {"hidden_layer_sizes": (20,), "max_iter": 4, "random_state": 0}
ESTIMATORS = {
    "plain": MLPClassifier(**SETTINGS),
    "held out": MLPClassifier(early_stopping=True, **SETTINGS),
    "weighed": MLPClassifier(class_weight="balanced", **SETTINGS),
    "scaled": MLPClassifier(scale="standard", **SETTINGS),
    "robust": MLPClassifier(scale="robust", **SETTINGS),
    "numbers": MLPRegressor(**SETTINGS),
    "logistic": LogisticRegression(C=0.1, tol=1e-6, max_iter=500),
}


def lay(X, how, folder):
    """Return X (m, n) in another order, or mapped from a file."""
    if how == "mapped":
        X.tofile(folder / "x")
        return np.memmap(folder / "x", X.dtype, "r", shape=X.shape)
    return np.asarray(X, order=how)


@pytest.fixture
def seen(monkeypatch):
    """The X that networks were given, in every fit and prediction."""
    found = []

    def given(X):
        found.append(to_network_input(X))
        return found[-1]

    for module in (base, logistic):
        monkeypatch.setattr(module, "to_network_input", given)
    return found


@pytest.mark.medium
@pytest.mark.parametrize(
    ("kind", "dtype", "how"),
    [("plain", "uint8", "C"), ("plain", "uint8", "F"), ("plain", "uint8", "mapped"),
     ("plain", "float32", "F"), ("plain", "float32", "mapped"), ("plain", "int64", "C"),
     ("logistic", "uint8", "mapped"), ("logistic", "float32", "F")],
)  # fmt: skip
def test_nothing_is_copied(kind, dtype, how, tmp_path, seen):
    X = lay(DIGITS.astype(dtype), how, tmp_path)
    model = clone(ESTIMATORS[kind]).set_params(max_iter=2).fit(X, LABELS)
    model.predict(X)
    model.predict_proba(X)
    model.predict_log_proba(X)
    model.score(X, LABELS)
    if kind == "plain":
        model.partial_fit(X, LABELS)
    assert len(seen) == (6 if kind == "plain" else 5)
    for rows in seen:
        assert rows.dtype == dtype
        assert np.shares_memory(rows, X)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("plain", dtype) for dtype in (*READ, np.dtype(bool))]
    + [(kind, np.dtype("uint8")) for kind in ESTIMATORS if kind != "plain"],
    ids=str,
)
def test_results_are_those_of_float64(kind, dtype):
    X = (DIGITS > 7 if dtype.kind == "b" else DIGITS).astype(dtype)
    dtypes = {} if kind == "logistic" else {"dtype": "float64"}
    found, expected = (
        clone(ESTIMATORS[kind]).set_params(**dtypes).fit(rows, LABELS)
        for rows in (X, X.astype(np.float64))
    )
    assert found.network_.dtype == np.float64
    assert np.array_equal(found.predict(X), expected.predict(X))
    bound = 1e-5 if kind == "logistic" else 1e-10
    for name, values in expected.network_.parameters.items():
        np.testing.assert_allclose(found.network_.parameters[name], values, atol=bound, rtol=bound)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("dtype", "solver", "bound"), [("float32", "sgd", 1e-9), ("uint8", "adam", 1e-6)]
)
def test_steps_are_scikit_learns(dtype, solver, bound):
    X = DIGITS.astype(dtype)
    settings = SETTINGS | {"solver": solver, "batch_size": 400, "max_iter": 40, "alpha": 0.01,
                           "learning_rate_init": 1e-3}  # fmt: skip
    mine = MLPClassifier(dtype="float64", **settings).fit(X, LABELS)
    theirs = neural_network.MLPClassifier(**settings).fit(DIGITS, LABELS)
    np.testing.assert_allclose(mine.loss_curve_, theirs.loss_curve_, rtol=0, atol=bound)
    assert np.array_equal(mine.predict(X), theirs.predict(DIGITS))


@pytest.mark.parametrize("classes", [2, 10])
def test_decisions_are_affine(classes):
    X, y = (part[classes > LABELS] for part in (DIGITS.astype(np.uint8), LABELS))
    model = clone(ESTIMATORS["logistic"]).fit(X, y)
    Z = X.astype(float) @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), np.squeeze(Z), rtol=1e-9, atol=1e-9)


def test_the_dtype_of_the_network_and_its_features():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(DIGITS.astype(np.uint8)).add_prefix("pixel")
    model = MLPClassifier(**SETTINGS).fit(frame, LABELS)
    assert model.network_.dtype == np.float64
    assert model.n_features_in_ == 64
    assert list(model.feature_names_in_) == list(frame.columns)
    assert MLPClassifier(**SETTINGS).fit(DIGITS.astype("f"), LABELS).network_.dtype == np.float32


def peak_of(call):
    """Return the most memory that a call has at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def small_blocks(monkeypatch):
    """What learns a scaling takes some thousand numbers at a time, for the data are small here."""
    monkeypatch.setattr(prepare_data, "BLOCK_NUMBERS", 2**13)
    monkeypatch.setattr(scaling, "CHUNK_NUMBERS", 2**16)


@pytest.mark.medium
@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("kind", "dtype"), [("plain", "float32"), *((kind, "uint8") for kind in ESTIMATORS)]
)
def test_less_is_allocated_than_the_data_take(kind, dtype):
    X = np.random.default_rng(0).integers(0, 9, (2000, 2000)).astype(dtype)
    y = np.arange(2000) % 2
    model = clone(ESTIMATORS[kind]).set_params(max_iter=1)
    model.fit(X, y).predict(X)  # what a first fit imports and compiles
    held_out = kind == "held out"  # its rows, and those that train, are copied as they are
    assert peak_of(lambda: model.fit(X, y)) < X.nbytes * (1.8 if held_out else 0.7)
    assert peak_of(lambda: (model.predict(X), model.score(X, y))) < X.nbytes / 8


def test_quartiles_of_some_columns_at_a_time(monkeypatch):
    X, w = DIGITS.astype(np.uint8), np.arange(400) % 3
    found = [fastnn.data.Standardizer("robust").fit(X, weight) for weight in (None, w)]
    monkeypatch.setattr(scaling, "CHUNK_NUMBERS", 1000)
    for whole, weight in zip(found, (None, w), strict=True):
        part = fastnn.data.Standardizer("robust").fit(X, weight)
        assert np.array_equal(part.shift, whole.shift)
        assert np.array_equal(part.factor, whole.factor)
    assert np.array_equal(found[0].shift, np.median(DIGITS, axis=0))
