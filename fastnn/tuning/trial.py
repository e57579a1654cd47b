"""One trial of a search: parameters drawn, a network made and trained, its score noted."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._runtime.optional import require
from fastnn.errors import DivergenceError, SettingError
from fastnn.history import History
from fastnn.network import Network
from fastnn.optimizers import Adam
from fastnn.spaces import Box, Space

from .task_digest import digest_network

#: Arguments of `Network.fit` that tune itself gives.
SET_BY_TUNE = ("X", "y", "epochs", "validation_data", "validation_split", "progress", "optimizer")
#: Finished trials before one may be pruned.
N_STARTUP_TRIALS = 5


@dataclass(frozen=True)
class Objective:
    """What all trials of a study share: how a network is made, trained and scored."""

    make_network: Callable[..., Any]
    X: Any
    y: Any
    space: dict[str, Space]
    epochs: int
    validation: dict[str, Any]
    monitor: str
    metrics: tuple[str, ...]
    seed: int
    prune: bool
    catch: tuple[type[Exception], ...] = ()


def import_optuna() -> Any:
    """Import Optuna, or name the extra that brings it."""
    return require("optuna", extra="tune", purpose="tuning")


class PruningCallback:
    """Reports the monitored value to Optuna after every epoch, and stops a fit that it prunes.

    `pruned` tells whether that happened.
    """

    def __init__(self, trial: Any, objective: Objective) -> None:
        self.trial, self._monitor, self.prune = trial, objective.monitor, objective.prune
        self.pruned = False

    def __call__(self, network: Network, history: History) -> bool:
        """Report the epoch; return True if the trial is pruned."""
        if self._monitor not in history:
            raise SettingError(
                f"monitor is {self._monitor!r}, but the history holds {', '.join(history)}; choose "
                "one of those, or give validation examples"
            )
        if self.prune:
            self.trial.report(float(history[self._monitor][-1]), history.epochs - 1)
            self.pruned = bool(self.trial.should_prune())
        return self.pruned


def run_trial(
    objective: Objective, study: Any, index: int, boxes: Mapping[str, Box]
) -> dict[str, Any]:
    """Draw, train and score one trial, note it in the study, and return it."""
    module = import_optuna()
    states = module.trial.TrialState
    key = np.random.SeedSequence([objective.seed, index]).generate_state(1)[0]
    study.sampler = module.samplers.RandomSampler(seed=int(key))
    trial = study.ask({name: _optuna_distribution(module, box) for name, box in boxes.items()})
    trial.set_user_attr("index", index)
    try:
        end = _run_to_end(objective, trial)
    except BaseException as error:
        study.tell(trial, state=states.FAIL)
        if isinstance(error, Exception):
            error.add_note(
                f"This was trial {index} of fastnn.tune, with "
                f"{parameter_values(objective.space, trial.params)}. A study file keeps the "
                "trials before it; catch= lets the search go on."
            )
        raise
    trial.set_user_attr("end", end)
    state = {"finished": states.COMPLETE, "pruned": states.PRUNED}.get(end["state"], states.FAIL)
    study.tell(trial, end["score"] if state is states.COMPLETE else None, state=state)
    return trial_record(objective.space, trial)


def _run_to_end(objective: Objective, trial: Any) -> dict[str, Any]:
    """Train a trial's network; return how that ended, its score and its epochs."""
    try:
        state, score, epochs = _fit_network(
            objective, trial, parameter_values(objective.space, trial.params)
        )
    except objective.catch as error:
        text = f"{type(error).__name__}: {error}"
        return {"state": "failed", "score": None, "epochs": 0, "error": text}
    return {"state": state, "score": score, "epochs": epochs}


def network_digest(objective: Objective, trial: Any) -> str:
    """Return the digest of the network and the settings that a trial's parameters give now."""
    parameters = parameter_values(objective.space, trial.params)
    return digest_network(*build_trial(objective.make_network, parameters))


def parameter_values(space: Mapping[str, Space], stored: Mapping[str, float]) -> dict[str, Any]:
    """Return the values of the parameters, of the numbers that the study stores."""
    return {name: part.value(stored[name]) for name, part in space.items()}


def trial_record(space: Mapping[str, Space], trial: Any) -> dict[str, Any]:
    """Return a trial of the study as `Search` holds it."""
    attributes = trial.user_attrs
    return {
        "number": attributes["index"],
        "parameters": parameter_values(space, trial.params),
        **attributes["end"],
    }


def _optuna_distribution(module: Any, box: Box) -> Any:
    """Return Optuna's distribution of a box."""
    if box.whole:
        return module.distributions.IntDistribution(int(box.low), int(box.high), log=box.log)
    return module.distributions.FloatDistribution(box.low, box.high, log=box.log)


def _fit_network(
    objective: Objective, trial: Any, parameters: dict[str, Any]
) -> tuple[str, float | None, int]:
    """Make and train a network; return how that ended, its score and its epochs."""
    network, settings = build_trial(objective.make_network, parameters)
    trial.set_user_attr("made", digest_network(network, settings))
    pruning = PruningCallback(trial, objective)
    settings["callbacks"] = (*settings.get("callbacks", ()), pruning)
    settings["metrics"] = (*settings.get("metrics", ()), *objective.metrics)
    try:
        history = network.fit(
            objective.X,
            objective.y,
            epochs=objective.epochs,
            progress=False,
            **objective.validation,
            **settings,
        )
    except DivergenceError as error:
        return "diverged", None, error.history.epochs
    if history.interrupted:
        raise KeyboardInterrupt
    score = float(history[objective.monitor][_restored_epoch(settings["callbacks"])])
    if not math.isfinite(score):
        return "diverged", None, history.epochs
    return "pruned" if pruning.pruned else "finished", score, history.epochs


def _restored_epoch(callbacks: Iterable[Any]) -> int:
    """Return the epoch whose weights the network has: the last one, or the best of a callback."""
    kept = -1
    for callback in callbacks:  # each that brings weights back does so over the one before
        if getattr(callback, "restore_best", False):
            best = getattr(callback, "best_epoch", -1)
            kept = best if isinstance(best, int) and best >= 0 else kept
    return kept


def build_trial(
    make_network: Callable[..., Any], parameters: dict[str, Any]
) -> tuple[Network, dict[str, Any]]:
    """Return the network and the settings of its fit: each parameter goes where it is known."""
    own, rest = _split_parameters(make_network, parameters)
    made = make_network(**own)
    network, given = made if isinstance(made, tuple) and len(made) == 2 else (made, {})
    if not isinstance(network, Network) or not isinstance(given, Mapping):
        raise SettingError(
            "make_network must return a Network, or a Network and a dict of settings for its fit; "
            f"got {type(made).__name__}"
        )
    settings = dict(given)
    optimizer = settings.pop("optimizer", None) or Adam()
    fit = set(inspect.signature(Network.fit).parameters) - {"self", *SET_BY_TUNE}
    moved = {field.name for field in dataclasses.fields(optimizer)}
    _check_none_left(set(settings) - fit, "the settings that make_network returns hold")
    _check_none_left(set(rest) - fit - moved, f"neither make_network, fit nor {optimizer!r} takes")
    settings |= {name: value for name, value in rest.items() if name in fit}
    changes = {name: value for name, value in rest.items() if name not in fit}
    return network, settings | {"optimizer": dataclasses.replace(optimizer, **changes)}


def _split_parameters(
    make_network: Callable[..., Any], parameters: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters that make_network takes, and the others."""
    taken = inspect.signature(make_network).parameters
    if any(p.kind is p.VAR_KEYWORD for p in taken.values()):
        return parameters, {}
    own = {name: value for name, value in parameters.items() if name in taken}
    return own, {name: value for name, value in parameters.items() if name not in taken}


def _check_none_left(names: Iterable[str], why: str) -> None:
    """Refuse names of settings that are left over, if any; `why` begins the sentence."""
    wrong = ", ".join(map(repr, sorted(names)))
    if wrong:
        raise SettingError(f"{why} {wrong}; epochs and validation are arguments of tune")
