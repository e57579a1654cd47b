"""Commands on ranks: `mpiexec -n 4 fastnn train` is one training, not four."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from fastnn._runtime.launcher import world
from fastnn._runtime.text import plural
from fastnn.ranks.group import Alone, Ranks

from .option_types import count
from .output import print_fact, silence
from .verb import grouped, option

SHARDS_OPTION = grouped(
    "training",
    option("--shards", metavar="N", type=count,
           help="parts of a batch that the ranks of mpiexec share (default there: 8); results "
           "depend on it, and not on the number of ranks"),
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
    """Return what `Network.fit` is given about ranks and shards: nothing where there are none."""
    if arguments.ranks.size == 1:
        return {"shards": arguments.shards}
    return {"comm": arguments.ranks, "shards": arguments.shards}


def print_ranks(ranks: Ranks | Alone) -> None:
    """Print how many ranks train, if there are several."""
    if ranks.size > 1:
        print_fact("ranks", f"{ranks.size}, of {plural(ranks.threads, 'thread')} each")
