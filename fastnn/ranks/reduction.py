"""The sum of all ranks' gradients, by one fixed tree: the same bits at any number of ranks.

Each rank adds up one segment of the vector for all, from what the others send it, and all gather
the segments: twice a vector's length goes out of each rank, and as much comes in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.kernels.records import Shards
from fastnn.kernels.sharding import Wish, bounds, crossing_merges, roots

from .rounds import DATA, HEADER, Call, Rounds

Array = np.ndarray[Any, Any]
LINE = 64  # bytes: segments begin on cache lines


class Reduction:
    """What `Shards.reduce` calls in every step.

    Parameters
    ----------
    rounds : Rounds
        The ranks.
    shards : Shards
        Those of this rank, whose `sums` and `losses` are completed in place.
    asked : callable
        Returns whether this rank was asked to stop.
    """

    def __init__(self, rounds: Rounds, shards: Shards, asked: Callable[[], bool]) -> None:
        self.rounds, self.asked = rounds, asked
        count, sums, size = shards.n_shards, shards.sums, rounds.size
        owned = [bounds(count, size, rank) for rank in range(size)]
        self.losses, self.owned = shards.losses, owned
        self.kind = rounds.MPI.FLOAT if sums.itemsize == 4 else rounds.MPI.DOUBLE
        p, line = sums.shape[1], LINE // sums.itemsize
        cuts = [min(bounds(-(-p // line), size, rank)[0] * line, p) for rank in range(size)] + [p]
        self.gathered = [sums[0], np.diff(cuts), np.array(cuts[:-1]), self.kind]
        self.headers = np.zeros((size, 2 + 2 * max(stop - first for first, stop in owned)))
        self._connect(sums, cuts, [roots(count, *each) for each in owned])
        self.merges = [
            [self.parts[left], self.parts[right], self.parts[left]]
            for left, right in crossing_merges(count, size)
        ]
        self.merges[-1][2] = sums[0, cuts[rounds.rank] : cuts[rounds.rank + 1]]

    def _connect(self, sums: Array, cuts: list[int], left: list[list[int]]) -> None:
        """Make the messages of a round: headers, and segments of the sums that each rank has left.

        left: for each rank the first shards of those sums, which lie at the bottom of its stack.
        """
        comm, rank = self.rounds.comm, self.rounds.rank
        begin, end = cuts[rank], cuts[rank + 1]
        #: This rank's segment of each of those sums, by first shard.
        self.parts = dict(zip(left[rank], sums[:, begin:end], strict=False))
        own, self._kept, self._requests = len(left[rank]), [], []
        for other in self.rounds.others:
            received = np.zeros((len(left[other]), end - begin), sums.dtype)
            self.parts |= dict(zip(left[other], received, strict=True))
            start, width = cuts[other], cuts[other + 1] - cuts[other]
            rows = self.kind.Create_vector(own, width, sums.shape[1]).Commit()
            sent = sums.reshape(-1)[start:]
            self._kept += [received, rows, sent]
            self._requests += [
                comm.Recv_init(self.headers[other], other, HEADER),
                comm.Recv_init([received, self.kind], other, DATA),
                comm.Send_init(self.headers[rank], other, HEADER),
                comm.Send_init([sent, 1, rows], other, DATA),
            ]

    def __call__(self) -> int:
        """Complete the sums; return a Wish.

        Raises
        ------
        RankError
            If another rank failed; the sums mean nothing then.
        """
        rounds, headers = self.rounds, self.headers
        first, stop = self.owned[rounds.rank]
        own = headers[rounds.rank]
        own[0], own[1] = Call.REDUCE, self.asked()
        own[2 : 2 + 2 * (stop - first)] = self.losses[first:stop].reshape(-1)
        rounds.open = True
        rounds.MPI.Prequest.Startall(self._requests)
        rounds.MPI.Request.Waitall(self._requests)
        rounds.conclude(headers[:, 0], headers[:, 1], Call.REDUCE)
        rounds.open = True
        for rank in rounds.others:
            first, stop = self.owned[rank]
            self.losses[first:stop].reshape(-1)[...] = headers[rank, 2 : 2 + 2 * (stop - first)]
        for left, right, out in self.merges:
            np.add(left, right, out)
        rounds.comm.Allgatherv(rounds.MPI.IN_PLACE, self.gathered)
        rounds.open = False
        return int(Wish.LAST if rounds.interrupted else Wish.CONTINUE)

    def close(self) -> None:
        """Free the messages; no rank is in a round any more."""
        for request in self._requests:
            request.Free()
        for each in self._kept:
            if isinstance(each, self.rounds.MPI.Datatype):
                each.Free()
