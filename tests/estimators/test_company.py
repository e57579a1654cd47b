"""Estimators in company: searches, pickles, calibration, frames, and a missing extra."""

import io
import pickle
import subprocess
import sys

import numpy as np
import pytest

import fastnn

sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import joblib  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

pytestmark = [
    pytest.mark.medium,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
X, Y = (part[:400] for part in load_digits(n_class=4, return_X_y=True))


def model(**settings):
    """Eighty steps of one batch are few, hence the larger rate."""
    rate = {"learning_rate_init": 0.02, "max_iter": 80}
    return fastnn.MLPClassifier((16,), random_state=0, scale="standard", **rate, **settings)


def test_grid_search_over_a_pipeline_with_two_jobs():
    pipeline = make_pipeline(StandardScaler(), model())
    grid = {"mlpclassifier__alpha": [1e-4, 1e-2]}
    search = GridSearchCV(pipeline, grid, n_jobs=2, cv=2).fit(X, Y)
    alone = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert search.best_score_ > 0.85  # scikit-learn: 0.8875
    means = [found.cv_results_["mean_test_score"] for found in (search, alone)]
    assert np.array_equal(*means)


def test_cross_validation_calibration_and_importance():
    assert cross_val_score(model(), X, Y, cv=3).mean() > 0.9
    calibrated = CalibratedClassifierCV(model(), cv=2).fit(X, Y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    found = permutation_importance(model().fit(X, Y), X, Y, n_repeats=1, random_state=0)
    assert found.importances_mean.shape == (64,)
    assert found.importances_mean[0] == 0  # a corner that is always white


@pytest.mark.parametrize(
    "made", [model(), fastnn.MLPRegressor(max_iter=3), fastnn.LogisticRegression(max_iter=20)]
)
def test_pickle_and_joblib_bring_the_same_bits_back(made):
    made.fit(X / 16, Y)
    file = io.BytesIO()
    joblib.dump(made, file)
    file.seek(0)
    for again in (pickle.loads(pickle.dumps(made)), joblib.load(file)):
        assert np.array_equal(again.predict(X / 16), made.predict(X / 16))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_give_what_arrays_give(library):
    frames = pytest.importorskip(library, reason=f"{library} is not installed")
    frame = frames.DataFrame({f"pixel {i}": X[:, i] for i in range(64)})
    labels = np.array(["zero", "one", "two", "three"])[Y]
    net = model().fit(frame, labels)
    assert list(net.feature_names_in_) == list(frame.columns)
    assert np.array_equal(net.predict(frame), model().fit(X, labels).predict(X))


def test_a_missing_extra_is_named():
    code = (
        "import sys; sys.modules['sklearn'] = None; import fastnn\n"
        "try: fastnn.MLPClassifier\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert "sklearn" in done.stdout
    assert "pip install" in done.stdout


def test_a_refit_that_is_refused_leaves_the_fitted_model():
    net = model().fit(X, Y)
    before = net.predict_proba(X)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        net.fit(X, Y, sample_weight=-np.ones(len(X)))
    assert np.array_equal(net.predict_proba(X), before)
