"""n_networks: one estimator, several networks, trained at once, that predict by their mean."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import check_estimator

from fastnn import Ensemble, MLPClassifier, MLPRegressor, callbacks, errors

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
Y = (X[:, 0] + 0.5 * RNG.normal(size=90) > 0).astype(int)
T = X[:, 0] * 2 - X[:, 1]


def classifier(**settings):
    chosen = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "tol": 0.0}
    return MLPClassifier(**chosen | settings)


pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class TestNetworks:
    def test_the_first_is_that_of_one_network(self):
        one, model = classifier().fit(X, Y), classifier(n_networks=3).fit(X, Y)
        assert len(model.networks_) == 3
        assert model.networks_[0] is model.network_
        np.testing.assert_array_equal(one.network_.program.theta, model.network_.program.theta)
        assert model.loss_curve_ == one.loss_curve_
        assert one.networks_ == [one.network_]
        thetas = {net.program.theta.tobytes() for net in model.networks_}
        assert len(thetas) == len({net.seed for net in model.networks_}) == 3

    def test_each_stops_by_its_own_score(self):
        settings = {"early_stopping": True, "max_iter": 60, "n_iter_no_change": 3, "tol": 1e-4}
        settings["learning_rate_init"] = 0.05
        scored = set()

        class Noted(MLPClassifier):
            def _held_out_score(self, held, network):
                scored.add(network)
                return super()._held_out_score(held, network)

        model = Noted((6,), n_networks=4, random_state=0, **settings).fit(X, Y)
        assert scored == set(model.networks_)
        epochs = [net.history.epochs for net in model.networks_]
        assert len(set(epochs)) > 1
        assert model.n_iter_ == epochs[0]
        assert len(model.validation_scores_) == epochs[0]

    @pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
    def test_go_on_by_warm_start_bit_for_bit(self, solver):
        settings = {"n_networks": 2, "solver": solver, "learning_rate": "adaptive", "tol": 0.0}
        settings |= {"n_iter_no_change": 100}
        if solver == "lbfgs":
            settings |= {"max_iter": 2}
        whole = classifier(**settings | {"max_iter": 2 * settings.get("max_iter", 4)})
        parts = classifier(**settings, warm_start=True)
        whole.fit(X, Y)
        for _ in range(2):
            parts.fit(X, Y)
        if solver == "lbfgs":  # which begins its pairs anew
            assert all(net.history.epochs == 4 for net in parts.networks_)
            return
        for one, other in zip(whole.networks_, parts.networks_, strict=True):
            np.testing.assert_array_equal(one.program.theta, other.program.theta)

    def test_go_on_by_partial_fit(self):
        settings = {"solver": "sgd", "learning_rate": "adaptive", "n_networks": 2}
        whole, parts = classifier(**settings), classifier(**settings)
        whole.fit(X, Y)
        for _ in range(4):
            parts.partial_fit(X, Y)
        for one, other in zip(whole.networks_, parts.networks_, strict=True):
            np.testing.assert_array_equal(one.program.theta, other.program.theta)


class TestPredictions:
    @pytest.mark.parametrize("y", [Y, Y + (X[:, 1] > 0.5), np.stack([Y, 1 - Y], 1)])
    def test_of_classes_are_of_the_mean(self, y):
        model = classifier(n_networks=3).fit(X, y)
        ensemble = Ensemble(model.networks_)
        p = ensemble.predict_proba(X)
        np.testing.assert_array_equal(model.predict_proba(X), p)
        np.testing.assert_allclose(model.predict_log_proba(X), np.log(p), rtol=1e-6)
        labels = (p > 0.5).astype(int) if y.ndim == 2 else model.classes_[p.argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(X), labels)

    def test_of_values_are_means(self):
        model = MLPRegressor("squared_error", (6,), n_networks=3, max_iter=3, random_state=0)
        model.fit(X, T)
        mean = sum(net.predict(X) for net in model.networks_) / 3
        np.testing.assert_array_equal(model.predict(X), mean)

    @pytest.mark.parametrize("copy", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
    def test_of_copies_are_the_same(self, copy):
        model = classifier(n_networks=2).fit(X, Y)
        other = copy(model)
        assert other.networks_[0] is other.network_
        np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))


class TestSettings:
    def test_parameter_is_cloned_and_checked(self):
        model = clone(classifier(n_networks=2))
        assert model.get_params()["n_networks"] == 2
        with pytest.raises(ValueError, match="n_networks must be a whole number of at least 1"):
            model.set_params(n_networks=0).fit(X, Y)

    def test_number_may_not_change_between(self):
        model = classifier(n_networks=2, warm_start=True).fit(X, Y)
        with pytest.raises(errors.SettingError, match="but n_networks changed since"):
            model.set_params(n_networks=3).fit(X, Y)

    def test_callbacks_are_functions(self):
        epochs = []
        own = [lambda network, history: epochs.append(history.epochs)]
        classifier(n_networks=2, callbacks=own).fit(X, Y)
        assert sorted(epochs) == [1, 1, 2, 2, 3, 3, 4, 4]
        with pytest.raises(errors.SettingError, match="callbacks with n_networks=2 must be func"):
            classifier(n_networks=2, callbacks=[callbacks.EarlyStopping("cost")]).fit(X, Y)

    def test_time_is_that_of_all(self, monkeypatch):
        from fastnn.estimators import several

        clock = iter(range(10**6))
        monkeypatch.setattr(several.time, "monotonic", lambda: next(clock))
        model = classifier(n_networks=4, max_time=9, max_iter=5).fit(X, Y)
        assert 8 <= sum(net.history.epochs for net in model.networks_) <= 12

    def test_divergence_is_raised(self):
        model = MLPRegressor("squared_error", (4,), n_networks=2, solver="sgd", max_iter=50)
        with pytest.raises(errors.DivergenceError):
            model.set_params(learning_rate_init=1e30).fit(X, T)

    def test_one_warning_where_none_converged(self):
        with pytest.warns(ConvergenceWarning) as caught:
            classifier(n_networks=3).fit(X, Y)
        assert len(caught) == 1


@pytest.mark.slow
def test_scikit_learns_checks():
    check_estimator(MLPClassifier(n_networks=2, max_iter=20), on_skip=None)
