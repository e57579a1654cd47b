"""Whole processes from start to end, and each kind of start once where no time is taken."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from .start.contenders import LIBRARIES, MODES, contenders
from .start.measure import PARTS, check

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs os.wait4")

NAMES = [f"fastnn {mode}" for mode in reversed(MODES)]  # the cold one before the warm one
NAMES += [name for name in LIBRARIES if name != "fastnn"]
ROUNDS = {"fastnn cold": 2}  # of the others 7


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Contenders by name, and lines that say which are missing."""
    found, missing = contenders({}, {}, tmp_path_factory.mktemp("caches"))
    return {start.name: start for start in found}, missing


@pytest.fixture(scope="module")
def records():
    """One record of each contender that has run."""
    return {}


@pytest.mark.parametrize("name", NAMES)
def test_start(name, known, records, timed):
    starts, missing = known
    if name not in starts:
        pytest.skip(next(line for line in missing if line.startswith(f"{name}:")))
    start, inside = starts[name], []
    benchmark = timed("start", name)
    if benchmark.disabled and name == "fastnn cold":  # what it compiles is the warm one's
        start = replace(start, cache=starts["fastnn warm"].cache)
    elif start.cache and not start.cache.exists():
        start.run()  # fills it

    def call():
        records[name] = start.run()
        check([one for one in starts.values() if one.name in records], records)
        inside.append({part: round(records[name].get(part, 0), 3) for part in PARTS})

    benchmark.pedantic(call, rounds=ROUNDS.get(name, 7))
    benchmark.extra_info["seconds inside"] = inside
