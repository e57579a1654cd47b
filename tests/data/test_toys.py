"""The toy sets: known draws, bit for bit."""

import numpy as np
import pytest

from fastnn.data import circles, flower, moons, spirals
from fastnn.errors import SettingError

SETS = [circles, moons, flower, spirals]

# The first points and labels of scikit-learn 1.9: they hold where it is not installed.
CIRCLES = [[-0.07741354010048114, 0.8526022642742742], [0.43186959584803564, -0.8721450395952108]]
CIRCLE_LABELS = [1, 0, 1, 1, 0, 0, 1, 0]
MOONS = [[-0.21687013460912397, 1.0154493742029873], [0.8050501531955674, -0.5579733951321297]]
MOON_LABELS = [0, 1, 1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("m", [2, 3, 7, 100, 301])
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("seed", [0, 1, 3, 2**32 - 1])
@pytest.mark.parametrize("ours", [circles, moons])
def test_equal_to_scikit_learn(ours, m, noise, seed):
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    theirs = getattr(datasets, f"make_{ours.__name__}")
    X, y = ours(m, noise, seed)
    known_X, known_y = theirs(m, noise=noise, random_state=seed)
    assert X.tobytes() == np.ascontiguousarray(known_X).tobytes()
    assert y.tolist() == known_y.tolist()


def test_frozen_circles_and_moons():
    X, y = circles(300, 0.05, seed=1)
    np.testing.assert_allclose(X[:2], CIRCLES, rtol=1e-12)
    assert y[:8].tolist() == CIRCLE_LABELS
    X, y = moons(300, 0.2, seed=3)
    np.testing.assert_allclose(X[:2], MOONS, rtol=1e-12)
    assert y[:8].tolist() == MOON_LABELS


def test_flower_is_the_course_planar_set():
    rng = np.random.RandomState(1)
    X, y = flower(400, 0.2, seed=1)
    np.testing.assert_allclose(X[0], [1.20444229, 3.57611415], atol=5e-9)
    for k in range(2):
        t = np.linspace(k * 3.12, (k + 1) * 3.12, 200) + rng.randn(200) * 0.2
        r = 4 * np.sin(4 * t) + rng.randn(200) * 0.2
        rows = slice(200 * k, 200 * (k + 1))
        assert X[rows].tobytes() == np.c_[r * np.sin(t), r * np.cos(t)].tobytes()
        assert (y[rows] == k).all()


def test_flower_without_noise_has_petals():
    X, _ = flower(401, 0.0)
    radius = np.hypot(*X.T)
    assert radius.max() == pytest.approx(4, abs=1e-3)
    assert radius.min() < 0.2


def test_spirals_are_two_arms_half_a_turn_apart():
    X, y = spirals(400, 0.0)
    radius = np.hypot(*X.T)
    assert (radius.min(), radius.max()) == pytest.approx((0.2, 4))
    # On its arm a point's angle is 3πr/4 + kπ.
    turned = np.arctan2(X[:, 1], X[:, 0]) - 0.75 * np.pi * radius - y * np.pi
    np.testing.assert_allclose(np.cos(turned), 1)
    # The arms are mirror images of each other through the origin.
    zeros, ones = (X[y == k][np.argsort(radius[y == k])] for k in range(2))
    np.testing.assert_allclose(zeros, -ones, atol=1e-12)


def test_noise_has_its_deviation():
    for ours in (circles, moons, spirals):
        noise = ours(20_000, 0.3, seed=5)[0] - ours(20_000, 0.0, seed=5)[0]
        assert noise.std() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("ours", SETS)
def test_shapes_dtypes_and_counts(ours):
    X, y = ours()
    m = 300 if ours in (circles, moons) else 400
    assert X.shape == (m, 2)
    assert X.dtype == np.float64
    assert X.flags.c_contiguous
    assert y.shape == (m,)
    assert y.dtype == np.int64
    assert np.bincount(y).tolist() == [m // 2, m // 2]
    assert np.bincount(ours(7)[1]).tolist() == [3, 4]


@pytest.mark.parametrize("ours", SETS)
def test_seed_alone_decides(ours):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    assert ours(50, 0.1, 4)[0].tobytes() == ours(50, 0.1, 4)[0].tobytes()
    assert ours(50, 0.1, 4)[0].tobytes() != ours(50, 0.1, 5)[0].tobytes()
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("ours", SETS)
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"m": 1}, "m must be a whole number of at least 2, got 1"),
        ({"m": 10.0}, r"m must be a whole number of at least 2, got 10\.0"),
        ({"noise": -0.1}, r"noise must be a finite number of at least 0, got -0\.1"),
        ({"noise": float("nan")}, "noise must be a finite number of at least 0, got nan"),
        ({"noise": "0.2"}, "noise must be a finite number of at least 0, got '0.2'"),
        ({"noise": None}, "noise must be a finite number of at least 0, got None"),
        ({"seed": -1}, "seed must be a whole number of at least 0 and below 4294967296, got -1"),
        ({"seed": 2**32}, "seed must be a whole number of at least 0 and below 4294967296, got 4"),
    ],
)
def test_errors(ours, kwargs, message):
    with pytest.raises(SettingError, match=message):
        ours(**kwargs)
