"""Groups: the ranks that train one network together, and the process that trains alone."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from fastnn._runtime.threads import get_num_threads, wanted_threads
from fastnn.errors import RankError, SettingError
from fastnn.kernels.records import Shards

from .hosts import share_host
from .reduction import Reduction
from .rounds import Rounds


class Alone:
    """A process that computes all shards itself."""

    rank, local_rank, size, interrupted = 0, 0, 1, False

    @property
    def threads(self) -> int:
        """How many threads a run may use."""
        return get_num_threads()

    def agree(self, value: Any, wish: bool = False) -> list[Any]:
        """Return the values of all ranks: of this one."""
        return [value]

    def check_same(self, facts: Mapping[str, str]) -> None:
        """Compare with nobody."""

    def reduce(self, shards: Shards, asked: Callable[[], bool]) -> None:
        """Return None: there is nothing to add."""


class Ranks:
    """The ranks of a communicator, in a `with` block that all of them enter and leave together.

    An exception that leaves the block on one rank ends it on all: the others raise a RankError with
    its sentence.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Duplicated, so that messages of the user's own do no harm.
    """

    def __init__(self, comm: Any) -> None:
        try:
            from mpi4py import MPI

            usable = isinstance(comm, MPI.Intracomm) and comm != MPI.COMM_NULL
        except ImportError:
            usable = False
        if not usable:
            raise SettingError(
                f"comm must be a communicator of mpi4py, like MPI.COMM_WORLD, got {comm!r}"
            )
        self._rounds = Rounds(comm.Dup())
        self.rank, self.size = comm.rank, comm.size
        self.local_rank, self._share = share_host(self._rounds.comm)
        self._reduction: Reduction | None = None

    @property
    def threads(self) -> int:
        """How many threads a run of this rank may use: its share of the host's, or the user's."""
        threads = get_num_threads()
        return threads if wanted_threads() else min(threads, self._share)

    @property
    def interrupted(self) -> bool:
        """Whether a rank was asked to stop, as all ranks know."""
        return self._rounds.interrupted

    def agree(self, value: Any, wish: bool = False) -> list[Any]:
        """Return the values of all ranks, by rank; `wish`: this one was asked to stop."""
        return self._rounds.agree(value, wish)

    def check_same(self, facts: Mapping[str, str]) -> None:
        """Refuse ranks that were given different things, `facts` by name: one sentence on each."""
        found = self.agree(dict(facts))
        for rank, other in enumerate(found):
            for name in other:
                ours, theirs = found[0].get(name), other[name]
                if ours != theirs:
                    raise SettingError(
                        f"the ranks of comm differ in {name}: {ours} on rank 0, {theirs} on rank "
                        f"{rank}; give every rank the same data, settings and versions"
                    )

    def reduce(self, shards: Shards, asked: Callable[[], bool]) -> Callable[[], int] | None:
        """Return what adds up these shards in a step; asked(): whether this rank shall stop."""
        if self._reduction is not None:
            self._reduction.close()
        self._reduction = Reduction(self._rounds, shards, asked) if self.size > 1 else None
        return self._reduction

    def __enter__(self) -> Ranks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._leave(error)
        except RankError:
            raise
        except BaseException:
            self._abort()
        finally:
            if self._reduction is not None:
                self._reduction.close()
            self._rounds.comm.Free()

    def _leave(self, error: BaseException | None) -> None:
        """Leave together with the others, or tell them why this rank gives up."""
        if self._rounds.open:  # messages are on their way: a second Ctrl-C, or a failure of MPI
            self._abort()
        elif error is None:
            self._rounds.part()
        elif not self._rounds.failed:
            self._rounds.fail(_sentence(error), getattr(error, "undone", False))

    def _abort(self) -> None:
        """End the processes of all ranks at once."""
        traceback.print_exc(file=sys.stderr)
        self._rounds.comm.Abort(1)


def _sentence(error: BaseException) -> str:
    """Return an exception as one line."""
    if isinstance(error, KeyboardInterrupt):
        return "it was stopped by Ctrl-C"
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
