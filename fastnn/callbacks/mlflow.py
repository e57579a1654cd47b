"""Runs of MLflow: the numbers of every epoch as metrics, settings as parameters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .._habits import answers
from .._runtime.optional import require
from ..errors import SettingError
from ..history import History
from ..network import Network
from ..network.description import state_of
from ._settings import last_values, settings_of

__all__ = ["MLflow"]

#: Characters of a parameter's value at most; MLflow refuses more than 6,000.
MAX_LENGTH = 6000


class MLflow:
    """Logs the numbers of every epoch to a run of MLflow, and the network's settings once.

    Metrics are the curves of the history, under their names; steps are epochs, counted from 0 over
    all fits of the network. Parameters are the settings of the network and of its optimiser; those
    that the run has already stay as they are, for MLflow changes none. A fit that goes on, from a
    `Checkpoint` or as a network's second, logs no epoch that the run already has.

    Where to: as ``mlflow.set_tracking_uri`` and ``set_experiment``, or MLflow's environment
    variables, say.

    Parameters
    ----------
    run : str or mlflow.entities.Run, optional
        The run, or its id. Without it the active run, or else a run of its own for every fit, which
        ends with the fit; if the fit ends with an error that run remains marked as running.
    params : mapping, optional
        Further parameters, which a callback cannot know: ``{"batch_size": 64}``.

    Attributes
    ----------
    run_id : str or None
        Of the run that was logged to last; give it to go on there.

    Raises
    ------
    MissingExtraError
        If the package mlflow is not installed.
    SettingError
        If `run` is neither a run nor text.
    mlflow.exceptions.MlflowException
        Before the first step, if there is no such run, or no such place.
    """

    rank_0_only = True  # of several ranks one writes

    def __init__(self, run: Any = None, *, params: Mapping[str, Any] | None = None) -> None:
        _mlflow()
        given = getattr(getattr(run, "info", None), "run_id", run)
        if given is not None and not isinstance(given, str):
            raise SettingError(f"run must be a run of MLflow or its id, got {run!r}")
        self.params, self._given, self.run_id = dict(params or {}), given, given
        self._begun = self._own = False
        self._logged: set[int] = set()

    def start(self, network: Network) -> None:
        """Find or make the run and log the settings; `fit` calls this before its first step."""
        client, active = _mlflow().MlflowClient(), _mlflow().active_run()
        self._own = self._given is None and active is None
        if self._own:
            # By what people call, so that the run goes to their experiment; then no longer active.
            self.run_id = _mlflow().start_run().info.run_id
            _mlflow().end_run()
            client.update_run(self.run_id, status="RUNNING")
        else:
            self.run_id = self._given or active.info.run_id
        known = client.get_run(self.run_id).data.params
        entities = _mlflow().entities
        settings = settings_of(network, self.params).items()
        new = [entities.Param(k, str(v)[:MAX_LENGTH]) for k, v in settings if k not in known]
        client.log_batch(self.run_id, params=new)
        goes_on = state_of(network).training.epoch > 0
        past = client.get_metric_history(self.run_id, "cost") if goes_on else []
        self._logged, self._begun = {metric.step for metric in past}, True

    def __call__(self, network: Network, history: History) -> None:
        """Log the numbers of the epoch."""
        if not self._begun:  # within a callback that does not pass `start` on
            self.start(network)
        step, now = state_of(network).training.epoch - 1, int(time.time() * 1000)
        if step in self._logged:
            return
        make = _mlflow().entities.Metric
        metrics = [make(name, v, now, step) for name, v in last_values(history).items()]
        _mlflow().MlflowClient().log_batch(self.run_id, metrics=metrics)

    def finish(self, network: Network) -> None:
        """End a run of our own; `fit` calls this when it ends without an error."""
        self._begun = False
        if self._own:
            _mlflow().MlflowClient().set_terminated(self.run_id)


def _mlflow() -> Any:
    """Return the package mlflow."""
    return require("mlflow", extra="mlflow", purpose="callbacks.MLflow")


answers.explain(MLflow, "callback")
