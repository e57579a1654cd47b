"""The parts of the tabular estimators: codes, folds, temperatures, residuals, the rule."""

import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

import pandas as pd
from sklearn.preprocessing import OneHotEncoder, RobustScaler

from fastnn import Dense, Network, data, errors
from fastnn.tabular.calibration import Calibration, ResidualQuantiles
from fastnn.tabular.codes import PiecewiseLinearCodes
from fastnn.tabular.folds import deal_rows, rows_of_fold
from fastnn.tabular.rule import rule_for


class TestEncoding:
    """What `data.TableEncoder` makes of a table, as pandas and scikit-learn would."""

    @pytest.fixture
    def frame(self):
        rng = np.random.default_rng(0)
        x = rng.standard_cauchy(600)
        x[::50] = np.nan
        values = rng.choice(["a", "b", "c", *(f"rare {k}" for k in range(9))], 600, p=[0.5, 0.3,
                            0.182, *[0.002] * 9])  # fmt: skip
        return pd.DataFrame({"x": x, "c": values})

    def test_of_numbers(self, frame):
        found = data.TableEncoder(dtype="float64").fit_transform(frame[["x"]])
        scaler = RobustScaler().fit(frame[["x"]].dropna())  # quartiles of what is there
        z = scaler.transform(frame[["x"]].fillna(frame["x"].median()))[:, 0]
        np.testing.assert_allclose(found[:, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-12)
        np.testing.assert_array_equal(found[:, 1], frame["x"].isna())

    def test_of_categories(self, frame):
        encoder = data.TableEncoder().fit(frame)
        other = OneHotEncoder(min_frequency=5, sparse_output=False).fit(frame[["c"]])
        found = encoder.transform(frame)[:, 2:]
        order = [encoder.columns[1].values.index(v) for v in other.categories_[0][:3]]
        wanted = other.transform(frame[["c"]])
        np.testing.assert_array_equal(found[:, [*order, 3]], wanted)

    def test_numbers_of_rows_are_kept_where_asked_for_or_alone(self):
        table = {"id": np.arange(30), "x": np.arange(30) % 7 / 3}
        assert data.TableEncoder().fit(table).feature_names == ("x",)
        kept = data.TableEncoder(drop_identifiers=False).fit(table)
        assert kept.feature_names == ("id", "x")
        again = data.TableEncoder.from_config(kept.config())
        assert again.feature_names == ("id", "x")
        assert again.drop_identifiers is False
        assert data.TableEncoder().fit({"id": np.arange(30)}).feature_names == ("id",)


class TestCodes:
    def test_are_places_within_bins_of_equally_many_rows(self):
        X = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
        X[:, 1] = X[:, 1] > 0  # a feature of 0 and 1
        codes = PiecewiseLinearCodes.learn(X, 4)
        assert codes.features == (0, 2)
        found = codes.transform(X)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found[:, :3], X)
        wanted = np.zeros((200, 8))
        for k, j in enumerate((0, 2)):
            edges = np.quantile(X[:, j], [0, 0.25, 0.5, 0.75, 1])
            for row in range(200):
                for t in range(4):
                    a, b = edges[t], edges[t + 1]
                    wanted[row, 4 * k + t] = min(max((X[row, j] - a) / (b - a), 0), 1)
        np.testing.assert_allclose(found[:, 3:], wanted, atol=1e-5)
        far = codes.transform(np.full((1, 3), 100, np.float32))
        assert (far[0, 3:] == 1).all()

    def test_tell_no_numbers_apart_that_differ_by_rounding(self):
        X = np.array([0, 1e-7, 1, 1 + 1e-6, 1] * 5, np.float32)[:, None]
        assert PiecewiseLinearCodes.learn(X, 8).width == 0

    def test_of_no_bins_are_none(self):
        X = np.ones((5, 2), np.float32)
        for codes in (PiecewiseLinearCodes.learn(X, 0), PiecewiseLinearCodes.learn(X, 8)):
            assert codes.width == 0
            np.testing.assert_array_equal(codes.transform(X), X)

    def test_are_plain_data(self):
        codes = PiecewiseLinearCodes.learn(np.random.default_rng(2).normal(size=(50, 2)), 3)
        told = json.loads(json.dumps(codes.config()))
        assert PiecewiseLinearCodes.from_config(told, 2) == codes

    @pytest.mark.parametrize(
        "forged",
        [
            None,
            {"features": [0]},
            {"features": [2], "edges": [[0, 1, 2]]},
            {"features": [0, 0], "edges": [[0, 1, 2]] * 2},
            {"features": [0], "edges": [[0, 2, 1]]},
            {"features": [0], "edges": [[0, 1]]},
            {"features": [0], "edges": [[0, 1, 1e300]]},
            {"features": [0], "edges": [["a", "b", "c"]]},
            {"features": [True], "edges": [[0, 1, 2]]},
        ],
    )
    def test_forged_ones_are_refused(self, forged):
        with pytest.raises(errors.DataError, match="description of codes"):
            PiecewiseLinearCodes.from_config(forged, 2)


class TestFolds:
    @pytest.mark.parametrize("m", [16, 37])
    def test_are_equal_parts(self, m):
        fold = deal_rows(None, m, 8, np.random.RandomState(0))
        counts = np.bincount(fold, minlength=8)
        assert counts.sum() == m
        assert np.ptp(counts) <= 1
        train, held = rows_of_fold(fold, 3)
        np.testing.assert_array_equal(np.sort([*train, *held]), np.arange(m))

    def test_have_the_classes_in_proportion_and_train_on_each(self):
        labels = np.repeat([0, 1, 2, 3], [80, 16, 2, 1])
        rng = np.random.RandomState(1)
        fold = deal_rows(labels, 99, 8, rng)
        for k in range(8):
            train, held = rows_of_fold(fold, k)
            counts = np.bincount(labels[held], minlength=4)
            assert (counts[:2] == [10, 2]).all()
            assert counts[3] == 0  # the only row of its class
            assert set(labels[train]) == {0, 1, 2, 3}

    def test_of_too_few_rows_score_nothing(self):
        fold = deal_rows(None, 2, 8, np.random.RandomState(0))
        assert [rows_of_fold(fold, k)[1] is None for k in range(8)] == [False] * 2 + [True] * 6


class TestTemperature:
    def cost(self, T, c, Z, y, w, rows):
        Z = c + (Z - c) / T
        P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        w = w / w.mean()
        losses = sum(-w[i] * np.log(P[i, y[i]]) for i in range(len(y)))
        return losses + 0.5 * (np.log(T / (1 + 4 / rows)) / 0.5) ** 2

    @pytest.mark.parametrize("center", [np.zeros(3), np.log([0.7, 0.25, 0.05])])
    def test_has_the_least_log_loss(self, center):
        rng = np.random.default_rng(0)
        Z = center + rng.normal(size=(400, 3)) * 4
        P = np.exp(center + (Z - center) / 3)
        y = np.array([rng.choice(3, p=p / p.sum()) for p in P])
        w = rng.random(400)
        found = Calibration.find(Z, y, w, np.array([0.7, 0.25, 0.05]))
        np.testing.assert_array_equal(found.center, center)
        grid = np.linspace(2, 4, 81)
        best = grid[np.argmin([self.cost(T, center, Z, y, w, 400) for T in grid])]
        assert abs(found.temperature - best) < 0.03
        assert 2 < found.temperature < 4

    def test_stays_near_what_is_expected_where_rows_say_little(self):
        Z, y = np.array([[0.0, 9], [9, 0]] * 50), np.array([1, 0] * 50)
        right = Calibration.find(Z, y, np.ones(100), np.array([0.5, 0.5]))
        assert 0.9 < right.temperature < 1.04

    def test_without_rows_of_its_own_is_like_that_of_others(self):
        shares, none = np.array([0.75, 0.25]), np.zeros(2)
        alone = Calibration.mean([], shares, 0.25)
        assert alone.temperature == 1 + 4 / 0.25
        np.testing.assert_array_equal(alone.center, np.log(shares))
        others = [Calibration(2.0, none), Calibration(8.0, none), Calibration(4.0, np.log(shares))]
        mean = Calibration.mean(others, shares, 0.25)
        assert np.isclose(mean.temperature, 4)
        np.testing.assert_array_equal(mean.center, none)

    @pytest.mark.parametrize("K", [2, 3])
    def test_goes_into_the_last_layer(self, K):
        last = Dense(1, "sigmoid") if K == 2 else Dense(3, "softmax")
        network = Network([Dense(4, "tanh"), last], seed=0).build(3)
        X = np.random.default_rng(0).normal(size=(20, 3))
        found = Calibration(2.5, np.log(np.array([0.7, 0.2, 0.1])[:K]))

        def probabilities():
            P = np.asarray(network.predict_proba(X), np.float64).reshape(20, -1)
            return np.hstack([1 - P, P]) if P.shape[1] == 1 else P

        Z = found.logits(np.log(probabilities()))
        found.apply(network)
        P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities(), P, rtol=1e-5)


class TestResiduals:
    def test_have_the_ranks_of_split_conformal(self):
        r = np.random.default_rng(0).normal(size=99)
        found = ResidualQuantiles.learn(r, np.ones(99))
        levels = np.array([0.005, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.995])
        ranks = np.array([1, 5, 10, 25, 50, 75, 90, 95, 99])  # ⌈q · 100⌉ from above, ⌊q · 100⌋
        np.testing.assert_array_equal(found.at(levels), np.sort(r)[ranks - 1])

    def test_count_a_row_of_weight_two_twice(self):
        r = np.random.default_rng(1).normal(size=60)
        w = np.tile([1, 2, 3], 20)
        q = np.linspace(0.03, 0.97, 40)
        weighed = ResidualQuantiles.learn(r, w).at(q)
        sums, order = 0, np.argsort(r)
        for level, value in zip(q, weighed, strict=True):
            sign = 1 if level >= 0.5 else -1
            share, sums = max(level, 1 - level), 0
            for place in order[::sign]:
                sums += w[place]
                if sums >= share * (w.sum() + w.mean()) - 1e-9:
                    break
            assert value == r[place]

    def test_of_many_rows_are_thinned_and_plain_data(self):
        r = np.random.default_rng(2).normal(size=20_000)
        found = ResidualQuantiles.learn(r, np.ones(20_000))
        assert len(found.residuals) == 1_000
        q = np.array([0.01, 0.2, 0.5, 0.8, 0.99])
        np.testing.assert_allclose(found.at(q), np.quantile(r, q), atol=0.05)
        again = ResidualQuantiles.from_config(json.loads(json.dumps(found.config())))
        np.testing.assert_array_equal(again.at(q), found.at(q))

    @pytest.mark.parametrize(
        "change",
        [
            {"residuals": []},
            {"residuals": [2.0, 1.0]},
            {"below": [0.5]},
            {"above": ["a", "b"]},
            {"above": [0.1, 0.9]},
            {"more": 1},
        ],
    )
    def test_forged_ones_are_refused(self, change):
        told = ResidualQuantiles.learn(np.array([1.0, 2.0]), np.ones(2)).config()
        with pytest.raises(errors.DataError, match="description of residuals"):
            ResidualQuantiles.from_config(told | change)


def test_the_rule_follows_from_the_rows():
    small, medium, large = (rule_for(m, 10) for m in (999, 1_000, 3_000))
    assert (small.networks, small.folds, small.plain) == (8, 8, 3)
    assert (medium.networks, medium.folds, medium.plain) == (4, 10, 0)
    assert (medium.bins, large.bins) == (16, 32)
    assert rule_for(100, 10, 12).folds == 12
    assert not rule_for(100, 10, 1).plain
    assert rule_for(100, 784).bins == 0  # pixels: as many codes would be too many
