"""Fits whose batches are cut into shards, which ranks may share: the same bits at any number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._display.short_repr import stable_repr
from fastnn._runtime.text import plural
from fastnn._runtime.versions import cpu
from fastnn._version import __version__
from fastnn.errors import RankError
from fastnn.history import History
from fastnn.kernels.backend import Backend
from fastnn.kernels.opcodes import Mode
from fastnn.kernels.partition import static_partition
from fastnn.kernels.records import Batch, Examples, FitArrays, FitLog
from fastnn.kernels.sharding import make_shards, sharded_gradient
from fastnn.optimizers import LBFGS

from .callback_list import CallbackList
from .fit_config import FitConfig
from .lbfgs import LBFGSTrainer
from .loop import Trainer
from .progress import ProgressReporter
from .state import NetworkState

if TYPE_CHECKING:
    from fastnn.ranks.group import Alone, Ranks

Array = np.ndarray[Any, Any]


def _digest(*arrays: Array) -> str:
    """Return a short digest of numbers."""
    found = hashlib.blake2b(digest_size=6)
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _describe(examples: Any) -> str:
    """Return what ranks compare of examples: all but most of X, of which a few rows."""
    if examples is None:
        return "none"
    if not isinstance(examples, Examples):
        return str(examples.describe(_digest))
    X, Y, w = examples
    rows = [np.asarray(X[i : i + 1]) for i in range(0, len(X), max(1, len(X) // 16))]
    return f"{len(X)} × {X.shape[1]} of {X.dtype} (digest {_digest(*rows, Y, w)})"


def facts_of(
    state: NetworkState, config: FitConfig, train: Any, validation: Any, shards: int
) -> dict[str, str]:  # fmt: skip
    """Return what all ranks of a fit must have in common, by name."""
    lowered, training = state.lowered, state.training
    drawn = () if lowered is None else (lowered.theta, lowered.state)
    digest = _digest(*drawn, training.slots, training.counters)
    return {
        "the version of fastnn": __version__,
        "the version of NumPy": np.__version__,
        "the network": (
            f"{stable_repr(state.layers)}, {stable_repr(state.loss)}, {state.dtype}, "
            f"precision {state.precision}, "
            f"init {stable_repr(state.init)}, seed {state.seed}"
        ),
        "its parameters": f"after {training.epoch} epochs (digest {digest})",
        "the training examples": _describe(train),
        "the validation examples": _describe(validation),
        "settings of fit": stable_repr(config),
        "shards": str(shards),
    }


def trainer_of_ranks(
    state: NetworkState, config: FitConfig, data: Any, ranks: Ranks | Alone, shards: int
) -> Callable[..., Trainer]:
    """Return what makes the trainer of a fit with shards; all ranks have the same then.

    Raises
    ------
    SettingError
        If the ranks were given different things.
    """
    ranks.check_same(facts_of(state, config, data.train, data.validation, shards))
    kind: type[ShardedTrainer] = ShardedTrainer
    if data.trainer is not None:
        kind = data.sharded_trainer
    elif isinstance(config.optimizer, LBFGS):
        kind = ShardedLBFGSTrainer
    return partial(kind, ranks, shards)


class RankCallbacks(CallbackList):
    """The callbacks of all ranks, which compare notes after every epoch.

    Parameters
    ----------
    trainer : ShardedTrainer
        Whose parameters are compared.
    callbacks : CallbackList
        Those of this rank.
    """

    def __init__(self, trainer: ShardedTrainer, callbacks: CallbackList) -> None:
        super().__init__(callbacks.callbacks, callbacks.network)
        self.trainer = trainer

    def __bool__(self) -> bool:
        """Return True: there is something to do after every epoch."""
        return True

    def after_epoch(self, history: History) -> bool:
        """Call the callbacks; return whether one of any rank ends the fit.

        Raises
        ------
        RankError
            If ranks have come to different parameters.
        """
        program, ranks = self.trainer.program, self.trainer.ranks
        wish = super().after_epoch(history)
        note = _digest(program.theta, program.state), wish
        found = ranks.agree(note, self.trainer.is_asked_to_stop())
        digests, wishes = zip(*found, strict=True)
        other = next((rank for rank, each in enumerate(digests) if each != digests[0]), None)
        if other is not None:
            names = ranks.agree(cpu())
            raise RankError(
                f"rank {other} ({names[other]}) has other parameters than rank 0 ({names[0]}) "
                f"after {plural(self.trainer.training.epoch, 'epoch')}: CPUs of different types "
                "round differently, and callbacks must change the network on every rank alike; "
                "run all ranks on CPUs of one type, with the same callbacks"
            )
        return any(wishes)


class ShardedTrainer(Trainer):
    """One fit whose gradients are sums over the shards of a batch.

    Parameters
    ----------
    ranks : Ranks or Alone
        Who shares the shards.
    shards : int
        How many a batch has.
    """

    defers_callbacks = False

    def __init__(
        self, ranks: Ranks | Alone, shards: int, state: NetworkState, kernels: Backend,
        config: FitConfig, train: Any, validation: Any,
    ) -> None:  # fmt: skip
        self.ranks, self.n_shards = ranks, shards
        super().__init__(state, kernels, config, train, validation)
        self.settings["threads"] = self.threads = ranks.threads
        self.work = self.kernels.workspace(
            self.program.ops, -(-self.batch // shards), state.dtype, self.threads, self.train.X
        )
        own = static_partition(shards, ranks.rank, ranks.size)
        self.shards = make_shards(shards, *own, self.program.theta)
        reduce = ranks.reduce(self.shards, self.is_asked_to_stop)
        self.shards = self.shards._replace(reduce=reduce)

    def is_asked_to_stop(self) -> bool:
        """Return whether Ctrl-C was pressed on this rank."""
        return self._held.seen

    def _is_interrupted(self) -> bool:
        """Return whether Ctrl-C ends the fit, as all ranks know."""
        return self.ranks.interrupted if self.ranks.size > 1 else self._held.seen

    def _prepare(self) -> None:
        """Compile what is missing, one rank of a host first: the others find it in the cache."""
        for turn in (True, False):
            if turn == (self.ranks.local_rank == 0):
                self._run(0, 0, np.zeros((0, 4)))
                if len(self.scores):
                    self._score_rows(slice(0, 1))
            self.ranks.agree(None)

    def _run(self, start: int, stop: int, record: Array) -> int:
        """Take the steps start … stop−1, all of one epoch, and return the next one."""
        training, program = self.training, self.program
        updates, over = training.counters[0], self._steps(start, stop)
        try:
            done = self.kernels.run_sharded(
                program.ops,
                FitArrays(program.theta, program.grad, training.slots, program.state),
                self.work, over.train, over.settings, self._rates,
                FitLog(record, over.scores, training.counters),
                start - over.first, stop - over.first, self.shards,
            )  # fmt: skip
        except BaseException:  # another rank failed: the steps before are taken on all alike
            begun = start % self.steps > 0 or training.counters[0] > updates
            training.epoch = int(self.settings["first_epoch"]) + start // self.steps + int(begun)
            raise
        self.ended_early = self._is_interrupted()
        return int(done) + over.first

    def _score(self, done: int) -> None:
        """Score the validation examples where step `done` begins an epoch."""
        if len(self.scores) and done % self.steps == 0 and done // self.steps > self.history.epochs:
            self.scores[done // self.steps - 1] = self._validation_scores()

    def _n_scored(self) -> int:
        """Return the number of validation examples."""
        return len(self.validation.X)

    def _score_rows(self, rows: slice) -> tuple[float, float, float]:
        """Return Σ w ℓ, Σ w of the right ones, and Σ w of some validation examples."""
        program, (X, Y, w) = self.program, self.validation
        if not w[rows].any():
            return 0.0, 0.0, 0.0
        cost, right = self.kernels.evaluate(
            program.ops, program.theta, program.state, X[rows], Y[rows], w[rows],
            lambda: self.threads,
        )  # fmt: skip
        weight = float(w[rows].sum(dtype=np.float64))
        return cost * weight, right * weight, weight

    def _validation_scores(self) -> tuple[float, float]:
        """Return cost and accuracy of the validation examples: each rank scores its shards."""
        m = self._n_scored()
        own = range(*static_partition(self.n_shards, self.ranks.rank, self.ranks.size))
        mine = [
            self._score_rows(slice(*static_partition(m, shard, self.n_shards))) for shard in own
        ]
        found = [each for part in self.ranks.agree(mine) for each in part]
        cost, hits, total = (sum(column) for column in zip(*found, strict=True))
        return cost / total, hits / total

    def fit(self, callbacks: CallbackList, reporter: ProgressReporter) -> History:
        """Run all epochs; return early when the ranks say so."""
        return super().fit(RankCallbacks(self, callbacks), reporter)


class ShardedLBFGSTrainer(ShardedTrainer, LBFGSTrainer):
    """One fit by L-BFGS whose costs and gradients are sums over the shards of all examples."""

    def _prepare(self) -> None:
        """Take turns at compiling where the first gradient is taken: nothing is done here."""

    def _gradient(self) -> tuple[float, float, float]:
        """Write program.grad of all examples; return the cost, Σ w of right ones, and Σ w."""
        program = self.program
        found, _ = sharded_gradient(
            self.kernels, program.ops, program.theta, program.state,
            Batch.of(self.train, self._row_indices), self.settings, Mode.FROZEN, self.shards,
        )  # fmt: skip
        program.grad[...] = self.shards.sums[0]
        return found
