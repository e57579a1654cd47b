"""Members: the networks of a bag, described, and averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.lowering.lower import output_activation
from fastnn.network import Network

from .codes import PiecewiseLinearCodes

__all__ = ["KINDS", "Member", "mean_outputs", "outputs_of"]

Array = NDArray[Any]
KINDS = ("coded", "linear", "plain")
#: Numbers of rows with their codes that a prediction holds at once.
BLOCK = 2**24


@dataclass(frozen=True, eq=False)
class Member:
    """A network of the bag, and how it was trained.

    Attributes
    ----------
    kind : {"coded", "linear", "plain"}
        Of a network that is given codes, one that is not, and one like that of `MLPClassifier`.
    network : Network
    trained, scored : int
        Rows that trained it, and rows that scored it after each cycle.
    epochs, best_epoch : int
        How many there were, and after how many it had the weights that it has.
    curve : tuple of float
        Its costs: after each cycle of the rows that scored it, else of each epoch's training.
    """

    kind: str
    network: Network
    trained: int
    scored: int
    epochs: int
    best_epoch: int
    curve: tuple[float, ...]

    @property
    def coded(self) -> bool:
        """Whether it is given codes."""
        return self.kind == "coded"


def outputs_of(network: Network, rows: Array) -> NDArray[np.float64]:
    """Return what a network gives to rows as it takes them: probabilities (m, K), or values."""
    classifies = output_activation(network.layers) != "identity"
    values = network.predict_proba(rows) if classifies else network.predict(rows)
    return np.asarray(values, np.float64).reshape(len(rows), -1)


def mean_outputs(
    members: Sequence[Member], X: Array, codes: PiecewiseLinearCodes
) -> NDArray[np.float64]:
    """Return the mean of what the networks give to rows X (m, n); codes of some rows at a time."""
    step = max(1, BLOCK // (X.shape[1] + codes.width))
    sums = []
    for k in range(0, max(len(X), 1), step):
        rows = {False: X[k : k + step]}
        if any(each.coded for each in members):
            rows[True] = codes.transform(rows[False])
        sums.append(sum(outputs_of(each.network, rows[each.coded]) for each in members))
    return np.asarray(np.concatenate(sums) / len(members))
