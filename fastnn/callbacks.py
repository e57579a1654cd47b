"""Callbacks: what may happen after every epoch of a fit.

A callback is called with (network, history); returning True stops the fit. Any function will do.
Those before it in the list have been called. What a callback raises ends the fit and leaves the
network at the epoch that was just finished. Callbacks begin anew with every fit, also with one
that goes on from a checkpoint; `CSVLogger` alone goes on with its file.
"""

from __future__ import annotations

import csv
import io
import math
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ._validation import arguments
from .errors import DataFileError
from .history import History, check_monitor, higher_is_better
from .network import Network
from .network.description import state_of
from .saving import model_file
from .saving.atomic_write import find_folder, replace

__all__ = ["CSVLogger", "Checkpoint", "EarlyStopping", "TimeLimit"]


class EarlyStopping:
    """Stops when a quantity has not improved for some epochs, and brings the best weights back.

    Parameters
    ----------
    monitor : str
        A name of the history; accuracy, precision, recall, f1, roc_auc and r2 should rise, of
        training or validation data, all others should sink.
    patience : int
        Epochs without a new best before the fit stops.
    restore_best : bool
        Whether the parameters (and BatchNorm's averages) of the best epoch come back.

    Attributes
    ----------
    best_epoch : int
        Epoch of the best value, counted from 0 within the fit; −1 before the first.

    Raises
    ------
    SettingError
        If patience is no positive whole number; before the first step, if nobody records what is
        monitored, or after the first epoch where callbacks of your own might have done so.
    """

    def __init__(
        self, monitor: str = "validation_cost", patience: int = 10, restore_best: bool = True
    ) -> None:
        self.monitor, self.restore_best = monitor, restore_best
        self.patience = arguments.count(patience, "patience", least=1)
        self._forget()

    def start(self, network: Network) -> None:
        """Forget an earlier fit; `fit` calls this before its first step.

        A fit that ends before its first epoch must find no weights to bring back.
        """
        self._forget()

    def _forget(self) -> None:
        """Hold no best epoch and no weights."""
        self.best, self.best_epoch = math.inf, -1
        self._kept: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None

    def __call__(self, network: Network, history: History) -> bool:
        """Note the epoch; return True once patience is over."""
        check_monitor("EarlyStopping", self.monitor, history)
        epoch = history.epochs - 1
        if epoch == 0:  # within a callback that does not pass `start` on
            self._forget()
        value = float(history[self.monitor][-1])
        value = -value if higher_is_better(self.monitor) else value
        program = network.program
        if value < self.best:
            self.best, self.best_epoch = value, epoch
            self._kept = program.theta.copy(), program.state.copy()
        stop = epoch - self.best_epoch >= self.patience
        if stop:
            self.finish(network)
        return stop

    def finish(self, network: Network) -> None:
        """Bring the best weights back; `fit` calls this when it ends without an error."""
        if self.restore_best and self._kept is not None:
            network.program.theta[...], network.program.state[...] = self._kept


class Checkpoint:
    """Saves the network and all that its training needs to go on, every so many epochs.

    ``fastnn.load(path).fit(…)`` with the same data and settings then goes on bit for bit as if
    it had never stopped (L-BFGS alone begins its memory anew). A crash at any moment leaves the
    last checkpoint or the one before, whole.

    Parameters
    ----------
    path : str or path
        ``.safetensors`` or ``.h5``; the one file is replaced each time.
    every : int
        Epochs from one checkpoint to the next, counted over all fits of the network.

    Raises
    ------
    SettingError
        Before the first step, if the network, optimiser or schedule cannot be saved as data.
    OSError
        If the file cannot be written; an earlier one stays as it was, and the network is at the
        epoch just finished.
    """

    def __init__(self, path: str | os.PathLike[str], every: int = 1) -> None:
        self.path = os.fspath(path)
        self.every = arguments.count(every, "every", least=1)

    def start(self, network: Network) -> None:
        """Find out before the first step whether saving will do; `fit` calls this."""
        model_file.check_savable(state_of(network), self.path)

    def __call__(self, network: Network, history: History) -> None:
        """Write the file if it is time."""
        state = state_of(network)
        if state.training.epoch % self.every == 0:
            model_file.checkpoint(state, self.path)


class CSVLogger:
    """Writes a line of numbers after every epoch, and so keeps what a crash would lose.

    Epochs are counted from 0 over all fits of the network, as in its checkpoints. A fit that goes
    on, from a `Checkpoint` or as a network's second, keeps the file's lines of earlier epochs and
    replaces the later ones; lines of earlier epochs that the file lacks come from the network's
    history, unless Ctrl-C once cut an epoch short. The first fit of a network begins the file
    anew. A kill at any moment leaves the lines that were whole; the last one may be cut.

    Parameters
    ----------
    path : str or path
        The file. A cell is empty where the epoch had no such quantity.

    Raises
    ------
    DataFileError
        Before the first step, if the fit goes on and the file is another one's.
    OSError
        Before the first step, if the folder is missing or the file read-only; later, if the file
        cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._names = ["epoch"]
        # The lines of earlier epochs by epoch until the fit's first line; then None: we append.
        self._rows: dict[int, dict[str, str]] | None = None

    def start(self, network: Network) -> None:
        """Read the lines of earlier epochs; `fit` calls this before its first step."""
        find_folder(self.path)
        self._begin(network, state_of(network).training.epoch)

    def _begin(self, network: Network, first: int) -> None:
        """Gather the lines of the epochs before the first: the file's, then the history's."""
        self._names, self._rows = ["epoch"], {}
        if first and os.path.exists(self.path):
            try:
                self._read(first)
            except (ValueError, csv.Error) as error:
                raise DataFileError(
                    f"CSVLogger goes on after epoch {first - 1}, but '{self.path}' is no log of "
                    f"its own ({error}); name another file, or remove that one"
                ) from error
        gaps = set(range(first)).difference(self._rows)
        # An epoch that was cut short is counted but not recorded: entry k is not epoch k then.
        if gaps and network.history.epochs == state_of(network).training.epoch:
            curves = dict(network.history)
            self._rows |= {epoch: self._row(curves, epoch, epoch) for epoch in gaps}

    def _read(self, first: int) -> None:
        """Take over the names of the columns, and the whole lines of epochs before the first."""
        assert self._rows is not None
        with open(self.path, newline="", encoding="utf-8") as file:
            text = file.read()
        text = text[: text.rfind("\n") + 1] or text  # a crash may have cut the last line
        rows = csv.DictReader(io.StringIO(text, newline=""))
        self._names = list(rows.fieldnames or self._names)
        if self._names[0] != "epoch":
            raise ValueError("its first column is not epoch")
        for row in rows:
            if None not in (*row, *row.values()) and int(row["epoch"]) < first:
                self._rows[int(row["epoch"])] = row

    def _row(self, curves: Mapping[str, Any], entry: int, epoch: int) -> dict[str, str]:
        """Return the cells of an epoch, an entry of these curves; their columns come to exist."""
        self._names += [name for name in curves if name not in self._names]
        values = {name: curve[entry] for name, curve in curves.items() if len(curve) > entry}
        cells = {name: "" if np.isnan(v) else repr(float(v)) for name, v in values.items()}
        return {"epoch": str(epoch), **cells}

    def __call__(self, network: Network, history: History) -> None:
        """Write the epoch's line; the whole file, where it begins or gets another column."""
        epoch, curves = state_of(network).training.epoch - 1, dict(history)
        other = not set(curves) <= set(self._names) or not os.path.exists(self.path)
        if self._rows is None and (other or history.epochs == 1):
            self._begin(network, epoch)
        row = self._row(curves, history.epochs - 1, epoch)
        if self._rows is None:
            with open(self.path, "ab") as file:
                file.write(self._lines([row]))
            return
        self._rows[epoch] = row
        whole = self._lines([self._rows[number] for number in sorted(self._rows)], header=True)
        replace(self.path, lambda file: file.write(whole), "the log")
        self._rows = None

    def _lines(self, rows: Iterable[dict[str, str]], header: bool = False) -> bytes:
        """Return rows, and the header before them, as they stand in the file."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._names, restval="")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()


class TimeLimit:
    """Stops the fit at the end of the epoch in which some seconds are over.

    Parameters
    ----------
    seconds : float
        Positive; counted from the first call of the fit's first epoch on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = arguments.real(seconds, "seconds", above=0)
        self._began = time.monotonic()

    def start(self, network: Network) -> None:
        """Begin to count; `fit` calls this before its first step."""
        self._began = time.monotonic()

    def __call__(self, network: Network, history: History) -> bool:
        """Return True once the time is over."""
        return time.monotonic() - self._began >= self.seconds
