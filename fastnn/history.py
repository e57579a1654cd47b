"""History: what a fit recorded, one number an epoch, under the names of the quantities."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ._habits import answers
from .errors import MissingExtraError, SettingError, ShapeError

__all__ = ["History"]

Array = np.ndarray[Any, np.dtype[np.float64]]
Curves = Mapping[str, tuple[Array, int]]  # numbers by name, and how many of them count
SETTINGS = ("learning_rate",)  # names of what is chosen, not measured: no result of a fit
RISING = ("accuracy", "precision", "recall", "f1", "auc", "r2")  # in names of what should rise


#: Whether larger values of a user's metric are better, by its name.
DIRECTIONS: dict[str, bool] = {}


def higher_is_better(name: str) -> bool:
    """Return whether larger values of a quantity are better, by its name."""
    known = DIRECTIONS.get(name.removeprefix("validation_"))
    return known if known is not None else any(word in name for word in RISING)


def check_monitor(who: str, monitor: str, names: Collection[str]) -> str:
    """Return the name of the curve to monitor: Keras's ``"val_loss"`` is ``"validation_cost"``.

    Raises
    ------
    SettingError
        If a history with these names does not hold it.
    """
    found = answers.curve_name(monitor, names)
    if found is not None:
        return found
    advice = "monitor one of these, or have it recorded by metrics=[…]"
    if "validation_cost" not in names:
        advice = "give validation_data or validation_split, or monitor another name"
    raise SettingError(
        f"{who} monitors {monitor!r}, but the history holds {', '.join(names)}; {advice}"
    )


def _epochs(curves: Curves) -> int:
    """Return the number of finished epochs, each of which has a cost."""
    return curves["cost"][1] if "cost" in curves else 0


class History(Mapping[str, Array]):
    """Curves by name: ``history["cost"][k]`` is the mean cost over the mini-batches of epoch k.

    Names are ``cost``, and where they apply ``accuracy``, ``validation_cost``,
    ``validation_accuracy``, ``learning_rate`` and those of metrics. Arrays are float64 and
    read-only, and every one has an entry for every epoch: NaN where a quantity was not measured,
    as in fits without validation data. ``learning_rate`` is the rate that the optimiser took, the
    schedule's factor included: that of the epoch's last step, where it changes from step to step.
    L-BFGS has none.

    Attributes
    ----------
    epochs : int
        Number of finished epochs.
    interrupted : bool
        Whether Ctrl-C ended the fit.
    converged : bool or None
        Of a fit by L-BFGS: True where the gradient met its `tolerance` or the cost, where that is
        not 0, its `cost_tolerance`; False where iterations or evaluations ran out, or a line
        search found no lower cost. None where nothing tells.
    message : str or None
        Of a fit by L-BFGS: why it ended, with the largest number of the gradient there. Of one
        with ``batch_size="auto"``: that its steps were few.
    """

    def __init__(self) -> None:
        # By name: numbers, and how many of them count. What `extend` writes lies beyond those, and
        # one assignment publishes it, so that no other thread and no Ctrl-C meets half an epoch.
        # A curve may be shorter than the history: its last epochs were not measured.
        self._curves: Curves = {}
        self.interrupted = False
        self.converged: bool | None = None
        self.message: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        curves = {name: (self[name].copy(), len(self[name])) for name in self}
        return vars(self) | {"_curves": curves}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Into memory of its own: what carried it may have mapped a file that is written anew.
        self.__dict__.update({"message": None} | state)  # pickles of 0.1.0's first days have none
        curves = {name: numbers[:count] for name, (numbers, count) in self._curves.items()}
        self._curves = {}
        self.extend(curves)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return _epochs(self._curves)

    def extend(self, curves: Mapping[str, Any]) -> None:
        """Append epochs, or give the last of them what else was measured.

        Parameters
        ----------
        curves : mapping of str to sequence (k,)
            With ``"cost"`` among them: of k further epochs, of which a shorter curve knows the
            last ones. Without: of the last k epochs that there are.

        Raises
        ------
        ShapeError
            If a curve is longer than the history; nothing is appended then.
        """
        published = dict(self._curves)
        total = _epochs(published) + (len(curves["cost"]) if "cost" in curves else 0)
        for name, values in curves.items():
            numbers, count = published.get(name, (np.empty(0), 0))
            size = len(values)
            if size > total:
                raise ShapeError(
                    f"{name} has {size} entries but the history {total} epochs; give one for each "
                    "of its last epochs"
                )
            first, end = total - size, total
            if end > len(numbers) or first < count:  # room for as many again
                numbers = np.concatenate([numbers[:count], np.empty(end)])
            if count < first:
                numbers[count:first] = np.nan
            numbers[first:end] = values
            published[name] = numbers, end
        self._curves = published

    def curves(self) -> Curves:
        """Return all that is recorded, for `go_back`."""
        return self._curves

    def go_back(self, curves: Curves) -> None:
        """Forget what was recorded since `curves` was returned by the method of that name."""
        self._curves = curves

    def __getitem__(self, name: str) -> Array:
        curves = self._curves
        if name not in curves:
            known = ", ".join(curves) or "nothing yet"
            ours = answers.curve_name(name, curves)
            hint = f"; here it is {ours!r}" if ours else f"; it holds {known}"
            raise KeyError(f"the history has no {name!r}{hint}")
        numbers, count = curves[name]
        missing = _epochs(curves) - count
        curve = numbers[:count]
        if missing > 0:
            curve = np.concatenate([curve, np.full(missing, np.nan)])
        curve.flags.writeable = False
        return curve

    if not TYPE_CHECKING:  # for type checkers it has the attributes above alone

        def __getattr__(self, name: str) -> Any:
            raise answers.missing_attribute(self, name, "History")

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return set(self) == set(other) and all(
            np.array_equal(self[name], other[name], equal_nan=True) for name in self
        )

    __hash__ = None  # type: ignore[assignment]  # it grows

    def to_frame(self) -> Any:
        """Return the curves as a pandas frame: a row an epoch, from 1, and a column a quantity.

        Returns
        -------
        pandas.DataFrame
            float64, with the index ``epoch``: 1, 2, …, `epochs`; NaN where nothing was measured.

        Raises
        ------
        MissingExtraError
            Without pandas.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingExtraError(
                "History.to_frame needs pandas; install it with: pip install pandas"
            ) from error
        index = pandas.RangeIndex(1, self.epochs + 1, name="epoch")
        return pandas.DataFrame({name: self[name].copy() for name in self}, index=index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        # NumPy, and pandas' DataFrame with it, would take the names of the curves for the data.
        raise TypeError(
            "a History holds curves by their names and is no array; take history.to_frame(), "
            'dict(history), or one curve like history["cost"]'
        )

    def __repr__(self) -> str:
        if not self.epochs:
            return "History: no epoch finished"
        ends = {name: self[name][-1] for name in self if name not in SETTINGS}
        last = ", ".join(f"{name} {end:.4g}" for name, end in ends.items() if not np.isnan(end))
        note = f"; {self.message}" if self.message and self.converged is None else ""
        return f"History: {self.epochs} epoch{'s' if self.epochs > 1 else ''}; last: {last}{note}"

    def _repr_html_(self) -> str:
        from ._display.curves import curves_svg  # only notebooks need them
        from ._display.report import to_html
        from ._display.table import Table

        if not self.epochs:
            return to_html([repr(self)])
        names = [name for name in self if name != "learning_rate"]
        bases = dict.fromkeys(name.removeprefix("validation_") for name in names)
        pictures = "\n".join(
            curves_svg(
                base, {name: self[name] for name in (base, f"validation_{base}") if name in self}
            )
            for base in bases
        )
        table = Table(
            ("", "first", "last", "best", "in epoch"), [self._row(name) for name in names]
        )
        count = f"History: {self.epochs} epoch{'s' if self.epochs > 1 else ''}"
        key = "dashed: validation" if any(name.startswith("validation_") for name in names) else ""
        return "\n".join([to_html([count, table]), f"<div>{pictures}</div>", to_html([key])])

    def _row(self, name: str) -> list[str]:
        """Return a curve's first, last and best value, and the epoch of the best, from 1."""
        curve = self[name]
        known = np.flatnonzero(np.isfinite(curve))
        if not len(known):
            return [name, "", "", "", ""]
        best = known[np.argmax(curve[known] * (1 if higher_is_better(name) else -1))]
        shown = [f"{curve[k]:.4g}" for k in (known[0], known[-1], best)]
        return [name, *shown, str(best + 1)]
