"""The study of a search: in memory, or in a journal file from which it can go on."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import warnings
from collections.abc import Iterator
from typing import IO, Any

from fastnn.errors import SettingError
from fastnn.history import higher_is_better

from .task_digest import digest, stable_repr
from .trial import N_STARTUP_TRIALS, Objective, import_optuna, network_digest

#: The name of the study within its file.
STUDY_NAME = "fastnn"
#: The errors by which systems say that another process has the lock.
LOCK_REFUSED = errno.EACCES, errno.EAGAIN, errno.EDEADLK
#: The byte that Windows locks: beyond the end of any study file.
LOCK_OFFSET = 2**30


@contextlib.contextmanager
def study_locked(path: str | None) -> Iterator[None]:
    """Lock a study file, for a second search would run the same missing trials again.

    The lock belongs to an open file, so the end of the process lets go of it, however it ends.
    Nothing is locked where the file system knows no locks.
    """
    if path is None:
        yield
        return
    _check_study_file(path)
    with open(path, "ab") as file:
        if not _try_lock(file):
            raise SettingError(
                f"study file {path!r} is being searched by another call of tune; wait for its end "
                "(processes=N trains several trials at a time), or give another file"
            )
        yield


def _try_lock(file: IO[bytes]) -> bool:
    """Lock an open file; return False if another process holds the lock."""
    try:
        if os.name == "nt":
            msvcrt: Any = importlib.import_module("msvcrt")
            file.seek(LOCK_OFFSET)  # Windows lets nobody write to bytes that are locked
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl: Any = importlib.import_module("fcntl")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in LOCK_REFUSED
    return True


def open_study(objective: Objective, path: str | None) -> Any:
    """Return the study in that file, a new one where there is none; without a path in memory.

    Sampler and pruner are given with all that decides a trial, for Optuna changes its defaults:
    from version 5 on its TPE sampler draws all parameters together (multivariate) and keeps away
    from running trials (constant_liar). Nothing here is drawn by TPE.
    """
    module = import_optuna()
    pruner = module.pruners.MedianPruner(
        n_startup_trials=N_STARTUP_TRIALS, n_warmup_steps=objective.epochs // 5, interval_steps=1,
        n_min_trials=1,
    )  # fmt: skip
    settings = {
        "direction": "maximize" if higher_is_better(objective.monitor) else "minimize",
        "pruner": pruner,
        "sampler": module.samplers.RandomSampler(
            seed=objective.seed
        ),  # each trial sets its own seed
    }
    if path is None:
        return module.create_study(**settings)
    _check_study_file(path)
    journal = module.storages.journal
    lock = journal.JournalFileOpenLock(path) if os.name == "nt" else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", module.exceptions.ExperimentalWarning)
            backend = journal.JournalFileBackend(path, lock_obj=lock)
            storage = module.storages.JournalStorage(backend)
        return module.create_study(
            storage=storage, study_name=STUDY_NAME, load_if_exists=True, **settings
        )
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise SettingError(f"study file {path!r} is damaged; give another file") from error


def _check_study_file(path: str) -> None:
    """Refuse a file that exists and is no study, before a line is added to it."""
    if not os.path.exists(path) or (os.path.isfile(path) and os.path.getsize(path) == 0):
        return
    try:
        with open(path, "rb") as file:
            line = file.readline(1 << 20)
        entry = json.loads(line)
        good = line.endswith(b"\n") and isinstance(entry, dict) and "op_code" in entry
    except (ValueError, OSError):
        good = False
    if not good:
        raise SettingError(f"study {path!r} is not a study file of fastnn.tune; give another path")
    _drop_unfinished_line(path)


def _drop_unfinished_line(path: str) -> None:
    """Cut off a last line that a crash left unfinished, so that others can follow."""
    with open(path, "rb+") as file:
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)


#: Attributes of a study that are digests, by what sentences call them.
DIGESTED = {"data": "X and y", "validation": "validation data or share"}


def check_same_search(study: Any, objective: Objective, path: str | None) -> None:
    """Note in a new study what it searches; refuse one that searched something else."""
    if path is None:
        return
    this_search = {
        "space": stable_repr(sorted(objective.space.items())),
        "monitor": objective.monitor,
        "epochs": objective.epochs,
        "seed": objective.seed,
        "data": digest(objective.X, objective.y),
        "validation": digest(*objective.validation.get("validation_data", [objective.validation])),
    }
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
