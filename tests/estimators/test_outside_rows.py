"""X larger than a window: estimators leave it where it lies, and networks read it in windows."""

import functools

import numpy as np
import pytest

from fastnn import MLPClassifier, MLPRegressor, Network
from fastnn.data import image_rows
from fastnn.errors import SettingError

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
h5py = pytest.importorskip("h5py")

from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

from fastnn.estimators import outside  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X, Y = X[:600].astype(np.uint8), Y[:600]
SETTINGS = {"hidden_layer_sizes": (20,), "max_iter": 3, "random_state": 0, "batch_size": 50}


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """X in a file, of which a window holds a third, and which nobody may read whole."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", data=X, chunks=(20, 64))
    monkeypatch.setattr(outside, "WINDOW", 1000)
    monkeypatch.setattr(Network, "fit", functools.partialmethod(Network.fit, window="16 KB"))
    monkeypatch.setattr(h5py.Dataset, "__array__", None)
    with h5py.File(tmp_path / "x.h5") as file:
        yield file["x"]


@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier(**SETTINGS),
        MLPClassifier(scale="standard", class_weight="balanced", **SETTINGS),
        MLPRegressor(**SETTINGS),
    ],
)
def test_fits_and_predictions(rows, model):
    assert clone(model).set_params(max_iter=1).fit(rows, Y).n_features_in_ == 64
    model.fit(rows, Y, sample_weight=np.arange(600) % 3)
    assert model.network_.dtype == np.float64
    assert not hasattr(model, "feature_names_in_")
    assert np.array_equal(model.predict(rows), model.predict(X))
    assert model.score(rows, Y) == model.score(X, Y)
    if isinstance(model, MLPClassifier):
        assert np.array_equal(model.predict_proba(rows), model.predict_proba(X))
        assert np.array_equal(model.predict_log_proba(rows), model.predict_log_proba(X))


def test_sources_of_rows_and_other_objects(rows):
    class Sliced:
        shape, dtype = rows.shape, rows.dtype

        def __getitem__(self, places):
            assert isinstance(places, slice)
            return rows[places]

    expected = MLPRegressor(**SETTINGS).fit(rows, Y).predict(X)
    with image_rows(rows) as source:
        for given in (source, Sliced()):
            model = MLPRegressor(**SETTINGS).fit(given, Y)
            assert np.allclose(model.predict(given), model.predict(X))
            assert model.predict(X).shape == expected.shape


def test_it_learns_and_goes_on(rows):
    model = MLPClassifier(**SETTINGS | {"max_iter": 20}).fit(rows, Y)
    assert model.score(X, Y) > 0.9
    before = model.network_.history.epochs
    model.partial_fit(rows, Y)
    assert model.network_.history.epochs == before + 1


def test_given_held_out_rows(rows):
    model = MLPClassifier(**SETTINGS | {"early_stopping": True})
    model.fit(rows, Y, X_val=rows, y_val=Y)
    assert len(model.validation_scores_) == 3
    assert model.validation_scores_[-1] == model.score(X, Y)


@pytest.mark.parametrize(
    "settings", [{"early_stopping": True}, {"scale": "robust"}, {"n_networks": 2}]
)
def test_what_needs_all_rows_is_refused(rows, settings):
    with pytest.raises(SettingError, match=r"larger than a window.*read X into memory") as caught:
        MLPClassifier(**SETTINGS | settings).fit(rows, Y)
    assert "\n" not in str(caught.value)


def test_bad_input(rows):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MLPClassifier(**SETTINGS).fit(rows, Y[:-1])
    with pytest.raises(ValueError, match="has 64 features, but MLPClassifier is expecting 63"):
        MLPClassifier(**SETTINGS).fit(X[:, 1:], Y).predict(rows)


def test_what_fits_a_window_is_loaded(rows, monkeypatch):
    monkeypatch.undo()
    found, expected = (MLPClassifier(**SETTINGS).fit(given, Y) for given in (rows, X))
    for a, b in zip(found.coefs_, expected.coefs_, strict=True):
        assert np.array_equal(a, b)
