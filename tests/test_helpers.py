"""Helpers that compile a share of the kernels: their orders, and life without them."""

import subprocess
import sys

import pytest
from fastnn.kernels.jitted import _helpers
from fastnn.kernels.jitted._helpers import helped

PLACES = list(range(20))


@pytest.fixture
def started(monkeypatch):
    """The shares and processes of the helpers that a test starts."""
    found, start = [], _helpers._start

    def watched(dtype, places):
        helper = start(dtype, places)
        found.append((places, helper))
        return helper

    monkeypatch.setattr(_helpers, "_start", watched)
    monkeypatch.setattr(_helpers, "CODE", "import time; time.sleep(60)")
    return found


def test_every_kernel_is_in_the_order_once_and_helpers_begin_at_the_other_end(started, monkeypatch):
    monkeypatch.setattr(_helpers, "CODE", "")
    with helped("float32", PLACES, 3) as order:
        assert sorted(order) == PLACES
    (second, _), (third, _) = started
    assert order == [*PLACES[::3], *second[::-1], *third[::-1]]


@pytest.mark.parametrize("processes", [0, 1])
def test_one_process_starts_no_helper(started, processes):
    with helped("float32", PLACES, processes) as order:
        assert order == PLACES
    assert not started


def test_few_kernels_start_no_helper(started):
    with helped("float32", PLACES[: 2 * _helpers.SHARE - 1], 8):
        assert not started


def test_there_are_never_more_helpers_than_most(started, monkeypatch):
    monkeypatch.setattr(_helpers, "CODE", "")
    with helped("float32", list(range(200)), 64):
        assert len(started) == _helpers.MOST


@pytest.mark.parametrize("name", ["", "/usr/bin/blender"])
def test_a_program_that_embeds_python_is_not_started_again(started, monkeypatch, name):
    monkeypatch.setattr(sys, "executable", name)
    with helped("float32", PLACES, 2) as order:
        assert order == PLACES
    assert not started


def test_a_cache_that_cannot_be_written_starts_no_helper(started, monkeypatch):
    monkeypatch.setattr(_helpers, "writable", lambda: False)
    with helped("float32", PLACES, 2):
        assert not started


def test_helpers_that_cannot_be_started_are_not_missed(monkeypatch):
    def refuse(*args, **options):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with helped("float32", PLACES, 2) as order:
        assert sorted(order) == PLACES


def test_a_helper_that_fails_is_not_missed(started, monkeypatch):
    monkeypatch.setattr(_helpers, "CODE", "raise SystemExit(3)")
    with helped("float32", PLACES, 2) as order:
        assert sorted(order) == PLACES
    assert started[0][1].returncode == 3


def test_a_helper_that_does_not_end_is_ended(started, monkeypatch):
    monkeypatch.setattr(_helpers, "PATIENCE", 0.01)
    with helped("float32", PLACES, 3):
        pass
    assert all(helper.returncode for _, helper in started)


def test_an_interrupt_ends_helpers(started):
    with pytest.raises(KeyboardInterrupt), helped("float32", PLACES, 3):
        raise KeyboardInterrupt
    assert len(started) == 2
    assert all(helper.returncode for _, helper in started)
