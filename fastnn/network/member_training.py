"""The training of many networks: dealt to the threads, short fits several at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack

from fastnn._runtime.threads import get_num_threads
from fastnn.training.deal import deal
from fastnn.training.interrupts import Interrupts
from fastnn.training.shared_progress import SharedProgress
from fastnn.training.short_fits import ShortTrainer, run_all

from .member_fit import MemberFit

__all__ = ["train_members"]

MOST_SHORT = 16  # short fits that a thread prepares at a time
DEALS = 2  # of short fits to each thread at least, lest one thread wait long for another


def train_members(
    fits: Sequence[MemberFit], reporter: SharedProgress, interrupts: Interrupts
) -> None:
    """Train all networks: whole ones on a thread each, and what is left of large ones by all.

    What runs no compiled steps is trained by this thread alone: it would only wait for Python.
    """
    threads = get_num_threads()
    dealt = [fit for fit in fits if fit.kernels.threaded]
    large = [fit for fit in dealt if fit.large]
    together = large[len(large) - len(large) % threads :] if threads > 1 else []
    together += [fit for fit in fits if not fit.kernels.threaded]
    tasks, lock = _tasks([fit for fit in dealt if fit not in together], threads), threading.Lock()

    def run(members: Sequence[MemberFit]) -> None:
        if members[0].short:
            trainers = [fit.trainer(ShortTrainer) for fit in members]
            with ExitStack() as notes:  # all are taken, whatever ends the runs or one of the notes
                for fit, trainer in zip(members, run_all(trainers, interrupts), strict=False):
                    notes.callback(fit.finish, trainer, interrupts, reporter, lock)
        else:
            members[0].run(interrupts, reporter, lock)

    deal(tasks, run, min(threads, len(tasks)), interrupts)
    for fit in together:
        if not interrupts.seen:
            fit.run(interrupts, reporter, lock)
    for fit in fits:
        if interrupts.seen and not fit.ended:
            fit.interrupt()


def _tasks(fits: Sequence[MemberFit], threads: int) -> list[list[MemberFit]]:
    """Return the fits that a thread takes at a time, one or several short ones: most work first."""
    short = [fit for fit in fits if fit.short]
    each = -(-len(short) // (DEALS * threads)) if threads > 1 else MOST_SHORT
    size = max(1, min(MOST_SHORT, each))
    tasks = [short[i : i + size] for i in range(0, len(short), size)]
    tasks += [[fit] for fit in fits if not fit.short]
    return sorted(tasks, key=lambda task: -sum(fit.work for fit in task))
