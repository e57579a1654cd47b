"""Rounds: the only way in which ranks meet, so that none waits for one that has failed.

In every round each rank sends its *header* to each other, which says what it came for: to reduce
gradients, to compare notes, to part, or because it failed. Everybody sees all headers, so all draw
the same conclusion; a rank that fails takes part in whichever round the others are in.
"""

from __future__ import annotations

import time
from enum import IntEnum
from typing import Any

import numpy as np

from fastnn.errors import RankError

Array = np.ndarray[Any, Any]
Reason = tuple[str, bool]  # a sentence, and whether the network is as it was before the fit

HEADER, DATA, TOTAL = 1, 2, 3  # tags of messages
#: How long a rank polls between steps before it leaves its core to others, and for how long then.
SPIN_SECONDS, NAP_SECONDS = 0.002, 0.001
#: Largest number of shards: a header holds two numbers for each.
MAX_SHARDS = 1024


class Call(IntEnum):
    """What a rank came to a round for."""

    REDUCE = 1
    AGREE = 2
    PART = 3
    FAIL = 4


class Rounds:
    """Rounds among the ranks of a communicator, which nobody else uses.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        A duplicate of the user's.
    """

    def __init__(self, comm: Any) -> None:
        from mpi4py import MPI  # whoever has a communicator has it

        self.MPI, self.comm = MPI, comm
        self.rank, self.size = comm.rank, comm.size
        self.others = [rank for rank in range(comm.size) if rank != comm.rank]
        self.interrupted = False  # whether a rank was asked to stop, as all know
        self.failed = False  # whether a round has ended the work of all ranks
        self.open = False  # whether a round has begun and not ended; what is on its way is unknown

    def agree(self, value: Any, wish: bool = False) -> list[Any]:
        """Return the values of all ranks, by rank; `wish`: this one was asked to stop.

        Raises
        ------
        RankError
            If another rank failed.
        """
        self._meet(Call.AGREE, wish)
        self.open = True
        found: list[Any] = self.comm.allgather(value)
        self.open = False
        return found

    def part(self) -> None:
        """Meet for the last time; a RankError if another rank failed."""
        self._meet(Call.PART)

    def fail(self, sentence: str, undone: bool = False) -> None:
        """Tell the others why this rank gives up; they raise the sentence.

        undone: whether its network is as it was before the fit, as theirs are to be.
        """
        self._meet(Call.FAIL, reason=(sentence, undone))

    def _meet(self, call: Call, wish: bool = False, reason: Reason | None = None) -> None:
        """Exchange headers, and raise a RankError unless all came for the same."""
        self.open = True
        inbox = np.zeros((self.size, 2 + 2 * MAX_SHARDS))
        own = np.array([call, wish], np.float64)
        inbox[self.rank, :2] = own
        requests = [self.comm.Irecv(inbox[other], other, HEADER) for other in self.others]
        requests += [self.comm.Isend(own, other, HEADER) for other in self.others]
        patience = time.monotonic() + SPIN_SECONDS
        while not self.MPI.Request.Testall(requests):
            if time.monotonic() > patience:  # for one that compiles, or writes a file
                time.sleep(NAP_SECONDS)
        self._release([other for other in self.others if inbox[other, 0] == Call.REDUCE])
        self.conclude(inbox[:, 0], inbox[:, 1], call, reason)

    def _release(self, reducing: list[int]) -> None:
        """Complete the messages of ranks that came to reduce: send nothing, take what they send."""
        nothing = np.zeros(0, np.uint8)
        sent = [self.comm.Isend([nothing, self.MPI.BYTE], other, DATA) for other in reducing]
        for other in reducing:
            status = self.MPI.Status()
            self.comm.Probe(other, DATA, status)
            data = np.empty(status.Get_count(self.MPI.BYTE), np.uint8)
            self.comm.Recv([data, self.MPI.BYTE], other, DATA)
        self.MPI.Request.Waitall(sent)

    def conclude(
        self, calls: Array, wishes: Array, call: Call, reason: Reason | None = None
    ) -> None:
        """Draw the conclusion of a round from the headers of all ranks, the same on each.

        Raises
        ------
        RankError
            If a rank failed, or they came for different things.
        """
        self.interrupted |= bool(wishes.any())
        self.failed = call == Call.FAIL or not (calls == call).all()
        reasons = self.comm.allgather(reason) if (calls == Call.FAIL).any() else []
        self.open = False
        if not self.failed:
            return
        if reasons:
            if call == Call.FAIL:
                return
            rank = next(rank for rank, each in enumerate(reasons) if each is not None)
            error = RankError(f"rank {rank} of {self.size} ended the fit: {reasons[rank][0]}")
            error.undone = reasons[rank][1]
            raise error
        places = {Call.REDUCE: "in a step", Call.AGREE: "between steps", Call.PART: "at the end"}
        where = ", ".join(
            f"rank {rank} {places[Call(int(each))]}" for rank, each in enumerate(calls)
        )
        raise RankError(
            f"the ranks are no longer at the same place of the fit ({where}); they computed "
            "different numbers: run them on CPUs of one type, with the same versions and callbacks"
        )
