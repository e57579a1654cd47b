"""A team: plain threads inside nogil compiled code that meet at an atomic barrier.

Numba's own threading layers cost 1.6 to 27 µs a region, and some abort on concurrent entry or die
after a fork; a meeting here costs about 0.1 µs while every member has a core. Members allocate
nothing, raise nothing and touch no Python object. An abort is set before a member begins or after
it has ended, never between two meetings: so all members leave before the first update, or none.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading

import numba
import numpy as np

from ..codegen.atomics import atomic_load, fetch_add, pause, sleep, yield_core
from ..compiler.jit import inlined, kernel
from ..compiler.unrequested import raise_if_called

SPINS = 100  # with a pause each some 4 µs; with 300, 4 members on 2 cores waited 4 times longer
YIELDS = 2000  # about 1 ms where nobody else wants the core, far longer where others do
NAP = 1 if os.name == "nt" else 20  # ms there, µs here: with the timer's slack about 80 µs
BARRIER_STRIDE = 16  # int64 in two cache lines, for their prefetcher fetches pairs
#: Places in the meeting array; member i counts its turns at LINE (i + 1).
ARRIVED, ABORT, NEXT_CHUNK = 0, 1, 2

_NOBODY = np.zeros(2 * BARRIER_STRIDE, np.int64)  # the meeting of one, which nobody writes to


@kernel
def barrier_wait(meeting, me, team):
    """Wait until every member has come here; an abort lets everybody through."""
    if team == 1:
        return
    own = BARRIER_STRIDE * (me + 1)
    meeting[own] += 1
    target = meeting[own] * team
    fetch_add(meeting, ARRIVED, 1)
    polls = 0
    while atomic_load(meeting, ARRIVED) < target and atomic_load(meeting, ABORT) == 0:
        polls += 1
        if polls < SPINS:
            pause()
        elif polls < SPINS + YIELDS:
            yield_core()
        else:
            sleep(NAP)


@inlined
def next_chunk(meeting, n):
    """Return the first of the next n pieces of a team's work: whoever is free takes them."""
    return fetch_add(meeting, NEXT_CHUNK, n)


@inlined
def is_aborted(meeting):
    """Tell whether a member failed to begin."""
    return atomic_load(meeting, ABORT) != 0


class _Member:
    """A thread that works when it is told to and sleeps in between."""

    def __init__(self):
        self.jobs, self.replies = queue.SimpleQueue(), queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, daemon=True, name="fastnn")

    def end(self):
        """Return once the thread works no more, or never began."""
        self.jobs.put(None)
        if self.thread.ident is not None:
            self.thread.join()

    def _serve(self):
        while (job := self.jobs.get()) is not None:
            reply = _work(*job)
            job = None  # an idle member keeps no array alive
            self.replies.put(reply)


def _work(function, args):
    """Run a member's part; return the error that kept it from it, once the others are released."""
    try:
        function(*args)
    except BaseException as error:
        args[-3][ABORT] = 1
        return error
    return None


class _Team:
    """The members that a caller has beside itself, and the multiplications it has done so far."""

    def __init__(self):
        self.members, self.work = [], 0

    def gather(self, n):
        """Return n members, started where too few are there: fewer if the system has no more."""
        while len(self.members) < n:
            member = _Member()
            try:
                member.thread.start()
            except RuntimeError:
                break
            except BaseException:
                member.end()  # if it has begun after all
                raise
            self.members.append(member)
        return self.members[:n]

    def dismiss(self):
        """End all members; whatever a signal raises waits until nobody uses an array any more."""
        raised = None
        while self.members:
            try:
                self.members[-1].end()
                self.members.pop()
            except BaseException as error:
                raised = error
        if raised is not None:
            raise raised


def _forget():
    """Begin without teams: a forked child has none of its parent's threads."""
    global _own, _lock
    _own, _lock = threading.local(), threading.Lock()  # _own.team: of the thread that asks
    _claims.clear()


_claims = {}  # how many threads every thread that computes uses, itself included
_ready = set()  # functions, each with the types of its arguments, that need no compiler any more
_forget()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextlib.contextmanager
def keep_team():
    """Keep the members that calls within this block start: waking costs 30 µs, starting 300."""
    team = getattr(_own, "team", None)
    if team is not None:
        yield team
        return
    team = _own.team = _Team()
    try:
        yield team
    finally:
        _own.team = None
        team.dismiss()


def accumulate_flops(multiplications):
    """Return all that this block has multiplied, with these: a team is not started for little."""
    team = getattr(_own, "team", None) or _Team()
    team.work += multiplications
    return team.work


def is_busy():
    """Tell whether any thread computes with a team, or alone what a team might."""
    return bool(_claims)


def run_parallel(function, args, size):
    """Run function(*args, meeting, me, team) on `size` threads, this one being member 0.

    The threads that other callers hold are taken off `size`, and it runs on fewer where the system
    has no thread left.
    """
    caller = threading.get_ident()
    try:
        with _lock:
            others = sum(held for thread, held in list(_claims.items()) if thread != caller)
            size = _claims[caller] = max(1, size - others)
        if size == 1:
            result = function(*args, _NOBODY, 0, 1)
        else:
            with keep_team() as team:
                result = _together(function, args, team, size)
        raise_if_called()
        return result
    finally:
        _claims.pop(caller, None)  # one call, which no signal divides


def _together(function, args, team, size):
    """Run function on this thread and up to size − 1 others; return what it returns here."""
    members = team.gather(size - 1)
    size = 1 + len(members)
    meeting = np.zeros(BARRIER_STRIDE * (size + 1), np.int64)
    types = (function, *(getattr(arg, "dtype", type(arg)) for arg in args))
    if types not in _ready:  # here, for Ctrl-C stops this thread only, not a member that compiles
        function.compile(tuple(map(numba.typeof, (*args, meeting, 0, size))))
        _ready.add(types)
    try:
        for me, member in enumerate(members, 1):
            member.jobs.put((function, (*args, meeting, me, size)))
        result = function(*args, meeting, 0, size)
        for error in [member.replies.get() for member in members]:
            if error is not None:
                raise error
    except BaseException:  # a signal's handler may raise anything, anywhere
        meeting[ABORT] = 1
        team.dismiss()
        raise
    return result


@inlined
def static_partition(n, me, team):
    """First and last of member `me`'s share of n pieces: nearly as many each.

    Only for what has the same bits in whichever piece it lies. A lone member is spared both
    divisions.
    """
    return (n * me // team if me > 0 else 0), (n * (me + 1) // team if me + 1 < team else n)
