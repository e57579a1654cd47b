"""The study of a search: in memory, or in a journal file from which it can go on."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from fastnn._display.short_repr import stable_repr
from fastnn.errors import SettingError
from fastnn.history import higher_is_better

from .claims import locked
from .task_digest import digest
from .trial import Draw, Objective, Outcome, import_optuna, network_digest

#: The name of the study within its file.
STUDY_NAME = "fastnn"
#: What is said of another file.
NO_STUDY = "study {!r} is not a study file of fastnn.tune; give another path"
#: By thread, the study files that a search of it has open.
_SEARCHED = threading.local()


@contextlib.contextmanager
def study_of(objective: Objective, path: str | None) -> Iterator[Any]:
    """Open a study, in memory without a path, and hold it against the search that asks for it.

    Several searches may have one file open, but not one within another: a callback's would wait
    for trials of the search that waits for the callback.
    """
    if path is None:
        yield _open(objective, None)
        return
    searched: set[str] = vars(_SEARCHED).setdefault("paths", set())
    real = os.path.realpath(path)
    if real in searched:
        raise SettingError(
            f"study file {path!r} is being searched by another call of tune, in which this one "
            "runs; give another file, or call tune after it"
        )
    this_search = _digests(objective)
    if os.path.exists(path) and not os.path.isfile(path):
        raise SettingError(NO_STUDY.format(path))
    with locked(path):  # for another search may be at the same
        _check_study_file(path)
        study = _open(objective, path)
        _check_same_search(study, objective, this_search, path)
    searched.add(real)
    try:
        yield study
    finally:
        searched.discard(real)


def ended_trials(study: Any) -> dict[int, Any]:
    """Return the trials that came to an end, each once, by number and in that order."""
    trials = study.get_trials(deepcopy=False)
    ended = {t.user_attrs["index"]: t for t in trials if "end" in t.user_attrs}
    return dict(sorted(ended.items()))


def add_trial(study: Any, number: int, drawn: Draw, outcome: Outcome, begun: datetime) -> Any:
    """Add a trial that has ended, all of it at once, and return it."""
    module = import_optuna()
    states = module.trial.TrialState
    end, curve, made = outcome
    state = {"finished": states.COMPLETE, "pruned": states.PRUNED}.get(end["state"], states.FAIL)
    trial = module.trial.create_trial(
        state=state,
        value=end["score"] if state is states.COMPLETE else None,
        params=drawn.numbers,
        distributions=drawn.distributions,
        user_attrs={"index": number, "end": end} | ({} if made is None else {"made": made}),
        intermediate_values=curve,
    )
    trial.datetime_start = begun
    study.add_trial(trial)
    return trial


def _open(objective: Objective, path: str | None) -> Any:
    """Return the study in that file, a new one where there is none; without a path in memory.

    Nothing is drawn or pruned by the study itself, for Optuna changes its defaults; the sampler is
    named so that none of them is made.
    """
    module = import_optuna()
    settings = {
        "direction": "maximize" if higher_is_better(objective.monitor) else "minimize",
        "sampler": module.samplers.RandomSampler(seed=objective.seed),
    }
    if path is None:
        return module.create_study(**settings)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", module.exceptions.ExperimentalWarning)
            backend = module.storages.journal.JournalFileBackend(path, lock_obj=_journal_lock(path))
            storage = module.storages.JournalStorage(backend)
        return module.create_study(
            storage=storage, study_name=STUDY_NAME, load_if_exists=True, **settings
        )
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise SettingError(f"study file {path!r} is damaged; give another file") from error


def _journal_lock(path: str) -> Any:
    """Return the lock under which Optuna adds lines; Windows lets few users make its other one."""
    journal = import_optuna().storages.journal
    kind = journal.JournalFileOpenLock if os.name == "nt" else journal.JournalFileSymlinkLock
    return kind(path)


def _check_study_file(path: str) -> None:
    """Refuse a file that is no study, before a line is added to it; an empty one becomes one."""
    if os.path.getsize(path) == 0:
        return
    try:
        with open(path, "rb") as file:
            line = file.readline(1 << 20)
        entry = json.loads(line)
        good = line.endswith(b"\n") and isinstance(entry, dict) and "op_code" in entry
    except (ValueError, OSError):
        good = False
    if not good:
        raise SettingError(NO_STUDY.format(path))
    _drop_unfinished_line(path)


def _drop_unfinished_line(path: str) -> None:
    """Cut off a last line that a crash left unfinished, so that others can follow."""
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() == b"\n":
            return
    lock = _journal_lock(path)
    lock.acquire()  # another search may be writing that line
    try:
        with open(path, "rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()


#: Attributes of a study that are digests, by what sentences call them.
DIGESTED = {"data": "X and y", "validation": "validation data or share"}


def _digests(objective: Objective) -> dict[str, Any]:
    """Return what a study notes about its search."""
    return {
        "space": stable_repr(sorted(objective.space.items())),
        "monitor": objective.monitor,
        "epochs": objective.epochs,
        "seed": objective.seed,
        "data": digest(objective.X, objective.y),
        "validation": digest(*objective.validation.get("validation_data", [objective.validation])),
    }


def _check_same_search(
    study: Any, objective: Objective, this_search: dict[str, Any], path: str
) -> None:
    """Note in a new study what it searches; refuse one that searched something else."""
    stored = study.user_attrs
    for name, value in this_search.items():
        if name in stored and stored[name] != value:
            found = (
                f"its {DIGESTED[name]} are not those of this call"
                if name in DIGESTED
                else f"its {name} is {stored[name]}, here it is {value}"
            )
            raise SettingError(
                f"study file {path!r} holds another search: {found}; give another file, or the "
                "same settings"
            )
    _check_same_network(study, objective, path)
    for name, value in this_search.items():  # older studies say less
        if name not in stored:
            study.set_user_attr(name, value)


def _check_same_network(study: Any, objective: Objective, path: str) -> None:
    """Refuse a study whose first trial was of another network or settings than it would be here."""
    for trial in study.trials:
        attributes = trial.user_attrs
        if "end" in attributes and "made" in attributes:
            if network_digest(objective, trial) != attributes["made"]:
                raise SettingError(
                    f"study file {path!r} holds another search: for the parameters of its trial "
                    f"{attributes['index']} make_network gives another network or other settings "
                    "now; give another file"
                )
            return
