"""Fixtures of the course's tests: a backend, the cat set, trainings that several tests look at."""

import contextlib
import functools
import os
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import kernels
from fastnn.course import assignments, deep
from fastnn.course.lr_utils import load_dataset


@pytest.fixture(params=["jitted", pytest.param("vectorized", marks=pytest.mark.slow)])
def fast_backend(request):
    """The backend of long trainings, for which loops would take minutes.

    BLAS has one thread, so that busy cores do not stall it.
    """
    if not kernels.get(request.param).available:
        pytest.skip(f"backend {request.param!r} is not available")
    limits = contextlib.nullcontext()
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits

        limits = threadpool_limits(1)
    with fastnn.backend(request.param), limits:
        yield request.param


@pytest.fixture(scope="session")
def cats():
    folder = os.environ.get("FASTNN_DATA")
    if not folder:
        pytest.skip("FASTNN_DATA does not name the folder of the cat set")
    paths = [Path(folder) / f"{part}_catvnoncat.h5" for part in ("train", "test")]
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        pytest.skip(f"the folder that FASTNN_DATA names has no {missing[0]}")
    return load_dataset(*paths)


def flat(images):
    """Columns (h·w·3, m) in 0 … 1, one image in each."""
    return images.reshape(len(images), -1).T / 255


def mixed(images):
    """The notes' reshape: the right shape, and pixels of many images in each column."""
    return images.reshape(-1, len(images)) / 255


@pytest.fixture(scope="session")
def flat_cats(cats):
    X, Y, X_test, Y_test, _ = cats
    return flat(X), Y, flat(X_test), Y_test


@pytest.fixture(scope="session")
def mixed_cats(cats):
    X, Y, X_test, Y_test, _ = cats
    return mixed(X), Y, mixed(X_test), Y_test


@pytest.fixture(scope="session")
def worked():
    """What an assignment finds, by its name; each is worked once, on the default backend."""
    return functools.cache(lambda name: getattr(assignments, name)())


@pytest.fixture(scope="session")
def two_layers(flat_cats):
    """Parameters and costs of the notebook's network of two layers, on the default backend."""
    return deep.two_layer_model(*flat_cats[:2], (12288, 7, 1), 0.0075, 2500)


@pytest.fixture(scope="session")
def four_layers(flat_cats):
    """Parameters and costs of the notebook's network of four layers, on the default backend."""
    return deep.L_layer_model(*flat_cats[:2], [12288, 20, 7, 5, 1], 0.0075, 2500)


@pytest.fixture
def slope():
    """Central differences of a cost by one array of a dictionary."""

    def differences(cost, parameters, key, step=1e-6):
        gradient = np.zeros(np.shape(parameters[key]))
        for place in np.ndindex(gradient.shape):
            ends = []
            for sign in (1, -1):
                moved = {k: np.array(v, dtype=float) for k, v in parameters.items()}
                moved[key][place] += sign * step
                ends.append(cost(moved))
            gradient[place] = (ends[0] - ends[1]) / (2 * step)
        return gradient

    return differences
