"""Callbacks: what may happen after every epoch of a fit.

A callback is called with (network, history); returning True stops the fit. Any function will do.
Those before it in the list have been called. What a callback raises ends the fit and leaves the
network at the epoch that was just finished. Callbacks begin anew with every fit, also with one
that goes on from a checkpoint; `CSVLogger`, `TensorBoard` and `MLflow` alone go on with what they
have written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._habits import answers
from .csv_logger import CSVLogger
from .mlflow import MLflow
from .stops_and_checkpoints import Checkpoint, EarlyStopping, TimeLimit
from .tensorboard import TensorBoard

__all__ = ["CSVLogger", "Checkpoint", "EarlyStopping", "MLflow", "TensorBoard", "TimeLimit"]

for _kind in (CSVLogger, Checkpoint, EarlyStopping, MLflow, TensorBoard, TimeLimit):
    answers.explain(_kind, "callback")
if not TYPE_CHECKING:
    __getattr__ = answers.lacks(__name__, __all__)
