"""Progress on a terminal, in a notebook and in a log file, all of them played."""

from __future__ import annotations

import io
import re
import sys
import types

import numpy as np
import pytest
from rich.console import Console

from fastnn import Dense, Network
from fastnn.history import History
from fastnn.training import progress

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that is moved by hand."""
    now = [100.0]
    fake = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(progress, "time", fake)
    return now


@pytest.fixture
def place(monkeypatch):
    """Let progress appear on a console of this kind, and return its stream."""

    def make(stream, **settings):
        console = Console(file=stream, width=100, **settings)
        monkeypatch.setattr(progress, "_console", lambda: console)
        return stream

    return make


def fit(clock, mode, seconds, epochs=20):
    """Play a fit whose epochs take some seconds each."""
    history = History()
    with progress.ProgressReporter(epochs, mode) as line:
        line.update(history)
        for _ in range(epochs):
            clock[0] += seconds
            history.extend({"cost": [0.5], "validation_accuracy": [0.75]})
            line.update(history)


class TestLog:
    def test_auto_writes_plain_lines_at_intervals(self, clock, place):
        stream = place(io.StringIO())
        fit(clock, "auto", 4.0)
        lines = stream.getvalue().splitlines()
        assert [line.split()[1] for line in lines] == [f"{n}/20" for n in (3, 6, 9, 12, 15, 18, 20)]
        assert lines[0] == "epoch 3/20  68 s left  cost 0.5000  validation accuracy 0.7500"
        assert not CONTROL.search(stream.getvalue())

    def test_long_fits_write_few_lines(self, clock, place):
        stream = place(io.StringIO())
        fit(clock, "auto", 5.0, epochs=8 * 720)
        assert 50 < len(stream.getvalue().splitlines()) < 150

    def test_auto_is_silent_for_short_fits(self, clock, place):
        stream = place(io.StringIO())
        fit(clock, "auto", 0.4)
        assert stream.getvalue() == ""

    def test_true_always_writes_the_last_epoch(self, clock, place):
        stream = place(io.StringIO())
        fit(clock, True, 0.01)
        assert stream.getvalue().count("\n") == 1
        assert "epoch 20/20  0 s left" in stream.getvalue()

    @pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
    def test_colours_asked_for_do_not_reach_a_log(self, clock, place, monkeypatch, name):
        monkeypatch.setenv(name, "1")
        stream = place(io.StringIO())
        fit(clock, True, 4.0)
        assert stream.getvalue()
        assert not CONTROL.search(stream.getvalue())

    def test_a_fit_that_fails_leaves_its_last_epoch_in_the_log(self, clock, place):
        stream = place(io.StringIO())

        def fail(network, history):
            raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            Network([Dense(1)]).fit([[1.0]], [1.0], epochs=9, progress=True, callbacks=[fail])
        assert "epoch 1/9" in stream.getvalue()


class TestTerminal:
    def test_draws_a_bar(self, clock, place):
        stream = place(Screen(), force_terminal=True, color_system=None)
        fit(clock, "auto", 0.3)
        assert "20/20" in stream.getvalue()
        assert "validation accuracy 0.7500" in stream.getvalue()
        assert "\x1b[" in stream.getvalue()

    def test_a_dumb_terminal_gets_lines(self, clock, place, monkeypatch):
        monkeypatch.setenv("TERM", "dumb")
        stream = place(Screen(), force_terminal=True)
        fit(clock, True, 4.0)
        assert "epoch 3/20" in stream.getvalue()
        assert not CONTROL.search(stream.getvalue())


class TestNotebook:
    @pytest.fixture
    def shown(self, monkeypatch):
        """Fakes of IPython and ipywidgets; what they were asked to show."""
        shown = []

        class Output:
            def clear_output(self, wait=False):
                pass

            def __enter__(self):
                return self

            def __exit__(self, *error):
                pass

        def display(*things, **settings):
            shown.extend(things)

        names = {"IPython": {}, "IPython.display": {"display": display}}
        for name, attributes in {**names, "ipywidgets": {"Output": Output}}.items():
            module = types.ModuleType(name)
            module.__spec__ = importlib_spec(name)
            vars(module).update(attributes)
            monkeypatch.setitem(sys.modules, name, module)
        return shown

    def test_with_widgets_rich_draws(self, clock, place, shown):
        stream = place(io.StringIO(), force_jupyter=True)
        fit(clock, True, 0.5)
        assert shown
        assert "20/20" not in stream.getvalue()

    def test_without_widgets_lines_are_written(self, clock, place, shown, monkeypatch):
        monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
        stream = place(io.StringIO(), force_jupyter=True)
        fit(clock, "auto", 4.0)
        assert "epoch 20/20" in stream.getvalue()
        assert not CONTROL.search(stream.getvalue())


def importlib_spec(name):
    import importlib.machinery

    return importlib.machinery.ModuleSpec(name, None)


def test_a_fit_writes_its_last_epoch_into_a_log(place):
    stream = place(io.StringIO())
    X = np.arange(8.0).reshape(4, 2) / 8
    Network([Dense(1)]).fit(X, X[:, 0], epochs=3, progress=True)
    assert re.search(r"epoch 3/3  0 s left  cost 0\.\d{4}\n$", stream.getvalue())
