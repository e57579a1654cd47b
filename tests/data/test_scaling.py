"""Standardizer, leakage check and proportions: what they promise about train and test."""

from itertools import pairwise

import numpy as np
import pytest

from fastnn import Dense, Network, Normalization, data
from fastnn.data import LeakageWarning, Standardizer, check_leakage, proportions
from fastnn.errors import DataError, NotBuiltError, SettingError, ShapeError

METHODS = ("z-score", "whole", "min-max", "robust")


def rows(m=40, n=3, seed=0):
    return np.random.default_rng(seed).normal([5, -2, 100], [2, 0.1, 30], (m, n))


class TestMethods:
    def test_z_score(self):
        A = Standardizer(dtype="float64").fit_transform(rows())
        np.testing.assert_allclose(A.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(A.std(axis=0), 1)

    def test_whole(self):
        X = rows()
        A = Standardizer("whole", dtype="float64").fit_transform(X)
        np.testing.assert_allclose(A, (X - X.mean()) / X.std())

    def test_min_max(self):
        A = Standardizer("min-max", dtype="float64").fit_transform(rows())
        np.testing.assert_allclose(A.min(axis=0), 0)
        np.testing.assert_allclose(A.max(axis=0), 1)

    def test_robust_ignores_an_outlier(self):
        X = np.arange(9.0)[:, None]
        far = X.copy()
        far[-1] = 1e6
        for array in (X, far):
            scaler = Standardizer("robust", dtype="float64").fit(array)
            np.testing.assert_allclose(scaler.transform([[4.0], [6.0]]), [[0], [0.5]])

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("m", [1, 2, 7, 40, 9001])
    def test_weights_count_rows(self, method, m):
        """0: no row; 3: a row that stands there three times."""
        X, w = rows(m), np.random.default_rng(1).integers(0, 4, m)
        w[-1] = 1
        weighed = Standardizer(method).fit(X, w)
        repeated = Standardizer(method).fit(np.repeat(X, w, axis=0))
        np.testing.assert_allclose(weighed.shift, repeated.shift, rtol=1e-12)
        np.testing.assert_allclose(weighed.factor, repeated.factor, rtol=1e-9)
        one = Standardizer(method).fit(X, np.ones(m))
        np.testing.assert_allclose(one.shift, Standardizer(method).fit(X).shift, rtol=1e-12)

    @pytest.mark.parametrize("method", METHODS)
    def test_shares_as_weights_do_not_depend_on_their_sum(self, method):
        X, w = rows(), np.random.default_rng(1).random(40)
        found = [Standardizer(method).fit(X, scale * w) for scale in (1e-3, 1, 1e3)]
        for other in found[1:]:
            np.testing.assert_allclose(other.factor, found[0].factor, rtol=1e-9)
        middle = Standardizer("robust").fit(X, np.full(40, 1 / 40))
        np.testing.assert_allclose(middle.shift, np.median(X, axis=0), rtol=1e-12)

    @pytest.mark.parametrize("w", [np.zeros(40), -np.ones(40), np.ones(3), np.full(40, np.nan)])
    def test_weights_are_checked(self, w):
        with pytest.raises((DataError, ShapeError), match="sample_weight"):
            Standardizer().fit(rows(), w)

    @pytest.mark.parametrize("method", METHODS)
    def test_many_blocks_of_rows(self, method):
        X = np.random.default_rng(1).random((9001, 2))
        A = Standardizer(method, dtype="float64").fit_transform(X)
        B = Standardizer(method, dtype="float64").fit(X[::-1]).transform(X)
        np.testing.assert_allclose(A, B, atol=1e-9)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("method", METHODS)
    def test_inverse(self, method, dtype):
        X = rows()
        scaler = Standardizer(method, dtype=dtype)
        A = scaler.fit_transform(X)
        assert A.dtype == dtype
        back = scaler.inverse_transform(A)
        np.testing.assert_allclose(back, X, rtol=1e-5 if dtype == "float32" else 1e-12)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("value", [0.0, 0.1, -7e9])
    def test_constant_columns_are_only_shifted(self, method, value):
        X = np.column_stack([np.full(30, value), np.arange(30.0)])
        X = X[:, :1] if method == "whole" else X
        A = Standardizer(method, dtype="float64").fit_transform(X)
        np.testing.assert_allclose(A[:, 0], 0, atol=1e-5 * max(1, abs(value) / 1e9))
        assert np.isfinite(A).all()

    def test_images_keep_their_shape(self):
        X = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3)).astype(np.uint8)
        scaler = Standardizer("min-max")
        A = scaler.fit_transform(X)
        assert A.shape == X.shape
        assert scaler.shift.shape == (4, 5, 3)
        assert A.max() == 1

    def test_only_train_is_learnt_from(self):
        X = rows()
        scaler = Standardizer().fit(X[:20])
        before = scaler.shift.copy()
        A = scaler.transform(X[20:] + 1000)
        np.testing.assert_array_equal(scaler.shift, before)
        assert A.min() > 10


#: Numbers far from 0 and close together, as (m, 1).
FAR = {
    "nanoseconds of one minute": 1_790_000_000 * 10**9 + np.arange(0, 60 * 10**9, 7_654_321),
    "microseconds as unsigned": (1_790_000_000 * 10**6 + np.arange(9000)).astype(np.uint64),
    "metres north of the equator": 5_412_345.25 + np.random.default_rng(0).normal(0, 2, 9000),
    "the same as float32": np.float32(5_412_345) + np.arange(9001, dtype=np.float32) % 7 / 2,
    "negative": -(10.0**9) - np.arange(5000.0),
}


@pytest.mark.parametrize("name", FAR)
class TestFarFromZero:
    """The shift must not be rounded to float32 before it is subtracted."""

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("method", METHODS)
    def test_as_in_exact_arithmetic(self, name, method, dtype):
        X = FAR[name][:, None]
        x = (X - X[0]).astype(np.float64)  # the whole numbers among them subtract exactly
        shift, spread = {
            "min-max": (x.min(), np.ptp(x)),
            "robust": (np.median(x), np.subtract(*np.percentile(x, [75, 25]))),
        }.get(method, (x.mean(), x.std()))
        A = Standardizer(method, dtype=dtype).fit_transform(X)
        np.testing.assert_allclose(A, (x - shift) / spread, atol=2e-6, rtol=2e-6)

    def test_mean_0_and_deviation_1(self, name):
        A = Standardizer().fit_transform(FAR[name][:, None]).astype(np.float64)
        assert abs(A.mean()) < 1e-6
        assert abs(A.std() - 1) < 1e-6

    def test_images_too(self, name):
        X = FAR[name][:4800].reshape(-1, 2, 2)
        A = Standardizer().fit_transform(X).astype(np.float64)
        np.testing.assert_allclose(A.mean(axis=0), 0, atol=1e-6)


class TestSameArithmetic:
    @pytest.mark.parametrize("per_feature", [True, False])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_as_the_normalization_layer(self, dtype, per_feature):
        X = rows().astype(np.float32)
        layer = Normalization(per_feature=per_feature)
        net = Network([layer, Dense(1)], dtype=dtype)
        net.fit(X, np.zeros(len(X)), epochs=0, progress=False)
        scaler = Standardizer("z-score" if per_feature else "whole", dtype=dtype)
        bound = 1e-6 if dtype == "float32" else 1e-13
        A = scaler.fit_transform(X)
        np.testing.assert_allclose(A, net.activations(X)[0], rtol=bound, atol=bound)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: Standardizer("minmax"), SettingError, "choose one of 'z-score'"),
        (lambda: Standardizer(dtype="int8"), SettingError, "float32"),
        (lambda: Standardizer().transform(rows()), NotBuiltError, "call fit"),
        (lambda: Standardizer().inverse_transform(rows()), NotBuiltError, "call fit"),
        (lambda: Standardizer().fit(rows()).transform(rows()[:, :2]), ShapeError, r"\(m, 3\)"),
        (lambda: Standardizer().fit(np.ones((0, 3))), ShapeError, "at least one row"),
        (lambda: Standardizer().fit(np.ones(3)), ShapeError, "at least one row"),
        (lambda: Standardizer().fit([[1.0, np.nan]]), DataError, "X"),
        (lambda: Standardizer().fit([["a"]]), DataError, "real numbers"),
        (lambda: Standardizer().fit(rows()).transform([[1, 2, np.inf]]), DataError, "X"),
        (lambda: proportions(0), SettingError, "at least 1"),
        (lambda: check_leakage(rows()), SettingError, "2 or 3 parts"),
        (lambda: check_leakage(rows(), rows()[:, :2]), ShapeError, "X_test has shape"),
    ],
)
def test_bad_input(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_repr_tells_what_was_fitted():
    assert repr(Standardizer()) == "Standardizer('z-score', dtype='float32')"
    assert "shape (3,)" in repr(Standardizer().fit(rows()))


class TestLeakage:
    def test_clean_parts(self):
        assert check_leakage(rows(seed=1), rows(seed=2), rows(seed=3)) == {}

    def test_shared_rows_are_named(self):
        train, test = rows(seed=1), rows(seed=2)
        test[[4, 7]] = train[[9, 0]]
        with pytest.warns(LeakageWarning, match=r"2 rows of test also stand in train") as caught:
            found = check_leakage(train, test)
        np.testing.assert_array_equal(found["train", "test"], [[9, 4], [0, 7]])
        assert caught[0].filename == __file__

    def test_three_parts(self):
        train, dev, test = (rows(seed=s) for s in (1, 2, 3))
        test[5] = dev[6]
        with pytest.warns(LeakageWarning, match="row 5 of test is row 6 of dev"):
            found = check_leakage(train, dev, test)
        assert list(found) == [("dev", "test")]

    def test_numbers_count_not_their_dtype(self):
        train = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
        with pytest.warns(LeakageWarning):
            found = check_leakage(train, train[1:2].astype(np.float64))
        np.testing.assert_array_equal(found["train", "test"], [[1, 0]])

    def test_minus_zero_is_zero(self):
        with pytest.warns(LeakageWarning):
            assert check_leakage([[0.0, 1.0]], [[-0.0, 1.0]])

    def test_repeated_rows_give_the_first(self):
        with pytest.warns(LeakageWarning):
            found = check_leakage([[1, 1], [2, 2], [2, 2]], [[2, 2], [2, 2]])
        np.testing.assert_array_equal(found["train", "test"], [[1, 0], [1, 1]])

    def test_across_blocks_of_rows(self):
        X = np.arange(20_000).reshape(-1, 2)
        with pytest.warns(LeakageWarning):
            found = check_leakage(X, X[9000:9001])
        np.testing.assert_array_equal(found["train", "test"], [[9000, 0]])


class TestProportions:
    @pytest.mark.parametrize(
        ("m", "share"), [(1, 0.2), (100, 0.2), (10_000, 0.2), (10**6, 0.01), (10**7, 0.001)]
    )
    def test_the_courses_numbers(self, m, share):
        assert proportions(m) == {"dev": pytest.approx(share), "test": pytest.approx(share)}

    def test_held_out_rows_never_shrink(self):
        held = [m * proportions(m)["test"] for m in (5000, 10_000, 50_000, 10**5, 10**6, 10**7)]
        assert all(a <= b + 1e-6 for a, b in pairwise(held))

    def test_split_takes_them(self):
        X, y = rows(100), np.arange(100) % 2
        parts = data.split(X, y, **proportions(len(X)))
        assert [len(part) for part in parts[:3]] == [60, 20, 20]


@pytest.mark.parametrize("shape", [(3,), (2, 2)])
@pytest.mark.parametrize("method", ["z-score", "whole"])
def test_no_rows_are_transformed_to_no_rows(shape, method):
    scaler = Standardizer(method).fit(np.random.default_rng(0).normal(size=(5, *shape)))
    assert scaler.transform(np.zeros((0, *shape))).shape == (0, *shape)
    assert scaler.inverse_transform(np.zeros((0, *shape))).shape == (0, *shape)
