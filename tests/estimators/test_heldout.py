"""Held-out rows: drawn class by class where classes allow, scored, and named."""

import pickle

import numpy as np
import pytest

import fastnn
from fastnn import MLPClassifier, MLPRegressor

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from scipy import sparse

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
t = X @ [1, -2, 0.5]
y = (t > 0.8).astype(int)
LABELS = {
    "a class of one": (np.repeat([0, 1, 2], [40, 19, 1]), 3),
    "two classes, one of one": (np.repeat(["no", "yes"], [59, 1]), 2),
    "more classes than held-out rows": (np.arange(60) % 12, 12),
    "singletons": (np.repeat(np.arange(31), [30, *np.ones(30, int)]), 31),
    "nothing but singletons": (np.arange(60), 60),
    "pairs": (np.arange(60) // 2, 30),
    "one class": (np.zeros(60, int), 1),
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_any_classes_can_be_held_out(labels, make):
    target, K = LABELS[labels]
    model = MLPClassifier((3,), early_stopping=True, max_iter=5, random_state=0)
    model.fit(make(X), target)
    rows = model.held_out_
    assert len(rows) == 6
    assert len(set(rows)) == 6
    assert len(model.classes_) == K
    left = np.delete(target, rows)
    if labels != "nothing but singletons":  # whose held-out rows take their class with them
        assert set(left) == set(target)
    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.validation_scores_).all()


def test_classes_are_held_out_in_proportion():
    target = np.repeat([0, 1, 2], [30, 20, 10])
    model = MLPClassifier((3,), early_stopping=True, max_iter=2, random_state=3).fit(X, target)
    assert np.bincount(target[model.held_out_]).tolist() == [3, 2, 1]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_what_is_named_is_what_was_held_out(kind):
    """As if the rows had been given."""
    target = y if kind is MLPClassifier else t
    settings = {"hidden_layer_sizes": (3,), "max_iter": 30, "random_state": 0}
    drawn = kind(early_stopping=True, **settings).fit(X, target)
    rows = drawn.held_out_
    kept = np.setdiff1d(np.arange(60), rows)
    given = kind(**settings).fit(X[kept], target[kept], X_val=X[rows], y_val=target[rows])
    assert drawn.validation_scores_ == given.validation_scores_
    assert np.array_equal(drawn.coefs_[0], given.coefs_[0])
    assert given.held_out_ is None
    assert drawn.score(X[rows], target[rows]) == pytest.approx(drawn.best_validation_score_)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_only_rows_with_weight_are_held_out(kind):
    w = np.zeros(60)
    w[:20] = rng.random(20)
    for seed in range(5):
        model = kind(early_stopping=True, max_iter=3, random_state=seed).fit(X, y, w)
        assert model.held_out_.max() < 20
        assert np.isfinite(model.validation_scores_).all()


@pytest.mark.parametrize(
    ("settings", "rows", "weight", "words"),
    [
        ({}, 9, None, r"The validation set is too small: R² needs 2 rows with weight, got 1"),
        ({}, 2, None, r"The validation set is too small"),
        ({}, 1, None, r"holds out all of what has weight, 1 sample;"),
        ({"validation_fraction": 0.99}, 9, None, "holds out all of what has weight, 9 samples"),
        ({}, 60, np.arange(60) < 5, "The validation set is too small"),
    ],
)
def test_too_few_are_refused(settings, rows, weight, words):
    model = MLPRegressor(early_stopping=True, max_iter=400, n_iter_no_change=3, **settings)
    w = None if weight is None else weight.astype(float)
    with pytest.raises(ValueError, match=words):
        model.fit(X[:rows], t[:rows], w)
    assert not hasattr(model, "network_")


def test_one_given_row_is_scored_by_its_cost_or_refused():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=3)
    with pytest.raises(ValueError, match=r"R² needs 2 rows .* or set monitor='validation_cost'"):
        model.fit(X, t, X_val=X[:1], y_val=t[:1])
    model.set_params(monitor="validation_cost").fit(X, t, X_val=X[:1], y_val=t[:1])
    assert np.isfinite(model.validation_scores_).all()
    one = MLPClassifier((3,), early_stopping=True, max_iter=3).fit(X[:9], y[:9])
    assert len(one.held_out_) == 1  # its accuracy is 0 or 1


@pytest.mark.parametrize("backend", ["vectorized", "jitted"])
def test_a_score_that_is_no_number_is_no_improvement(backend):

    class Broken(MLPRegressor):
        def _held_out_score(self, held, network):
            return [0.5, np.nan][network.history.epochs > 2]

    model = Broken(early_stopping=True, n_iter_no_change=3, max_iter=50, tol=0.0, random_state=0)
    with fastnn.backend(backend):
        model.fit(X, t)
    assert model.n_iter_ == 6  # one that improves, one like it, then four of patience
    assert model.best_validation_score_ == 0.5


def test_a_warm_start_never_ends_with_a_worse_score():
    settings = {"hidden_layer_sizes": (8,), "random_state": 1, "learning_rate_init": 0.1}
    model = MLPRegressor(**settings, early_stopping=True, max_iter=60, warm_start=True).fit(X, t)
    for rate in (0.3, 0.01):
        before = model.best_validation_score_
        model.set_params(learning_rate_init=rate, max_iter=5).fit(X, t)
        rows = model.held_out_
        assert model.best_validation_score_ >= before
        assert model.score(X[rows], t[rows]) == pytest.approx(model.best_validation_score_)


@pytest.mark.parametrize("rate", ["adaptive", "invscaling"])
def test_no_data_go_into_a_pickle(rate):
    big = rng.normal(size=(5000, 3))
    model = MLPRegressor(hidden_layer_sizes=(2,), solver="sgd", learning_rate=rate, max_iter=2,
                         early_stopping=True, validation_fraction=0.9)  # fmt: skip
    data = pickle.dumps(model.fit(big, big @ [1, 2, 3], np.ones(5000)).set_params())
    assert len(data) < 50_000 + model.held_out_.nbytes
    assert np.array_equal(pickle.loads(data).predict(X), model.predict(X))


class TestGivenTargets:
    """Those that cannot be compared with y are refused before a step is taken."""

    BOTH = np.stack([y, 1 - y], axis=1)

    def refused(self, model, y, y_val):
        steps = []
        model.set_params(max_iter=2, callbacks=[lambda network, history: steps.append(1)])
        with pytest.raises(ValueError, match=r"^y_val must h"):
            model.fit(X, y, X_val=X, y_val=y_val)
        assert not steps

    @pytest.mark.parametrize("y_val", [y.astype(str), t, BOTH])
    def test_labels_of_another_kind(self, y_val):
        self.refused(MLPClassifier((3,)), y, y_val)

    @pytest.mark.parametrize("y_val", [y, BOTH[:, [0, 1, 1]]])
    def test_another_number_of_labels(self, y_val):
        self.refused(MLPClassifier((3,)), self.BOTH, y_val)

    def test_another_number_of_targets(self):
        self.refused(MLPRegressor(), t, self.BOTH)
        self.refused(MLPRegressor(), self.BOTH, t)

    def test_a_label_that_no_row_trains_on_counts_as_wrong(self):
        model = MLPClassifier((3,), max_iter=2, random_state=0)
        model.fit(X, y, X_val=X, y_val=y + 2)
        assert model.validation_scores_ == [0, 0]
