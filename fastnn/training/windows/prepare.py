"""Data of a fit made ready where some of it may be read in windows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from typing import Any, NamedTuple

import numpy as np

from fastnn._validation.examples import check_shape
from fastnn.errors import FastnnError, SettingError
from fastnn.kernels.records import Examples
from fastnn.lowering.program import Program
from fastnn.optimizers import LBFGS
from fastnn.training import prepare_data
from fastnn.training.fit_config import ALL, FitConfig
from fastnn.training.loop import Trainer
from fastnn.training.prepare_data import (
    FitData,
    check_held_out,
    check_parts,
    draw_rows,
    learn_scaling,
    scale_targets,
    scaling_rows,
)
from fastnn.training.state import NetworkState
from fastnn.training.target_scaling import TargetScaling

from .examples import StreamedExamples
from .keep import KeptNetwork
from .opening import open_rows
from .plan import plan_windows
from .rows import CheckedRows, SelectedRows
from .scan import windows_of
from .scoring_trainer import ScoringTrainer
from .size import format_bytes
from .targets import Targets
from .trainer import WindowTrainer

Array = np.ndarray[Any, Any]


class StreamedData(NamedTuple):
    """What a fit trains on and what it scores, where rows of one of them, or of both, are read."""

    train: Any  # Examples, or StreamedExamples with a plan
    validation: Any  # Examples, StreamedExamples or None
    memory: FitData | None  # the training examples, where those lie in memory
    sources: ExitStack  # which closes what was opened

    def __enter__(self) -> StreamedData:
        return self

    def __exit__(self, *ended: object) -> None:
        self.sources.close()

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n) of the examples to train on."""
        shape: tuple[int, int] = (self.memory or self.train).shape
        return shape

    @property
    def trainer(self) -> type[Trainer]:
        """The class that fits."""
        return WindowTrainer if isinstance(self.train, StreamedExamples) else ScoringTrainer

    @property
    def sharded_trainer(self) -> type[Trainer]:
        """The class that fits with shards."""
        from . import on_ranks  # only these fits need it

        return on_ranks.TRAINERS[self.trainer]

    def _blocks(self) -> Iterator[tuple[Array, Array]]:
        """Yield the rows to train on and their weights, `scaling_rows` at a time."""
        step, train = scaling_rows(self.shape[1]), self.train
        with closing(windows_of(StreamedExamples(train.X), step)) as windows:
            for window in windows:
                for i in range(0, len(window.order), step):
                    first, k = int(window.numbers[i]), min(step, len(window.order) - i)
                    own = train.targets.plain(train.X.rows(first, first + k))
                    yield window.X[i : i + k], own

    def learn_scaling(self, program: Program) -> tuple[Array, Array]:
        """Return the shift and the factor of a Normalization: see `prepare_data.learn_scaling`."""
        if self.memory is not None:
            return self.memory.learn_scaling(program)
        return learn_scaling(program, self._blocks, self.train.total_weight())

    def learn_target_scaling(self) -> TargetScaling:
        """Return the mean and deviation of the targets, by the rows' own weights."""
        if self.memory is not None:
            return self.memory.learn_target_scaling()
        return TargetScaling.learn(self.train.parts, self.train.total_weight())

    def scale_targets(self, scaling: TargetScaling, dtype: np.dtype[Any]) -> StreamedData:
        """Return these data with z-scores of the targets; those of windows become so as read."""
        for part in (self.train, self.validation):
            if isinstance(part, StreamedExamples):
                for Y, _ in part.parts():
                    scaling.encode(Y, dtype)  # refuses what is too far, before anything changes
        train, validation = (
            scale_targets(part, scaling, dtype) if isinstance(part, Examples) else part
            for part in (self.train, self.validation)
        )
        return self._replace(train=train, validation=validation)

    def keep(self, state: NetworkState) -> AbstractContextManager[Any]:
        """Keep a network as it is before the fit: a row may be refused in the middle of it."""
        parts = (self.train, self.validation)
        return KeptNetwork(
            state, [part.X.checked for part in parts if isinstance(part, StreamedExamples)]
        )


def prepare(
    X: Any, y: Any, weights: tuple[Any, Any], validation_data: Any, validation_split: float,
    state: NetworkState, config: FitConfig, limit: int,
) -> FitData | StreamedData:  # fmt: skip
    """Return the data of a fit from the arguments of `Network.fit`, checked.

    weights: the arguments sample_weight and class_weight; limit: bytes of X that a window holds.
    """
    check_held_out(validation_data, validation_split)
    sources, dtype = ExitStack(), state.dtype
    try:
        X = open_rows(X, "X", state.inputs, dtype, limit, sources)
        given, scored = validation_data, None
        if given is not None:
            rows = open_rows(given[0], "validation_data: X", None, dtype, limit, sources)
            given, scored = (rows, *given[1:]), rows if isinstance(rows, CheckedRows) else None
        if isinstance(X, CheckedRows):
            _refuse_whole_batches(config, X, limit)
            return _streamed(X, y, weights, given, validation_split, state, config, limit, sources)
        memory = prepare_data.prepare(
            X, y, weights, given if scored is None else None, validation_split, state
        )
        if scored is None:
            sources.close()
            return memory
        if isinstance(config.optimizer, LBFGS):
            raise SettingError(
                "LBFGS scores validation_data that lie in memory; give fewer rows or a larger "
                "window, or choose another optimizer"
            )
        validation = _validation(given, memory.shape[1], state)
        return StreamedData(memory.train, validation, memory, sources)
    except BaseException:
        sources.close()
        raise


def _refuse_whole_batches(config: FitConfig, X: CheckedRows, limit: int) -> None:
    """Refuse what needs all rows at once where a window holds only some of them."""
    wanted = "LBFGS takes" if isinstance(config.optimizer, LBFGS) else None
    if config.batch_size == ALL:
        wanted = "batch_size=None takes"
    if wanted:
        size = X.shape[0] * X.shape[1] * X.dtype.itemsize
        raise SettingError(
            f"{wanted} all rows at once, but X has {format_bytes(size)} and a window holds "
            f"{format_bytes(limit)}; give batch_size and another optimizer, or a larger window"
        )


def _streamed(
    X: CheckedRows, y: Any, weights: tuple[Any, Any], given: Any, share: float,
    state: NetworkState, config: FitConfig, limit: int, sources: ExitStack,
) -> StreamedData:  # fmt: skip
    """Return the data of a fit whose rows X are read in windows."""
    targets = Targets(y, weights, len(X), state)
    rows: CheckedRows | SelectedRows = X
    validation = None if given is None else _validation(given, X.shape[1], state)
    if share:
        mask = np.ones(len(X), bool)
        mask[draw_rows(targets.labels, len(X), share, state.seed)[1]] = False
        rows = SelectedRows(X, mask)
        held = StreamedExamples(SelectedRows(X, ~mask), targets)
        check_parts(StreamedExamples(rows, targets).has_weight() and held.has_weight())
        validation = held if held.row_bytes() * held.shape[0] > limit else held.load()
    train = StreamedExamples(rows, targets)
    size = config.sized(train.shape[0]).batch_size
    batch, fitting = min(size, train.shape[0]), limit // train.row_bytes()
    if fitting < batch:
        raise SettingError(
            f"a window of {format_bytes(limit)} holds {fitting} rows with their targets, fewer "
            f"than a batch of {batch}; give a larger window, or a smaller batch_size"
        )
    train.plan = plan_windows(rows, fitting, batch, state.seed, config.shuffle)
    return StreamedData(train, validation, None, sources)


def _validation(given: Any, n: int, state: NetworkState) -> Examples | StreamedExamples:
    """Return the examples of (X, y) or (X, y, weights) with n features; X may be read."""
    if not isinstance(given[0], CheckedRows):
        return prepare_data.given_examples(given, n, state)
    try:
        check_shape(given[0].shape, n)
        weights = given[2] if len(given) == 3 else None, None
        targets = Targets(given[1], weights, len(given[0]), state)
    except FastnnError as error:
        raise type(error)(f"validation_data: {error}") from None
    return StreamedExamples(given[0], targets)
