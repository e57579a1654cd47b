"""The study of a search: in memory, or in a journal file from which it can go on."""

from __future__ import annotations

import json
import os
import warnings
from typing import Any

from . import _trial
from ._trial import Job
from .errors import SettingError
from .history import rises

NAME = "fastnn"  # of the study within its file


def opened(job: Job, path: str | None) -> Any:
    """Return the study in that file, a new one where there is none; without a path in memory."""
    module = _trial.optuna()
    pruner = module.pruners.MedianPruner(
        n_startup_trials=_trial.STARTUP, n_warmup_steps=job.epochs // 5
    )
    settings = {"direction": "maximize" if rises(job.monitor) else "minimize", "pruner": pruner}
    if path is None:
        return module.create_study(**settings)
    _recognised(path)
    journal = module.storages.journal
    lock = journal.JournalFileOpenLock(path) if os.name == "nt" else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", module.exceptions.ExperimentalWarning)
            backend = journal.JournalFileBackend(path, lock_obj=lock)
            storage = module.storages.JournalStorage(backend)
        return module.create_study(
            storage=storage, study_name=NAME, load_if_exists=True, **settings
        )
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        raise SettingError(f"study file {path!r} is damaged; give another file") from error


def _recognised(path: str) -> None:
    """Refuse a file that is there and is no study, before a line is added to it."""
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
    _mended(path)


def _mended(path: str) -> None:
    """Cut off a last line that a crash left unfinished, so that others can follow."""
    with open(path, "rb+") as file:
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)


def same_search(study: Any, job: Job, path: str | None) -> None:
    """Note in a new study what it searches; refuse one that searched something else."""
    mine = {
        "space": repr(sorted(job.space.items())),
        "monitor": job.monitor,
        "epochs": job.epochs,
        "seed": job.seed,
    }
    theirs = study.user_attrs
    for name, value in mine.items():
        if name not in theirs:
            study.set_user_attr(name, value)
        elif theirs[name] != value:
            raise SettingError(
                f"study file {path!r} holds another search: its {name} is {theirs[name]}, here it "
                f"is {value}; give another file, or the same settings"
            )
