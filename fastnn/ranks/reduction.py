"""The sum of all ranks' gradients, by one fixed tree: the same bits at any number of ranks.

Each rank adds up one segment of the vector for all, from what the others send it, and all gather
the segments. Messages are made once, for Python's calls are what a round of short ones costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.kernels.partition import partition_cache_lines, static_partition
from fastnn.kernels.records import Shards
from fastnn.kernels.sharding import Wish, crossing_merges, roots

from .rounds import DATA, HEADER, TOTAL, Call, Rounds

Array = np.ndarray[Any, Any]


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
        owned = [static_partition(count, rank, size) for rank in range(size)]
        self.kind = rounds.MPI.FLOAT if sums.itemsize == 4 else rounds.MPI.DOUBLE
        p = sums.shape[1]
        cuts = [partition_cache_lines(p, sums.itemsize, rank, size)[0] for rank in range(size)]
        cuts.append(p)  # segments begin on cache lines
        #: The headers of all ranks: what each came for, and the losses of its shards.
        self.headers = np.zeros((size, 2 + 2 * max(stop - first for first, stop in owned)))
        self._codes, self._usual = self.headers[:, :2], size * [[float(Call.REDUCE), 0.0]]
        self._losses = [
            (shards.losses[first:stop].reshape(-1), header[2 : 2 + 2 * (stop - first)])
            for header, (first, stop) in zip(self.headers, owned, strict=True)
        ]
        self._connect(sums, cuts, [roots(count, *each) for each in owned])
        self._merges = [
            [self._parts[left], self._parts[right], self._parts[left]]
            for left, right in crossing_merges(count, size)
        ]
        self._merges[-1][2] = sums[0, cuts[rounds.rank] : cuts[rounds.rank + 1]]

    def _connect(self, sums: Array, cuts: list[int], left: list[list[int]]) -> None:
        """Make the messages of a round: headers, and segments of the sums that each rank has left.

        left: for each rank the first shards of those sums, which lie at the bottom of its stack.
        """
        comm, rank = self.rounds.comm, self.rounds.rank
        begin, end = cuts[rank], cuts[rank + 1]
        #: This rank's segment of each of those sums, by first shard.
        self._parts = dict(zip(left[rank], sums[:, begin:end], strict=False))
        own, self._kept = len(left[rank]), []
        self._requests, self._gathering = [], []
        for other in self.rounds.others:
            received = np.zeros((len(left[other]), end - begin), sums.dtype)
            self._parts |= dict(zip(left[other], received, strict=True))
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
            self._gathering += [
                comm.Recv_init([sums[0, start : start + width], self.kind], other, TOTAL),
                comm.Send_init([sums[0, begin:end], self.kind], other, TOTAL),
            ]

    def __call__(self) -> int:
        """Complete the sums; return a Wish.

        Raises
        ------
        RankError
            If another rank failed; the sums mean nothing then.
        """
        rounds = self.rounds
        start, wait = rounds.MPI.Prequest.Startall, rounds.MPI.Request.Waitall
        losses, own = self._losses[rounds.rank]
        own[...] = losses
        self._codes[rounds.rank] = Call.REDUCE, self.asked()
        rounds.open = True
        start(self._requests)
        wait(self._requests)
        if self._codes.tolist() != self._usual:
            rounds.conclude(self._codes[:, 0], self._codes[:, 1], Call.REDUCE)
            rounds.open = True
        for rank in rounds.others:
            losses, header = self._losses[rank]
            losses[...] = header
        for left, right, out in self._merges:
            np.add(left, right, out)
        start(self._gathering)
        wait(self._gathering)
        rounds.open = False
        return int(Wish.LAST if rounds.interrupted else Wish.CONTINUE)

    def close(self) -> None:
        """Free the messages; no rank is in a round any more."""
        for request in (*self._requests, *self._gathering):
            request.Free()
        for each in self._kept:
            if isinstance(each, self.rounds.MPI.Datatype):
                each.Free()
