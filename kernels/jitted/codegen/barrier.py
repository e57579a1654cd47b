"""The barrier of a team, and its dynamic schedule, for compiled code.

A barrier costs about 0.1 µs while every thread has a core. What waits spins first, then yields its
core, then sleeps. An abort lets everybody through.
"""

from __future__ import annotations

import os

from ..compiler.jit import inlined, kernel
from ..records import ABORTED, ARRIVED, BARRIER_STRIDE, NEXT_CHUNK
from .atomics import atomic_load, fetch_add, pause, sleep, yield_core

SPINS = 100  # polls with a pause, some 4 µs; with 300, 4 threads on 2 cores waited 4 times longer
YIELDS = 2000  # polls with a yield: about 1 ms where nobody else wants the core
NAP = 1 if os.name == "nt" else 20  # ms on Windows, else µs: with the timer's slack about 80 µs


@kernel
def barrier_wait(team):
    """Wait until every thread of the team has arrived here, or one of them has failed to begin."""
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
    """Return the first of the next n pieces of the team's work (a dynamic schedule)."""
    return fetch_add(team.barrier, NEXT_CHUNK, n)


@inlined
def is_aborted(team):
    """Tell whether a thread of the team failed to begin."""
    return atomic_load(team.barrier, ABORTED) != 0
