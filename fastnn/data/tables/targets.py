"""Targets: what a column of a table asks for, classes or a number, and both as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.errors import DataError, SettingError

from .choice import check_not_mixed
from .values import as_numbers, as_texts, kind_of, parse_numbers

__all__ = ["TASKS", "ClassTarget", "NumberTarget", "Target", "learn_target"]

TASKS = ("auto", "classification", "regression")
#: Different whole numbers up to which a target is one of classes.
MOST_NUMBERS = 10


@dataclass(frozen=True)
class ClassTarget:
    """A target that names a class; numbers are sorted as numbers, texts as texts.

    Attributes
    ----------
    name : str
        Of the column.
    classes : tuple of str
        The values of the column as text.
    """

    name: str
    classes: tuple[str, ...]

    task = "classification"

    def encode(self, series: Any) -> NDArray[np.int64]:
        """Return the number of each row's class (m,), 0 … K − 1; DataError for another class."""
        codes, texts = as_texts(series)
        _check_present(self.name, codes < 0)
        for text in texts:
            if text not in self.classes:
                raise DataError(
                    f"target {self.name!r} holds {text!r:.60}, which is none of the classes "
                    f"{_some(self.classes)} of the training"
                )
        place = {name: k for k, name in enumerate(self.classes)}
        return np.array([place[text] for text in texts], np.int64)[codes]


@dataclass(frozen=True)
class NumberTarget:
    """A target that is a number.

    Attributes
    ----------
    name : str
        Of the column.
    """

    name: str

    task = "regression"
    classes: tuple[str, ...] = ()

    def encode(self, series: Any) -> NDArray[np.float64]:
        """Return the numbers (m,) in the column's own unit."""
        y = as_numbers(series, f"target {self.name!r}")
        _check_present(self.name, np.isnan(y))
        return y


Target = ClassTarget | NumberTarget


def learn_target(series: Any, task: str) -> Target:
    """Return what the column of targets asks for.

    `auto` takes text and bools as classes, and as many whole numbers as `MOST_NUMBERS` at most,
    each in three rows on average; all else is a regression.

    Raises
    ------
    SettingError
        If there is no such task.
    DataError
        If a target is missing, all are the same, they are dates, mix numbers with text, or are
        classes that do not repeat.
    """
    if task not in TASKS:
        raise SettingError(f"task must be one of {', '.join(TASKS)}, got {task!r}")
    what = f"target {series.name!r}"
    kind = kind_of(series, what)
    if kind == "nothing":
        raise DataError(f"{what} is missing in all rows; there is nothing to learn")
    _check_present(str(series.name), np.asarray(series.isna(), bool))
    if kind == "dates":
        raise DataError(f"{what} holds dates; give a column of numbers or of classes")
    if task == "auto":
        kind = _check_text(series, what) if kind == "text" else kind
        few = kind != "numbers" or _few_whole(series, what)
        task = "classification" if few else "regression"
    return (_class_target if task == "classification" else _number_target)(series, what)


def _check_text(series: Any, what: str) -> str:
    """Return what texts are, text or numbers; refuse numbers with a few texts between."""
    numbers, stray = parse_numbers(series)
    if stray.any():
        check_not_mixed(series, numbers, stray, what, "ask for classification")
    return "text" if stray.any() else "numbers"


def _few_whole(series: Any, what: str) -> bool:
    """Whether numbers are as few as classes are."""
    y = as_numbers(series, what)
    distinct = len(np.unique(y))
    return bool((y == np.floor(y)).all()) and distinct <= MOST_NUMBERS and 3 * distinct <= len(y)


def _number_target(series: Any, what: str) -> NumberTarget:
    """Return the target of a regression."""
    y = as_numbers(series, what)
    if (y == y[0]).all():
        raise DataError(f"{what} is {y[0]:g} in all rows; there is nothing to learn")
    return NumberTarget(str(series.name))


def _class_target(series: Any, what: str) -> ClassTarget:
    """Return the target of a classification."""
    texts = as_texts(series).texts
    if len(texts) < 2:
        raise DataError(f"{what} is {texts[0]!r:.60} in all rows; at least two classes are needed")
    if len(texts) > max(20, len(series) // 2):
        raise DataError(
            f"{what} has {len(texts)} different values in {len(series)} rows, too many for "
            "classes; is it the right column, or a regression?"
        )
    numbers, stray = parse_numbers(series)
    if not stray.any():
        by_number = dict(zip(as_texts(series).codes, numbers, strict=True))
        return ClassTarget(
            str(series.name), tuple(texts[k] for k in sorted(by_number, key=by_number.__getitem__))
        )
    return ClassTarget(str(series.name), tuple(sorted(texts)))


def _check_present(name: str, missing: NDArray[np.bool_]) -> None:
    """Refuse rows (m,) without a target."""
    if missing.any():
        rows = "1 row" if missing.sum() == 1 else f"{missing.sum()} rows"
        raise DataError(
            f"target {name!r} is missing in {rows}, the first is row {int(missing.argmax())}; "
            "remove them, or fill the target in"
        )


def _some(names: tuple[str, ...]) -> str:
    """Return names as text, the first ten of many."""
    return ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
