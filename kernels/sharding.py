"""Shards: fixed parts of every batch, whose gradients are added up along one fixed binary tree.

Neither the parts nor the tree depend on how many processes compute them, nor do the bits of the
sum. A process owns neighbouring shards. It adds up what it can as soon as a shard is computed, and
keeps the sums in a stack of vectors; what is left in the stack, its *roots*, goes to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from .partition import static_partition
from .records import Batch, FitArrays, FitLog, Shards
from .views import aligned_zeros

if TYPE_CHECKING:
    from .backend import Backend

Array = np.ndarray[Any, Any]


class Wish(IntEnum):
    """What the processes want together, as `Shards.reduce` returns it."""

    CONTINUE = 0
    LAST = 1  # take the step whose gradient this is, and end the run
    HALT = 2  # end the run before this step


def tree(count: int) -> Iterator[tuple[int, int, int]]:
    """Yield (left, right, end) of each sum of the tree over `count` shards, inner ones first.

    It adds the sum of the shards right … end − 1 to that of left … right − 1.
    """
    width = 1
    while width < count:
        for left in range(0, count - width, 2 * width):
            yield left, left + width, min(left + 2 * width, count)
        width *= 2


def own_merges(count: int, first: int, stop: int) -> tuple[int, ...]:
    """Return for each of the shards first … stop − 1 how many sums of the tree end with it.

    Counted are the sums whose shards lie all among these: each adds the top of the stack to the
    vector below it, and takes it off.
    """
    ends = [end for left, _, end in tree(count) if first <= left and end <= stop]
    return tuple(ends.count(shard + 1) for shard in range(first, stop))


def roots(count: int, first: int, stop: int) -> list[int]:
    """Return the first shard of each sum that is left when first … stop − 1 are added up."""
    inside = {right for left, right, end in tree(count) if first <= left and end <= stop}
    return [shard for shard in range(first, stop) if shard not in inside]


def crossing_merges(count: int, processes: int) -> list[tuple[int, int]]:
    """Return (left, right) of the sums of the tree whose shards belong to several processes."""
    owned = [static_partition(count, rank, processes) for rank in range(processes)]
    return [
        (left, right)
        for left, right, end in tree(count)
        if not any(first <= left and end <= stop for first, stop in owned)
    ]


def make_shards(
    count: int, first: int, stop: int, theta: Array, reduce: Callable[[], int] | None = None
) -> Shards:
    """Return the Shards of a process that computes first … stop − 1, for parameters theta (p,)."""
    merges, height, depth = own_merges(count, first, stop), 0, 1
    for following in merges:
        depth = max(depth, height + 1)
        height += 1 - following
    sums = aligned_zeros(depth * theta.size, theta.dtype).reshape(depth, theta.size)
    return Shards(count, first, merges, sums, np.zeros((count, 2)), reduce)


def _part(batch: Batch, first: int, stop: int) -> Batch:
    """Return the examples first … stop − 1 of a batch."""
    own = slice(first, stop)
    return batch._replace(row_indices=batch.row_indices[own], numbers=batch.numbers[own])


def sharded_gradient(
    backend: Backend, ops: Array, theta: Array, state: Array, batch: Batch, settings: Any,
    epoch: int, shards: Shards,
) -> tuple[tuple[float, float, float], int]:  # fmt: skip
    """Write the gradient of a batch into shards.sums[0]; return what `gradient` does, and a Wish.

    A shard's gradient is weighed by its share of Σ w; the penalty is added at the end.
    """
    rows, sums, top = batch.row_indices, shards.sums, 0
    total = float(batch.w[rows].sum(dtype=np.float64))
    if total == 0:
        return (0.0, 0.0, 0.0), Wish.CONTINUE
    bare = settings.copy()
    bare["l2"] = bare["l1"] = 0
    for shard, following in enumerate(shards.merges, shards.first):
        part = _part(batch, *static_partition(len(rows), shard, shards.n_shards))
        cost, hits, weight = 0.0, 0.0, 0.0
        if batch.w[part.row_indices].any():
            cost, hits, weight = backend.gradient(
                ops, theta, sums[top], state, None, part, bare, epoch
            )
        sums[top] *= theta.dtype.type(weight / total) if weight else 0
        shards.losses[shard] = cost * (weight / total), hits
        for _ in range(following):
            sums[top - 1] += sums[top]
            top -= 1
        top += 1
    wish = shards.reduce() if shards.reduce else Wish.CONTINUE
    cost, hits = shards.losses.sum(axis=0).tolist()
    kept, l2, l1 = slice(int(settings["decay"])), settings["l2"] / total, settings["l1"] / total
    if l2 or l1:
        cost += backend.penalty(theta[kept], sums[0, kept], l2, l1)
    return (cost, hits, total), wish


def interpret_sharded(
    backend: Any, ops: Array, arrays: FitArrays, train: Batch, settings: Any, rates: Array,
    log: FitLog, start: int, stop: int, shards: Shards,
) -> int:  # fmt: skip
    """Take the steps start … stop − 1 of a fit by a backend that runs programs in Python."""
    order, batch = train.row_indices, int(settings["batch_size"])
    steps, arrays = -(-len(order) // batch), arrays._replace(grad=shards.sums[0])
    for step in range(start, stop):
        epoch, k = divmod(step, steps)
        number = int(settings["first_epoch"]) + epoch
        if settings["shuffle"] and k == 0:
            backend.shuffle(order, int(settings["seed"]), number)
        rows = _part(train, k * batch, (k + 1) * batch)
        result, wish = sharded_gradient(
            backend, ops, arrays.theta, arrays.state, rows, settings, number, shards
        )
        if wish == Wish.HALT or not backend.take_step(
            ops, arrays, result, settings, rates, log, step - start
        ):
            return step
        if wish == Wish.LAST:
            return step + 1
    return stop
