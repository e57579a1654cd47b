"""What programs ask the linked kernels for: all that they call, alone in a fresh process too."""

import numpy as np
import pytest
from fastnn.kernels.jitted import inplace, needs

from fastnn import Dense, Network

X = np.random.default_rng(0).integers(0, 256, (20, 80)).astype(np.uint8)


@pytest.fixture
def forgetful(monkeypatch):
    """Programs that do not name the kernels which read rows in place."""
    monkeypatch.setattr(inplace, "uses", lambda dtype, n: frozenset())
    needs._addresses.cache_clear()
    yield
    needs._addresses.cache_clear()


def test_a_kernel_that_is_not_asked_for_is_noticed(forgetful, unasked_kernels):
    Network([Dense(1, "sigmoid")]).build(80).predict(X)
    assert unasked_kernels
    unasked_kernels.clear()
