"""Compiling ahead: what a first fit would compile, done when it suits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastnn import kernels
from fastnn._runtime.backend import backend
from fastnn._runtime.threads import get_num_threads

from . import Network

__all__ = ["warmup"]


def warmup(dtypes: Sequence[str] = ("float32", "float64")) -> None:
    """Load all kernels of these dtypes, and compile those that neither a pack nor the cache has.

    A first fit does this by itself for the kernels that it needs; afterwards it compiles nothing.
    Both let as many processes compile as there may be threads (`get_num_threads`), but no more
    than there are cores, and 8 at most.

    Parameters
    ----------
    dtypes : sequence of {"float32", "float64"}
        Of the networks to come.

    Raises
    ------
    SettingError
        If ``jitted`` has neither a pack of kernels nor a compiler, or a dtype is another one.
    """
    with backend("jitted"):
        for dtype in dtypes:
            net = Network.mlp([2, 2, 2], output="softmax", dtype=dtype)
            X, y = np.zeros((2, 2)), np.array([0, 1])
            kernels.get("jitted").compile_all(net.dtype, get_num_threads())
            net.fit(X, y, epochs=1, validation_data=(X, y), progress=False)
            net.predict(X)
            net.predict(X[:1])
            net.evaluate(X, y)
            net.cost_and_gradients(X, y)
            wide = Network.mlp([500, 500, 2], output="softmax", dtype=dtype).build(500)
            wide.predict(np.zeros((1, 500)))  # such a row may have a companion
