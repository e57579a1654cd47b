"""Fits on ranks, from the outside: who takes part, what each is given, how all end together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.history import History
from fastnn.layers import BatchNorm, Layer
from fastnn.ranks.group import Alone, Ranks
from fastnn.ranks.rounds import MAX_SHARDS

SHARDS = 8  # that a batch is cut into where the user names no number


def fit_on_ranks(
    fit: Callable[..., History], network: Any, *args: Any, comm: Any = None, shards: Any = None,
    **settings: Any,
) -> History:  # fmt: skip
    """Fit a network by all ranks of a communicator, or by this process alone where it is None.

    comm may be a `Ranks`, whose `with` block then ends all ranks where one fails.
    """
    if isinstance(comm, Alone | Ranks) or comm is None:
        group = Alone() if comm is None else comm
        settings |= {"comm": group, "shards": check_shards(shards, group.size, network.layers)}
        return fit(network, *args, **_of_rank(group.rank, settings))
    with Ranks(comm) as ranks:
        return fit_on_ranks(fit, network, *args, comm=ranks, shards=shards, **settings)


def _of_rank(rank: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings for a rank: rank 0 alone shows progress, and writes files."""
    if rank == 0:
        return settings
    callbacks = settings.get("callbacks", ())
    if isinstance(callbacks, Iterable) and not isinstance(callbacks, str):
        callbacks = [each for each in callbacks if not getattr(each, "rank_0_only", False)]
    return settings | {"progress": False, "callbacks": callbacks}


def check_shards(shards: Any, ranks: int, layers: Sequence[Layer]) -> int:
    """Return the number of shards of a batch, or refuse it and networks that cannot be cut."""
    for place, layer in enumerate(layers):
        if isinstance(layer, BatchNorm):
            raise SettingError(
                f"BatchNorm (layer {place}) takes the moments of a whole batch, which shards and "
                "ranks divide; leave it out, or fit without comm and shards"
            )
    if shards is None:
        return max(SHARDS, ranks)
    count = arguments.count(shards, "shards", least=1)
    if not ranks <= count <= MAX_SHARDS:
        raise SettingError(
            f"shards must be from the number of ranks, {ranks}, to {MAX_SHARDS}, got {count}; "
            f"results depend on it, and not on the number of ranks: {max(SHARDS, ranks)} is usual"
        )
    return count
