"""Best weights: those of a fit's best epoch, kept until it ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._habits import answers
from fastnn.kernels.records import BestEpoch

#: Curves that a run records of validation examples: their columns in its log.
COLUMNS = ("validation_cost", "validation_accuracy")


class BestWeights:
    """Parameters and statistics of the best epoch: copied after it, or within the compiled run.

    Attributes
    ----------
    by_run : bool
        Whether the run copies them.
    """

    def __init__(self) -> None:
        self.by_run = False
        self._kept: BestEpoch | None = None

    def leave_to_run(self, network: Any, monitor: str | None) -> BestEpoch | None:
        """Return what a run keeps of the best epoch by that curve, None for a curve of others."""
        of_validation = monitor is not None and monitor.startswith("val")
        name = answers.curve_name(monitor, COLUMNS) if of_validation else None
        if name is None:
            return None
        theta, state = (np.empty_like(part) for part in _weights(network))
        self.by_run = True
        self._kept = BestEpoch(np.array([np.inf]), theta, state, COLUMNS.index(name))
        return self._kept

    def keep(self, network: Any) -> None:
        """Copy the weights of the epoch that was just finished, unless the run does."""
        if not self.by_run:
            theta, state = (part.copy() for part in _weights(network))
            self._kept = BestEpoch(np.zeros(1), theta, state)

    def restore(self, network: Any) -> None:
        """Bring the best weights back, if there are any."""
        if self._kept is not None and self._kept.least[0] < np.inf:
            theta, state = _weights(network)
            theta[...], state[...] = self._kept.theta, self._kept.state


def _weights(network: Any) -> tuple[Any, Any]:
    """Return the vectors of parameters and statistics of a network."""
    program = network.program
    return program.theta, program.state
