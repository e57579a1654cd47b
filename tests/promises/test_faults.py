"""Faults from outside while a network trains: signals, forks, fits within fits, full disks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import fastnn
from fastnn import LBFGS, Network, callbacks
from fastnn.errors import SettingError
from fastnn.network.description import state_of
from fastnn.saving import model_file
from fastnn.training.exclusive_fit import _busy
from fastnn.training.loop import Trainer

BACKENDS = pytest.mark.parametrize("backend", ["vectorized", "jitted"], indirect=True)
USER = getattr(signal, "SIGUSR1", signal.SIGTERM)
X = np.random.default_rng(0).normal(size=(90, 5))
Y = (X[:, 0] > X[:, 1]).astype(int)


@pytest.fixture(autouse=True)
def backend(request):
    """The backend of the test: jitted, unless it names one."""
    name = (
        request.node.callspec.params.get("backend") if hasattr(request.node, "callspec") else None
    )
    with fastnn.backend(name or "jitted"):
        yield name


def network():
    return Network.mlp([5, 8, 1], output="sigmoid")


def fit(net, *watchers, epochs=6, **settings):
    """Train; with a callback the kernels are called once an epoch, which is one step."""
    net.fit(X, Y, epochs=epochs, batch_size=90, progress=False, callbacks=watchers, **settings)
    return net


def alone(epochs=6):
    """The parameters that a fit leaves which nothing disturbs."""
    return fit(network(), epochs=epochs).program.theta.tobytes()


def is_usable(net):
    """Whether a network that an error left can be used: whole, finite, and free for a fit."""
    assert not _busy
    assert {len(curve) for curve in net.history.values()} <= {net.history.epochs}
    assert np.isfinite(net.program.theta).all()
    assert np.isfinite(net.predict_proba(X)).all()
    before = net.history.epochs
    fit(net, epochs=2)
    assert net.history.epochs == before + 2
    return True


@BACKENDS
class TestSignals:
    @pytest.fixture
    def handled(self):
        """Return a function that installs a handler of a signal for this test."""
        before = signal.getsignal(USER)
        yield lambda handler: signal.signal(USER, handler)
        signal.signal(USER, before)

    @pytest.fixture
    def arrives(self, monkeypatch):
        """Return a function: the signal comes before or after the kernels' n-th run."""

        def at(n, moment):
            run, taken = Trainer._run, []

            def disturbed(self, start, stop, record):
                taken.append(start)
                if len(taken) == n and moment == "before":
                    signal.raise_signal(USER)
                done = run(self, start, stop, record)
                if len(taken) == n and moment == "after":
                    signal.raise_signal(USER)
                return done

            monkeypatch.setattr(Trainer, "_run", disturbed)

        return at

    @pytest.mark.parametrize("moment", ["before", "after"])
    @pytest.mark.parametrize("error", [TimeoutError, SystemExit])
    def test_a_handler_that_raises_ends_the_fit(self, handled, arrives, moment, error):
        def handler(number, frame):
            raise error("mine")

        handled(handler)
        arrives(3, moment)
        net = network()
        with pytest.raises(error, match="mine"):
            fit(net, lambda net, history: None)
        assert net.history.epochs == 2
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert is_usable(net)

    def test_a_handler_that_raises_within_a_callback_leaves_the_finished_epoch(self, handled):
        def handler(number, frame):
            raise TimeoutError("mine")

        def callback(net, history):
            if history.epochs == 3:
                signal.raise_signal(USER)

        handled(handler)
        net = network()
        with pytest.raises(TimeoutError):
            fit(net, callback)
        assert net.program.theta.tobytes() == alone(epochs=3)
        assert fit(net, epochs=3).program.theta.tobytes() == alone()

    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_handler_that_returns_changes_no_bit(self, handled, arrives, moment):
        seen = []
        handled(lambda number, frame: seen.append(number))
        arrives(1, moment)
        assert fit(network()).program.theta.tobytes() == alone()
        assert seen == [USER]

    def test_a_handler_may_train_another_network_but_not_this_one(self, handled, arrives):
        net, found = network(), []

        def handler(number, frame):
            found.append(fit(network()).program.theta.tobytes())
            with pytest.raises(SettingError, match="being fitted already"):
                fit(net)

        expected = alone()
        handled(handler)
        arrives(2, "before")
        assert fit(net, lambda net, history: None).program.theta.tobytes() == expected
        assert found == [expected]

    def test_a_handler_that_raises_while_a_file_is_written_leaves_the_old_one(
        self, handled, tmp_path, monkeypatch
    ):
        def handler(number, frame):
            raise TimeoutError("mine")

        path, net = tmp_path / "net.safetensors", network()
        fit(net, callbacks.Checkpoint(path), epochs=2)
        handled(handler)
        monkeypatch.setattr(os, "fsync", lambda descriptor: signal.raise_signal(USER))
        with pytest.raises(TimeoutError, match="mine"):
            fit(net, callbacks.Checkpoint(path))
        monkeypatch.undo()
        assert fastnn.load(path).program.theta.tobytes() == alone(epochs=2)
        assert list(tmp_path.iterdir()) == [path]
        assert is_usable(net)


@pytest.mark.forks
@BACKENDS
class TestForks:
    @pytest.fixture(autouse=True, params=[1, 2])
    def threads(self, request, monkeypatch):
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        before = fastnn.get_num_threads()
        fastnn.set_num_threads(request.param)
        yield
        fastnn.set_num_threads(before)

    @staticmethod
    def child(act):
        """Fork, and return the bytes that `act()` gives in the child; a child that hangs ends."""
        read, write = os.pipe()
        number = os.fork()
        if number == 0:
            try:
                signal.alarm(60)
                os.write(write, act())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            found = pipe.read()
        os.waitpid(number, 0)
        return found

    @pytest.mark.medium
    def test_a_child_of_a_fit_trains_and_predicts(self):
        found, expected = [], alone()

        def train():
            return fit(network()).program.theta.tobytes()

        def callback(net, history):
            if history.epochs == 2:
                found.append(self.child(train))
                found.append(self.child(lambda: net.predict_proba(X).tobytes()))
                found.append(net.predict_proba(X).tobytes())

        assert fit(network(), callback).program.theta.tobytes() == expected
        assert found[0] == expected
        assert found[1] == found[2]

    def test_a_child_reads_rows_while_a_thread_of_its_parent_did(self):
        """Of objects of other libraries one is read at a time; the child has no such thread."""
        began, go_on = threading.Event(), threading.Event()

        class Rows:
            shape, dtype = X.shape, X.dtype

            def __init__(self, waits):
                self.waits = waits

            def __getitem__(self, rows):
                if self.waits:
                    began.set()
                    go_on.wait()
                return X[rows]

        net = network()
        net.build(5)
        thread = threading.Thread(target=net.predict, args=(Rows(True),))
        thread.start()
        began.wait()
        found = self.child(lambda: net.predict_proba(Rows(False)).tobytes())
        go_on.set()
        thread.join()
        assert found == net.predict_proba(X).tobytes()

    @pytest.mark.medium
    def test_a_child_may_go_on_with_the_fit(self):
        """It comes out of the same call of `fit` as its parent, with the same bits."""
        (read, write), expected = os.pipe(), alone()
        children = []

        def callback(net, history):
            if history.epochs == 2:
                children.append(os.fork())
                if children[0] == 0:
                    signal.alarm(60)

        net = network()
        try:
            fit(net, callback)
        finally:
            if children == [0]:
                os.write(write, net.program.theta.tobytes())
                os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            assert pipe.read() == net.program.theta.tobytes() == expected
        os.waitpid(children[0], 0)


@BACKENDS
class TestFitsWithinFits:
    @pytest.mark.parametrize("inner", ["other", "copy", "lbfgs", "loaded"])
    def test_of_other_networks_change_no_bit(self, inner, tmp_path):
        if inner == "lbfgs":
            pytest.importorskip("scipy")
        found, path = [], tmp_path / "net.safetensors"

        def callback(net, history):
            if history.epochs != 2:
                return
            if inner == "other":
                found.append(fit(network()))
            elif inner == "copy":
                found.append(fit(net.copy(), epochs=4))
            elif inner == "lbfgs":
                fit(network(), optimizer=LBFGS())
            else:
                model_file.checkpoint(state_of(net), path)
                found.append(fit(fastnn.load(path), epochs=4))

        expected = alone()
        assert fit(network(), callback).program.theta.tobytes() == expected
        assert all(net.program.theta.tobytes() == expected for net in found)

    @pytest.mark.parametrize("event", ["start", "finish"])
    def test_of_the_same_network_are_refused_in_every_event(self, event):
        class Again:
            def __call__(self, net, history):
                pass

        setattr(Again, event, lambda self, net: fit(net))
        net = network()
        with pytest.raises(SettingError, match="being fitted already"):
            fit(net, Again())
        assert net.history.epochs == (0 if event == "start" else 6)
        assert is_usable(net)

    def test_using_the_network_within_its_own_fit_changes_no_bit(self):
        def callback(net, history):
            net.predict(X)
            net.evaluate(X, Y)
            net.cost_and_gradients(X, Y)
            net.copy()

        assert fit(network(), callback).program.theta.tobytes() == alone()


class TestFullDisks:
    @pytest.mark.parametrize("ending", ["safetensors", "h5"])
    def test_a_checkpoint_that_does_not_fit_ends_the_fit_and_is_gone_on_from(
        self, tmp_path, monkeypatch, ending
    ):
        path, written = tmp_path / f"net.{ending}", []
        fsync = os.fsync

        def full(descriptor):
            written.append(descriptor)
            if len(written) > 4:  # two files, each followed by its folder
                raise OSError(28, "No space left on device")
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        net = network()
        with pytest.raises(OSError, match=r"the model was not saved \(No space left") as caught:
            fit(net, callbacks.Checkpoint(path))
        monkeypatch.undo()
        assert caught.value.errno == 28
        assert net.history.epochs == 3
        assert fastnn.load(path).history.epochs == 2
        assert list(tmp_path.iterdir()) == [path]
        assert fit(fastnn.load(path), epochs=4).program.theta.tobytes() == alone()
        assert is_usable(net)

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
    def test_a_device_is_no_place_to_save(self):
        for use in (
            lambda: network().save("/dev/full"),
            lambda: fit(network(), callbacks.CSVLogger("/dev/full")),
            lambda: fit(network(), callbacks.Checkpoint("/dev/full")),
        ):
            with pytest.raises(OSError, match="is no ordinary file and is not replaced"):
                use()

    @pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
    def test_a_log_that_outgrows_the_disk_keeps_whole_lines(self, tmp_path):
        code = (
            "import resource, signal, sys, numpy as np, fastnn\n"
            "from fastnn import Dense, Network, callbacks\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "net = Network([Dense(1)], inputs=1)\n"
            "try:\n"
            "    with fastnn.backend('vectorized'):\n"
            "        net.fit(np.arange(4.0)[:, None], np.arange(4), epochs=500, progress=False,\n"
            "                callbacks=[callbacks.CSVLogger(sys.argv[1])])\n"
            "except OSError as error: print(error.errno, net.history.epochs)"
        )
        path = tmp_path / "log.csv"
        child = subprocess.run(
            [sys.executable, "-B", "-c", code, str(path)],  # B: bytecode would be cut off, too
            capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, timeout=300,
        )  # fmt: skip
        assert child.stdout.split()[:1] == ["27"], child.stderr  # the file is too large
        whole = path.read_text().splitlines()[1:-1]
        epochs = int(child.stdout.split()[1])
        assert [int(line.split(",")[0]) for line in whole] == list(range(len(whole)))
        assert epochs - 2 <= len(whole) <= epochs
