"""Toy data sets: two classes of points in the plane that no straight line separates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastnn._validation import arguments

__all__ = ["circles", "flower", "moons", "spirals"]

Points = tuple[NDArray[np.float64], NDArray[np.int64]]


def circles(m: int = 300, noise: float = 0.05, seed: int = 0) -> Points:
    """Draw a circle of radius 1 (class 0) around one of radius 0.8 (class 1).

    The same bits as scikit-learn's `make_circles(m, noise=noise, random_state=seed)`; the
    course's initialisation lesson trains on `circles(300, 0.05, seed=1)`.

    Parameters
    ----------
    m : int, default 300
        Points in all, at least 2; of an odd number the inner circle has one more.
    noise : float, default 0.05
        Standard deviation of the Gaussian noise on both coordinates, not negative.
    seed : int, default 0
        0 ≤ seed < 2³², for NumPy's legacy generator.

    Returns
    -------
    X : ndarray of float64, (m, 2)
        The points, in random order.
    y : ndarray of int64, (m,)
        Their classes, 0 or 1.

    Raises
    ------
    SettingError
        If an argument is outside its range.
    """
    m, noise, rng = _check_arguments(m, noise, seed)
    outer = np.linspace(0, 2 * np.pi, m // 2, endpoint=False)
    inner = np.linspace(0, 2 * np.pi, m - m // 2, endpoint=False)
    return _shuffle_with_noise(
        _points(np.cos(outer), np.sin(outer)),
        0.8 * _points(np.cos(inner), np.sin(inner)),
        noise,
        rng,
    )


def moons(m: int = 300, noise: float = 0.2, seed: int = 0) -> Points:
    """Draw two half circles, the upper one (class 0) reaching into the lower one (class 1).

    The same bits as scikit-learn's `make_moons(m, noise=noise, random_state=seed)`; the
    course's optimisation lesson trains on `moons(300, 0.2, seed=3)`.

    Parameters
    ----------
    m : int, default 300
        Points in all, at least 2; of an odd number the lower moon has one more.
    noise : float, default 0.2
        Standard deviation of the Gaussian noise on both coordinates, not negative.
    seed : int, default 0
        0 ≤ seed < 2³², for NumPy's legacy generator.

    Returns
    -------
    X : ndarray of float64, (m, 2)
        The points, in random order.
    y : ndarray of int64, (m,)
        Their classes, 0 or 1.

    Raises
    ------
    SettingError
        If an argument is outside its range.
    """
    m, noise, rng = _check_arguments(m, noise, seed)
    upper = np.linspace(0, np.pi, m // 2)
    lower = np.linspace(0, np.pi, m - m // 2)
    # Not 0.5 − sin: the two roundings of (1 − sin) − 0.5 are part of the promised bits.
    return _shuffle_with_noise(
        _points(np.cos(upper), np.sin(upper)),
        _points(1 - np.cos(lower), (1 - np.sin(lower)) - 0.5),
        noise,
        rng,
    )


def flower(m: int = 400, noise: float = 0.2, seed: int = 0) -> Points:
    """Draw the course's flower: petals r = 4 sin(4t), one half of the turn for each class.

    `flower(400, 0.2, seed=1)` is the planar data set of the course's lesson on one hidden
    layer, its points as rows. Class k has angles t in [3.12 k, 3.12 (k + 1)]; a point is
    (r sin t, r cos t).

    Parameters
    ----------
    m : int, default 400
        Points in all, at least 2; of an odd number class 1 has one more.
    noise : float, default 0.2
        Standard deviation of the Gaussian noise on the angle t and on the radius r.
    seed : int, default 0
        0 ≤ seed < 2³², for NumPy's legacy generator.

    Returns
    -------
    X : ndarray of float64, (m, 2)
        The points, class 0 first, as in the course.
    y : ndarray of int64, (m,)
        Their classes, 0 or 1.

    Raises
    ------
    SettingError
        If an argument is outside its range.
    """
    m, noise, rng = _check_arguments(m, noise, seed)
    halves = []
    for k, count in enumerate((m // 2, m - m // 2)):
        t = np.linspace(k * 3.12, (k + 1) * 3.12, count) + rng.standard_normal(count) * noise
        r = 4 * np.sin(4 * t) + rng.standard_normal(count) * noise
        halves.append(_points(r * np.sin(t), r * np.cos(t)))
    return np.concatenate(halves), _labels(*halves)


def spirals(m: int = 400, noise: float = 0.1, seed: int = 0) -> Points:
    """Draw two spirals that wind one and a half times around each other.

    Arm k has the radius r from 0.2 to 4 and the angle 3πr/4 + kπ, the points equally spaced
    in r.

    Parameters
    ----------
    m : int, default 400
        Points in all, at least 2; of an odd number class 1 has one more.
    noise : float, default 0.1
        Standard deviation of the Gaussian noise on both coordinates; the arms are 4/3 apart.
    seed : int, default 0
        0 ≤ seed < 2³², for NumPy's legacy generator.

    Returns
    -------
    X : ndarray of float64, (m, 2)
        The points, in random order.
    y : ndarray of int64, (m,)
        Their classes, 0 or 1.

    Raises
    ------
    SettingError
        If an argument is outside its range.
    """
    m, noise, rng = _check_arguments(m, noise, seed)
    arms = []
    for k, count in enumerate((m // 2, m - m // 2)):
        r = np.linspace(0.2, 4, count)
        angle = 0.75 * np.pi * r + k * np.pi
        arms.append(_points(r * np.cos(angle), r * np.sin(angle)))
    return _shuffle_with_noise(arms[0], arms[1], noise, rng)


def _check_arguments(
    m: object, noise: object, seed: object
) -> tuple[int, float, np.random.RandomState]:
    """Check the arguments that all sets share; the legacy generator gives the known draws."""
    count = arguments.integer(m, "m", least=2)
    deviation = arguments.nonnegative(noise, "noise")
    return count, deviation, np.random.RandomState(arguments.integer(seed, "seed", below=2**32))


def _points(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two coordinates (m,) as points (m, 2)."""
    return np.stack([first, second], axis=1)


def _labels(zeros: NDArray[np.float64], ones: NDArray[np.float64]) -> NDArray[np.int64]:
    """Labels (m0 + m1,) of points (m0, 2) of class 0 and then (m1, 2) of class 1."""
    return np.repeat(np.arange(2, dtype=np.int64), [len(zeros), len(ones)])


def _shuffle_with_noise(
    zeros: NDArray[np.float64],
    ones: NDArray[np.float64],
    noise: float,
    rng: np.random.RandomState,
) -> Points:
    """Join (m0, 2) and (m1, 2), shuffle, then add noise: scikit-learn draws in this order."""
    order = np.arange(len(zeros) + len(ones))
    rng.shuffle(order)
    X = np.concatenate([zeros, ones])[order]
    return X + rng.normal(scale=noise, size=X.shape), _labels(zeros, ones)[order]
