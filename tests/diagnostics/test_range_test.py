"""The learning-rate finder: its curve, its trial fits, and fits with the rate that it suggests."""

import os
from pathlib import Path

import numpy as np
import pytest

from fastnn import LBFGS, Adam, AdamW, Dense, GradientDescent, Network, data
from fastnn.diagnostics import RangeTest, range_test
from fastnn.diagnostics._trials import run_trials
from fastnn.errors import DataError, DivergenceError, SettingError, ShapeError


def classifier(seed):
    return Network.mlp([2, 16, 1], output="sigmoid", hidden="tanh", seed=seed)


def regressor(seed):
    return Network.mlp([2, 1], output="identity", seed=seed)


@pytest.fixture(scope="module")
def moons():
    X, y = data.moons(400, 0.2, 1)
    return X[:300], y[:300], X[300:], y[300:]


def final_cost(net, X, y, rate, optimizer=Adam, epochs=10, **fit):
    """Mean training cost of the last fifth of the epochs of a fit, infinite if it diverges."""
    try:
        history = net.copy().fit(
            X, y, epochs=epochs, optimizer=optimizer(rate), progress=False, **fit
        )
    except DivergenceError:
        return np.inf
    return history["cost"][-(epochs // 5) :].mean()


def moons_task():
    return classifier, *data.moons(400, 0.2, seed=1)


def digits_task():
    digits = data.digits()
    X = data.flatten_images(digits.X)
    return (
        lambda s: Network.mlp([64, 32, 10], output="softmax", rescale=1 / 16, seed=s),
        X,
        digits.y,
    )


def cats_task():
    path = Path(os.environ.get("FASTNN_DATA", ""), "train_catvnoncat.h5")
    if "FASTNN_DATA" not in os.environ or not path.exists():
        pytest.skip("FASTNN_DATA names no folder with train_catvnoncat.h5")
    cats = data.load_h5(path)
    return (
        lambda s: Network.mlp([12288, 16, 1], output="sigmoid", rescale=1 / 255, seed=s),
        data.flatten_images(cats.X),
        cats.y,
    )


def regression_task():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 3))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * rng.normal(size=1000)
    return lambda s: Network.mlp([3, 32, 1], output="identity", seed=s), X, y


class TestSuggestion:
    """A fit with the suggested rate ends within 10 % of the best of a grid of 21 rates.

    The cost is that of training, averaged over the last fifth of ten epochs.
    """

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("task", "seeds"),
        [(moons_task, (0, 1, 2)), (digits_task, (0, 1, 2)), (regression_task, (0, 1, 2)),
         pytest.param(cats_task, (0, 1), marks=pytest.mark.long)],
    )  # fmt: skip
    def test_trains_nearly_as_well_as_the_best_rate(self, task, seeds):
        """Each network by the rate found for it, and all on average by that of their builder."""
        make, X, y = task()
        grid = np.geomspace(1e-4, 1, 21)
        costs = np.array([[final_cost(make(s), X, y, rate) for rate in grid] for s in seeds])
        for seed, of_rates in zip(seeds, costs, strict=True):
            net = make(seed)
            found = final_cost(net, X, y, range_test(net, X, y).suggestion)
            assert found <= 1.1 * of_rates.min()
        rate = range_test(make, X, y, seeds=seeds).suggestion
        own = np.mean([final_cost(make(s), X, y, rate) for s in seeds])
        assert own <= 1.1 * costs.mean(axis=0).min()

    @pytest.mark.medium
    def test_is_for_the_optimiser_that_is_named(self, moons):
        X, y = moons[:2]
        net = classifier(3)
        found = range_test(net, X, y, optimizer=GradientDescent, batch_size=128)
        ends = [
            final_cost(net, X, y, rate, GradientDescent, batch_size=128)
            for rate in (found.suggestion, *np.geomspace(0.01, 10, 31))
        ]
        assert ends[0] <= 1.1 * min(ends[1:])
        assert found.optimizer == "GradientDescent"


class TestTrials:
    def test_are_the_fits_of_the_network_itself(self, moons):
        X, y = moons[:2]
        net = classifier(0)
        before = {name: value.copy() for name, value in net.parameters.items()}
        found = range_test(net, X, y, rates=(1e-3, 1e-2, 1e-1), epochs=15, batch_size=50, l2=0.1)
        np.testing.assert_array_equal(found.trial_rates, sorted(found.trial_rates))
        assert found.trial_costs.shape == (1, len(found.trial_rates))
        for rate, cost in zip(found.trial_rates, found.trial_costs[0], strict=True):
            history = net.copy().fit(
                X, y, epochs=15, batch_size=50, l2=0.1, optimizer=Adam(rate), progress=False
            )
            assert history["cost"][-3:].mean() == cost
        assert net.history.epochs == 0
        for name, value in net.parameters.items():
            np.testing.assert_array_equal(value, before[name])

    def test_of_networks_that_are_not_built(self, moons):
        net = Network([Dense(1, "sigmoid")])
        found = range_test(net, *moons[:2], rates=(0.01, 0.1), epochs=1)
        assert found.suggestion == 0.1
        assert net.inputs is None

    def test_of_a_builder_are_made_with_every_seed(self, moons):
        found = range_test(classifier, *moons[:2], rates=(0.01, 0.1), seeds=(4, 7), epochs=2)
        expected = [final_cost(classifier(s), *moons[:2], 0.1, epochs=5) for s in (4, 7)]
        longer = range_test(classifier, *moons[:2], rates=(0.01, 0.1), seeds=(4, 7), epochs=5)
        k = list(longer.trial_rates).index(0.1)
        np.testing.assert_array_equal(longer.trial_costs[:, k], expected)
        assert found.trial_costs.shape[0] == 2

    def test_settings_of_an_optimiser_are_kept(self, moons):
        net, given = classifier(0), AdamW(0.5, weight_decay=0.3)
        found = range_test(net, *moons[:2], rates=(0.01, 0.1), epochs=5, optimizer=given)
        k = list(found.trial_rates).index(0.1)
        expected = final_cost(net, *moons[:2], 0.1, lambda r: AdamW(r, weight_decay=0.3), 5)
        assert found.trial_costs[0, k] == expected
        assert (found.optimizer, found.setting) == ("AdamW", "AdamW, batches of 32")

    def test_the_worse_are_stopped_early(self):
        """Costs are known: (log10 rate + 2)²; after one epoch the order is there already."""
        trained = {}

        class Known:
            def __init__(self, rate):
                self.rate, self.done = rate, 0
                self.costs = np.array([np.inf])

            def train_until(self, epochs):
                self.done = trained[self.rate] = epochs
                self.costs = np.array([(np.log10(self.rate) + 2) ** 2])

        rates = np.geomspace(1e-5, 10, 31)
        found, costs = run_trials(Known, rates, 16, 50)
        assert found[np.argmin(costs[0])] == pytest.approx(0.01)
        assert sorted(trained.values()).count(1) == 31 - 12
        assert [sum(v == k for v in trained.values()) for k in (2, 4, 8)] == [4, 2, 2]
        # Four whole trials, and those halfway to the neighbours of the best two.
        assert len(found) == 4 + 3
        trained.clear()
        run_trials(Known, rates, 16, 2)  # a fit of 32 steps tells too little before its end
        assert set(trained.values()) == {16}

    def test_rates_that_diverge_are_left_out(self):
        X = np.random.default_rng(0).normal(size=(50, 2))
        found = range_test(regressor(0), X, 3 * X[:, 0], rates=(0.1, 1e20, 1e30), epochs=3)
        assert found.suggestion == 0.1
        assert (found.trial_rates < 1e15).all()

    def test_no_rate_where_all_diverge(self):
        X = np.random.default_rng(0).normal(size=(50, 2))
        found = range_test(regressor(0), X, X[:, 0], rates=(1e30, 1e31), epochs=3)
        with pytest.raises(DataError, match="no learning rate can be suggested"):
            _ = found.suggestion
        assert "No learning rate can be suggested" in str(found)

    def test_ctrl_c_ends_them(self, moons):
        class Interrupted:
            def fit(self, X, y, **settings):
                history = classifier(0).history
                history.extend({"cost": [1.0]})
                history.interrupted = True
                return history

        with pytest.raises(KeyboardInterrupt):
            range_test(lambda seed: Interrupted(), *moons[:2], epochs=2)

    def test_print_what_they_were(self, moons):
        text = str(range_test(classifier(0), *moons[:2], rates=(0.01, 0.1), epochs=1, seeds=(0,)))
        assert "final cost of a fit of 1 epoch\n" in text
        assert text.splitlines()[-1].startswith("Adam, batches of 32, over 1 seed. Begin with")


def test_a_builder_that_makes_no_network():
    with pytest.raises(SettingError, match=r"must return a new Network.*got int"):
        range_test(lambda seed: seed, np.ones((9, 2)), np.ones(9))


class TestRangeTest:
    def test_each_rate_takes_its_steps_on_the_next_examples(self):
        calls = []

        class Recorder:
            def fit(self, X, y, **settings):
                calls.append((X[:, 0].astype(int).tolist(), settings))
                return {"cost": [settings["optimizer"]]}

        X = np.arange(10.0)[:, None]
        found = range_test(
            lambda seed: Recorder(), X, X, rates=(0.1, 0.2, 0.4), seeds=(5,), steps=2,
            batch_size=3, optimizer=lambda rate: 10 * rate, l2=0.5, epochs=0,
        )  # fmt: skip
        np.testing.assert_allclose(found.costs, [[1, 2, 4]])
        order = np.random.default_rng(5).permutation(10).tolist()
        assert [row for rows, _ in calls for row in rows] == (order + order)[:18]
        for _, settings in calls:
            assert settings["batch_size"] == 3
            assert settings["l2"] == 0.5
            assert settings["shuffle"] is False

    def test_divergence_ends_a_seed(self):
        X = np.random.default_rng(0).normal(size=(50, 2))
        found = range_test(regressor, X, 3 * X[:, 0], rates=(0.1, 1e20, 1e30), seeds=(0, 1))
        assert np.isfinite(found.costs[:, 0]).all()
        assert np.isinf(found.costs[:, 2]).all()
        assert np.isinf(found.median[2])

    def test_suggestion_is_below_the_best_rate(self):
        rates = np.array([0.01, 0.03, 0.1, 0.3, 1.0])
        found = RangeTest(rates, np.array([[9, 8, 4, 2, np.inf], [9, 8, 4, 2, 1]]))
        assert found.suggestion == pytest.approx(0.1)
        assert RangeTest(rates, np.array([[1.0, 2, 3, 4, 5]])).suggestion == 0.01

    @pytest.mark.parametrize("costs", [[[np.inf] * 2], [[np.inf] * 2, [1, np.inf], [np.inf] * 2]])
    def test_no_rate_is_suggested_where_training_diverges_at_all(self, costs):
        found = RangeTest(np.array([1e5, 1e6]), np.array(costs))
        with pytest.raises(DataError, match=r"no learning rate can be suggested.*on, 100000"):
            _ = found.suggestion
        assert "No learning rate can be suggested" in str(found)

    def test_weights_follow_their_rows(self):
        calls = []

        class Recorder:
            def fit(self, X, y, sample_weight, **settings):
                calls.append((X[:, 0], sample_weight))
                return {"cost": [1.0]}

        X, w = np.arange(10.0)[:, None], np.arange(10.0) + 0.5
        given = {"rates": (0.1, 0.2, 0.4), "steps": 2, "batch_size": 3, "epochs": 0}
        range_test(lambda seed: Recorder(), X, X, sample_weight=list(w), **given)
        assert len(calls) == 9
        for rows, weights in calls:
            np.testing.assert_array_equal(weights, rows + 0.5)

    def test_weights_are_looked_at_before_the_first_step(self, moons):
        def make(seed):
            raise AssertionError("no network is needed to see that")

        for wrong, error in ((np.ones(299), ShapeError), (-np.ones(300), DataError)):
            with pytest.raises(error, match="sample_weight"):
                range_test(make, *moons[:2], sample_weight=wrong)

    def test_prints(self):
        found = RangeTest(np.array([0.1, 1.0]), np.array([[0.5, 0.2], [0.7, 0.4], [0.6, 0.3]]))
        lines = str(found).splitlines()
        assert lines[1].split() == ["1.00e-01", "0.5", "0.6", "0.7"]
        assert "Over 3 seeds" in lines[-1]
        assert "3.3e-01" in lines[-1]

    @pytest.mark.parametrize(
        ("settings", "error", "sentence"),
        [
            ({"rates": (0.1,)}, SettingError, "at least two, ascending"),
            ({"rates": (0.1, 0.01)}, SettingError, "ascending"),
            ({"rates": (0, 0.01)}, SettingError, "a rate must be .* greater than 0"),
            ({"seeds": ()}, SettingError, "seeds is empty"),
            ({"steps": 0}, SettingError, "steps"),
            ({"batch_size": 0}, SettingError, "batch_size"),
            ({"epochs": -1}, SettingError, "epochs"),
            ({"shuffle": True}, SettingError, "shuffle is set by the test itself"),
            ({"optimizer": LBFGS()}, SettingError, "LBFGS has no learning rate"),
            ({"optimizer": 0.1}, SettingError, "optimizer must be an optimiser, or what makes one"),
            ({"y": [1]}, ShapeError, "300 rows but y has 1"),
            ({"X": np.ones((0, 2)), "y": []}, DataError, "at least one row"),
        ],
    )
    def test_bad_input(self, moons, settings, error, sentence):
        given = {"X": moons[0], "y": moons[1], **settings}
        with pytest.raises(error, match=sentence):
            range_test(classifier, **given)
