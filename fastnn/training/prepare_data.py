"""Data made ready for a fit: targets (m, K), weights of examples, held-out parts, scaling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import DataError, FastnnError, SettingError
from fastnn.kernels.records import Examples
from fastnn.layers import BatchNorm, Layer
from fastnn.losses import Loss
from fastnn.lowering.program import Program

from .fit_config import FitConfig

Array = np.ndarray[Any, Any]
BLOCK_ROWS = 4096  # of X that are converted to float64 at a time, at most
BLOCK_NUMBERS = 2**20  # numbers of X that are converted at a time, at most (8 MiB)


def encode_targets(y: Any, m: int, K: int, loss: Loss, dtype: np.dtype[Any]) -> Array:
    """Return the targets Y (m, K), C-contiguous in dtype, checked by the loss's rule."""
    Y = loss.check_targets(y, m, K)
    if loss.smoothing:
        Y = Y * (1 - loss.smoothing) + loss.smoothing / max(K, 2)
    arguments.check_representable(Y, dtype, "y")
    ready: Array = np.require(Y, dtype, ["C", "A", "W", "O"])
    return ready


def validate_batch_size(layers: Sequence[Layer], m: int, config: FitConfig) -> None:
    """Refuse a batch of one example where a BatchNorm would divide by its deviation."""
    batch = min(config.batch_size, m)
    if any(isinstance(layer, BatchNorm) for layer in layers) and 1 in (batch, m % batch):
        raise SettingError(
            f"BatchNorm cannot work with a batch of one, which {m} examples in batches of {batch} "
            "leave; choose another batch_size"
        )


def validate_epsilon(config: FitConfig, dtype: np.dtype[Any]) -> None:
    """Refuse an epsilon below the dtype's normal numbers: √0 + ε may be 0, and 0 / 0 follow."""
    epsilon = config.optimizer.settings.get("epsilon", 1)
    least = np.finfo(dtype).smallest_normal
    if dtype.type(epsilon) < least:
        raise SettingError(
            f"epsilon {epsilon:g} of {type(config.optimizer).__name__} is too small for {dtype}, "
            f"whose normal numbers begin at {least:.2g}; give a larger one, or dtype='float64'"
        )


def labels_of(Y: Array, loss: Loss) -> Array | None:
    """Return one class number for each row of Y (m, K), or None where rows have no single class."""
    if loss.labels == "categorical":
        best: Array = np.argmax(Y, axis=1)
        return best
    if loss.labels == "binary" and Y.shape[1] == 1:
        labels: Array = (Y[:, 0] > 0.5).astype(np.int64)
        return labels
    return None


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
        w = w * _class_weights(class_weight, Y, loss, w)
    arguments.check_representable(w, dtype, "sample_weight times class_weight")
    ready: Array = w.astype(dtype)
    if not ready.any():
        raise DataError(
            f"no example has a weight that counts in {dtype}; sample_weight times class_weight "
            "must be positive for one at least"
        )
    with np.errstate(over="ignore"):
        if not np.isfinite(ready.sum(dtype=np.float64)):
            raise DataError("sample_weight sums to infinity; divide it by its largest number")
    return ready


def _class_weights(given: Mapping[int, float] | str, Y: Array, loss: Loss, w: Array) -> Array:
    """Return the factor (m,) of every example by its class; balanced: Σw / (K Σw of the class).

    Of several sigmoids the balanced factors are multiplied.
    """
    labels, balanced = labels_of(Y, loss), isinstance(given, str) and given == "balanced"
    if labels is None and balanced and loss.labels == "binary":
        each = [_class_weights(given, Y[:, [k]], loss, w) for k in range(Y.shape[1])]
        return np.asarray(np.prod(each, axis=0))
    if labels is None:
        raise SettingError("class_weight needs one class for each example: one sigmoid, or softmax")
    K = max(Y.shape[1], 2)
    _validate_hard(Y, loss.smoothing * (1 - 1 / K))
    factors = np.ones(K)
    if balanced:
        present = np.bincount(labels, weights=w, minlength=K)
        factors[present > 0] = present.sum() / ((present > 0).sum() * present[present > 0])
    elif isinstance(given, Mapping):
        for label, factor in given.items():
            if label not in range(K):
                raise SettingError(f"class_weight names class {label!r}; there are 0 … {K - 1}")
            factors[int(label)] = arguments.real(factor, f"class_weight[{label}]", least=0)
    else:
        raise SettingError(f"class_weight must be a dict, 'balanced' or None, got {given!r}")
    return np.asarray(factors[labels])


def _validate_hard(Y: Array, smoothed: float) -> None:
    """Refuse targets (m, K) that are no classes: `smoothed` is how far below 1 those are put."""
    sure = Y.max(axis=1) if Y.shape[1] > 1 else np.maximum(Y[:, 0], 1 - Y[:, 0])
    soft = np.abs(sure - (1 - smoothed)) > 1e-3
    if soft.any():
        row = int(soft.argmax())
        raise DataError(
            f"class_weight needs one class for each example, but y[{row}] is {Y[row]}, which "
            "shares it among classes; give the weights of examples by sample_weight"
        )


def hold_out(
    examples: Examples, given: Sequence[Any] | None, share: float, loss: Loss, seed: int
) -> tuple[Examples, Examples | None, slice | Array]:
    """Return the examples to train on, those to score after each epoch if any, and which train.

    Those to score are given as (X, y) or (X, y, weights), or are a share of the examples drawn by
    the seed, classes in proportion.
    """
    arguments.fraction(share, "validation_split")
    if given is None:
        return (
            (examples, None, slice(None))
            if share == 0
            else _hold_out_share(examples, share, loss, seed)
        )
    if share:
        raise SettingError("give validation_data or validation_split, not both")
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise SettingError("validation_data must be a pair (X, y), or (X, y, sample_weight)")
    dtype = examples.Y.dtype
    try:
        X = arguments.finite_examples(given[0], examples.X.shape[1])
        Y = encode_targets(given[1], len(X), examples.Y.shape[1], loss, dtype)
        w = weights_of(given[2] if len(given) == 3 else None, None, Y, loss, dtype)
    except FastnnError as error:
        raise type(error)(f"validation_data: {error}") from None
    return examples, Examples(X, Y, w), slice(None)


def draw_rows(labels: Array | None, m: int, share: float, seed: int) -> tuple[Array, Array]:
    """Return the rows of m that train and those that are held out, both in order.

    Labels (m,), where there are any, are held out in proportion; one of each class trains.
    """
    from fastnn.data import split  # data stand beside the network; only this needs them

    target = np.zeros(m) if labels is None else labels
    found = split(np.arange(m), target, test=share, seed=seed, stratify=labels is not None)
    return np.sort(found[0]), np.sort(found[1])


def _hold_out_share(
    examples: Examples, share: float, loss: Loss, seed: int
) -> tuple[Examples, Examples, Array]:
    """Return the training part and the held-out part, each in the order of X, and which train."""
    parts = draw_rows(labels_of(examples.Y, loss), len(examples.X), share, seed)
    train, validation = (Examples(*(part.take(i, axis=0) for part in examples)) for i in parts)
    if not train.w.any() or not validation.w.any():
        raise DataError(
            "validation_split leaves a part in which no example has weight; give validation_data, "
            "or weights to more examples"
        )
    return train, validation, parts[0]


def learn_scaling(program: Program, X: Array, w: Array) -> tuple[Array, Array]:
    """Return the shift and the factor that give z-scores of X (m, n), weighted by w (m,).

    Both are (n,), or (1,) where the program scales all features by one number; in float64. Two
    passes over blocks of rows keep a large mean from cancelling; the factor of a constant feature
    is 1.
    """
    n = X.shape[1]
    block_rows = max(1, min(BLOCK_ROWS, BLOCK_NUMBERS // n))
    weight = w.astype(np.float64)
    whole = program.ops[0]["stats"] == 1 and n > 1

    def moment(power: int, center: Array) -> Array:
        total = np.zeros(n)
        for i in range(0, len(X), block_rows):
            block = (X[i : i + block_rows].astype(np.float64) - center) ** power
            total += weight[i : i + block_rows] @ block
        mean: Array = total / weight.sum()
        return mean.mean(keepdims=True) if whole else mean

    mean = moment(1, np.zeros(1))
    deviation = np.sqrt(moment(2, mean))
    # Below rounding of the mean itself a deviation is noise of a constant feature.
    constant = deviation <= 1e-12 * np.abs(mean)
    return mean, 1 / np.where(constant, 1, deviation)
