"""Calibration: what rows that a network was not trained on say about its probabilities and errors.

Each network of a bag is asked about the rows that it was scored on while it trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from fastnn.errors import DataError
from fastnn.network import Network

__all__ = ["Calibration", "ResidualQuantiles"]

Array = NDArray[np.float64]
#: Deviation of the logarithm of a temperature that is expected before any row has been seen.
EXPECTED = 0.5
#: Rows by which the choice of a cycle on m rows flatters a network: 1 + 4 / m is expected then.
FLATTERED = 4.0
#: Residuals that are kept at most: more ranks than any quantile needs.
MOST_RESIDUALS = 1_000


@dataclass(frozen=True, eq=False)
class Calibration:
    """What makes the logits z of a network those of right probabilities: c + (z − c) / T.

    Attributes
    ----------
    temperature : float
        T.
    center : array (K,)
        c is 0, as Guo et al. have it (ICML 2017), or the logarithm of the shares of the classes:
        where the features say little of a rare class, that is where its probability should end.
    """

    temperature: float
    center: Array

    @classmethod
    def find(cls, Z: Array, y: NDArray[np.int64], w: Array, shares: Array) -> Calibration:
        """Return the one of least log loss.

        Parameters
        ----------
        Z : array (m, K)
            Logits of each class, of the rows that chose the network's best cycle.
        y : array (m,)
            Numbers of the right classes.
        w : array (m,)
            Weights of the rows.
        shares : array (K,)
            Of the classes in all rows, none 0.

        Notes
        -----
        ½ ((ln T − ln(1 + 4 / m)) / 0.5)² is added to the sum of the losses, a normal prior of ln T:
        few rows leave T near 1 + 4 / m, and rows that are all right do not take it to 0.
        """
        expected, w = float(np.log1p(FLATTERED / len(y))), w / w.mean()

        def cost(t: float, center: Array) -> float:
            losses = cls(np.exp(t), center).losses(Z, y)
            return float(w @ losses + 0.5 * ((t - expected) / EXPECTED) ** 2)

        centers = np.zeros(len(shares)), np.log(shares)
        found = [
            minimize_scalar(
                cost, args=(center,), bounds=(-2, 4), method="bounded", options={"xatol": 1e-3}
            )
            for center in centers
        ]
        best = int(found[1].fun < found[0].fun)
        return cls(float(np.exp(found[best].x)), centers[best])

    @classmethod
    def mean(cls, found: Sequence[Calibration], shares: Array, rows: float) -> Calibration:
        """Return the one of a network that no rows scored: as those of others are.

        T is their geometric mean, and c what most of them have. Without others T is what is
        expected of a network that so many rows would have scored, and c of the shares.
        """
        if not found:
            return cls(1 + FLATTERED / rows, np.log(shares))
        T = np.exp(np.mean([np.log(each.temperature) for each in found]))
        moved = np.mean([bool(each.center.any()) for each in found]) > 0.5
        return cls(float(T), np.log(shares) * moved)

    def logits(self, Z: Array) -> Array:
        """Return c + (Z − c) / T (m, K)."""
        return self.center + (Z - self.center) / self.temperature

    def losses(self, Z: Array, y: NDArray[np.int64]) -> Array:
        """Return −ln softmax (m,) of the right classes y (m,)."""
        scaled = self.logits(Z)
        scaled -= scaled[np.arange(len(y)), y][:, None]
        top = scaled.max(axis=1)
        losses: Array = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return losses

    def apply(self, network: Network) -> None:
        """Give the last layer of a network weights and biases by which its logits are calibrated.

        One sigmoid has the logit of the second class over the first.
        """
        last = max(int(name[1:]) for name in network.parameters if name.startswith("W"))
        weights, biases = (network.parameters[f"{name}{last}"] for name in "Wb")
        center = self.center[1:] - self.center[:1] if len(biases) == 1 else self.center
        weights[...] /= self.temperature
        biases[...] = (biases - center) / self.temperature + center


@dataclass(frozen=True)
class ResidualQuantiles:
    """Quantiles of residuals y − ŷ of rows that did not train, by the ranks of split conformal.

    Attributes
    ----------
    residuals : array (k,)
        Sorted, in the unit of y.
    below, above : array (k,)
        Weight of the residuals up to and including each one, and from it on, over the weight of
        all and of one row more, the one to be predicted.
    """

    residuals: Array
    below: Array
    above: Array

    @classmethod
    def learn(cls, residuals: Array, w: Array) -> ResidualQuantiles:
        """Learn from residuals (m,) and their weights, at least one."""
        order = np.argsort(residuals, kind="stable")
        sums = np.cumsum(w[order])
        whole = sums[-1] + w.mean()
        k = np.arange(len(order))
        if len(order) > MOST_RESIDUALS:
            k = np.unique(np.linspace(0, len(order) - 1, MOST_RESIDUALS).round().astype(int))
        above = sums[-1] - sums + w[order]
        return cls(residuals[order][k], sums[k] / whole, above[k] / whole)

    def at(self, q: Array) -> Array:
        """Return the residuals at levels q (k,).

        From ½ on that is the smallest residual up to which at least a share q lies; below ½ the
        largest one from which on at least 1 − q do. A level that so few residuals cannot show has
        the outermost one.
        """
        upper = np.searchsorted(self.below, q - 1e-12)
        lower = len(self.above) - 1 - np.searchsorted(self.above[::-1], 1 - q - 1e-12)
        place = np.where(q < 0.5, lower, upper)
        return np.asarray(self.residuals[np.clip(place, 0, len(self.residuals) - 1)])

    def config(self) -> dict[str, Any]:
        """Return the residuals as plain data, which JSON can say."""
        return {name: getattr(self, name).tolist() for name in ("residuals", "below", "above")}

    @classmethod
    def from_config(cls, data: Any) -> ResidualQuantiles:
        """Return the residuals of data that `config` returned; DataError if they are none."""
        try:
            found = [np.array(data[name], np.float64) for name in ("residuals", "below", "above")]
            k = len(found[0])
            signs = (1, 1, -1)
            fits = set(data) == {"residuals", "below", "above"} and all(
                each.shape == (k,) and np.isfinite(each).all() and (np.diff(each) * sign >= 0).all()
                for each, sign in zip(found, signs, strict=True)
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            fits = False
        if not fits or not 0 < k <= MOST_RESIDUALS:
            raise DataError("the description of residuals is none")
        return cls(*found)
