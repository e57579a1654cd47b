"""Networks: what the parameters of a perceptron describe, with scikit-learn's first weights."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from fastnn.network import Network
from fastnn.network.description import perceptron, state_of

from ..data import Standardizer
from ..layers import Normalization
from .inputs import network_dtype
from .parameters import Parameters
from .settings import HiddenLayers, check_loss_fits, parse_loss, parse_scale_target

Array = np.ndarray[Any, Any]


def build_networks(
    given: Parameters, hidden: HiddenLayers, X: Any, w: Array, K: int, output: str
) -> list[Network]:
    """Return `n_networks` untrained networks of K outputs for rows X (m, n) with weights w (m,).

    Without `init` their weights are scikit-learn's draws, in their order: those of the first
    network do not depend on how many follow. Medians and quartiles are learnt here; mean and
    deviation are by `Network.fit`.
    """
    check_loss_fits(given, output)
    rng = check_random_state(given.random_state)
    usual = "float32" if given.precision == "mixed" else network_dtype(X)
    dtype = np.dtype(given.dtype or usual)
    networks = [
        _build_network(given, hidden, X.shape[1], K, output, dtype, rng)
        for _ in range(given.n_networks)
    ]
    if given.scale == "robust":
        scaler = Standardizer("robust").fit(X, None if (w == 1).all() else w)
        for network in networks:
            state_of(network).scale_inputs(scaler.shift, scaler.factor)
    return networks


def _build_network(
    given: Parameters, hidden: HiddenLayers, n: int, K: int, output: str, dtype: Any, rng: Any
) -> Network:
    """Return an untrained network of n features and K outputs, its weights drawn from rng."""
    sizes = [n, *hidden.units, K]
    layers = perceptron(
        sizes, output, hidden=hidden.activations, dropout=hidden.dropout,
        batch_norm=given.batch_norm,
    )  # fmt: skip
    drawn = {} if given.init is not None else _first_weights(given, sizes, rng)
    network = Network(
        [Normalization(), *layers] if given.scale else layers, inputs=sizes[0],
        loss=parse_loss(given), init=given.init or "zeros", seed=int(rng.randint(2**31 - 1)),
        dtype=dtype.name, scale_target=parse_scale_target(given, output),
        precision=given.precision,
    )  # fmt: skip
    network.parameters.update(drawn)
    return network


def _first_weights(given: Parameters, sizes: list[int], rng: Any) -> dict[str, Array]:
    """Return Glorot's draws as scikit-learn has them: smaller ones where all units are logistic."""
    power = 2.0 if isinstance(given.activation, str) and given.activation == "logistic" else 6.0
    drawn = {}
    for i, (a, b) in enumerate(pairwise(sizes), start=1):
        bound = np.sqrt(power / (a + b))
        drawn[f"W{i}"] = rng.uniform(-bound, bound, (a, b))
        drawn[f"b{i}"] = rng.uniform(-bound, bound, b)
    return drawn
