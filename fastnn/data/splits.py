"""Splits: rows dealt out to train, dev and test, class by class or group by group."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastnn._runtime.text import plural
from fastnn._validation import arguments
from fastnn._validation.label_kinds import is_missing
from fastnn.errors import DataError, SettingError, ShapeError

__all__ = ["split"]

PARTS = ("train", "dev", "test")
Integers = NDArray[np.int64]


def split(
    X: ArrayLike,
    y: ArrayLike,
    *,
    dev: float = 0.0,
    test: float = 0.2,
    seed: int = 0,
    stratify: bool = True,
    groups: ArrayLike | None = None,
) -> tuple[NDArray[Any], ...]:
    """Deal the rows out at random to a train, a dev and a test part.

    Stratified, every class has its share in every part, rounded by largest remainder so that
    the parts have the sizes asked for, and at least one row of each class is in train. With
    `groups`, each group goes whole to one part, large groups first, always to where the shares
    (of each class, if stratified) come closest to what was asked for.

    Parameters
    ----------
    X : array_like, (m, …)
        The examples.
    y : array_like, (m,), (m, 1) or (m, K)
        Labels or targets.
    dev, test : float, default 0.0 and 0.2
        Shares of the rows, in [0, 1), together below 1; a part has round(share · m) rows, with
        groups about as many.
    seed : int, default 0
        What the draw depends on; not negative.
    stratify : bool, default True
        Keep the classes' shares: for labels that are integers, booleans, text, whole floats or
        one-hot rows. Other targets are dealt out plainly. Pass False for targets that are
        whole numbers but not classes.
    groups : array_like, (m,), optional
        What belongs together: the patient, the writer, the photograph of each row.

    Returns
    -------
    X_train, X_dev, X_test, y_train, y_dev, y_test : ndarrays
        Copies, the rows of each part in random order. With dev = 0 only four: X_train, X_test,
        y_train, y_test. A test share of 0 gives a test part without rows.

    Raises
    ------
    ShapeError
        If X, y and groups differ in length.
    SettingError
        If a share is outside [0, 1), if the shares leave nothing to train on, if a part would
        have no rows, or `seed` is negative.
    DataError
        If a class would be missing from train, or labels cannot be compared.
    """
    X, y = arguments.array(X, "X"), arguments.array(y, "y")
    m = arguments.check_same_length(X, y)
    shares = _check_shares(dev, test)
    order = np.random.default_rng(arguments.integer(seed, "seed")).permutation(m)
    names, label = _class_indices(y) if stratify else (None, np.zeros(m, np.int64))
    if groups is None:
        sizes = _sizes(m, shares)
        part, among = _assign_rows(label, order, sizes), plural(m, "row")
    else:
        group = _group_indices(groups, m)
        part = _assign_groups(label, group, order, shares)
        among = f"{plural(m, 'row')} in {plural(group.max(initial=-1) + 1, 'group')}"
    _check_part_sizes(part, shares, among)
    if names is not None:
        _check_classes(label, part, names)
    rows = [order[part[order] == p] for p in range(3) if p != 1 or shares[1] > 0]
    return tuple(array[chosen] for array in (X, y) for chosen in rows)


def _check_shares(dev: float, test: float) -> tuple[float, float, float]:
    """Return the shares of train, dev and test."""
    for name, share in (("dev", dev), ("test", test)):
        rule = "a share of the rows in [0, 1)"
        if not 0 <= arguments.real(share, name, rule=rule) < 1:
            raise SettingError(f"{name} must be {rule}, got {share!r}; 20 % is 0.2")
    if dev + test >= 1:
        raise SettingError(
            f"dev = {dev} and test = {test} leave nothing to train on; together they must be "
            f"below 1"
        )
    return 1 - float(dev) - float(test), float(dev), float(test)


def _sizes(m: int, shares: tuple[float, float, float]) -> tuple[int, int, int]:
    """Return the rows of train, dev and test; halves are rounded up."""
    dev, test = (int(share * m + 0.5) for share in shares[1:])
    return max(m - dev - test, 0), dev, test


def _class_indices(y: NDArray[Any]) -> tuple[NDArray[Any] | None, Integers]:
    """Return the classes' names (K,) and each row's class (m,); no names: y is not of classes."""
    labels = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        one_hot = ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()
        labels = labels.argmax(axis=1) if one_hot else labels
    whole = labels.dtype.kind != "f" or bool((labels == np.floor(labels)).all())
    if labels.ndim != 1 or not whole:
        return None, np.zeros(len(y), np.int64)
    if (row := _first_missing(labels)) is not None:
        raise DataError(
            f"y has no label in row {row} ({labels[row]}); drop such rows, or pass stratify=False"
        )
    try:
        names, label = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise DataError(
            f"the labels in y cannot be sorted ({error}); make them all text or all numbers"
        ) from error
    return names, label.astype(np.int64)


def _group_indices(groups: ArrayLike, m: int) -> Integers:
    """Return each row's group (m,), numbered from 0."""
    array = np.asarray(groups)
    if array.shape != (m,):
        raise ShapeError(f"groups must name one group per row, ({m},), got shape {array.shape}")
    if (row := _first_missing(array)) is not None:  # which rows belong to it is unknown
        raise DataError(
            f"groups has no group for row {row} ({array[row]}); drop such rows, or give each a "
            "group of its own"
        )
    try:
        number: Integers = np.unique(array, return_inverse=True)[1].astype(np.int64)
    except TypeError as error:
        raise DataError(
            f"groups cannot be sorted ({error}); make them all text or all numbers"
        ) from error
    return number


def _first_missing(array: NDArray[Any]) -> int | None:
    """Return the first row of (m,) whose entry is missing, if any."""
    missing = np.zeros(len(array), bool)
    if array.dtype.kind in "fcmM":
        missing = np.isnat(array) if array.dtype.kind in "mM" else np.isnan(array)
    elif array.dtype.kind == "O":
        missing = np.array([is_missing(entry) for entry in array], bool)
    return int(missing.argmax()) if missing.any() else None


def _assign_rows(label: Integers, order: Integers, sizes: tuple[int, int, int]) -> Integers:
    """Return each row's part (m,): of each class the first rows in `order` test, then dev."""
    count = np.bincount(label)
    test = _apportion(sizes[2], count, count - 1)
    dev = _apportion(sizes[1], count - test, count - test - 1)
    part = np.zeros(len(label), np.int64)
    by_class = sort_by_class(order, label)
    for k, start in enumerate(np.cumsum(count) - count):
        part[by_class[start : start + test[k]]] = 2
        part[by_class[start + test[k] : start + test[k] + dev[k]]] = 1
    return part


def sort_by_class(order: Integers, label: NDArray[Any]) -> Integers:
    """Return the rows of an order (k,) class after class by label (m,), within one as they were."""
    return order[np.argsort(label[order], kind="stable")]


def _apportion(total: int, count: Integers, most: Integers) -> Integers:
    """Divide `total` in proportion to `count` (K,), at most `most` (K,), by largest remainder."""
    if total == 0:
        return np.zeros_like(count)
    most = np.maximum(most, 0)
    if total > most.sum():  # not possible without emptying a class in train: refused later
        most = count
    quota = total * count / count.sum()
    given: Integers = np.minimum(np.floor(quota), most).astype(np.int64)
    while (missing := min(total, int(most.sum())) - int(given.sum())) > 0:
        by_need = np.argsort(given - quota, kind="stable")
        given[by_need[given[by_need] < most[by_need]][:missing]] += 1
    return given


def _assign_groups(
    label: Integers, group: Integers, order: Integers, shares: tuple[float, float, float]
) -> Integers:
    """Return each row's part (m,), equal within a group (m,)."""
    table = np.zeros((group.max(initial=-1) + 1, label.max(initial=-1) + 1))
    np.add.at(table, (group, label), 1)
    total = table.sum(axis=0)
    # What each part still needs of each class (3, K), in shares, so that rare classes count.
    need = np.array(shares)[:, None] * np.ones_like(total)
    open_parts = np.flatnonzero(np.array(shares) > 0)
    shuffled = group[order][np.sort(np.unique(group[order], return_index=True)[1])]
    part_of = np.zeros(len(table), np.int64)
    for g in shuffled[np.argsort(-table[shuffled].sum(axis=1), kind="stable")]:
        piece = table[g] / total
        # |need − piece|² − |need|² = |piece|² − 2 need·piece: smallest where need·piece is largest
        part_of[g] = open_parts[np.argmax(need[open_parts] @ piece)]
        need[part_of[g]] -= piece
    return part_of[group]


def _check_part_sizes(part: Integers, shares: tuple[float, float, float], among: str) -> None:
    """Refuse a part that should have rows of (m,) and has none."""
    rows = np.bincount(part, minlength=3)
    for p, name in enumerate(PARTS):
        if shares[p] > 0 and rows[p] == 0:
            raise SettingError(
                f"the {name} part would have no rows: its share is {shares[p]:.3g} of {among}; "
                f"give it a larger share or more data"
            )


def _check_classes(label: Integers, part: Integers, names: NDArray[Any]) -> None:
    """Refuse a class of labels (m,) that has no row in train."""
    missing = np.setdiff1d(label, label[part == 0])
    if missing.size:
        raise DataError(
            f"class {names[missing[0]]} would be missing from train ({missing.size} of "
            f"{len(names)} classes would); use smaller shares, or pass stratify=False if y does "
            f"not hold classes"
        )
