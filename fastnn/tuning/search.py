"""Tuning: networks trained with parameters drawn from a space, and what mattered among them."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from fastnn import spaces
from fastnn._runtime.threads import get_num_threads, set_num_threads
from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.history import higher_is_better
from fastnn.network import Network
from fastnn.spaces import Box
from fastnn.training.metric_recorder import check_metric_names

from .results import Search
from .study import check_same_search, open_study, study_locked
from .trial import Objective, import_optuna, run_trial, trial_record

__all__ = ["Search", "tune"]

TrialCallback = Callable[[dict[str, Any]], Any]


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
    processes: int = 1,
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
        Of the draws; trial k is drawn from (seed, k) alone, under Optuna 4 and 5 the same.
    processes : int
        That train side by side. Above 1, make_network must be a function of a module, and a
        script needs its ``if __name__ == "__main__":``. The threads are shared out among them.
    study : path, optional
        A file that keeps the trials. Called with it again, tune adds only those still missing. One
        call at a time: another one meanwhile is refused.
    prune : bool
        Whether a trial ends early when its best value so far is worse than the median of the
        others' at that epoch. Across several processes that depends on who is faster.
    refine : bool
        Whether the second half of the trials looks only around the best quarter of the first.
    callbacks : sequence of callables
        Each is called with every new trial, as it stands in ``Search.trials``.
    catch : exception class or tuple of them
        What a trial may raise without ending the search: it counts as failed then, without a score.

    Returns
    -------
    Search
        `.best`, `.best_score`, `.trials`, `.importance`; it prints as a table. Its `refit` trains
        the best network, its `build` makes it. After Ctrl-C what was done until then.

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
    workers = arguments.count(processes, "processes")
    if workers < 1:
        raise SettingError(f"processes must be at least 1, got {processes!r}")
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
    if workers > 1:
        _check_picklable(make_network)
    with _optuna_silenced(), tempfile.TemporaryDirectory() as folder:
        shared = os.path.join(folder, "study") if workers > 1 else None
        path = shared if study is None else os.fspath(study)
        with study_locked(path):
            return _optimize(objective, path, total, workers, bool(refine), on_trial)


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


def _check_picklable(make_network: Any) -> None:
    """Refuse a function that cannot be sent to another process."""
    try:
        pickle.dumps(make_network)
    except Exception as error:
        raise SettingError(
            "with several processes make_network must be a function that stands in a module, for "
            f"it is sent to them; got {make_network!r}"
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
    objective: Objective,
    path: str | None,
    total: int,
    workers: int,
    refine: bool,
    callbacks: Sequence[TrialCallback],
) -> Search:
    """Run the trials over the whole space, then those around the best of them."""
    study = open_study(objective, path)
    check_same_search(study, objective, path)
    n_coarse = total - total // 2 if refine else total
    interrupted = False
    try:
        for stop in (n_coarse, total):
            done = _ended_trials(study, objective)
            boxes = _search_boxes(
                objective, [t for t in done if t[0] < n_coarse] if stop > n_coarse else []
            )
            missing = [k for k in range(stop) if k not in {index for index, _ in done}]
            for trial in _run_trials(objective, study, path, missing, boxes, workers):
                for callback in callbacks:
                    callback(trial)
    except KeyboardInterrupt:
        interrupted = True
    found = [trial_record(objective.space, trial) for _, trial in _ended_trials(study, objective)]
    return Search(
        found, objective.space, objective.monitor, interrupted, objective.make_network,
        objective.epochs,
    )  # fmt: skip


def _ended_trials(study: Any, objective: Objective) -> list[tuple[int, Any]]:
    """Return the trials that came to an end, each once, by their index."""
    ended = {t.user_attrs["index"]: t for t in study.trials if "end" in t.user_attrs}
    return sorted(ended.items())


def _search_boxes(objective: Objective, done: list[tuple[int, Any]]) -> dict[str, Box]:
    """Return the box of each parameter: the whole space, or that of the best quarter of trials."""
    whole = {name: part.box for name, part in objective.space.items()}
    sign = -1 if higher_is_better(objective.monitor) else 1
    good = [t for _, t in done if t.user_attrs["end"]["state"] == "finished"]
    good.sort(key=lambda t: (sign * t.user_attrs["end"]["score"], t.user_attrs["index"]))
    best = good[: math.ceil(len(done) / 4)]
    if not best:
        return whole
    return {name: box.around([t.params[name] for t in best]) for name, box in whole.items()}


def _run_trials(
    objective: Objective,
    study: Any,
    path: str | None,
    missing: list[int],
    boxes: dict[str, Box],
    workers: int,
) -> Iterator[dict[str, Any]]:
    """Run the missing trials, in this process or in several, and yield each when it ends."""
    if workers == 1 or path is None or not missing:
        yield from (run_trial(objective, study, index, boxes) for index in missing)
        return
    workers = min(workers, len(missing))
    threads = max(1, get_num_threads() // workers)
    context = multiprocessing.get_context("spawn")  # a fork would inherit running threads' locks
    with ProcessPoolExecutor(workers, context, _init_worker, (objective, path, threads)) as pool:
        waiting = [pool.submit(_run_in_worker, index, boxes) for index in missing]
        try:
            yield from (future.result() for future in as_completed(waiting))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


#: What a worker process keeps between its trials: the objective and its open study.
_WORKER: dict[str, Any] = {}


def _init_worker(objective: Objective, path: str, threads: int) -> None:
    """Prepare a worker process; Ctrl-C is its parent's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    set_num_threads(threads)
    logging = import_optuna().logging
    logging.set_verbosity(logging.ERROR)
    _WORKER.update(objective=objective, study=open_study(objective, path))


def _run_in_worker(index: int, boxes: dict[str, Box]) -> dict[str, Any]:
    """Run one trial in a worker process."""
    return run_trial(_WORKER["objective"], _WORKER["study"], index, boxes)
