"""Callbacks: what may happen after every epoch of a fit.

A callback is called with (network, history); returning True stops the fit. Any function will do.
Those before it in the list have been called. What a callback raises ends the fit and leaves the
network at the epoch that was just finished. Callbacks begin anew with every fit, also with one
that goes on from a checkpoint; `CSVLogger`, `TensorBoard` and `MLflow` alone go on with what they
have written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import attach

if TYPE_CHECKING:
    from .csv_logger import CSVLogger
    from .mlflow import MLflow
    from .stops_and_checkpoints import Checkpoint, EarlyStopping, TimeLimit
    from .tensorboard import TensorBoard

__all__ = ["CSVLogger", "Checkpoint", "EarlyStopping", "MLflow", "TensorBoard", "TimeLimit"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = attach(
        __name__,
        {
            "csv_logger": "CSVLogger",
            "mlflow": "MLflow",
            "stops_and_checkpoints": "Checkpoint EarlyStopping TimeLimit",
            "tensorboard": "TensorBoard",
        },
    )
