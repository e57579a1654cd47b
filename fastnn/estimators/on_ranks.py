"""Estimators on ranks: a fit that all ranks of a communicator share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ..errors import SettingError
from .parameters import Parameters

Fit = TypeVar("Fit", bound=Callable[..., Any])


def shared_by_ranks(fit: Fit) -> Fit:
    """Decorate a fit: one that is given a communicator ends on all ranks where it fails on one.

    The fit finds a `Ranks` as its comm. Nothing of the estimator keeps it, for a communicator can
    neither be copied nor pickled.
    """

    @wraps(fit)
    def call(self: Any, *args: Any, comm: Any = None, **settings: Any) -> Any:
        if comm is None:
            return fit(self, *args, **settings)
        from fastnn.ranks.group import Ranks  # only these fits need them

        with Ranks(comm) as ranks:
            return fit(self, *args, comm=ranks, **settings)

    return call  # type: ignore[return-value]


def sharing_of(given: Parameters, comm: Any, shards: Any) -> dict[str, Any]:
    """Return comm and shards as `Network.fit` takes them, unless the parameters refuse them."""
    if comm is None and shards is None:
        return {}
    if given.n_networks != 1:
        raise SettingError(
            f"n_networks={given.n_networks} are trained by one process: leave n_networks at 1, or "
            "comm and shards out"
        )
    if comm is not None and given.random_state is None:
        raise SettingError(
            "random_state=None draws other weights on every rank of comm; give a whole number"
        )
    return {"comm": comm, "shards": shards}


def is_told(sharing: dict[str, Any]) -> bool:
    """Return whether this process is the one that warns: the only one, or rank 0."""
    comm = sharing.get("comm")
    return comm is None or comm.rank == 0
