"""Augmentation: more images from the ones there are, mirrored and shifted at random.

Every image's draw is a function of (seed, epoch, row) alone, so a batch gets the same draws as the
same rows within the whole stack, and any epoch can be had again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from fastnn._validation import arguments
from fastnn.errors import DataError, SettingError, ShapeError

__all__ = ["augment", "flip", "shift"]

#: Third part of the random key: `minibatches` draws its order from (seed, epoch) alone.
STREAM = 1


def flip(
    images: ArrayLike,
    *,
    rate: float = 0.5,
    seed: int = 0,
    epoch: int = 0,
    rows: ArrayLike | None = None,
) -> NDArray[Any]:
    """Mirror some of the images, left to right.

    Parameters
    ----------
    images : array_like, (m, h, w) or (m, h, w, c)
        Numbers of any dtype; they stay as they are.
    rate : float
        The share of the images that is mirrored on average, in [0, 1].
    seed, epoch : int
        What the draws depend on besides the row; not negative.
    rows : array_like of int, (m,), optional
        Which rows of the whole stack these images are; by default 0 … m−1.

    Returns
    -------
    ndarray of images' shape and dtype
        A copy.

    Raises
    ------
    ShapeError
        If `images` is no stack of images, or `rows` does not give one row for each.
    DataError
        If `images` holds no real numbers.
    SettingError
        If `rate` lies outside [0, 1], or a number is negative.

    Examples
    --------
    A new variant of the training images in every epoch:

    >>> for epoch in range(20):  # doctest: +SKIP
    ...     images = shift(flip(X, epoch=epoch), epoch=epoch)
    ...     net.fit(flatten_images(images), y, epochs=1)
    """
    stack = _check_images(images)
    return _flip_images(
        stack, _check_probability(rate, "rate"), _uniform_draws(len(stack), seed, epoch, rows)
    )


def shift(
    images: ArrayLike,
    *,
    pixels: int = 2,
    seed: int = 0,
    epoch: int = 0,
    fill: float = 0,
    rows: ArrayLike | None = None,
) -> NDArray[Any]:
    """Move each image by up to some pixels, down or up and left or right, equally likely.

    Parameters
    ----------
    images : array_like, (m, h, w) or (m, h, w, c)
        Numbers of any dtype; they stay as they are.
    pixels : int
        The farthest move along each side, smaller than the image.
    seed, epoch, rows
        As in `flip`; the draws of both are independent.
    fill : float
        What comes in at the edges: a number that images' dtype holds.

    Returns
    -------
    ndarray of images' shape and dtype
        A copy.

    Raises
    ------
    ShapeError, DataError
        As in `flip`.
    SettingError
        If `pixels` is negative or reaches the image's size, or `fill` does not fit the dtype.
    """
    stack = _check_images(images)
    far, edge = _check_shift(pixels, stack, "pixels"), _check_fill(fill, stack.dtype)
    return _shift_images(stack, far, edge, _uniform_draws(len(stack), seed, epoch, rows))


def augment(
    images: ArrayLike,
    y: ArrayLike | None = None,
    *,
    copies: int = 1,
    flip: float = 0.5,
    shift: int = 2,
    fill: float = 0,
    seed: int = 0,
) -> Any:
    """Return the images followed by mirrored and shifted copies of them, and labels to match.

    For training data alone, and before `flatten_images`. Copy k is what `shift` makes of what
    `flip` makes in epoch k, counted from 1.

    Parameters
    ----------
    images : array_like, (m, h, w) or (m, h, w, c)
        Numbers of any dtype; they stay as they are.
    y : array_like, (m,) or (m, K), optional
        Their labels.
    copies : int
        Variants of each image.
    flip : float
        As `flip`'s rate; 0 where mirrored images mean something else, as letters and digits do.
    shift : int
        As `shift`'s pixels.
    fill, seed
        As in `shift`.

    Returns
    -------
    images or (images, y)
        (1 + copies) · m rows, the originals first; a pair if `y` was given.

    Raises
    ------
    ShapeError, DataError, SettingError
        As in `flip` and `shift`, or if `y` has another length.
    """
    stack, count = _check_images(images), arguments.integer(copies, "copies", least=1)
    rate, far = _check_probability(flip, "flip"), _check_shift(shift, stack, "shift")
    edge = _check_fill(fill, stack.dtype)
    labels = None if y is None else arguments.array(y, "y")
    if labels is not None:
        arguments.check_same_length(stack, labels)
    parts = [stack]
    for epoch in range(1, count + 1):
        draws = _uniform_draws(len(stack), seed, epoch, None)
        parts.append(_shift_images(_flip_images(stack, rate, draws), far, edge, draws))
    more = np.concatenate(parts)
    return more if labels is None else (more, np.concatenate([labels] * (1 + count)))


def _check_images(images: ArrayLike) -> NDArray[Any]:
    """Check a stack of images (m, h, w) or (m, h, w, c)."""
    stack = arguments.array(images, "images")
    if stack.dtype.kind not in "biuf":
        raise DataError(f"images must hold real numbers, got dtype {stack.dtype}")
    if stack.ndim in (3, 4):
        return stack
    hint = "pass one image as image[None]"
    if stack.ndim == 2:
        hint = "augment before flatten_images, or pass one image as image[None]"
    raise ShapeError(f"images must be (m, h, w) or (m, h, w, c), got shape {stack.shape}; {hint}")


def _check_probability(value: object, name: str) -> float:
    """Check a share of the images, both ends included."""
    rule = "a number from 0 to 1"
    share = arguments.real(value, name, rule=rule)
    if not 0 <= share <= 1:
        raise SettingError(f"{name} must be {rule}, got {value!r}")
    return share


def _check_shift(value: object, stack: NDArray[Any], name: str) -> int:
    """Check a number of pixels against the smaller side of the images."""
    far, side = arguments.integer(value, name), min(stack.shape[1:3])
    if far >= side > 0:
        raise SettingError(
            f"{name} must be below {side}, the smaller side of the images, got {far}; a move that "
            "far leaves nothing of them"
        )
    return far


def _check_fill(fill: object, dtype: np.dtype[Any]) -> Any:
    """Return `fill` as a number of the images' dtype."""
    rule = f"a number that dtype {dtype} holds"
    arguments.real(fill, "fill", rule=rule)
    try:
        edge = dtype.type(fill)
    except OverflowError:
        raise SettingError(f"fill must be {rule}, got {fill!r}") from None
    if edge != fill:
        raise SettingError(f"fill must be {rule}, got {fill!r}")
    return edge


def _uniform_draws(
    m: int, seed: object, epoch: object, rows: ArrayLike | None
) -> NDArray[np.float64]:
    """Return three numbers in [0, 1) for each row, (m, 3): mirror, top, left."""
    key = [arguments.integer(seed, "seed"), arguments.integer(epoch, "epoch"), STREAM]
    which = np.arange(m) if rows is None else np.asarray(rows)
    if which.shape != (m,) or (m and which.dtype.kind not in "iu"):
        raise ShapeError(
            f"rows must give one whole number for each of the {m} images, got dtype "
            f"{which.dtype}, shape {which.shape}"
        )
    if not m:
        return np.empty((0, 3))
    if which.min() < 0:
        raise SettingError(f"rows must not be negative, got {which.min()}")
    drawn = np.random.default_rng(key).random((int(which.max()) + 1, 3))
    chosen: NDArray[np.float64] = drawn[which]
    return chosen


def _flip_images(stack: NDArray[Any], rate: float, draws: NDArray[np.float64]) -> NDArray[Any]:
    """Return a copy with the images mirrored whose first draw lies below the rate."""
    out, chosen = stack.copy(), draws[:, 0] < rate
    out[chosen] = stack[chosen, :, ::-1]
    return out


def _shift_images(
    stack: NDArray[Any], far: int, edge: Any, draws: NDArray[np.float64]
) -> NDArray[Any]:
    """Return a copy with every image moved by −far … far pixels along both sides."""
    room = [(0, 0), (far, far), (far, far)] + [(0, 0)] * (stack.ndim - 3)
    wide = np.pad(stack, room, constant_values=edge)
    windows = sliding_window_view(wide, stack.shape[1:3], axis=(1, 2))
    top, left = (draws[:, 1:] * (2 * far + 1)).astype(np.int64).T
    moved = windows[np.arange(len(stack)), top, left]  # (m, h, w) or (m, c, h, w)
    return np.ascontiguousarray(np.moveaxis(moved, 1, -1) if stack.ndim == 4 else moved)
