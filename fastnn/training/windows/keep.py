"""What a fit that reads as it goes keeps of a network: a row may turn out to be none at its end."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from fastnn.training.state import NetworkState

from .rows import CheckedRows


class KeptNetwork:
    """A network as it was: leaving the `with` block by an error of rows brings it back.

    Of these rows, or of those of another rank, as its RankError tells.
    """

    def __init__(self, state: NetworkState, rows: Sequence[CheckedRows]) -> None:
        self.state, self.rows = state, rows

    def __enter__(self) -> None:
        state, training = self.state, self.state.training
        names = ("lowered", "scaled", "target_scaling", "metrics")
        self.fields = {name: getattr(state, name) for name in names}
        self.training, self.curves = dict(vars(training)), state.history.curves()
        program = [] if state.lowered is None else [state.lowered.theta, state.lowered.state]
        vectors = [training.slots, training.counters, *program]
        self.vectors = [(vector, vector.copy()) for vector in vectors]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if any(found is error for rows in self.rows for found in rows.errors):
            setattr(error, "undone", True)  # noqa: B010 - of any class; other ranks look for it
        if not getattr(error, "undone", False):
            return
        vars(self.state).update(self.fields)
        vars(self.state.training).update(self.training)
        self.state.history.go_back(self.curves)
        for vector, numbers in self.vectors:
            vector[...] = numbers
