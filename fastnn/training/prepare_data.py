"""Data made ready for a fit: targets (m, K), weights of examples, held-out parts, scaling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import DataError, FastnnError, SettingError
from fastnn.kernels.records import Examples
from fastnn.layers import BatchNorm, Layer
from fastnn.losses import Loss
from fastnn.lowering.program import Program
from fastnn.optimizers import LBFGS, Optimizer

from .fit_config import FitConfig
from .state import NetworkState
from .target_scaling import TargetScaling, is_constant

Array = np.ndarray[Any, Any]
Blocks = Callable[[], Iterable[tuple[Array, Array]]]
BLOCK_ROWS = 4096  # of X that are converted to float64 at a time, at most
BLOCK_NUMBERS = 2**20  # numbers of X that are converted at a time, at most (8 MiB)


def encode_targets(
    y: Any, m: int, K: int, loss: Loss, dtype: np.dtype[Any], scaling: TargetScaling | None = None
) -> Array:
    """Return the targets Y (m, K), C-contiguous in dtype, checked by the loss's rule.

    scaling: that of targets which are learnt as z-scores.
    """
    Y = loss.check_targets(y, m, K)
    if loss.smoothing:
        Y = Y * (1 - loss.smoothing) + loss.smoothing / max(K, 2)
    arguments.check_representable(Y, dtype, "y")
    if scaling is not None:
        Y = scaling.encode(Y, dtype)
    ready: Array = np.require(Y, dtype, ["C", "A", "W", "O"])
    return ready


def targets_of(state: NetworkState, y: Any, m: int) -> Array:
    """Return the targets Y (m, K) as the network trains on them.

    Where their scaling is still to be learnt, they are y's numbers in float64.
    """
    dtype = target_dtype(state)
    Y = encode_targets(y, m, state.outputs, state.loss, dtype, state.target_scaling)
    arguments.check_representable(Y, state.dtype, "y")
    return Y


def target_dtype(state: NetworkState) -> np.dtype[Any]:
    """Return the dtype of `targets_of`."""
    return np.dtype(np.float64) if state.learns_target_scaling else state.dtype


def validate_batch_size(layers: Sequence[Layer], m: int, config: FitConfig) -> None:
    """Refuse a batch of one example where a BatchNorm would divide by its deviation."""
    batch = min(config.batch_size, m)
    if any(isinstance(layer, BatchNorm) for layer in layers) and 1 in (batch, m % batch):
        raise SettingError(
            f"BatchNorm cannot work with a batch of one, which {m} examples in batches of {batch} "
            "leave; choose another batch_size"
        )


def validate_optimizer(optimizer: Optimizer, state: NetworkState) -> None:
    """Refuse an epsilon below the dtype's normal numbers, and L-BFGS where products round.

    √0 + ε may be 0, and 0 / 0 follow. A line search compares costs, which move by jumps then.
    """
    name, dtype = type(optimizer).__name__, state.dtype
    epsilon, least = optimizer.settings.get("epsilon", 1), np.finfo(dtype).smallest_normal
    if dtype.type(epsilon) < least:
        raise SettingError(
            f"epsilon {epsilon:g} of {name} is too small for {dtype}, whose normal numbers begin "
            f"at {least:.2g}; give a larger one, or dtype='float64'"
        )
    if isinstance(optimizer, LBFGS) and state.precision == "mixed":
        raise SettingError(
            "LBFGS searches along a line for a lower cost, and with precision='mixed' costs move "
            "by jumps; take Adam, or a network of precision='float32'"
        )


def weights_of(
    sample_weight: Any,
    class_weight: Mapping[int, float] | str | None,
    Y: Array,
    loss: Loss,
    dtype: np.dtype[Any],
) -> Array:
    """Return the weight (m,) of every example: its own times its class's."""
    w = np.ones(len(Y)) if sample_weight is None else arguments.sample_weight(sample_weight, len(Y))
    if class_weight is not None:
        from .class_weights import ClassWeights  # only these fits need them

        classes = ClassWeights(class_weight, loss, Y.shape[1])
        classes.count(Y, w)
        w = w * classes.of(Y)
    arguments.check_representable(w, dtype, "sample_weight times class_weight")
    ready: Array = w.astype(dtype)
    with np.errstate(over="ignore"):
        check_weights(ready.any(), ready.sum(dtype=np.float64), dtype)
    return ready


def check_weights(counts: Any, total: float, dtype: np.dtype[Any]) -> None:
    """Refuse weights of which none counts, or whose sum `total` is infinite."""
    if not counts:
        raise DataError(
            f"no example has a weight that counts in {dtype}; sample_weight times class_weight "
            "must be positive for one at least"
        )
    if not np.isfinite(total):
        raise DataError("sample_weight sums to infinity; divide it by its largest number")


class FitData(NamedTuple):
    """What a fit trains on, and what it scores after every epoch."""

    train: Examples
    validation: Examples | None
    own: Array  # (m,) weights of the training examples, those of their classes apart
    trainer: None = None  # the optimiser's, where all examples lie in memory

    def __enter__(self) -> FitData:
        return self

    def __exit__(self, *ended: object) -> None:
        """Close nothing: all of it lies in memory."""

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n) of the examples to train on."""
        return len(self.train.X), self.train.X.shape[1]

    def blocks(self) -> Iterator[tuple[Array, Array]]:
        """Yield the rows to train on and their weights, `scaling_rows` at a time."""
        X = self.train.X
        step = scaling_rows(X.shape[1])
        for i in range(0, len(X), step):
            yield X[i : i + step], self.own[i : i + step]

    def learn_scaling(self, program: Program) -> tuple[Array, Array]:
        """Return the shift and the factor of a Normalization, as the function of that name."""
        return learn_scaling(program, self.blocks, float(self.own.astype(np.float64).sum()))

    def learn_target_scaling(self) -> TargetScaling:
        """Return the mean and deviation of the targets, by the rows' own weights."""
        total = float(self.own.astype(np.float64).sum())
        return TargetScaling.learn(lambda: [(self.train.Y, self.own)], total)

    def scale_targets(self, scaling: TargetScaling, dtype: np.dtype[Any]) -> FitData:
        """Return these data with z-scores of the targets."""
        train, validation = (scale_targets(part, scaling, dtype) for part in self[:2])
        return FitData(train, validation, self.own)

    def keep(self, state: NetworkState) -> AbstractContextManager[Any]:
        """Keep nothing of a network: what can be refused is refused before the fit."""
        return nullcontext()


def scale_targets(examples: Any, scaling: TargetScaling, dtype: np.dtype[Any]) -> Any:
    """Return examples, if there are any, with z-scores (m, K) of their targets."""
    if examples is None:
        return None
    return examples._replace(Y=np.ascontiguousarray(scaling.encode(examples.Y, dtype), dtype))


def prepare(
    X: Any, y: Any, weights: tuple[Any, Any], validation_data: Any, validation_split: float,
    state: NetworkState,
) -> FitData:  # fmt: skip
    """Return the data of a fit from the arguments of `Network.fit`, checked.

    weights: the arguments sample_weight and class_weight.
    """
    loss, dtype = state.loss, state.dtype
    X = arguments.finite_examples(X, state.inputs)
    arguments.check_representable(X, dtype)
    Y = targets_of(state, y, len(X))
    w = weights_of(*weights, Y, loss, dtype)
    own = w if weights[1] is None else weights_of(weights[0], None, Y, loss, dtype)
    examples = Examples(X, Y, w)
    train, validation, kept = hold_out(examples, validation_data, validation_split, state)
    return FitData(train, validation, own[kept])


def hold_out(
    examples: Examples, given: Sequence[Any] | None, share: float, state: NetworkState
) -> tuple[Examples, Examples | None, slice | Array]:
    """Return the examples to train on, those to score after each epoch if any, and which train.

    Those to score are given as (X, y) or (X, y, weights), or are a share of the examples drawn by
    the seed, classes in proportion.
    """
    check_held_out(given, share)
    if share:
        return _hold_out_share(examples, share, state.loss, state.seed)
    scored = None if given is None else given_examples(given, examples.X.shape[1], state)
    return examples, scored, slice(None)


def given_examples(given: Sequence[Any], n: int, state: NetworkState) -> Examples:
    """Return the examples of (X, y) or (X, y, weights) whose rows have n features."""
    loss, dtype = state.loss, state.dtype
    try:
        X = arguments.finite_examples(given[0], n)
        Y = targets_of(state, given[1], len(X))
        w = weights_of(given[2] if len(given) == 3 else None, None, Y, loss, dtype)
    except FastnnError as error:
        raise type(error)(f"validation_data: {error}") from None
    return Examples(X, Y, w)


def check_held_out(given: Any, share: float) -> None:
    """Refuse validation data that are no pair or triple, or a share of the examples beside them."""
    arguments.fraction(share, "validation_split")
    if given is not None and share:
        raise SettingError("give validation_data or validation_split, not both")
    if given is not None and not (isinstance(given, tuple | list) and len(given) in (2, 3)):
        raise SettingError("validation_data must be a pair (X, y), or (X, y, sample_weight)")


def draw_rows(labels: Array | None, m: int, share: float, seed: int) -> tuple[Array, Array]:
    """Return the rows of m that train and those that are held out, both in order.

    Labels (m,), where there are any, are held out in proportion; one of each class trains.
    """
    from fastnn.data import split  # data stand beside the network; only this needs them

    target = np.zeros(m) if labels is None else labels
    try:
        found = split(np.arange(m), target, test=share, seed=seed, stratify=labels is not None)
    except SettingError as error:
        raise SettingError(
            f"validation_split is {share:g}, but {error}; or give validation_data"
        ) from None
    return np.sort(found[0]), np.sort(found[1])


def _hold_out_share(
    examples: Examples, share: float, loss: Loss, seed: int
) -> tuple[Examples, Examples, Array]:
    """Return the training part and the held-out part, each in the order of X, and which train."""
    from .class_weights import labels_of  # only fits that hold out a share need it

    parts = draw_rows(labels_of(examples.Y, loss), len(examples.X), share, seed)
    train, validation = (Examples(*(part.take(i, axis=0) for part in examples)) for i in parts)
    check_parts(train.w.any() and validation.w.any())
    return train, validation, parts[0]


def check_parts(weighted: Any) -> None:
    """Refuse a split unless both parts have an example of some weight."""
    if not weighted:
        raise DataError(
            "validation_split leaves a part in which no example has weight; give validation_data, "
            "or weights to more examples"
        )


def scaling_rows(n: int) -> int:
    """Return how many rows of n numbers `learn_scaling` takes at a time."""
    return max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // n))


def learn_scaling(program: Program, blocks: Blocks, total: float) -> tuple[Array, Array]:
    """Return the shift and the factor that give z-scores of rows X (m, n), weighted by w (m,).

    Both are (n,), or (1,) where the program scales all features by one number; in float64. Two
    passes over blocks of rows keep a large mean from cancelling; the factor of a constant feature
    is 1.

    Parameters
    ----------
    blocks : callable
        Returns all rows with their weights, `scaling_rows` at a time: pairs (X, w).
    total : float
        Σ w.
    """
    n = program.inputs
    whole = program.ops[0]["stats"] == 1 and n > 1

    def moment(power: int, center: Array) -> Array:
        summed = np.zeros(n)
        for X, w in blocks():
            summed += w.astype(np.float64) @ (X.astype(np.float64) - center) ** power
        mean: Array = summed / total
        return mean.mean(keepdims=True) if whole else mean

    mean = moment(1, np.zeros(1))
    deviation = np.sqrt(moment(2, mean))
    return mean, 1 / np.where(is_constant(deviation, mean), 1, deviation)
