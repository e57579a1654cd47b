"""A log of a fit as a table of numbers, a line for each epoch."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._habits import answers
from ..errors import DataFileError
from ..history import History
from ..network import Network
from ..network.description import state_of
from ..saving.atomic_write import find_folder, replace

__all__ = ["CSVLogger"]


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

    rank_0_only = True  # of several ranks one writes

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


answers.explain(CSVLogger, "callback")
