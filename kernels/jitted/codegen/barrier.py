"""The barrier of a team, and the counter of its dynamic schedule, for compiled code.

A barrier costs about 0.1 µs while every thread has a core. A waiting thread polls a counter: first
with pauses, then it yields its core after each poll, then it sleeps after each poll. If a thread
could not run its kernel, it sets ABORTED, and no thread of the team waits at a barrier any more.
"""

from __future__ import annotations

import os

from ..compiler.jit import inlined, kernel
from ..records import ABORTED, ARRIVED, BARRIER_STRIDE, NEXT_CHUNK
from .atomics import atomic_load, fetch_add, pause, sleep, yield_core

#: Polls that are each followed by a pause, together some 4 µs. With 300 of them 4 threads on 2
#: cores waited 4 times longer.
SPINS = 100
#: Polls after these that are each followed by a yield: about 1 ms if no other thread wants the
#: core.
YIELDS = 2000
#: Argument of `sleep` after every later poll: ms on Windows, else µs. The system's timer is coarse
#: and makes about 80 µs of 20.
NAP = 1 if os.name == "nt" else 20


@kernel
def barrier_wait(team):
    """Wait until every thread of the team (Team) has come to this barrier, or ABORTED is set.

    Each thread counts the barriers it came to in barrier[BARRIER_STRIDE · (tid + 1)], and all of
    them together in barrier[ARRIVED]: a thread waits until the latter is n_threads times its own
    count. A team of one thread returns at once.
    """
    barrier, tid, n_threads = team
    if n_threads == 1:
        return
    own = BARRIER_STRIDE * (tid + 1)
    barrier[own] += 1
    target = barrier[own] * n_threads
    fetch_add(barrier, ARRIVED, 1)
    polls = 0
    while atomic_load(barrier, ARRIVED) < target and atomic_load(barrier, ABORTED) == 0:
        polls += 1
        if polls < SPINS:
            pause()
        elif polls < SPINS + YIELDS:
            yield_core()
        else:
            sleep(NAP)


@inlined
def next_chunk(team, n):
    """Claim the next n items of the team's work and return the index of the first of them.

    This is a dynamic schedule: barrier[NEXT_CHUNK] counts the items that the team's threads have
    claimed. The caller compares the index with the number of items, which is not known here.
    """
    return fetch_add(team.barrier, NEXT_CHUNK, n)


@inlined
def is_aborted(team):
    """Return whether a thread of the team (Team) could not run its kernel and set ABORTED."""
    return atomic_load(team.barrier, ABORTED) != 0
