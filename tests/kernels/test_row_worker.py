"""Single rows that follow each other: a second thread computes half of each, and soon ends."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from fastnn.kernels.jitted.execution import kept_prediction
from fastnn.kernels.jitted.threads import row_worker

import fastnn
from fastnn import Activation, BatchNorm, Dense, Dropout, Network, kernels

jitted = kernels.get("jitted")

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off"),
]

X = np.random.default_rng(0).normal(size=(40, 500)).astype(np.float32)


@pytest.fixture(autouse=True)
def eager(monkeypatch):
    """Two threads, and a row worker from the third row on, however slow the machine is."""
    monkeypatch.setattr(row_worker, "ROWS_PER_TRIAL", 2)
    monkeypatch.setattr(row_worker, "MAX_GAP", np.inf)
    monkeypatch.setattr(row_worker, "MAX_TIME_SHARE", np.inf)
    monkeypatch.setattr(fastnn._runtime.threads, "_wanted", 2)
    kept_prediction._kept.networks.clear()
    ended()
    yield
    ended()


def ended():
    """Wait for the row worker's end; it ends by itself."""
    for thread, _ in row_worker._current:
        thread.join()


def net(seed=0, widths=(300, 100)):
    return Network([*(Dense(n, "relu") for n in widths), Dense(3, "softmax")], seed=seed).build(500)


def rows_together(network, rows):
    """What single rows give, and how many of them a row worker computed half of."""
    outputs, helped = [], 0
    for row in rows:
        waits = any(m[row_worker.STATE] == row_worker.WAITING for _, m in row_worker._current)
        arrived = sum(int(m[0]) for _, m in row_worker._current) if waits else 0
        outputs.append(network.predict_proba(row[None]))
        helped += waits and sum(int(m[0]) for _, m in row_worker._current) > arrived
    return np.vstack(outputs), helped


def rows_alone(network, rows):
    fastnn.set_num_threads(1)
    kept_prediction._kept.networks.clear()
    found = np.vstack([network.predict_proba(row[None]) for row in rows])
    fastnn.set_num_threads(2)
    kept_prediction._kept.networks.clear()
    return found


def until_helped(network, rows=X):
    """Predict rows until a row worker has computed half of one: on busy cores one may come late."""
    while not (found := rows_together(network, rows))[1]:
        pass
    return found


@pytest.mark.parametrize(
    "layers",
    [
        [Dense(300, "relu"), Dense(3, "softmax")],
        [Dense(301, "tanh"), Dense(17, "gelu"), Dense(3, "softmax")],
        [Dense(300), Activation("tanh"), Dense(5, "relu"), Dense(4), Activation("softmax")],
        [Dense(250, "relu"), Dropout(0.3), BatchNorm(), Dense(2, "softmax")],
        [Dense(250), Dense(9, "tanh"), Dense(1, "sigmoid")],
    ],
)
def test_half_a_row_each_gives_the_same_bits(layers):
    network = Network(layers, inputs=500)
    expected = rows_alone(network, X)
    for _ in range(3):
        found, _ = until_helped(network)
        np.testing.assert_array_equal(found, expected)


def test_a_row_worker_ends_when_no_row_comes_and_another_begins():
    network = net()
    for _ in range(3):
        until_helped(network)
        ended()


def test_one_thread_and_small_networks_have_none():
    fastnn.set_num_threads(1)
    rows_together(net(), X)
    fastnn.set_num_threads(2)
    rows_together(net(widths=(9,)), X)
    assert not any(thread.is_alive() for thread, _ in row_worker._current)


def test_rows_that_do_not_follow_each_other_have_none(monkeypatch):
    monkeypatch.setattr(row_worker, "MAX_GAP", -1.0)
    rows_together(net(), X)
    assert not any(thread.is_alive() for thread, _ in row_worker._current)


def test_one_that_does_not_help_is_let_go_and_called_less_and_less(monkeypatch):
    """By times that are given: rows together take as long as alone, then half as long."""
    monkeypatch.setattr(row_worker, "MAX_TIME_SHARE", 0.9)
    monkeypatch.setattr(row_worker, "MAX_REST", 8)
    monkeypatch.setattr(row_worker, "is_busy", lambda: False)
    worker, turns, calls, took = row_worker.RowWorker(None), [], [], 1.0

    def call(args, theta):
        calls.append(len(turns))
        worker.barrier[[row_worker.OWNER, row_worker.STATE]] = 1, row_worker.WAITING
        worker.just_started = True

    monkeypatch.setattr(worker, "_start", call)
    while len(turns) < 60:
        turns.append(took)
        worker.ended = worker.first + took
        worker.judge((), None, lambda: 2)
        if len(calls) == 6:
            took = 0.5
    # A turn in which it is called, one in which it is fresh, one in which it is let go, and a rest.
    assert np.diff(calls).tolist() == [3 + rest for rest in (1, 2, 4, 8, 8)]
    assert worker.rest == 1
    assert worker.barrier[row_worker.OWNER] == 1


def test_it_leaves_when_threads_are_taken_back():
    network = net()
    until_helped(network)
    fastnn.set_num_threads(1)
    rows_together(network, X[:3])
    assert rows_together(network, X)[1] == 0


def test_networks_of_one_shape_do_not_get_each_others_rows():
    one, other = net(1), net(2)
    expected = rows_alone(one, X), rows_alone(other, X)
    until_helped(one)
    for row, a, b in zip(X, *expected, strict=True):
        np.testing.assert_array_equal(one.predict_proba(row[None])[0], a)
        np.testing.assert_array_equal(other.predict_proba(row[None])[0], b)


def test_a_row_that_is_refused_does_no_harm():
    network = net()
    expected = rows_alone(network, X)
    until_helped(network)
    bad = X[:1].copy()
    bad[0, 7] = np.nan
    with pytest.raises(fastnn.errors.FastnnError, match="nan"):
        network.predict_proba(bad)
    np.testing.assert_array_equal(rows_together(network, X)[0], expected)


def test_several_threads_ask_at_once():
    network, wrong = net(), []
    expected = rows_alone(network, X)

    def ask():
        for _ in range(30):
            if not (rows_together(network, X)[0] == expected).all():
                wrong.append(True)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_system_without_threads_does_without(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    network = net()
    expected = rows_alone(network, X)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    found, helped = rows_together(network, X)
    assert helped == 0
    np.testing.assert_array_equal(found, expected)


@pytest.mark.forks
def test_a_forked_child_waits_for_nobody():
    network = net()
    expected = rows_alone(network, X)
    until_helped(network)
    child = os.fork()
    if child == 0:
        same = (np.vstack([network.predict_proba(row[None]) for row in X]) == expected).all()
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def printed(code):
    """What a process prints that predicts rows with a row worker, and ends as it should."""
    start = (
        "import atexit, numpy as np\n"
        "row = np.ones((1, 500), np.float32)\n"
        "atexit.register(lambda: at_the_end())\n"
        "import fastnn\n"
        "from fastnn.kernels.jitted.threads import row_worker\n"
        "row_worker.ROWS_PER_TRIAL, row_worker.MAX_GAP = 2, np.inf\n"
        "row_worker.MAX_TIME_SHARE = np.inf\n"
        "fastnn.set_num_threads(2)\n"
        "net = fastnn.Network.mlp([500, 300, 3], output='softmax').build(500)\n"
        "first = net.predict_proba(row)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", start + code], capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_a_row_at_the_end_of_the_process_is_right():
    code = (
        "at_the_end = lambda: print((net.predict_proba(row) == first).all())\n"
        "for i in range(50): net.predict_proba(row)\n"
    )
    assert printed(code) == "True"


def test_a_process_ends_while_one_is_awake():
    code = (
        "at_the_end = lambda: None\n"
        "for i in range(50): net.predict_proba(row)\n"
        "print(len(row_worker._current))\n"
    )
    assert printed(code) == "1"
