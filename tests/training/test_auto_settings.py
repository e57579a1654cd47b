"""Settings that a fit chooses: the batch size, the number of epochs, a schedule's horizon."""

import tracemalloc
import warnings

import numpy as np
import pytest
from streamed import ArrayRows

import fastnn
from fastnn import Dense, Network, Normalization, callbacks, losses, schedules
from fastnn.errors import FitWarning, SettingError
from fastnn.training.fit_config import auto_batch_size
from fastnn.training.verdict import constant_cost


def rows(m=300, K=1, seed=0):
    """Return rows and labels that a small network learns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, 4)).astype("float32")
    y = (X[:, 0] * X[:, 1] > 0).astype(int) if K == 1 else rng.integers(0, K, m)
    return X, y


def noisy(m):
    """Return rows of which every fourth has the other label, which a network learns by heart."""
    X, y = rows(m)
    y[::4] = 1 - y[::4]
    return X, y


def classifier(seed=0):
    return Network.mlp([4, 8, 1], output="sigmoid", seed=seed)


class TestBatchSize:
    @pytest.mark.parametrize(
        ("m", "size"),
        [(1, 32), (32, 32), (33, 33), (150, 32), (1057, 34), (6399, 32), (6400, 64), (12_800, 128),
         (60_000, 128), (255_999, 128), (256_000, 256), (512_000, 512), (10_000_000, 512)],
    )  # fmt: skip
    def test_grows_with_the_examples(self, m, size):
        assert auto_batch_size(m) == size
        assert m <= size or m % size != 1

    def test_ten_epochs_are_500_steps_from_1600_examples_on(self):
        for m in (*range(1600, 20_000, 17), 256_000, 511_999, 512_000, 3_000_000):
            assert 10 * -(-m // auto_batch_size(m)) >= 500

    def test_is_the_default(self):
        X, y = rows()
        found, expected = classifier(), classifier()
        found.fit(X, y, epochs=2, progress=False)
        expected.fit(X, y, epochs=2, batch_size=32, progress=False)
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))

    def test_is_that_of_the_rows_that_train(self):
        X, y = rows(m=6500)
        found, expected = classifier(), classifier()
        found.fit(X, y, epochs=1, validation_split=0.1, progress=False)
        expected.fit(X, y, epochs=1, validation_split=0.1, batch_size=32, progress=False)
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))

    def test_of_many_networks_and_of_windows(self):
        X, y = rows()
        many, read, alone = classifier(), classifier(), classifier()
        fastnn.fit_many([many], X, y, epochs=1, shuffle=False, progress=False)
        read.fit(ArrayRows(X), y, epochs=1, shuffle=False, window=2000, progress=False)
        alone.fit(X, y, epochs=1, shuffle=False, progress=False)
        for net in (many, read):
            np.testing.assert_array_equal(net.predict_proba(X), alone.predict_proba(X))

    def test_another_text_is_refused(self):
        with pytest.raises(SettingError, match="batch_size must be a number, 'auto' or None"):
            classifier().fit(*rows(), batch_size="all")


class TestEpochs:
    def test_auto_is_early_stopping_on_a_tenth(self, backend):
        X, y = noisy(60)
        settings = {"batch_size": 6, "optimizer": fastnn.Adam(0.03), "progress": False}
        found, expected = classifier(), classifier()
        history = found.fit(X, y, epochs="auto", **settings)
        stop = callbacks.EarlyStopping("validation_cost", patience=56)  # 500 steps of 9 an epoch
        expected.fit(X, y, epochs=1000, validation_split=0.1, callbacks=[stop], **settings)
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
        best = int(history["validation_cost"].argmin())
        assert history.epochs == best + 57 < 1000

    def test_auto_says_what_to_do_where_nothing_can_be_held_out(self):
        X, y = rows(2)
        words = "validation_split is 0.1, but the test part would have no rows.*; or give validat"
        with pytest.raises(SettingError, match=words):
            classifier().fit(X, y, epochs="auto")
        nets, folds = [classifier(), classifier()], [([0], [1]), ([1], None)]
        with pytest.raises(SettingError, match=r"networks\[1\]: epochs='auto' ends by the cost of"):
            fastnn.fit_many(nets, X, y, epochs="auto", folds=folds)

    def test_auto_scores_what_is_given(self):
        X, y = rows(m=1000)
        net, settings = classifier(), {"epochs": "auto", "progress": False}
        history = net.fit(X, y, **settings, batch_size=8, validation_data=rows(m=200, seed=1))
        assert history.epochs - 1 - history["validation_cost"].argmin() == 10
        X_new, y_new = rows(m=200, seed=1)
        assert net.evaluate(X_new, y_new)["cost"] == pytest.approx(history["validation_cost"].min())

    def test_auto_of_many_networks(self):
        X, y = noisy(60)
        settings = {"epochs": "auto", "batch_size": 6, "progress": False}
        nets, alone = [classifier(seed=s) for s in range(2)], [classifier(seed=s) for s in range(2)]
        fastnn.fit_many(nets, X, y, **settings)
        for net, one in zip(nets, alone, strict=True):
            one.fit(X, y, **settings)
            np.testing.assert_array_equal(net.predict_proba(X), one.predict_proba(X))

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"epochs": "auto", "optimizer": "lbfgs"}, "LBFGS ends after a number of epochs"),
            ({"epochs": "auto", "schedule": "cosine"}, "'cosine' has ended after a number"),
            ({"epochs": "best"}, "epochs must be a whole number"),
            ({"schedule": "step"}, "choose one of cosine, or give one of fastnn.schedules"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, settings, message):
        with pytest.raises(SettingError, match=message):
            classifier().fit(*rows(), **settings)


class TestCosine:
    def test_ends_with_the_fit_and_begins_with_the_next(self):
        X, y = rows()
        found, expected = classifier(), classifier()
        for _ in range(2):
            history = found.fit(X, y, epochs=3, schedule="cosine", progress=False)
            expected.fit(X, y, epochs=3, schedule=schedules.Cosine(3, per="step"), progress=False)
            expected._state.training.schedule = None
            assert history["learning_rate"][-1] < 1e-5
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))

    def test_an_explicit_horizon_goes_on(self):
        X, y = rows()
        whole, parts = classifier(), classifier()
        schedule = schedules.Cosine(4, per="step")
        whole.fit(X, y, epochs=4, schedule=schedule, progress=False)
        for _ in range(2):
            parts.fit(X, y, epochs=2, schedule=schedule, progress=False)
        np.testing.assert_array_equal(whole.predict_proba(X), parts.predict_proba(X))


class TestVerdict:
    def test_constant_costs_are_those_of_the_mean(self):
        rng = np.random.default_rng(0)
        w = rng.uniform(size=200)
        parts = lambda Y: [(Y[:50], w[:50]), (Y[50:], w[50:])]  # noqa: E731
        Y = 1e8 + rng.normal(size=(200, 2))
        expected = 0.5 * np.average((Y - np.average(Y, axis=0, weights=w)) ** 2, 0, w).sum()
        assert constant_cost(parts(Y), losses.SquaredError()) == pytest.approx(expected)
        hot = np.eye(3)[rng.integers(0, 3, 200)]
        p = np.average(hot, axis=0, weights=w)
        expected = np.average(-(hot * np.log(p)).sum(axis=1), weights=w)
        assert constant_cost(parts(hot), losses.CategoricalCrossEntropy()) == pytest.approx(
            expected
        )
        y = hot[:, :1]
        q = np.average(y[:, 0], weights=w)
        expected = np.average(-y * np.log(q) - (1 - y) * np.log(1 - q), weights=w[:, None])
        assert constant_cost(parts(y), losses.BinaryCrossEntropy()) == pytest.approx(expected)
        assert constant_cost(parts(np.ones((200, 1))), losses.BinaryCrossEntropy()) == 0
        assert constant_cost(parts(Y), losses.Huber()) is None

    def test_a_fit_that_learnt_nothing_warns_where_it_was_called(self):
        X, _ = rows()
        net = Network([Normalization(), Dense(8, "relu"), Dense(1)])
        with pytest.warns(
            FitWarning, match=r"always answering the mean of y would cost 0\."
        ) as found:
            net.fit(X, 1000 + X[:, 0])
        assert found[0].filename == __file__
        assert "100 steps so far" in str(found[0].message)

    def test_nothing_is_said_of_a_good_fit_or_without_progress(self):
        X, y = rows()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            classifier().fit(X, y, epochs=100)
            Network([Dense(1)]).fit(X, 1000 + X[:, 0], progress=False)
            Network([Dense(1)]).fit(X, 1000 + X[:, 0], epochs=1)
            Network([Dense(1)], scale_target=True).fit(X, 1000 + X[:, 0], epochs=100)

    def test_a_short_fit_says_so(self):
        X, y = rows()
        net = classifier()
        history = net.fit(X, y, progress=False, epochs=2)
        assert history.message is None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            history = net.fit(X, y, epochs=10)
        assert history.message == "120 steps are few; give more epochs, or epochs='auto'"
        assert repr(history).endswith("; " + history.message)
        assert net.fit(X, y, epochs=50).message is None
        assert net.fit(X, y, epochs=1, batch_size=300).message is None

    def test_windows_are_judged_too(self):
        X, _ = rows()
        with pytest.warns(FitWarning, match="has learnt nothing yet"):
            Network([Dense(1)]).fit(ArrayRows(X), 1000 + X[:, 0], window=2000)

    @pytest.mark.parametrize("more", [{}, {"shards": 2}, {"window": 2000}])
    def test_points_to_the_line_that_fits(self, more):
        X, _ = rows()
        with pytest.warns(FitWarning) as found:
            Network([Dense(1)]).fit(ArrayRows(X), 1000 + X[:, 0], epochs=3, **more)
        assert [each.filename for each in found] == [__file__]

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("y", [np.zeros(300), np.ones(300)])
    def test_says_nothing_where_all_targets_are_the_same(self, y):
        X, _ = rows()
        for net in (classifier(), Network([Dense(1)])):
            net.fit(X, y, epochs=3)


def test_the_cost_of_a_constant_takes_little_memory():
    Y, w = np.zeros((2_000_000, 2), "float32"), np.ones(2_000_000, "float32")
    Y[::4] = 1
    tracemalloc.start()
    found = constant_cost([(Y, w)], losses.SquaredError())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == pytest.approx(2 * 0.5 * 0.25 * 0.75)
    assert peak < 10e6
