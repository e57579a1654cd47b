"""Gathering: training on sparse rows, those of a few steps made dense in the order of the epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._sparse import SparseRows, at_once, blocks
from ._threads import get_num_threads
from .kernels.opcodes import Mode
from .lbfgs import Descent
from .optimizers import LBFGS, Optimizer
from .plan import Examples
from .training import Trainer

Array = np.ndarray[Any, Any]


def trainer_for(optimizer: Optimizer, *examples: Examples | None) -> type[Trainer]:
    """Return what fits to these examples, of which some may be sparse."""
    sparse = any(isinstance(part.X, SparseRows) for part in examples if part is not None)
    if isinstance(optimizer, LBFGS):
        return SparseDescent if sparse else Descent
    return SparseTrainer if sparse else Trainer


def _dense(examples: Examples, rows: Any) -> Examples:
    """Return some of the examples, X dense."""
    return Examples(*(part[rows] for part in examples))


def _scored(trainer: Trainer) -> tuple[float, float]:
    """Return cost and share of right ones of the held-out examples, means by weight."""
    program, total, sums = trainer.program, 0.0, np.zeros(2)
    for rows in blocks(*trainer.validation.X.shape):
        part = _dense(trainer.validation, rows)
        weight = float(part.w.sum(dtype=np.float64))
        found = trainer.kernels.evaluate(
            program.ops, program.theta, program.state, *part, get_num_threads
        )
        sums, total = sums + np.multiply(found, weight), total + weight
    cost, hits = sums / (total or 1.0)
    return float(cost), float(hits)


class SparseTrainer(Trainer):
    """One fit to sparse rows: a block is the rows of some steps of an epoch, in its order.

    The steps are those of dense rows, bit for bit, but for the masks and noise of the layers that
    draw some: kernels draw them by the row's place in the block, and by the step that begins it.
    """

    _ordered: tuple[int, Array] | None = None
    _held: tuple[tuple[int, int], Examples] | None = None

    def _block(self, step: int) -> tuple[int, int, Examples]:
        """Return the first step of a step's block, the one after its last, and its examples."""
        epoch, k = divmod(step, self.steps)
        reach = max(1, at_once(self.train.X.shape[1]) // self.batch)
        first = k - k % reach
        last = min(first + reach, self.steps)
        key = (epoch if self.settings["shuffle"] else 0, first)
        if self._held is None or self._held[0] != key:
            self._held = None  # before the next one takes its memory
            if self._ordered is None or self._ordered[0] != epoch:
                self._ordered = epoch, self._order(epoch)
            rows = self._ordered[1][first * self.batch : last * self.batch]
            self._held = key, _dense(self.train, rows)
        return epoch * self.steps + first, epoch * self.steps + last, self._held[1]

    def _run(self, start: int, stop: int, record: Array) -> int:
        """Take the steps start … stop−1 and return the next one."""
        memory, program, settings = self.memory, self.program, self.settings.copy()
        rates = self._rates(start, stop)
        nothing = Examples(*(part[:0] for part in self.validation))
        settings["shuffle"], done = 0, start
        while done < stop:
            first, end, examples = self._block(done)
            end = min(end, stop)
            settings["first_epoch"] = int(self.settings["first_epoch"]) * self.steps + first
            taken = slice(done - start, end - start)
            done = first + int(
                self.kernels.run(
                    program.ops, program.theta, program.grad, memory.slots, program.state,
                    self.work, examples, nothing, settings, rates[taken], record[taken],
                    self.scores, memory.counters, done - first, end - first,
                )
            )  # fmt: skip
            if done < end:
                break
            if done % self.steps == 0 and len(self.scores):
                self.scores[done // self.steps - 1] = _scored(self)
        return done


class SparseDescent(Descent):
    """One fit by L-BFGS to sparse rows: cost and gradient are sums over blocks, in float64."""

    def _slopes(self) -> tuple[float, float, float]:
        """Cost, Σ w of right examples and Σ w; the gradient goes into the program's."""
        program, settings = self.program, self.settings.copy()
        total, sums = float(self.train.w.sum(dtype=np.float64)), np.zeros(3)
        grad = np.zeros(program.grad.size)
        for rows in blocks(*self.train.X.shape):
            part = _dense(self.train, rows)
            found = self.kernels.gradient(
                program.ops, program.theta, program.grad, program.state, self.work, *part,
                np.arange(len(part.X)), settings, Mode.FROZEN,
            )  # fmt: skip
            if found[2]:
                share = found[2] / total
                grad += share * program.grad
                sums += found[0] * share, found[1], found[2]
                settings["l2"] = settings["l1"] = 0  # they count once
        program.grad[...] = grad
        return float(sums[0]), float(sums[1]), float(sums[2])

    def _scored(self) -> tuple[float, float]:
        """Cost and share of right ones of the held-out examples."""
        return _scored(self)
