"""Named tuples of what belongs together in calls of kernels; compiled code takes them as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Examples(NamedTuple):
    """Inputs, targets and weights of m examples; in compiled calls X is a description of them."""

    X: Any  # (m, n_in), of a dtype that kernels read
    Y: Array  # (m, K), C-contiguous, of the network's dtype
    w: Array  # (m,), not negative


class Batch(NamedTuple):
    """The examples of a step: rows of X, Y and w, in that order, as often as they are named."""

    X: Any  # (m, n_in), of a dtype that kernels read
    Y: Array  # (m, K), C-contiguous, of the network's dtype
    w: Array  # (m,), not negative
    row_indices: Array  # (k,) int64, each from 0 to m − 1
    numbers: Array  # (k,) int64: of the same examples in the whole data, for masks and noise

    @classmethod
    def of(cls, examples: tuple[Any, Array, Array], row_indices: Array) -> Batch:
        """Return a batch of examples whose numbers are their rows in X: X is the whole data."""
        return cls(*examples, row_indices, row_indices)


class BestEpoch(NamedTuple):
    """Parameters and statistics after the epoch with the best score of the validation examples.

    A run copies them whenever a score is better than all before it.
    """

    least: Array  # (1,) float64: the cost, or minus the share of right examples; ∞ at first
    theta: Array  # (p,)
    state: Array  # (s,)
    column: int = 0  # of FitLog.epochs: 0, the cost, which should fall; 1, the share, which rises

    def offer(self, score: Array, theta: Array, state: Array) -> None:
        """Copy parameters and statistics after an epoch with that score (2,) if it is the best."""
        value = score[self.column] * (-1 if self.column else 1)
        if value < self.least[0]:
            self.least[0], self.theta[...], self.state[...] = value, theta, state


class FitArrays(NamedTuple):
    """The vectors that a fit moves: parameters, gradient, the optimiser's memory, statistics."""

    theta: Array  # (p,)
    grad: Array  # (p,), overwritten by each step
    slots: Array  # (s, p), as many vectors as the method keeps
    state: Array  # statistics of inputs and of BATCHNORM rows
    best: BestEpoch | None = None  # what a run keeps of them, if anything


class FitLog(NamedTuple):
    """What a run tells: a row for each step of the call, and one for each epoch of the fit."""

    steps: Array  # (steps, 4): cost, Σ w of right examples, Σ w, and a bound of |v| after the step
    epochs: Array  # (epochs, 2): cost and share of right examples of the validation examples
    counters: Array  # (2,) int64: [0] counts the updates ever made, [1] is scratch


class Shards(NamedTuple):
    """How a fit cuts its batches, which shards this process computes, and who adds up all of them.

    Between `sums` and `losses` of this process and those of others stands `reduce`: it is called
    when this process has added up what it can, and returns an entry of `Wish`.
    """

    n_shards: int  # of a batch
    first: int  # the first one of this process
    merges: tuple[int, ...]  # for each of its shards: sums of two vectors that follow it
    sums: Array  # (depth, p) zeros at first; sums[0] is the gradient of the batch in the end
    losses: Array  # (n_shards, 2) float64: share of the cost and hits of each shard
    reduce: Callable[[], int] | None = None  # None: this process computes all shards


class StepNumbers(NamedTuple):
    """The numbers of one step of an optimiser; each method reads those that its formula names."""

    t: int  # how many steps theta has taken, this one included
    rate: float  # the learning rate, or 1 where the velocity holds the rates
    gain: float = 1.0  # factor of the gradient in momentum's v
    beta1: float = 0.0  # what is kept of the average of gradients, or of v
    beta2: float = 0.0  # what is kept of the average of squares
    epsilon: float = 0.0  # added to the root of the average of squares
    weight_decay: float = 0.0  # AdamW's, times the rate
    n_decayed: int = 0  # parameters, the first ones of theta, that weight_decay acts on
