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
from .parameters import Parameters
from .settings import HiddenLayers, check_loss_fits, parse_loss

Array = np.ndarray[Any, Any]


def build_network(
    given: Parameters, hidden: HiddenLayers, X: Any, w: Array, K: int, output: str
) -> Network:
    """Return an untrained network of K outputs for rows X (m, n) with weights w (m,).

    Without `init` its weights are scikit-learn's draws, in their order. Medians and quartiles are
    learnt here; mean and deviation are by `Network.fit`.
    """
    check_loss_fits(given, output)
    rng = check_random_state(given.random_state)
    sizes = [X.shape[1], *hidden.units, K]
    layers = perceptron(
        sizes, output, hidden=hidden.activations, dropout=hidden.dropout,
        batch_norm=given.batch_norm,
    )  # fmt: skip
    drawn = {} if given.init is not None else _first_weights(given, sizes, rng)
    network = Network(
        [Normalization(), *layers] if given.scale else layers, inputs=sizes[0],
        loss=parse_loss(given), init=given.init or "zeros", seed=int(rng.randint(2**31 - 1)),
        dtype=np.dtype(given.dtype or X.dtype).name,
    )  # fmt: skip
    network.parameters.update(drawn)
    if given.scale == "robust":
        scaler = Standardizer("robust").fit(X, None if (w == 1).all() else w)
        state_of(network).scale_inputs(scaler.shift, scaler.factor)
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
