"""One list of settings: what `fit` honours `partial_fit` honours too, or refuses by name."""

import numpy as np
import pytest

import fastnn
from fastnn import LogisticRegression, MLPClassifier, MLPRegressor
from fastnn.network.description import state_of
from fastnn.schedules import Exponential, Plateau, Step

neural_network = pytest.importorskip("sklearn.neural_network", reason="needs scikit-learn")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
t = X @ [1, -2, 0.5]
y = (t > 0.8).astype(int)
PLAIN = {
    "hidden_layer_sizes": (3,), "activation": "tanh", "solver": "sgd", "learning_rate_init": 0.05,
    "momentum": 0.0, "alpha": 0.0, "batch_size": 60, "shuffle": False, "random_state": 3,
}  # fmt: skip
BACKENDS = ["vectorized", "jitted"]


def rates(model, calls, sizes=(60,)):
    """Learning rates of calls of partial_fit: the output bias's step by its slope in NumPy."""
    found = []
    for call in range(calls):
        m = sizes[call % len(sizes)]
        if not hasattr(model, "network_" if hasattr(model, "history_") else "coefs_"):
            model.partial_fit(X[:m], t[:m])
            continue
        before, slope = model.intercepts_[-1].copy(), (model.predict(X[:m]) - t[:m]).mean()
        model.partial_fit(X[:m], t[:m])
        found.append(((before - model.intercepts_[-1]) / slope).item())
    return found


class TestRates:
    """Of several calls in a row, each of an epoch."""

    @pytest.mark.parametrize("backend", BACKENDS)
    def test_inverse_scaling_counts_the_rows_seen(self, backend):
        with fastnn.backend(backend):
            found = rates(
                MLPRegressor(**PLAIN, learning_rate="invscaling", power_t=0.4), 5, (60, 7)
            )
        seen = np.cumsum([60, 7, 60, 7])
        np.testing.assert_allclose(found, 0.05 / (1 + seen) ** 0.4, rtol=1e-9)

    def test_inverse_scaling_goes_on_from_a_fit(self):
        model = MLPRegressor(**PLAIN, learning_rate="invscaling", max_iter=3).fit(X, t)
        assert rates(model, 1) == pytest.approx([0.05 / (1 + 180) ** 0.5])

    @pytest.mark.parametrize("count", [1, 2])
    def test_adaptive_waits_over_calls_as_scikit_learn_does(self, count):
        settings = PLAIN | {
            "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": count,
        }  # fmt: skip
        mine = rates(MLPRegressor(**settings), 9)
        theirs = rates(neural_network.MLPRegressor(**settings), 9)
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
        assert len(set(np.round(mine, 9))) > 2

    @pytest.mark.parametrize("rate", ["constant", "invscaling", "adaptive"])
    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_calls_take_scikit_learns_steps(self, solver, rate):
        settings = PLAIN | {
            "solver": solver, "learning_rate": rate, "momentum": 0.9, "tol": 0.1, "alpha": 0.1,
            "n_iter_no_change": 2, "batch_size": "auto",
        }  # fmt: skip
        models = [library.MLPRegressor(**settings) for library in (fastnn, neural_network)]
        for model in models:
            model.set_params(max_iter=3).fit(X, t)
            for m in (60, 20, 60, 7, 60, 60, 60, 60):
                model.partial_fit(X[:m], t[:m])
        for a, b in zip(models[0].coefs_, models[1].coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)

    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize(
        ("schedule", "factors"),
        [(Exponential(0.5), [0.5, 0.25, 0.125]), (Step(2, 0.1), [1, 0.1, 0.1])],
    )
    def test_schedules_count_calls_as_epochs(self, schedule, factors, backend):
        with fastnn.backend(backend):
            found = rates(MLPRegressor(**PLAIN, schedule=schedule), 4)
        np.testing.assert_allclose(found, 0.05 * np.array(factors), rtol=1e-9)

    def test_plateaus_follow_the_costs_of_all_calls(self):
        slow = PLAIN | {"learning_rate_init": 1e-12}
        model = MLPRegressor(**slow, schedule=Plateau("cost", factor=0.5, patience=2))
        model.partial_fit(X, t)
        for _ in range(6):
            model.partial_fit(X, t + 1e3)  # costs more than the first call
        settings = state_of(model.network_).training.schedule
        assert settings.follow(model.network_.history["cost"]) == 0.5**3


class TestWeightsOfClasses:
    @pytest.mark.parametrize("backend", BACKENDS)
    @pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"]])
    def test_a_dict_multiplies_the_weights_of_rows(self, backend, labels):
        named, w = np.array(labels)[y], rng.random(60) + 0.1
        settings = {"hidden_layer_sizes": (3,), "random_state": 0, "batch_size": 60}
        one = MLPClassifier(class_weight={labels[0]: 0.5, labels[1]: 50}, **settings)
        two = MLPClassifier(**settings)
        with fastnn.backend(backend):
            for _ in range(5):
                one.partial_fit(X, named, w, classes=labels)
                two.partial_fit(X, named, w * np.where(y, 50, 0.5), classes=labels)
        np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), rtol=1e-9)

    def test_a_batch_may_lack_a_class(self):
        model = MLPClassifier((3,), class_weight={0: 1, 1: 3, 2: 2}, random_state=0)
        model.partial_fit(X, y, classes=[0, 1, 2])
        model.partial_fit(X[y == 0], y[y == 0])
        assert model.predict_proba(X).shape == (60, 3)

    def test_a_fold_may_lack_a_class_that_is_weighed(self):
        MLPClassifier((3,), class_weight={0: 1, 1: 3, 2: 2}, max_iter=2).fit(X, y)
        with pytest.raises(ValueError, match=r"class_weight names \['1'\], but the classes are"):
            MLPClassifier((3,), class_weight={0: 1, "1": 3}).fit(X, y)


REFUSED = [
    ({"early_stopping": True}, "partial_fit does not support early_stopping=True"),
    ({"class_weight": "balanced"}, "partial_fit does not support class_weight='balanced'"),
    ({"class_weight": [1, 2]}, "class_weight must be a dict"),
    ({"class_weight": {0: -1}}, "class_weight"),
    ({"monitor": "validation_cost"}, "partial_fit does not support monitor='validation_cost'"),
    ({"monitor": "cost"}, "partial_fit does not support monitor='cost'"),
    ({"max_time": -1}, "max_time must be"),
    ({"max_iter": 0}, "max_iter must be"),
    ({"tol": -1}, "tol must be"),
    ({"n_iter_no_change": 0}, "n_iter_no_change must be"),
    ({"power_t": -1}, "power_t must be"),
    ({"learning_rate": 0.1}, "learning_rate must be"),
    ({"validation_fraction": 1}, "validation_fraction must"),
    ({"beta_1": 1.0}, "beta_1 must"),
    ({"max_fun": 0}, "max_fun must be"),
    ({"alpha": -1}, "alpha must be"),
    ({"callbacks": 3}, "callbacks must be"),
    ({"schedule": 3}, "schedule must be"),
    ({"batch_size": 0}, "batch_size must be"),
    ({"hidden_layer_sizes": (4,)}, "hidden_layer_sizes changed since"),
    ({"activation": "relu", "scale": "standard"}, "activation, scale changed since"),
]


def state(model):
    """All that a refused call must leave, but the parameters."""
    apart = ("network_", "history_")
    fitted = {n: v for n, v in vars(model).items() if n.endswith("_") and n not in apart}
    net, memory = model.network_, state_of(model.network_).training
    arrays = net.program.theta.tobytes(), memory.slots.tobytes(), net.history["cost"].tobytes()
    return repr(fitted), arrays, memory.epoch, memory.schedule, memory.optimizer, id(net)


@pytest.mark.parametrize(("wrong", "words"), REFUSED)
def test_partial_fit_refuses_by_name_and_changes_nothing(wrong, words):
    model = MLPClassifier((3,), activation="tanh", random_state=0, max_iter=3).fit(X, y)
    before = state(model)
    with pytest.raises(ValueError, match=words):
        model.set_params(**wrong).partial_fit(X, y)
    assert state(model) == before


@pytest.mark.parametrize(("wrong", "words"), REFUSED[5:-2])
def test_fit_refuses_the_same(wrong, words):
    if "monitor" in wrong:
        pytest.skip("fit takes what it watches")
    with pytest.raises(ValueError, match=words):
        MLPClassifier((3,)).set_params(**wrong).fit(X, y)


def test_a_fit_that_scored_held_out_rows_is_followed_by_calls_that_watch_the_loss():
    model = MLPClassifier((3,), random_state=0, max_iter=4, early_stopping=True).fit(X, y)
    assert model.best_loss_ is None
    model.set_params(early_stopping=False).partial_fit(X, y)
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.best_validation_score_ is None  # the weights it was of are no more
    assert len(model.loss_curve_) == 5


class TestArguments:
    def test_weights_are_the_third_as_in_scikit_learn(self):
        w = rng.random(60)
        one = MLPClassifier((3,), random_state=0).partial_fit(X, y, w, [0, 1])
        two = MLPClassifier((3,), random_state=0)
        two.partial_fit(X, y, classes=[0, 1], sample_weight=w)
        assert np.array_equal(one.coefs_[0], two.coefs_[0])

    @pytest.mark.parametrize("third", [[0, 1], range(10), ["a", "b"], np.ones((60, 1))])
    def test_classes_by_position_are_named(self, third):
        with pytest.raises(ValueError, match="if these are the classes, give them as classes="):
            MLPClassifier((3,)).partial_fit(X, y, third)

    def test_one_weight_is_that_of_all_rows_as_in_fit(self):
        for kind in (MLPClassifier, MLPRegressor):
            one, two = (
                kind(hidden_layer_sizes=3, random_state=0).partial_fit(X, y, sample_weight=w)
                for w in (2.5, np.full(60, 2.5))
            )
            assert np.array_equal(one.coefs_[0], two.coefs_[0])

    @pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
    def test_a_loss_that_does_not_exist_is_named(self, kind):
        with pytest.raises(ValueError, match=r"^loss 'hinge' does not exist; choose one of"):
            kind(loss="hinge").fit(X, y)

    def test_sizes_by_position_are_named(self):
        assert MLPRegressor("huber", (3,)).hidden_layer_sizes == (3,)
        with pytest.raises(ValueError, match="give hidden_layer_sizes by its name"):
            MLPRegressor((3,)).fit(X, t)

    @pytest.mark.parametrize("name", ["X_val", "y_val"])
    def test_half_of_a_held_out_part_is_refused(self, name):
        with pytest.raises(ValueError, match=f"{name} was given alone; give X_val and y_val"):
            MLPRegressor().fit(X, t, **{name: X if name == "X_val" else t})

    @pytest.mark.parametrize(
        "wrong",
        [{"activation": None}, {"activation": ["relu", 3]}, {"dropout": "a"}, {"dropout": [0.1]},
         {"hidden_layer_sizes": "ab"}, {"hidden_layer_sizes": None}, {"solver": ["adam"]}],
    )  # fmt: skip
    def test_other_kinds_of_values_are_named(self, wrong):
        with pytest.raises(fastnn.errors.SettingError, match=next(iter(wrong))):
            MLPClassifier((3, 2)).set_params(**wrong).fit(X, y)


class TestClasses:
    @pytest.mark.parametrize("first", ["fit", "partial_fit"])
    @pytest.mark.parametrize("later", [[0, 1, 2], [0], [1, 2], ["0", "1"]])
    def test_later_ones_are_those_of_the_first_call(self, first, later):
        model = MLPClassifier((3,), random_state=0, max_iter=2)
        model = model.fit(X, y) if first == "fit" else model.partial_fit(X, y, classes=[1, 0])
        model.partial_fit(X, y, classes=[1, 0]).partial_fit(X, y)
        before = state(model)
        with pytest.raises(ValueError, match="are not those of the first call, \\[0, 1\\]"):
            model.partial_fit(X, y, classes=later)
        assert state(model) == before

    def test_first_ones_hold_the_labels(self):
        with pytest.raises(ValueError, match=r"y holds classes \[1\] that are not among"):
            MLPClassifier((3,)).partial_fit(X, y, classes=[0, 2])

    @pytest.mark.parametrize("classes", [[[0, 1]], 3, np.eye(2)])
    def test_they_are_a_list(self, classes):
        with pytest.raises(ValueError, match="classes must be a list of labels"):
            MLPClassifier((3,)).partial_fit(X, y, classes=classes)

    def test_one_label_does_not_become_several(self):
        model = MLPClassifier((3,)).partial_fit(X, y)
        with pytest.raises(ValueError, match="y holds several labels an example"):
            model.partial_fit(X, np.stack([y, 1 - y], axis=1))


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
class TestWhatDependsOnParameters:
    def test_partial_fit_is_there_for_solvers_that_step(self, kind):
        assert not hasattr(kind(solver="lbfgs"), "partial_fit")
        assert all(hasattr(kind(solver=solver), "partial_fit") for solver in ("sgd", "adam"))
        multioutput = pytest.importorskip("sklearn.multioutput")
        several = getattr(multioutput, kind.__name__.replace("MLP", "MultiOutput"))
        assert not hasattr(several(kind(solver="lbfgs")), "partial_fit")

    def test_sparse_rows_are_taken_unless_they_are_to_be_scaled(self, kind):
        found = [kind(scale=s).__sklearn_tags__().input_tags.sparse for s in (None, "standard")]
        assert found == [True, False]


def test_counts_are_not_negative():
    for loss in ("poisson", fastnn.losses.Poisson()):
        assert MLPRegressor(loss).__sklearn_tags__().target_tags.positive_only
    assert not MLPRegressor().__sklearn_tags__().target_tags.positive_only


@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
def test_an_endless_c_of_any_float_is_no_penalty(kind):
    peer = pytest.importorskip("sklearn.linear_model").LogisticRegression(C=np.inf).fit(X, y)
    found = LogisticRegression(C=kind("inf")).fit(X, y).coef_
    assert np.allclose(found, peer.coef_, rtol=1e-9, atol=0)


def test_the_sizes_are_read_once_in_a_fit():
    class Sizes(list):
        read = 0

        def __iter__(self):
            Sizes.read += 1
            return super().__iter__()

    MLPClassifier(Sizes([3, 2]), max_iter=2, tol=1e9, n_iter_no_change=1).fit(X, y)
    assert Sizes.read == 1
