"""Fitted state: it is the network's, whatever is assigned to it and whatever the parameters say."""

import copy
import io
import pickle

import numpy as np
import pytest

import fastnn
from fastnn import LogisticRegression, MLPClassifier, MLPRegressor

neural_network = pytest.importorskip("sklearn.neural_network", reason="needs scikit-learn")

import joblib  # noqa: E402
from sklearn.base import clone  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
t = X @ [1, -2, 0.5]
y = (t > 0.8).astype(int)
Y3 = np.repeat([0, 1, 2], 20)
W = [rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), rng.normal(size=(2, 1))]
B = [rng.normal(size=4), rng.normal(size=2), rng.normal(size=1)]


def outputs(coefs, intercepts, rows=X):
    """Of a perceptron of tanh units, in NumPy."""
    for place, (w, b) in enumerate(zip(coefs, intercepts, strict=True)):
        rows = rows @ w + b
        rows = np.tanh(rows) if place < len(coefs) - 1 else rows
    return rows[:, 0]


def whole(model):
    model.coefs_, model.intercepts_ = W, B


def layer_by_layer(model):
    for place, (w, b) in enumerate(zip(W, B, strict=True)):
        model.coefs_[place] = w
        model.intercepts_[place] = b.tolist()


def from_the_end(model):
    for place in (-1, -2, -3):
        model.coefs_[place], model.intercepts_[place] = W[place], B[place]


def by_slices(model):
    model.coefs_[:2], model.coefs_[2:] = W[:2], W[2:]
    model.intercepts_[:] = tuple(B)


def number_by_number(model):
    for arrays, values in ((model.coefs_, W), (model.intercepts_, B)):
        for array, value in zip(arrays, values, strict=True):
            for place in np.ndindex(value.shape):
                array[place] = value[place]


WAYS = [whole, layer_by_layer, from_the_end, by_slices, number_by_number]


@pytest.mark.parametrize("backend", ["vectorized", "jitted"])
@pytest.mark.parametrize("way", WAYS)
class TestWeightsOfPerceptrons:
    def test_predictions_are_those_of_what_was_assigned(self, way, backend):
        settings = {"hidden_layer_sizes": (4, 2), "activation": "tanh", "max_iter": 2}
        z = outputs(W, B)
        with fastnn.backend(backend):
            model = MLPRegressor(**settings).fit(X, t)
            way(model)
            np.testing.assert_allclose(model.predict(X), z, rtol=1e-10)
            np.testing.assert_allclose(model.predict(X[:1]), z[:1], rtol=1e-10)
            classifier = MLPClassifier(**settings).fit(X, y)
            way(classifier)
            np.testing.assert_allclose(classifier.predict_proba(X)[:, 1], 1 / (1 + np.exp(-z)))
        for found in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert np.array_equal(found.predict(X), model.predict(X))

    def test_a_warm_start_begins_with_it(self, way, backend):
        settings = {
            "hidden_layer_sizes": (4, 2), "activation": "tanh", "max_iter": 1, "solver": "sgd",
            "momentum": 0.0, "alpha": 0.0, "warm_start": True, "learning_rate_init": 0.1,
        }  # fmt: skip
        with fastnn.backend(backend):
            model = MLPRegressor(**settings).fit(X, t)
            way(model)
            model.fit(X, t)
        cost = (outputs(W, B) - t) @ (outputs(W, B) - t) / 120
        assert model.loss_ == pytest.approx(cost)
        step = 0.1 * (outputs(W, B) - t).mean()
        np.testing.assert_allclose(model.intercepts_[2], B[2] - step)


class TestTheirLists:
    def model(self):
        return MLPClassifier((4, 2), max_iter=2, random_state=0).fit(X, y)

    def test_they_are_lists_that_copies_do_not_share(self):
        model = self.model()
        assert isinstance(model.coefs_, list)
        assert len(model.coefs_ + model.intercepts_) == 6
        for again in (copy.deepcopy(model.coefs_), pickle.loads(pickle.dumps(model.coefs_))):
            assert type(again) is list
            again[0][...] = 7
            again.append(3)
        file = io.BytesIO()
        joblib.dump(model.coefs_, file)
        assert (model.coefs_[0] != 7).all()

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (lambda m: setattr(m, "coefs_", W[:2]), "has 3 such arrays, .* got 2"),
            (lambda m: setattr(m, "coefs_", [W[0], W[1], W[2].T]), r"'W3' has shape \(2, 1\)"),
            (lambda m: setattr(m, "coefs_", [W[0], W[1], W[2] * np.nan]), "W3 holds nan"),
            (lambda m: m.intercepts_.__setitem__(1, [1.0]), r"'b2' has shape \(2,\)"),
            (lambda m: m.coefs_.__setitem__(0, "abc"), "must hold real numbers"),
        ],
    )
    def test_what_does_not_fit_is_refused_before_anything_changed(self, wrong, words):
        model = self.model()
        before = model.network_.program.theta.copy()
        with pytest.raises(ValueError, match=words):
            wrong(model)
        assert np.array_equal(model.network_.program.theta, before)

    @pytest.mark.parametrize(
        "change",
        [
            lambda v: v.append(W[0]), lambda v: v.pop(), lambda v: v.clear(), lambda v: v.sort(),
            lambda v: v.reverse(), lambda v: v.insert(0, W[0]), lambda v: v.__delitem__(0),
            lambda v: v.__iadd__([W[0]]),
        ],
    )  # fmt: skip
    def test_layers_stay(self, change):
        with pytest.raises(TypeError, match="keeps its layers"):
            change(self.model().coefs_)

    def test_there_are_none_before_a_fit(self):
        for name in ("coefs_", "intercepts_", "n_layers_", "n_outputs_", "out_activation_"):
            assert not hasattr(MLPClassifier(), name)
        assert not hasattr(LogisticRegression(), "coef_")


@pytest.mark.parametrize("labels", [y, Y3])
@pytest.mark.parametrize("intercept", [True, False])
class TestLogisticRegression:
    def test_what_is_assigned_counts_everywhere(self, labels, intercept):
        model = LogisticRegression(fit_intercept=intercept).fit(X, labels)
        A, b = rng.normal(size=model.coef_.shape), np.zeros(len(model.coef_))
        model.coef_ = A
        model.coef_[0, 1] = A[0, 1] = 3.0
        if intercept:
            model.intercept_ = b = rng.normal(size=len(A))
            model.intercept_[0] = b[0] = 2.0
        Z = X @ A.T + b
        np.testing.assert_allclose(model.decision_function(X), Z if len(A) > 1 else Z[:, 0])
        Z = Z if len(A) > 1 else np.hstack([0 * Z, Z])
        p = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(model.predict_proba(X), p)
        assert np.array_equal(model.predict(X), Z.argmax(axis=1))

    def test_a_warm_start_begins_with_it(self, labels, intercept):
        settings = {"fit_intercept": intercept, "tol": 1e-8, "max_iter": 1000}
        best = LogisticRegression(**settings).fit(X, labels)
        model = LogisticRegression(**settings, warm_start=True).fit(X[:50], labels[:50])
        model.coef_ = best.coef_
        if intercept:
            model.intercept_ = best.intercept_
        assert model.fit(X, labels).n_iter_[0] <= 2

    def test_wrong_shapes_are_refused(self, labels, intercept):
        model = LogisticRegression(fit_intercept=intercept).fit(X, labels)
        for wrong in (np.zeros(3), model.coef_.T, model.coef_[:, :2]):
            if wrong.shape != model.coef_.shape:
                with pytest.raises(ValueError, match="coef_ has shape"):
                    model.coef_ = wrong
        if intercept:
            with pytest.raises(ValueError, match="'b1' has shape"):
                model.intercept_ = np.zeros(7)
            return
        model.intercept_ = np.zeros(len(model.coef_))  # which they are
        with pytest.raises(ValueError, match="fit it with fit_intercept=True"):
            model.intercept_ = np.ones(len(model.coef_))
        with pytest.raises(ValueError, match="read-only"):
            model.intercept_[0] = 1


CHANGES = {
    "hidden_layer_sizes": [(8,), (5, 4, 3), 6, (4, 8)],
    "activation": ["tanh", ["relu", "tanh"]],
    "dropout": [0.1, [0.0, 0.2]],
    "batch_norm": [True],
    "scale": ["standard", "robust"],
    "loss": ["squared_error", fastnn.losses.BinaryCrossEntropy(0.1)],
    "dtype": ["float32"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in CHANGES.items() for value in values]
)
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_what_describes_the_network_is_kept_or_refused(name, value, call):
    model = MLPClassifier((8, 4), max_iter=3, random_state=0, warm_start=True).fit(X, y)
    before = [array.copy() for array in model.coefs_]
    model.set_params(**{name: value})
    assert [w.shape for w in model.coefs_] == [(3, 8), (8, 4), (4, 1)]
    assert (model.n_layers_, model.n_outputs_, model.out_activation_) == (4, 1, "logistic")
    with pytest.raises(ValueError, match=f"goes on with the network .* but {name} changed since"):
        getattr(model, call)(X, y)
    for array, old in zip(model.coefs_, before, strict=True):
        assert np.array_equal(array, old)
    fresh = model.set_params(warm_start=False).fit(X, y)
    assert fresh.n_layers_ == len(fresh.coefs_) + 1


def test_the_same_said_otherwise_is_no_change():
    model = MLPClassifier((8, 4), max_iter=3, random_state=0, warm_start=True).fit(X, y)
    model.set_params(hidden_layer_sizes=np.array([8, 4]), activation=["relu", "relu"],
                     dropout=[0.0, 0.0], max_iter=2, alpha=1.0, solver="sgd")  # fmt: skip
    assert model.fit(X, y).n_iter_ == 2


def test_a_warm_start_wants_the_classes_of_before():
    for later in (np.minimum(Y3, 1), Y3 + 1, np.arange(60) % 4):
        model = MLPClassifier((3,), max_iter=2, warm_start=True, early_stopping=True).fit(X, Y3)
        with pytest.raises(ValueError, match="same classes as in the previous call to fit"):
            model.fit(X, later)


class TestCounts:
    @pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
    @pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
    def test_are_scikit_learns_over_warm_starts(self, name, solver):
        """`n_iter_` of the last fit, curves of all."""
        settings = {
            "hidden_layer_sizes": (3,), "solver": solver, "random_state": 0, "warm_start": True,
            "n_iter_no_change": np.inf,
        }  # fmt: skip
        models = [getattr(library, name)(**settings) for library in (fastnn, neural_network)]
        target = y if name == "MLPClassifier" else t
        for epochs in (4, 7):
            for model in models:
                model.set_params(max_iter=epochs).fit(X, target)
            assert models[0].n_iter_ == models[1].n_iter_ == epochs
        if solver != "lbfgs":
            assert len(models[0].loss_curve_) == len(models[1].loss_curve_) == 11
            for model in models:
                model.partial_fit(X, target)
            assert models[0].n_iter_ == models[1].n_iter_ == 1
            assert len(models[0].loss_curve_) == len(models[1].loss_curve_) == 12
            assert models[0].t_ == models[1].t_ == 12 * 60

    @pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
    def test_scores_are_as_many_as_losses(self, name):
        settings = {"early_stopping": True, "warm_start": True, "random_state": 0, "max_iter": 3}
        target = y if name == "MLPClassifier" else t
        models = [
            getattr(library, name)((3,) if name == "MLPClassifier" else "squared_error", **settings)
            for library in (fastnn, neural_network)
        ]
        for model in models:
            for _ in range(3):
                model.fit(X, target)
            assert len(model.loss_curve_) == len(model.validation_scores_) == 9
            assert model.best_validation_score_ == max(model.validation_scores_)

    def test_a_fit_anew_counts_anew(self):
        model = MLPClassifier((3,), max_iter=3, early_stopping=True).fit(X, y).fit(X, y)
        assert len(model.loss_curve_) == len(model.validation_scores_) == model.n_iter_ == 3
        assert model.set_params(early_stopping=False).fit(X, y).validation_scores_ is None

    @pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
    def test_two_warm_fits_are_one_longer_one(self, kind):
        settings = {"random_state": 0, "n_iter_no_change": np.inf}
        whole = kind(max_iter=10, **settings).fit(X, y)
        parts = kind(max_iter=5, warm_start=True, **settings).fit(X, y).fit(X, y)
        assert parts.loss_curve_ == whole.loss_curve_
        assert np.array_equal(parts.coefs_[0], whole.coefs_[0])


#: State that came after the first pickles of fastnn 0.1.0, which lack it, by the kind of object.
LATER = {
    "perceptron": ["_described", "_waiting", "held_out_"],
    "partial": ["_described", "_waiting", "held_out_", "validation_scores_"],
    "logistic": ["dual", "fit_intercept", "intercept_scaling", "l1_ratio", "n_jobs", "penalty",
                 "solver", "verbose"],
}  # fmt: skip


def early_pickle(model, kind):
    """The model as it comes back from a pickle of those days."""
    state = {name: v for name, v in model.__getstate__().items() if name not in LATER[kind]}
    revived = type(model).__new__(type(model))
    revived.__setstate__(pickle.loads(pickle.dumps(state)))
    return revived


class TestEarlyPickles:
    """They predict, go on, are cloned and pickled as the model that they were made of."""

    @pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
    def test_a_warm_start_goes_on(self, solver):
        settings = {"solver": solver, "warm_start": True, "max_iter": 3, "random_state": 0}
        model = MLPRegressor("squared_error", (4,), **settings).fit(X, t)
        revived = early_pickle(model, "perceptron")
        assert np.array_equal(revived.predict(X), model.predict(X))
        assert np.array_equal(revived.fit(X, t).predict(X), model.fit(X, t).predict(X))
        with pytest.raises(ValueError, match="hidden_layer_sizes changed since"):
            revived.set_params(hidden_layer_sizes=5).fit(X, t)

    def test_partial_fit_goes_on(self):
        model = MLPClassifier((4,), random_state=0).partial_fit(X, y)
        revived = early_pickle(model, "partial")
        assert revived.validation_scores_ is None
        both = [m.partial_fit(X, y).predict_proba(X) for m in (model, revived)]
        assert np.array_equal(*both)

    @pytest.mark.parametrize("fitted", [True, False])
    def test_new_parameters_of_logistic_regression_have_their_defaults(self, fitted):
        model = LogisticRegression(C=2, warm_start=True)
        revived = early_pickle(model.fit(X, y) if fitted else model, "logistic")
        assert revived.get_params() == model.get_params()
        assert repr(clone(revived)) == repr(pickle.loads(pickle.dumps(revived))) == repr(model)
        assert np.array_equal(revived.fit(X, y).coef_, model.fit(X, y).coef_)

    def test_histories_tell_no_reason(self):
        history = fastnn.Network.mlp([3, 1], output="sigmoid").fit(X, y, epochs=2)
        state = {name: v for name, v in history.__getstate__().items() if name != "message"}
        revived = fastnn.History.__new__(fastnn.History)
        revived.__setstate__(state)
        assert revived.message is None
        assert np.array_equal(revived["cost"], history["cost"])
