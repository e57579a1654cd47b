"""One trial of a search: parameters drawn, a network made and trained, its score."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastnn._runtime.optional import require
from fastnn.errors import DivergenceError, SettingError
from fastnn.network import Network
from fastnn.optimizers import Adam
from fastnn.spaces import Box, Space

from .pruning import PruningCallback
from .task_digest import digest_network

#: Arguments of `Network.fit` that tune itself gives.
SET_BY_TUNE = ("X", "y", "epochs", "validation_data", "validation_split", "progress", "optimizer")


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


class Draw(NamedTuple):
    """The parameters of a trial as the study stores them: numbers, and where they were drawn."""

    numbers: dict[str, float]
    distributions: dict[str, Any]


class Outcome(NamedTuple):
    """What a trial came to: how it ended, its curve by step, the digest of what it trained."""

    end: dict[str, Any]
    curve: dict[int, float]
    made: str | None


def import_optuna() -> Any:
    """Import Optuna, or name the extra that brings it."""
    return require("optuna", extra="tune", purpose="tuning")


def draw(seed: int, number: int, boxes: Mapping[str, Box]) -> Draw:
    """Return the parameters of a trial: a function of the seed, its number and the boxes alone."""
    module = import_optuna()
    key = np.random.SeedSequence([seed, number]).generate_state(1)[0]
    study = module.create_study(sampler=module.samplers.RandomSampler(seed=int(key)))
    distributions = {name: _optuna_distribution(module, box) for name, box in boxes.items()}
    return Draw(study.ask(distributions).params, distributions)


def run_trial(
    objective: Objective, numbers: Mapping[str, float], bars: Mapping[int, float]
) -> Outcome:
    """Train and score the network of these parameters; `bars` are what it must reach by step."""
    pruning = PruningCallback(objective.monitor, bars)
    made: list[str] = []
    parameters = parameter_values(objective.space, numbers)
    try:
        state, score, epochs = _fit_network(objective, parameters, pruning, made.append)
    except objective.catch as error:
        text = f"{type(error).__name__}: {error}"
        end: dict[str, Any] = {"state": "failed", "score": None, "epochs": 0, "error": text}
    else:
        end = {"state": state, "score": score, "epochs": epochs}
    return Outcome(end, pruning.curve, made[0] if made else None)


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
    objective: Objective,
    parameters: dict[str, Any],
    pruning: PruningCallback,
    note_digest: Callable[[str], object],
) -> tuple[str, float | None, int]:
    """Make and train a network; return how that ended, its score and its epochs."""
    network, settings = build_trial(objective.make_network, parameters)
    note_digest(digest_network(network, settings))
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
