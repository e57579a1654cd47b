"""Tuning: networks trained with parameters drawn from a space, and what mattered among them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from fastnn import spaces
from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.network import Network
from fastnn.training.metric_recorder import check_metric_names

from .claims import Claims
from .parcel import Parcel, check_picklable
from .plan import Plan
from .results import Search
from .run import Run, TrialCallback
from .study import ended_trials, study_of
from .trial import Objective, import_optuna, trial_record
from .workers import check_executor, count_processes, count_workers, workers

__all__ = ["Search", "tune"]


def tune(
    make_network: Callable[..., Any],
    X: Any,
    y: Any,
    space: Mapping[str, spaces.Space],
    *,
    trials: int = 50,
    epochs: int = 30,
    validation_split: float = 0.2,
    validation_data: tuple[Any, Any] | None = None,
    monitor: str = "validation_accuracy",
    seed: int = 0,
    processes: int | None = None,
    executor: Executor | None = None,
    study: str | os.PathLike[str] | None = None,
    prune: bool = True,
    refine: bool = True,
    callbacks: Sequence[TrialCallback] = (),
    catch: type[Exception] | tuple[type[Exception], ...] = (),
) -> Search:
    """Train networks with random parameters of a space, and return them ranked.

    Random points rather than a grid: of 25 of them each parameter sees 25 values, on a 5 × 5 grid
    only 5. Needs Optuna: ``pip install "fastnn[tune]"``.

    Parameters
    ----------
    make_network : callable
        Called with those parameters that its signature names; returns a new `Network`, or that
        and a dict of settings for its fit. Other parameters go to the fit (``batch_size``, ``l2``)
        or to its optimiser, `Adam` unless the settings hold one (``learning_rate``, ``beta1``).
    X, y : arrays
        As `Network.fit` takes them.
    space : dict of str to Space
        Each parameter's `spaces.Log`, `Linear`, `Integer`, `Momentum` or `Choice`.
    trials : int
        In all, those of a study file included.
    epochs : int
        Of each trial.
    validation_split : float
        The share of the examples that is held out for the score.
    validation_data : (X, y), optional
        Scored instead.
    monitor : str
        Which curve is the score, by its last value, or by that of the epoch whose weights an
        `EarlyStopping` brings back: ``"validation_cost"``, ``"validation_f1"`` ….
    seed : int
        Of the draws; trial k is drawn from (seed, k) alone, under Optuna 4 and 5 the same. So the
        trials and their scores are the same, whoever runs them.
    processes : int, optional
        That train side by side, one by default. Above 1, make_network must be a function of a
        module, and a script needs its ``if __name__ == "__main__":``. The threads are shared out
        among them. With an executor, how many of its workers train, all by default.
    executor : concurrent.futures.Executor, optional
        Trains instead: a pool of threads or processes, `mpi4py.futures.MPIPoolExecutor`, Dask's
        ``client.get_executor()``. It stays open. X and y are sent to each worker once.
    study : path, optional
        A file that keeps the trials. Called with it again, tune adds only those still missing.
        Calls at the same time, also of other processes, share the missing ones out, and each
        returns all; what a process that died had begun is begun again by another.
    prune : bool
        Whether a trial ends early when its best value so far is worse than the median of finished
        ones at that epoch: the first half of those before it, for a refined one all that are not.
        It waits for those.
    refine : bool
        Whether the second half of the trials looks only around the best quarter of the first.
    callbacks : sequence of callables
        Each is called with every trial of this call, as it stands in ``Search.trials``.
    catch : exception class or tuple of them
        What a trial may raise without ending the search: it counts as failed then, without a score.

    Returns
    -------
    Search
        `.best`, `.best_score`, `.trials`, `.importance`; it prints as a table. Its `refit` trains
        the best network, its `build` makes it. After Ctrl-C, which trials that run in other
        processes or threads outlast, what was done until then.

    Raises
    ------
    SettingError
        If a setting is out of range, or the file holds something else than this search: another
        space, other data, another validation part, or another network for equal parameters.
    MissingExtraError
        Without Optuna.

    Examples
    --------
    >>> def make(units): return Network.mlp([2, units, 1], output="sigmoid")
    >>> found = fastnn.tune(make, X, y, {"units": spaces.Integer(4, 64, log=True),
    ...                                  "learning_rate": spaces.Log(1e-4, 1e-1)}, trials=20)
    >>> found.best                    # {"units": 23, "learning_rate": 0.0123}
    >>> net = found.refit(X, y)       # trained on all examples
    """
    _check_make_network(make_network)
    on_trial = arguments.callables(callbacks, "callbacks", "(trial)", "[print]")
    total = arguments.count(trials, "trials", least=1)
    check_executor(executor)
    count = count_processes(processes)
    validation = (
        {"validation_split": arguments.fraction(validation_split, "validation_split")}
        if validation_data is None
        else {"validation_data": validation_data}
    )
    objective = Objective(
        make_network, X, y, spaces.check_space(space), arguments.count(epochs, "epochs", least=1),
        validation, monitor, _recorded_metrics(monitor), arguments.seed(seed), bool(prune),
        _check_catch(catch),
    )  # fmt: skip
    if executor is not None:
        count_workers(executor, count)  # before the data are looked at
    elif count is not None and count > 1:
        check_picklable(make_network, "make_network")
    path = None if study is None else os.fspath(study)
    with _optuna_silenced(), study_of(objective, path) as opened:
        plan = Plan(objective, total, bool(refine))
        return _optimize(plan, opened, path, executor, count, on_trial)


def _check_make_network(make_network: Any) -> None:
    """Refuse what is no function that makes networks, like a network that is made already."""
    if isinstance(make_network, Network) or not callable(make_network):
        raise SettingError(
            f"make_network must be a function that returns a new Network, got "
            f"{type(make_network).__name__}; write lambda units: Network.mlp([n, units, 1], …), "
            "of the parameters that it uses"
        )


def _check_catch(catch: Any) -> tuple[type[Exception], ...]:
    """Return exception classes as a tuple; Ctrl-C and the like are not among them."""
    kinds = catch if isinstance(catch, tuple) else (catch,)
    if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        raise SettingError(f"catch must be exception classes, like (ValueError,), got {catch!r}")
    return kinds


def _recorded_metrics(monitor: Any) -> tuple[str, ...]:
    """Return the metrics that a fit must record for this monitor, or say that there is none."""
    name = monitor.removeprefix("validation_") if isinstance(monitor, str) else monitor
    if name in ("cost", "accuracy"):
        return ()
    try:
        return check_metric_names([name])
    except SettingError as error:
        raise SettingError(
            f"monitor {monitor!r} does not exist; choose cost, accuracy or a metric, or one of "
            "them after validation_"
        ) from error


@contextlib.contextmanager
def _optuna_silenced() -> Iterator[None]:
    """Keep Optuna's own log lines back for a while."""
    logging = import_optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _optimize(
    plan: Plan,
    study: Any,
    path: str | None,
    executor: Executor | None,
    processes: int | None,
    callbacks: Sequence[TrialCallback],
) -> Search:
    """Run the trials that the study lacks, and return all."""
    objective = plan.objective
    claims, parcel, interrupted = Claims(path), Parcel(objective), False
    missing = sum(k not in ended_trials(study) for k in range(plan.total))
    try:
        with workers(executor, processes, missing) as (team, n):
            Run(plan, study, claims, parcel, team, n, callbacks, os.getpid()).to_the_end()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        claims.release_all()
        parcel.close()
    found = [trial_record(objective.space, trial) for trial in ended_trials(study).values()]
    return Search(
        found, objective.space, objective.monitor, interrupted, objective.make_network,
        objective.epochs,
    )  # fmt: skip
