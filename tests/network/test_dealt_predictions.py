"""Batches whose pieces go to whoever is free: this thread, and helpers that come in time."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from fastnn.kernels.jitted.execution import kept_prediction
from fastnn.kernels.jitted.loader.tables import entry_point
from fastnn.kernels.jitted.records import NEXT_CHUNK
from fastnn.kernels.jitted.threads import helpers, trials
from fastnn.kernels.jitted.threads.team import keep_team, run_parallel

import fastnn
from fastnn import Dense, Network, kernels
from fastnn.errors import DataError

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(
        not kernels.get("jitted").available, reason="Numba's compiler is switched off"
    ),
]
X = np.random.default_rng(0).normal(size=(900, 21)).astype(np.float32)
SINGLE, DOUBLE = np.dtype("float32"), np.dtype("float64")


def network(seed=1, dtype="float32"):
    layers = [Dense(30, "relu"), Dense(3, "softmax")]
    return Network(layers, inputs=21, seed=seed, dtype=dtype)


def use(n_threads):
    fastnn._runtime.threads._wanted = n_threads


@pytest.fixture(autouse=True)
def crews(monkeypatch):
    """Every batch is dealt to three threads, by helpers of this test; return these, by dtype."""
    monkeypatch.setattr(kept_prediction, "MIN_DEALT_FLOPS", 0)
    monkeypatch.setattr(kept_prediction, "MIN_LONG_FLOPS", 0)
    monkeypatch.setattr(trials, "MIN_CALLS", np.inf)
    kept_prediction._kept.networks.clear()
    monkeypatch.setattr(fastnn._runtime.threads, "_wanted", 3)
    found = {}
    monkeypatch.setattr(helpers, "_crews", found)
    yield found
    for crew in found.values():
        crew.mailbox[helpers.MUST_END] = 1
        for helper in crew.helpers:
            helper.wake()
            helper.thread.join()
    kept_prediction._kept.networks.clear()


@pytest.fixture
def asleep(crews, monkeypatch):
    """Helpers of this test do not come, until it ends."""
    late = threading.Event()
    monkeypatch.setattr(helpers._Helper, "_serve", lambda *args: late.wait())
    yield
    late.set()


def alone(net, batches):
    before = fastnn._runtime.threads._wanted
    use(1)
    found = [net.predict_proba(x) for x in batches]
    use(before)
    return found


def joined(crews, dtype=SINGLE):
    """How many helpers took part in the last call."""
    return int(crews[dtype].mailbox[helpers.ENDED])


def attempts():
    """Yield again and again, and skip the test where no helper ever comes in time."""
    yield from range(10_000)
    pytest.skip("other processes take the cores that helpers need")


def until_helped(crews, net, batch=X):
    """Predict until a helper has taken part: on busy cores one may come late."""
    for _ in attempts():
        found = net.predict_proba(batch)
        if joined(crews, net.dtype):
            return found
    return None


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
def test_have_the_same_bits(crews, dtype):
    net, helped = network(dtype=dtype.name), 0
    batches = [X[:m].astype(dtype) for m in (13, 31, 32, 33, 48, 100, 129, 257, 900)]
    expected = alone(net, batches)
    for _ in attempts():
        for x, right in zip(batches, expected, strict=True):
            np.testing.assert_array_equal(net.predict_proba(x), right)
            helped += joined(crews, dtype) if len(x) >= 32 else 0
        if helped >= 10:
            break
    assert list(crews) == [dtype]


@pytest.mark.usefixtures("asleep")
def test_a_helper_that_has_begun_is_waited_for(crews):
    """This test takes the helper's seat, as compiled code does, and gives it back late."""
    net = network()
    use(2)
    many = np.tile(X, (18, 1))
    net.predict_proba(many)  # settles what the call needs
    mailbox = crews[SINGLE].mailbox
    for _ in attempts():
        caller = threading.Thread(target=net.predict_proba, args=(many,))
        caller.start()
        while caller.is_alive() and mailbox[helpers.SEATS] == 0:
            pass
        mailbox[helpers.SEATS] = 0
        joined_in_time = caller.is_alive() and mailbox[NEXT_CHUNK] < len(many)
        while caller.is_alive() and mailbox[NEXT_CHUNK] < len(many):
            time.sleep(1e-3)
        if joined_in_time:
            time.sleep(0.05)
            assert caller.is_alive()
            assert mailbox[helpers.TAKEN] == 1
            mailbox[helpers.ENDED] = 1
        caller.join()
        if joined_in_time:
            break
    assert mailbox[helpers.TAKEN] == 0


def test_of_both_dtypes_in_turns(crews):
    nets = [network(dtype=dtype.name) for dtype in (SINGLE, DOUBLE)]
    expected = [alone(net, [X])[0] for net in nets]
    for _ in range(5):
        for net, right in zip(nets, expected, strict=True):
            np.testing.assert_array_equal(until_helped(crews, net), right)


def test_no_more_threads_than_the_user_allows(crews):
    """Helpers of an earlier call with more threads are still awake, and have no workspace now."""
    net = network()
    (expected,) = alone(net, [X])
    for _ in range(20):
        use(3)
        until_helped(crews, net)
        use(2)
        np.testing.assert_array_equal(net.predict_proba(X), expected)
        assert joined(crews) <= 1


@pytest.mark.usefixtures("asleep")
def test_a_helper_that_does_not_come_is_not_waited_for(crews):
    net = network()
    (expected,) = alone(net, [X])
    for _ in range(3):
        np.testing.assert_array_equal(net.predict_proba(X), expected)
        assert joined(crews) == 0
    assert len(crews[SINGLE].helpers) == 2


def test_a_helper_that_comes_too_late_finds_nothing_and_ends(crews):
    net = network()
    until_helped(crews, net)
    mailbox = crews[SINGLE].mailbox
    while mailbox[helpers.AWAKE]:
        time.sleep(1e-3)
    before = mailbox.copy()
    serve = entry_point("step.prediction.serve_pieces", SINGLE)
    serve(mailbox, np.empty(0, SINGLE))
    np.testing.assert_array_equal(mailbox, before)


def test_helpers_that_serve_another_call_are_left_alone(crews):
    net = network()
    expected = until_helped(crews, net)
    mailbox = crews[SINGLE].mailbox
    mailbox[helpers.TAKEN], mailbox[helpers.ENDED] = 1, 7
    np.testing.assert_array_equal(net.predict_proba(X), expected)
    assert joined(crews) == 7
    mailbox[helpers.TAKEN] = 0
    np.testing.assert_array_equal(until_helped(crews, net), expected)


def test_a_call_is_alone_while_a_team_works(crews):
    net = network()
    (expected,) = alone(net, [X])

    def predict(team):
        np.testing.assert_array_equal(net.predict_proba(X), expected)

    with keep_team():
        run_parallel(predict, (), 1)
    assert not crews[SINGLE].helpers


def test_are_refused_with_their_row(crews):
    net = network()
    good = until_helped(crews, net)
    for row in (0, 150, 299, 899):
        bad = X.copy()
        bad[row, 3] = np.nan
        with pytest.raises(DataError, match=f"row {row}"):
            net.predict_proba(bad)
        np.testing.assert_array_equal(net.predict_proba(X), good)


def test_of_several_callers(crews):
    nets, wrong = [network(seed) for seed in range(3)], []
    expected = [alone(net, [X])[0] for net in nets]

    def ask(k):
        for _ in range(30):
            if (nets[k].predict_proba(X) != expected[k]).any():
                wrong.append(k)

    callers = [threading.Thread(target=ask, args=(k,)) for k in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_a_system_without_threads_does_without(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    net = network()
    (expected,) = alone(net, [X])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    np.testing.assert_array_equal(net.predict_proba(X), expected)


def test_an_interrupt_before_the_work_leaves_the_mailbox_free(crews, monkeypatch):
    net = network()
    expected = until_helped(crews, net)
    wake = helpers._Helper.wake

    def interrupted(helper):
        wake(helper)
        raise KeyboardInterrupt

    mailbox = crews[SINGLE].mailbox
    while mailbox[helpers.AWAKE]:
        time.sleep(1e-3)
    monkeypatch.setattr(helpers._Helper, "wake", interrupted)
    with pytest.raises(KeyboardInterrupt):
        net.predict_proba(X)
    monkeypatch.setattr(helpers._Helper, "wake", wake)
    assert mailbox[helpers.TAKEN] == mailbox[helpers.SEATS] == 0
    np.testing.assert_array_equal(until_helped(crews, net), expected)


@pytest.mark.forks
def test_a_forked_child_waits_for_nobody(crews):
    net = network()
    expected = until_helped(crews, net)
    child = os.fork()
    if child == 0:
        same = not helpers._crews
        for _ in range(3):
            same = same and (until_helped(crews, net) == expected).all()
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_process_ends_while_helpers_are_awake():
    """And what it predicts after they have ended is right."""
    code = (
        "import atexit, numpy as np\n"
        "X = np.ones((900, 21), np.float32)\n"
        "atexit.register(lambda: print((net.predict_proba(X) == first).all()))\n"
        "import fastnn\n"
        "from fastnn.kernels.jitted.execution import kept_prediction\n"
        "from fastnn.kernels.jitted.threads import helpers, trials\n"
        "kept_prediction.MIN_DEALT_FLOPS = kept_prediction.MIN_LONG_FLOPS = 0\n"
        "trials.MIN_CALLS = np.inf\n"
        "helpers.MIN_IDLE_POLLS = helpers.MAX_IDLE_POLLS = 10**12\n"
        "fastnn.set_num_threads(2)\n"
        "net = fastnn.Network.mlp([21, 30, 3], output='softmax').build(21)\n"
        "first = net.predict_proba(X)\n"
        "mailbox = helpers._crews[X.dtype].mailbox\n"
        "while not mailbox[helpers.AWAKE]: net.predict_proba(X)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "True")


class TestTrials:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch):
        """Helpers are judged from their first call on."""
        monkeypatch.setattr(trials, "WARM_UP", 0)

    def test_helpers_pay_or_are_left_out_for_a_while(self, monkeypatch):
        """By times that are given: with helpers as long as alone, then half as long."""
        monkeypatch.setattr(trials, "MIN_CALLS", 2)
        monkeypatch.setattr(trials, "CALLS_PER_TRIAL", 2)
        monkeypatch.setattr(trials, "MAX_TRIALS_LEFT_OUT", 4)
        judge, dealt, share = trials.Trials(), [], 1.0
        for call in range(80):
            dealt.append(judge.deals)
            judge.note(3e-3 * (share if judge.deals else 1), 3000)
            share = 1.0 if call < 50 else 0.5
        starts = np.flatnonzero(np.diff(np.array(dealt, int)) == 1)
        # A trial of two calls with helpers, and one, two, four, four … trials without them.
        assert np.diff(starts).tolist() == [4, 6, 10, 10, 10, 10]
        assert dealt[54:] == [True] * 26
        assert judge.rest == 1

    def test_a_call_that_was_disturbed_does_not_speak_for_helpers(self, monkeypatch):
        """One call alone took ten times as long as the other, and helpers save nothing."""
        monkeypatch.setattr(trials, "MIN_CALLS", 2)
        judge = trials.Trials()
        for seconds in (10.0, 1.0, 1.0, 1.0):
            judge.note(seconds, 1)
        assert not judge.deals

    def test_helpers_may_be_slow_at_first(self, monkeypatch):
        """Two calls with helpers take long, the next two half as long as alone.

        If the long ones are judged, the next two are a trial without helpers.
        """
        monkeypatch.setattr(trials, "MIN_CALLS", 2)
        for warm_up, alone in ((0.02, 0.01), (0, 0.005)):
            monkeypatch.setattr(trials, "WARM_UP", warm_up)
            judge = trials.Trials()
            for seconds in (0.01, 0.01, 0.011, 0.011, 0.005, 0.005):
                judge.note(seconds, 1)
            assert (judge.deals, judge.alone) == (True, alone)

    def test_batches_that_are_not_long_go_by_them(self, monkeypatch):
        """The first trial is without helpers, the second one with them; each for like batches."""
        net = network()
        monkeypatch.setattr(kept_prediction, "MIN_LONG_FLOPS", np.inf)
        monkeypatch.setattr(trials, "MIN_CALLS", trials.CALLS_PER_TRIAL)
        monkeypatch.setattr(trials, "MAX_TIME_SHARE", np.inf)
        seen, run = [], kept_prediction.run_dealt
        monkeypatch.setattr(
            kept_prediction, "run_dealt", lambda *args: (seen.append(len(args[1][6])), run(*args))
        )
        found = [
            net.predict_proba(X[:m]) for m in (300, 40) for _ in range(3 * trials.CALLS_PER_TRIAL)
        ]
        assert seen == [300] * 2 * trials.CALLS_PER_TRIAL + [40] * 2 * trials.CALLS_PER_TRIAL
        for other in found[1:]:
            np.testing.assert_array_equal(other[:40], found[0][:40])

    def test_of_long_calls_begin_with_helpers(self, monkeypatch):
        """Three calls with helpers, three without, and then by what these took."""
        monkeypatch.setattr(trials, "MIN_CALLS", 3)
        for share, then in ((0.5, True), (1.0, False)):
            judge, dealt = trials.Trials(deals=True), []
            for _ in range(10):
                dealt.append(judge.deals)
                judge.note(0.1 * (share if judge.deals else 1), 3000)
            assert dealt == [True] * 3 + [False] * 3 + [True] * 3 + [then]
