"""The team: threads that meet, wait, shrink, stop and share, and never change a bit."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fastnn.kernels.jitted.codegen import barrier
from fastnn.kernels.jitted.compiler.jit import runnable
from fastnn.kernels.jitted.execution import entry
from fastnn.kernels.jitted.threads import team

import fastnn
from fastnn import Network, kernels
from fastnn.errors import SettingError

pytestmark = pytest.mark.medium

rng = np.random.default_rng(0)
X = rng.normal(size=(700, 40)).astype(np.float32)
y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)


@runnable
def count(turns, total, team):
    """Let every thread add 1 to each total in its turn, and see that nobody was early."""
    late = 0
    for k in range(turns.size):
        if k % team.n_threads == team.tid:
            total[0] += 1
        barrier.barrier_wait(team)
        if total[0] != k + 1:
            late += 1
        barrier.barrier_wait(team)
    return 1000 * team.n_threads + late


@runnable
def wait_for_first(total, team):
    """Let thread 0 compute for long, while the others wait; the time is in total[0]."""
    if team.tid == 0:
        for k in range(int(total[0])):
            total[1] += np.sin(total[1] + k)
    barrier.barrier_wait(team)


def fitted(epochs=2, **settings):
    """Parameters of a network after a fit whose work is shared wherever a team is to be had."""
    net = Network.mlp([40, 30, 20, 3], output="softmax")
    net.fit(X, y, epochs=epochs, batch_size=600, progress=False, **settings)
    return net.program.theta.copy()


@pytest.fixture
def shared(monkeypatch):
    """Small work is worth a team, of 4 threads unless a test says otherwise."""
    monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", 0)
    before = fastnn._runtime.threads._wanted
    fastnn.set_num_threads(4)
    yield
    fastnn._runtime.threads._wanted = before
    assert not team._claims


@pytest.fixture
def alone():
    """What one thread computes."""
    before = fastnn._runtime.threads._wanted
    fastnn.set_num_threads(1)
    yield fitted()
    fastnn._runtime.threads._wanted = before


@pytest.fixture
def sizes(monkeypatch):
    """The sizes of all teams that have worked."""
    seen, together = [], team._fork_join

    def note(function, args, members, size):
        seen.append(size)
        return together(function, args, members, size)

    monkeypatch.setattr(team, "_fork_join", note)
    return seen


SCRIPT = """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, fastnn
from fastnn.kernels.jitted.execution import entry
from test_team import fitted

def by_four(_):
    entry.MIN_FLOPS_PER_STEP = 0
    fastnn.set_num_threads(4)
    return fitted()

if __name__ == "__main__":
    if sys.argv[2] == "spawn":
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.map(by_four, range(2))
    else:
        import joblib
        jobs = (joblib.delayed(by_four)(i) for i in range(4))
        found = joblib.Parallel(2, backend=sys.argv[2])(jobs)
    np.save(sys.argv[3], found)
"""


class TestMeetings:
    @pytest.mark.parametrize("size", [1, 2, 3, 5])
    def test_nobody_is_early(self, size):
        turns, total = np.zeros(500), np.zeros(1)
        assert team.run_parallel(count, (turns, total), size) == 1000 * size
        assert total[0] == 500

    @pytest.mark.parametrize("stage", ["SPINS", "YIELDS"])
    def test_in_every_stage_of_waiting(self, stage):
        """A fresh process, for the compiler takes the constants in."""
        code = (
            "import sys, numpy as np; sys.path.insert(0, sys.argv[1])\n"
            "from fastnn.kernels.jitted.codegen import barrier\n"
            "from fastnn.kernels.jitted.threads import team\n"
            "import test_team as t\n"
            "for name in ('SPINS', 'YIELDS'):\n"
            "    setattr(barrier, name, 0 if name != sys.argv[2] else 3)\n"
            "kernels = barrier.barrier_wait, t.count\n"
            "for f in kernels: f.recompile()\n"
            "assert team.run_parallel(t.count, (np.zeros(200), np.zeros(1)), 3) == 3000\n"
        )
        here = os.path.dirname(__file__)
        subprocess.run([sys.executable, "-c", code, here, stage], check=True, cwd=here, timeout=300)

    @pytest.mark.skipif(sys.platform != "linux", reason="counts Linux's switches of threads")
    def test_who_waits_long_sleeps(self):
        """Giving a core away by sleeping is a voluntary switch; yielding it is none."""
        import resource

        total = np.array([1.0, 0.0])
        team.run_parallel(wait_for_first, (total,), 4)
        for turns in (2e7, 1.5e8, 3e8):  # 0.4 s; longer where the cores are wanted
            total[0] = turns
            before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
            team.run_parallel(wait_for_first, (total,), 4)
            slept = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before
            if slept > 100:
                break
        assert slept > 100


class TestSameBits:
    def test_oversubscribed(self, shared, alone, sizes):
        spin = [sys.executable, "-c", "while True: pass"]
        busy = [subprocess.Popen(spin) for _ in range(2)]
        fastnn.set_num_threads(4)
        try:
            np.testing.assert_array_equal(fitted(), alone)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        assert set(sizes) == {4}

    def test_shrunk_by_other_teams(self, shared, alone, sizes):
        fastnn.set_num_threads(4)
        for held, expected in ((2, {2}), (3, set()), (9, set())):
            team._claims["another"] = held
            try:
                np.testing.assert_array_equal(fitted(), alone)
            finally:
                del team._claims["another"]
            assert set(sizes) == expected
            sizes.clear()

    def test_shrunk_by_the_system(self, shared, alone, sizes, monkeypatch):
        class Refused(threading.Thread):
            left = 1

            def start(self):
                if Refused.left == 0:
                    raise RuntimeError("can't start new thread")
                Refused.left -= 1
                super().start()

        monkeypatch.setattr(team.threading, "Thread", Refused)
        fastnn.set_num_threads(4)
        np.testing.assert_array_equal(fitted(), alone)
        assert set(sizes) == {4}

    def test_in_a_pool_of_threads(self, shared, alone):
        fastnn.set_num_threads(4)
        with ThreadPoolExecutor(4) as pool:
            for theta in pool.map(lambda _: fitted(), range(8)):
                np.testing.assert_array_equal(theta, alone)

    @pytest.mark.forks
    def test_in_a_forked_child(self, shared, alone):
        """Forked from a callback, in the middle of a fit that has a team."""
        fastnn.set_num_threads(4)
        answers = []

        def fork_and_fit(net, history):
            context = multiprocessing.get_context("fork")
            queue = context.SimpleQueue()
            child = context.Process(target=lambda: queue.put(fitted()))
            child.start()
            child.join()
            assert child.exitcode == 0
            answers.append(queue.get())

        np.testing.assert_array_equal(fitted(callbacks=[fork_and_fit]), alone)
        for answer in answers:
            np.testing.assert_array_equal(answer, alone)

    @pytest.mark.parametrize(
        "company", ["spawn", "threading", pytest.param("loky", marks=pytest.mark.long)]
    )
    def test_in_other_processes(self, company, alone, tmp_path):
        """From a script: workers import what they run, and tests are no importable modules."""
        if company != "spawn":
            pytest.importorskip("joblib", reason="joblib is not installed")
        script, found = tmp_path / "script.py", tmp_path / "found.npy"
        script.write_text(SCRIPT)
        here = os.path.dirname(__file__)
        command = [sys.executable, str(script), here, company, str(found)]
        subprocess.run(command, check=True, timeout=300)
        for theta in np.load(found):
            np.testing.assert_array_equal(theta, alone)

    def test_of_predictions_and_evaluations(self, shared, sizes):
        net = Network.mlp([40, 30, 20, 3], output="softmax")
        net.fit(X, y, epochs=1, progress=False)
        many = np.concatenate([X] * 5)
        labels = np.concatenate([y] * 5)
        fastnn.set_num_threads(1)
        single = net.predict_proba(many), net.evaluate(many, labels)
        fastnn.set_num_threads(3)
        sizes.clear()
        np.testing.assert_array_equal(net.predict_proba(many), single[0])
        assert net.evaluate(many, labels) == single[1]
        assert sizes == [3]  # of the evaluation: a prediction's pieces are dealt
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(net.predict_proba, [many] * 8):
                np.testing.assert_array_equal(found, single[0])

    def test_of_members_with_blocks_of_their_own(self, monkeypatch, sizes):
        """What no block of 256 rows is worth, thousands of rows are: each member takes blocks."""
        net = Network.mlp([40, 30, 20, 3], output="softmax")
        net.fit(X, y, epochs=1, progress=False)
        many, labels = np.concatenate([X] * 3), np.concatenate([y] * 3)
        weights = net.program.theta.size * 256
        monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", weights)
        monkeypatch.setattr(entry, "MIN_STEPS_TO_START", 1)
        found, before = [], fastnn._runtime.threads._wanted
        for threads in (1, 3, 99):
            fastnn.set_num_threads(threads)
            found.append((net.predict_proba(many).tobytes(), net.evaluate(many, labels)))
        fastnn._runtime.threads._wanted = before
        assert found[1] == found[0] == found[2]
        assert set(sizes) == {3, len(many) // 272}  # none where one works alone
        sizes.clear()
        net.predict_proba(many[:300])
        assert not sizes


class TestLife:
    def test_members_last_one_fit(self, shared):
        running, seen = threading.active_count(), []

        def note(net, history):
            seen.append(tuple(t.ident for t in threading.enumerate() if t.name == "fastnn"))

        fitted(epochs=4, callbacks=[note])
        assert [len(members) for members in seen] == [3] * 4
        assert len(set(seen)) == 1
        assert threading.active_count() == running

    def test_a_fit_inside_a_fit_shares_the_team(self, shared, alone):
        running = threading.active_count()

        def inner(net, history):
            np.testing.assert_array_equal(fitted(), alone)
            assert threading.active_count() == running + 3

        fastnn.set_num_threads(4)
        np.testing.assert_array_equal(fitted(callbacks=[inner]), alone)
        assert threading.active_count() == running

    def test_short_work_starts_no_thread(self, sizes):
        before = fastnn._runtime.threads._wanted
        fastnn.set_num_threads(2)
        try:
            fitted()
        finally:
            fastnn._runtime.threads._wanted = before
        assert sizes == []

    def test_a_long_fit_of_short_epochs_gets_its_team(self, sizes, monkeypatch):
        """Work counts over all chunks of a fit, not in each."""
        step = 3 * 600 * (40 * 30 + 30 * 20 + 20 * 3)
        monkeypatch.setattr(entry, "MIN_FLOPS_PER_STEP", step)
        before = fastnn._runtime.threads._wanted
        fastnn.set_num_threads(2)
        try:
            fitted(epochs=30, callbacks=[lambda net, history: None])
        finally:
            fastnn._runtime.threads._wanted = before
        assert sizes
        assert len(sizes) < 60 - entry.MIN_STEPS_TO_START + 2

    def test_settings_without_a_number_of_threads(self, shared, sizes):
        net = Network.mlp([40, 30, 3], output="softmax")
        net.fit(X, y, epochs=1, batch_size=600, progress=False)
        sizes.clear()
        settings = net.program.settings()
        assert settings["threads"] == 0
        assert entry.count_threads(net.program.ops, 600, 1, lambda: int(settings["threads"])) == 1
        net.cost_and_gradients(X, y)
        assert sizes == []

    def test_the_same_network_refuses(self, shared):
        net, found = Network.mlp([40, 30, 3], output="softmax"), []

        def other(n, history):
            with (
                pytest.raises(SettingError, match="being fitted already"),
                ThreadPoolExecutor() as p,
            ):
                p.submit(n.fit, X, y).result()
            found.append(1)

        net.fit(X, y, epochs=2, callbacks=[other], progress=False)
        assert found == [1, 1]


class TestFailures:
    def test_a_member_that_cannot_begin_releases_the_others(self):
        class Once:
            """Fails for member 1, as a lack of memory might."""

            def __call__(self, *args):
                if args[-1].tid == 1:
                    raise MemoryError("no room")
                return count(*args)

        running = threading.active_count()
        with pytest.raises(MemoryError, match="no room"):
            team.run_parallel(Once(), (np.zeros(50), np.zeros(1)), 3)
        assert threading.active_count() == running
        assert not team._claims

    @pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
    def test_ctrl_c_stops_a_team(self, shared, ctrl_c):
        net, running = Network.mlp([40, 30, 20, 3], output="softmax"), threading.active_count()
        history = net.fit(X, y, epochs=10**9, batch_size=600, progress=False)
        ctrl_c.join()
        assert history.interrupted
        assert history.epochs == net.history.epochs > 0
        assert threading.active_count() == running

    @pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
    def test_second_ctrl_c_is_a_keyboard_interrupt_whatever_it_became(self, monkeypatch):
        """Numba's compiler turns an exception of a signal's handler into one of its own."""

        def compile_for_long(*args):
            try:
                for _ in range(2):
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(0.01)
            except KeyboardInterrupt as error:
                raise RuntimeError("missing Environment") from error

        monkeypatch.setattr(kernels.get("jitted"), "run", compile_for_long)
        with pytest.raises(KeyboardInterrupt):
            fitted()


@pytest.mark.parametrize(("machine", "name"), [
    ("x86_64", "llvm.x86.sse2.pause"), ("arm64", "llvm.aarch64.isb"), ("riscv64", None),
])  # fmt: skip
def test_pause_of_each_machine(machine, name):
    from fastnn.kernels.jitted.codegen.atomics import emit_pause
    from llvmlite import ir

    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), []), "f")
    builder = ir.IRBuilder(function.append_basic_block())
    emit_pause(builder, machine)
    builder.ret_void()
    assert (name is None) == ("call" not in str(function))
    assert name is None or name in str(module)
