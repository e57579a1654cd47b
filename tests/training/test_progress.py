"""Progress on a terminal, in a notebook and in a log file, all of them played."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import types
from contextlib import suppress

import numpy as np
import pytest
from fastnn.kernels.jitted.compiler import announce
from rich.console import Console

import fastnn
from fastnn import Dense, Network, kernels
from fastnn._runtime import backend
from fastnn.history import History
from fastnn.training import progress

jitted = kernels.get("jitted")
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


@pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")
class TestCompilation:
    """How far the compilation before a fit has come."""

    LINES = (
        backend.COMPILING_NOTE,
        "compiling kernels for this machine: 3 of 8 (forward pass)",
        "compiling kernels for this machine: 6 of 8 (training)",
    )

    @pytest.fixture
    def compile_kernels(self, clock, monkeypatch):
        """Plays a fit that compiles eight kernels, each in four seconds."""
        monkeypatch.setattr(backend, "_told", [])

        def play(mode):
            with fastnn.backend("jitted"), progress.ProgressReporter(20, mode):
                advance = announce.announce(8, "forward pass")
                for part in ["forward pass"] * 4 + ["training"] * 4:
                    clock[0] += 4.0
                    advance(part)
            announce.announce(8, "forward pass")

        return play

    @pytest.mark.parametrize(("mode", "lines"), [(True, LINES), ("auto", ()), (False, ())])
    def test_a_log_has_few_lines(self, compile_kernels, place, mode, lines):
        stream = place(io.StringIO())
        compile_kernels(mode)
        assert stream.getvalue().splitlines() == [*lines]

    @pytest.mark.parametrize("mode", [True, "auto"])
    def test_a_terminal_shows_it_beside_the_bar(self, compile_kernels, place, mode):
        stream = place(Screen(), force_terminal=True)
        compile_kernels(mode)
        shown = CONTROL.sub("", stream.getvalue())
        assert shown.count(self.LINES[0]) == 1
        assert "compiling kernels for this machine: 8 of 8 (training)" in shown

    def test_without_progress_a_terminal_shows_nothing(self, compile_kernels, place):
        stream = place(Screen(), force_terminal=True)
        compile_kernels(False)
        assert stream.getvalue() == ""


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

    def test_true_writes_a_line_for_each_epoch_however_many_a_call_brings(self, clock, place):
        stream, history = place(io.StringIO()), History()
        with progress.ProgressReporter(20, True) as line:
            for k in range(0, 20, 5):
                history.extend({"cost": [k / 8] * 5, "f1": [0.25] if k else []})
                line.update(history)
        lines = stream.getvalue().splitlines()
        assert [text.split()[1] for text in lines] == [f"{n}/20" for n in range(1, 21)]
        assert "cost 0.6250" in lines[5]
        assert ["f1" in text for text in lines] == [(n % 5 == 0 and n > 5) for n in range(1, 21)]

    def test_true_writes_about_a_hundred_lines_of_thousands_of_epochs(self, clock, place):
        stream = place(io.StringIO())
        fit(clock, True, 0.001, epochs=2345)
        numbers = [int(line.split()[1].split("/")[0]) for line in stream.getvalue().splitlines()]
        assert [numbers[0], numbers[-1]] == [1, 2345]
        assert set(numbers[1:-1]) == set(range(24, 2345, 24))

    def test_small_and_large_values_keep_their_digits(self, clock, place):
        stream, history = place(io.StringIO()), History()
        with progress.ProgressReporter(1, True) as line:
            history.extend({"cost": [1.5e-6], "validation_cost": [2.5e7], "learning_rate": [0.1]})
            line.update(history)
        assert (
            stream.getvalue() == "epoch 1/1  0 s left  cost 1.500e-06  validation cost 2.500e+07\n"
        )

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

    def test_a_line_has_the_metrics_of_its_own_epoch(self, place):
        stream = place(io.StringIO())
        X, y = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
        history = Network([Dense(1, "sigmoid")]).fit(
            X, y, epochs=2, progress=True, metrics=["log_loss"]
        )
        lines = stream.getvalue().splitlines()
        assert [f"log loss {value:.4f}" for value in history["log_loss"]] == [
            re.search(r"log loss [\d.]+", line)[0] for line in lines
        ]


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

    @pytest.mark.parametrize(("width", "lines"), [(130, 1), (100, 2), (80, 2), (60, 3), (40, 5)])
    def test_values_stand_below_the_bar_where_it_is_narrow(self, clock, monkeypatch, width, lines):
        stream, history = Screen(), History()
        console = Console(file=stream, width=width, force_terminal=True, color_system=None)
        monkeypatch.setattr(progress, "_console", lambda: console)
        with progress.ProgressReporter(1, True) as line:
            for name in ("cost", "accuracy", "validation_cost", "validation_accuracy"):
                history.extend({name: [0.5]})
            line.update(history)
        last = last_frame(stream.getvalue())
        assert last[0].startswith("epoch 1/1 ━━━━━━━━━━━━━━━━━━━━━━━━ ")
        assert len(last) == lines
        assert all(len(text) <= width for text in last)
        assert all(f"{name.replace('_', ' ')} 0.5000" in "  ".join(last) for name in history)


def last_frame(text):
    """The lines that a terminal shows at the end, without colours."""
    lines = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text.split("\x1b[2K")[-1]).splitlines()
    return [line.rstrip() for line in lines if line.strip()]


class TestNotebook:
    """With stand-ins for IPython; tests/test_notebook.py runs in a kernel."""

    @pytest.fixture
    def shown(self, monkeypatch):
        """A fake of IPython's display; the pictures that it was asked to show."""
        shown = []

        class DisplayHandle:
            def display(self, picture, raw):
                shown.append(picture)

            update = display

        for name, attributes in {
            "IPython": {}, "IPython.display": {"DisplayHandle": DisplayHandle},
        }.items():  # fmt: skip
            module = types.ModuleType(name)
            module.__spec__ = importlib_spec(name)
            vars(module).update(attributes)
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.delitem(sys.modules, "fastnn.training.notebook_bar", raising=False)
        yield shown
        sys.modules.pop("fastnn.training.notebook_bar", None)

    @pytest.mark.parametrize("seconds", [1e-4, 2.0])
    def test_the_last_picture_is_that_of_the_last_epoch(self, clock, place, shown, seconds):
        stream = place(io.StringIO(), force_jupyter=True)
        fit(clock, True, seconds)
        assert shown[0]["text/plain"].startswith("epoch 0/20")
        assert shown[-1]["text/plain"].startswith("epoch 20/20")
        assert "cost 0.5000  validation accuracy 0.7500" in shown[-1]["text/html"]
        assert '<progress value="20" max="20">' in shown[-1]["text/html"]
        assert stream.getvalue() == ""

    def test_auto_shows_nothing_of_a_short_fit(self, clock, place, shown):
        place(io.StringIO(), force_jupyter=True)
        fit(clock, "auto", 0.01)
        assert not shown

    def test_a_name_is_no_markup(self, clock, place, shown):
        place(io.StringIO(), force_jupyter=True)
        history = History()
        with progress.ProgressReporter(1, True) as line:
            history.extend({"cost": [1.0], "<b>mine": [2.0]})
            line.update(history)
        assert "&lt;b&gt;mine 2.0000" in shown[-1]["text/html"]
        assert "<b>" not in shown[-1]["text/html"]

    def test_without_ipython_lines_are_written(self, clock, place, monkeypatch):
        monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
        stream = place(io.StringIO(), force_jupyter=True)
        fit(clock, "auto", 4.0)
        assert "epoch 20/20" in stream.getvalue()
        assert not CONTROL.search(stream.getvalue())


def importlib_spec(name):
    import importlib.machinery

    return importlib.machinery.ModuleSpec(name, None)


FIT = """
import numpy as np, fastnn
X = np.arange(40.0).reshape(20, 2) / 40
with fastnn.backend("vectorized"):
    fastnn.Network([fastnn.Dense(1, "sigmoid")]).fit(
        X, X[:, 0] > 0.5, epochs=30, validation_split=0.2, progress=True, metrics=["f1"],
        optimizer=fastnn.Adam(0.1),
    )
"""
NAMES = ("cost", "accuracy", "validation cost", "validation accuracy", "validation f1")


@pytest.mark.medium
@pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo-terminals")
def test_a_terminal_of_80_columns_shows_the_bar_and_every_value():
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    free = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR", "CI")}
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", FIT], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**free, "TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    os.close(theirs)
    text = b""
    with suppress(OSError):  # the other end was closed
        while part := os.read(ours, 65536):
            text += part
    os.close(ours)
    assert child.wait() == 0
    last = last_frame(text.decode())
    assert re.match(r"epoch 30/30 ━{24} 00:0\d", last[0])
    assert all(re.search(rf"(^|  ){name} \d\.\d{{4}}( |$)", "  ".join(last)) for name in NAMES)
    assert all(len(line) <= 80 for line in last)


@pytest.mark.medium
def test_a_pipe_gets_a_line_for_each_epoch():
    result = subprocess.run(
        [sys.executable, "-P", "-c", FIT], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    lines = result.stderr.splitlines()
    assert [line.split()[1] for line in lines] == [f"{n}/30" for n in range(1, 31)]
    assert all(all(f"  {name} " in line for name in NAMES) for line in lines)
    assert not CONTROL.search(result.stderr)


def test_a_fit_writes_its_last_epoch_into_a_log(place):
    stream = place(io.StringIO())
    X = np.arange(8.0).reshape(4, 2) / 8
    Network([Dense(1)]).fit(X, X[:, 0], epochs=3, progress=True)
    assert re.search(r"epoch 3/3  0 s left  cost 0\.\d{4}\n$", stream.getvalue())
