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

#: Number of first polls of a waiting thread, each followed by a pause; all of them take some 4 µs.
#: With 300 instead, 4 threads on 2 cores waited 4 times longer.
SPINS = 100
#: Number of polls after the first SPINS, each followed by a yield of the core; together they take
#: about 1 ms if no other thread wants the core.
YIELDS = 2000
#: Argument of `sleep` after every later poll, in ms on Windows, else in µs. The system's timer is
#: coarse: a sleep of 20 µs takes about 80.
NAP = 1 if os.name == "nt" else 20


@inlined
def back_off(polls):
    """Pause, yield the core or sleep, after poll number `polls`, from 1 on, of a waiting thread."""
    if polls < SPINS:
        pause()
    elif polls < SPINS + YIELDS:
        yield_core()
    else:
        sleep(NAP)


@kernel
def barrier_wait(team):
    """Wait until every thread of `team` (a Team) has called this, or ABORTED is set.

    The element BARRIER_STRIDE · (tid + 1) of team.barrier counts the calls of thread tid; element
    ARRIVED counts the calls of all threads. A thread waits until ARRIVED's count is n_threads times
    its own count. The only thread of a team does not wait.
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
        back_off(polls)


@inlined
def next_chunk(team, n):
    """Claim the next n items of the team's work and return the index (int64) of the first of them.

    team: a Team. This is a dynamic schedule: team.barrier[NEXT_CHUNK] counts the items that its
    threads have claimed. The caller compares the index with the number of items: this function does
    not know it, and returns indices beyond the last item, too.
    """
    return fetch_add(team.barrier, NEXT_CHUNK, n)


@inlined
def is_aborted(team):
    """Return a bool: whether a thread of `team` (a Team) failed to run its kernel, set ABORTED."""
    return atomic_load(team.barrier, ABORTED) != 0
