"""Commands on ranks: `mpiexec -n 4 fastnn train` is one training, not four."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from fastnn._runtime.launcher import is_launched, world
from fastnn._runtime.text import plural
from fastnn.errors import SettingError
from fastnn.ranks.group import Alone, Ranks

from .option_types import count
from .output import print_fact, silence
from .verb import grouped, option

SHARDS_OPTION = grouped(
    "training",
    option("--shards", metavar="N", type=count,
           help="parts of a batch that the ranks of mpiexec share (default there: 8, or as many "
           "as ranks where there are more); results depend on it, and not on the number of ranks: "
           "name it to go on with another number of ranks"),
)  # fmt: skip


def together(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Return the `run` of a verb that all ranks run as one; it finds them as arguments.ranks.

    An error on one rank ends all of them; rank 0 prints, the others are silent.
    """

    def run_on_ranks(arguments: argparse.Namespace) -> int:
        """Run alone, or with all ranks that a launcher has started."""
        comm = world()
        if comm is None:
            arguments.ranks = Alone()
            return run(arguments)
        with Ranks(comm) as arguments.ranks:
            if arguments.ranks.rank:
                silence()
            return run(arguments)

    return run_on_ranks


def sharing(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `Network.fit` is given about ranks and shards: nothing where there are none.

    One rank of a launcher has shards, as several have, but for what several refuse.
    """
    sole = arguments.batch_norm or not is_launched()
    if arguments.ranks.size == 1 and sole:
        return {"shards": arguments.shards}
    return {"comm": arguments.ranks, "shards": arguments.shards}


def check_resumed(arguments: argparse.Namespace, epochs: int) -> None:
    """Refuse a checkpoint that is not the same on all hosts; epochs: what this rank found in it."""
    found = arguments.ranks.agree(epochs)
    other = next((rank for rank, each in enumerate(found) if each != found[0]), None)
    if other is not None:
        raise SettingError(
            f"the checkpoint '{arguments.checkpoint}' is not the same on all hosts: "
            f"{plural(found[0], 'epoch')} on rank 0, {plural(found[other], 'epoch')} on rank "
            f"{other}; name a file in a folder that all hosts share"
        )


def print_ranks(ranks: Ranks | Alone) -> None:
    """Print how many ranks train, if there are several."""
    if ranks.size > 1:
        print_fact("ranks", f"{ranks.size}, of {plural(ranks.threads, 'thread')} each")
