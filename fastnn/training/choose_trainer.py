"""Which trainer fits: by the optimiser, by where the data lie, by whether ranks share the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.optimizers import LBFGS, Optimizer

from .fit_config import FitConfig
from .loop import Trainer
from .state import NetworkState

__all__ = ["trainer_for", "trainer_maker"]


def trainer_maker(
    state: NetworkState, config: FitConfig, data: Any, comm: Any, shards: int | None
) -> Callable[..., Trainer]:
    """Return what makes the trainer of a fit; comm: a group of ranks, or None."""
    if comm is None:
        return data.trainer or trainer_for(config.optimizer)
    from . import sharded  # only fits with shards need it

    return sharded.trainer_of_ranks(state, config, data, comm, shards or 0)


def trainer_for(optimizer: Optimizer) -> type[Trainer]:
    """Return the class that fits by an optimiser."""
    if isinstance(optimizer, LBFGS):
        from .lbfgs import LBFGSTrainer  # only this optimiser needs it

        return LBFGSTrainer
    return Trainer
