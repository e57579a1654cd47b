"""Event files of a fit for TensorBoard, written by TensorBoard's own package."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

from .._habits import answers
from .._runtime.optional import require
from ..history import History
from ..network import Network
from ..network.description import state_of
from ._settings import last_values, settings_of

__all__ = ["TensorBoard"]

EVENTS = "events.out.tfevents."
#: The version of event files that their readers know.
FILE_VERSION = "brain.Event:2"


class TensorBoard:
    """Writes the numbers of every epoch for TensorBoard: ``tensorboard --logdir FOLDER``.

    Curves of the training data go to the run ``train`` within the folder, those of the validation
    data to the run ``validation``, both as ``cost``, ``accuracy`` …, so that TensorBoard draws
    them into one picture. Settings of the network and of its optimiser are hyperparameters of the
    run ``train``. Steps are epochs, counted from 0 over all fits of the network.

    A fit that goes on, from a `Checkpoint` or as a network's second, goes on with the curves:
    TensorBoard forgets what an earlier process wrote of the same epochs. The first fit of a
    network begins them anew. A kill at any moment leaves the epochs that were whole.

    Parameters
    ----------
    folder : str or path
        Made where it is missing.
    params : mapping, optional
        Further hyperparameters, which a callback cannot know: ``{"batch_size": 64}``.

    Raises
    ------
    MissingExtraError
        If the package tensorboard is not installed; TensorFlow is not needed.
    OSError
        Before the first step, if the folder cannot be made; later, if a file cannot be written.
    """

    rank_0_only = True  # of several ranks one writes

    def __init__(
        self, folder: str | os.PathLike[str], *, params: Mapping[str, Any] | None = None
    ) -> None:
        self.folder, self.params = os.fspath(folder), dict(params or {})
        self._files: dict[str, str] = {}  # of this fit, by run
        _tensorboard("summary.writer.record_writer")

    def start(self, network: Network) -> None:
        """Make the folder; `fit` calls this before its first step."""
        os.makedirs(self.folder, exist_ok=True)

    def __call__(self, network: Network, history: History) -> None:
        """Write the numbers of the epoch."""
        epoch = state_of(network).training.epoch - 1
        if history.epochs == 1:
            self._files = {}
        runs: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
        for name, value in last_values(history).items():
            tag = name.removeprefix("validation_")
            runs["train" if tag == name else "validation"][tag] = value
        for run, values in runs.items():
            if values:
                if run not in self._files:
                    self._begin(run, network, epoch)
                self._append(run, _scalars(values), epoch)

    def _begin(self, run: str, network: Network, epoch: int) -> None:
        """Begin a file of events, which takes the place of earlier files from this epoch on."""
        folder = os.path.join(self.folder, run)
        os.makedirs(folder, exist_ok=True)
        earlier = any(EVENTS in name for name in os.listdir(folder))
        # Readers take the files of a folder in the order of their names.
        name = f"{EVENTS}{time.time():017.6f}.{socket.gethostname()}.{os.getpid()}"
        self._files[run] = os.path.join(folder, name)
        self._append(run, {"file_version": FILE_VERSION})
        if earlier:
            log = _tensorboard("compat.proto.event_pb2").SessionLog
            self._append(run, {"session_log": log(status=log.START)}, epoch)
        if run == "train":
            make = _tensorboard("plugins.hparams.summary_v2").hparams_pb
            self._append(run, {"summary": make(settings_of(network, self.params))}, epoch)

    def _append(self, run: str, what: Mapping[str, Any], step: int = 0) -> None:
        """Append one event to the file of a run."""
        event = _tensorboard("compat.proto.event_pb2").Event
        record = event(wall_time=time.time(), step=step, **what).SerializeToString()
        with open(self._files[run], "ab") as file:
            _tensorboard("summary.writer.record_writer").RecordWriter(file).write(record)


def _scalars(values: Mapping[str, float]) -> dict[str, Any]:
    """Return the summary of numbers by name, as a field of an event."""
    summary = _tensorboard("compat.proto.summary_pb2").Summary
    entries = [summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    return {"summary": summary(value=entries)}


def _tensorboard(module: str) -> Any:
    """Return a module of the package tensorboard."""
    return require(f"tensorboard.{module}", extra="tensorboard", purpose="callbacks.TensorBoard")


answers.explain(TensorBoard, "callback")
