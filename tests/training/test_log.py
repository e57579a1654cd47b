"""The log of a training: no crash, kill or full disk costs more than the line being written."""

from __future__ import annotations

import csv
import functools
import io
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import builders
import numpy as np
import pytest

import fastnn
from fastnn import LBFGS, callbacks
from fastnn.errors import DataFileError
from fastnn.network.description import state_of

RNG = np.random.default_rng(3)
X = RNG.normal(size=(30, 3))
Y = (X[:, 0] > 0).astype(int)


network = functools.partial(builders.network, inputs=3)


def fit(net, *watchers, epochs=1, **settings):
    settings = {"batch_size": 8, "progress": False, **settings}
    net.fit(X, Y, epochs=epochs, callbacks=watchers, **settings)
    return net


def lines(path):
    """The table in the file: a dict for each line."""
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def agrees(path, net, first=0):
    """Whether the file's lines are the epochs of the history from the first on, in order."""
    found = lines(path)
    assert [int(line["epoch"]) for line in found] == list(range(first, net.history.epochs))
    for name in ("cost", "accuracy"):
        costs = [float(line[name]) for line in found]
        np.testing.assert_array_equal(costs, net.history[name][first:])


class Killed(BaseException):
    """Stands for a kill."""


class TestKills:
    @pytest.mark.parametrize("moment", ["temporary", "sync", "name"])
    def test_while_a_resumed_fit_begins_leaves_the_old_log(self, tmp_path, monkeypatch, moment):
        path = tmp_path / "log.csv"
        net = fit(network(), callbacks.CSVLogger(path), epochs=3)
        before = path.read_bytes()

        def kill(*arguments, **settings):
            raise Killed

        place = {"temporary": "fdopen", "sync": "fsync", "name": "replace"}[moment]
        monkeypatch.setattr(os, place, kill)
        with pytest.raises(Killed):
            fit(net, callbacks.CSVLogger(path))
        monkeypatch.undo()
        assert path.read_bytes() == before
        fit(net, callbacks.CSVLogger(path))
        agrees(path, net)

    @pytest.mark.parametrize("backend", ["vectorized", "jitted"])
    def test_between_checkpoint_and_logger_leaves_no_gap(self, tmp_path, backend):
        path, log = tmp_path / "net.safetensors", tmp_path / "log.csv"

        def kill(net, history):
            if history.epochs == 3:
                raise Killed

        with fastnn.backend(backend):
            with suppress(Killed):
                fit(network(), callbacks.Checkpoint(path), kill, callbacks.CSVLogger(log), epochs=9)
            assert len(lines(log)) == 2
            net = fit(fastnn.load(path), callbacks.CSVLogger(log), epochs=2)
        agrees(log, net)
        assert net.history.epochs == 5

    @pytest.mark.parametrize(
        "end", [b"", b"2,0.5,0.", b"2,0.5,0.75\r", b"2", b"2,0.1,0.1,0.1,0.1\r\n"]
    )
    def test_within_a_line_lose_that_line_only_and_history_brings_it_back(self, tmp_path, end):
        """Also one that is cut within its last number, and so looks whole."""
        path = tmp_path / "log.csv"
        net = fit(network(), callbacks.CSVLogger(path), epochs=3)
        text = path.read_bytes()
        path.write_bytes(text[: text.index(b"2,")] + end)
        fit(net, callbacks.CSVLogger(path), epochs=2)
        agrees(path, net)

    @pytest.mark.parametrize("lost", ["all", "first", "middle", "cut to nothing"])
    def test_whatever_is_missing_comes_from_the_history(self, tmp_path, lost):
        path = tmp_path / "log.csv"
        net = fit(network(), callbacks.CSVLogger(path), epochs=4, validation_split=0.2)
        whole = path.read_bytes()
        parts = whole.splitlines(keepends=True)
        if lost == "all":
            path.unlink()
        elif lost == "cut to nothing":
            path.write_bytes(b"")
        else:
            del parts[1 if lost == "first" else 2]
            path.write_bytes(b"".join(parts))
        fit(net, callbacks.CSVLogger(path), validation_split=0.2)
        agrees(path, net)
        assert path.read_bytes().startswith(whole)

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill")
    @pytest.mark.slow
    def test_at_any_moment_and_gone_on_from_the_checkpoint(self, tmp_path):
        code = (
            "import sys, numpy as np, fastnn\nfrom fastnn import Dense, Network, callbacks\n"
            "path, log = sys.argv[1:]\n"
            "try: net = fastnn.load(path)\n"
            "except FileNotFoundError: net = Network([Dense(1)], inputs=1)\n"
            "print('ready', flush=True)\n"
            "watchers = [callbacks.Checkpoint(path), callbacks.CSVLogger(log)]\n"
            "with fastnn.backend('vectorized'):\n"
            "    net.fit(np.arange(4.0)[:, None], np.arange(4), epochs=10**6, progress=False,\n"
            "            callbacks=watchers)"
        )
        path, log = tmp_path / "net.safetensors", tmp_path / "log.csv"
        for delay in (0.05, 0.11, 0.023):
            child = subprocess.Popen(
                [sys.executable, "-P", "-c", code, str(path), str(log)], stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
            assert child.stdout.readline() == b"ready\n"
            while not path.exists() and child.poll() is None:
                time.sleep(0.001)
            time.sleep(delay)
            child.kill()
            child.communicate()
        net = fastnn.load(path)
        assert net.history.epochs > 0
        net.fit(np.arange(4.0)[:, None], np.arange(4), epochs=1, progress=False,
                callbacks=[callbacks.CSVLogger(log)])  # fmt: skip
        found = lines(log)
        assert [int(line["epoch"]) for line in found] == list(range(net.history.epochs))
        assert [float(line["cost"]) for line in found] == net.history["cost"].tolist()


class TestColumns:
    def test_of_a_quantity_that_begins_after_the_first_epoch(self, tmp_path):
        path = tmp_path / "log.csv"

        def measure(net, history):
            if history.epochs >= 3:
                history.extend({"mine": [float(history.epochs)]})

        net = fit(network(), measure, callbacks.CSVLogger(path), epochs=2)
        before = path.read_bytes()
        net = fit(network(), measure, callbacks.CSVLogger(path), epochs=5)
        agrees(path, net)
        added = before.replace(b"rate\r\n", b"rate,mine\r\n").replace(b"\r\n1,", b",\r\n1,")
        assert path.read_bytes().startswith(added.removesuffix(b"\r\n"))
        assert [line["mine"] == "" for line in lines(path)[:2]] == [True, True]

    def test_of_two_quantities_that_begin_in_turn(self, tmp_path):
        path, log = tmp_path / "log.csv", callbacks.CSVLogger(tmp_path / "log.csv")
        net = fit(network(), log, epochs=2)
        fit(net, log, epochs=2, validation_split=0.3)
        fit(net, log, epochs=2, metrics=["f1"])
        agrees(path, net)
        found = lines(path)
        assert list(found[0]) == [
            "epoch", "cost", "accuracy", "learning_rate", "validation_cost",
            "validation_accuracy", "f1",
        ]  # fmt: skip
        assert [line["validation_cost"] == "" for line in found] == [True] * 2 + [False] * 2 + [
            True
        ] * 2
        assert [line["f1"] == "" for line in found] == [True] * 4 + [False] * 2

    def test_a_log_that_is_taken_away_is_written_anew_and_whole(self, tmp_path):
        path = tmp_path / "log.csv"

        def remove(net, history):
            if history.epochs == 3:
                path.unlink()

        net = fit(network(), remove, callbacks.CSVLogger(path), epochs=5)
        agrees(path, net)

    def test_within_a_callback_that_does_not_pass_start_on(self, tmp_path):
        path = tmp_path / "log.csv"
        log, net = callbacks.CSVLogger(path), network()
        for _ in range(2):
            fit(net, lambda net, history: log(net, history), epochs=2)  # noqa: PLW0108
        agrees(path, net)

    def test_lbfgs(self, tmp_path):
        pytest.importorskip("scipy")
        path, net = tmp_path / "log.csv", network()
        for _ in range(2):
            fit(net, callbacks.CSVLogger(path), epochs=3, batch_size=128, optimizer=LBFGS())
        agrees(path, net)

    def test_epochs_that_ctrl_c_cut_short_have_no_line(self, tmp_path):
        """Which entry of the history is which epoch is not known then, and none is made up."""
        path, net = tmp_path / "log.csv", network()
        fit(net, callbacks.CSVLogger(path), epochs=2)
        state_of(net).training.epoch += 1  # as Ctrl-C in the middle of epoch 2 leaves it
        path.unlink()
        fit(net, callbacks.CSVLogger(path), epochs=1)
        assert [line["epoch"] for line in lines(path)] == ["3"]


class TestRefusals:
    def test_another_file_is_left_alone_also_without_a_newline(self, tmp_path):
        path, net = tmp_path / "log.csv", fit(network())
        path.write_bytes(b"a diary of mine")
        with pytest.raises(DataFileError, match="is no log of its own"):
            fit(net, callbacks.CSVLogger(path))
        assert path.read_bytes() == b"a diary of mine"

    def test_no_folder_or_no_file_before_the_first_step(self, tmp_path):
        net = network()
        for place in (tmp_path, tmp_path / "none" / "log.csv"):
            with pytest.raises(OSError, match=r"there is no|no ordinary file"):
                fit(net, callbacks.CSVLogger(place))
        assert net.history.epochs == 0

    def test_a_full_disk_keeps_whole_lines_and_the_network(self, tmp_path, monkeypatch):
        """The line that does not fit ends the fit; a later one mends the log."""
        path, net = tmp_path / "log.csv", network()
        row = callbacks.CSVLogger._lines

        def fill(self, rows, header=False):
            text = row(self, rows, header)
            if not header:
                path.write_bytes(path.read_bytes() + text[:5])  # what still had room
                raise OSError(28, "No space left on device")
            return text

        monkeypatch.setattr(callbacks.CSVLogger, "_lines", fill)
        with pytest.raises(OSError, match="No space left"):
            fit(net, callbacks.CSVLogger(path), epochs=5)
        monkeypatch.undo()
        assert net.history.epochs == 2
        fit(net, callbacks.CSVLogger(path), epochs=2)
        agrees(path, net)
