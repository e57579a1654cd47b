"""Searches that share their trials out: claims, executors, and the same trials whoever ran them."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import shared_search as shared
from shared_search import search

from fastnn import get_num_threads
from fastnn._runtime import threads
from fastnn.errors import SettingError
from fastnn.history import History
from fastnn.tuning import parcel, pruning, task_digest, workers
from fastnn.tuning.claims import Claims
from fastnn.tuning.plan import Plan
from fastnn.tuning.trial import Objective

optuna = pytest.importorskip("optuna")


@functools.cache
def alone():
    """Return the trials of a search by this process."""
    return search().trials


def start(study, folder, mode):
    """Start a process that searches."""
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(Path(shared.__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "shared_search", str(study), str(folder), mode],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


class TestClaims:
    def test_one_has_a_trial(self, tmp_path):
        mine, other = (Claims(str(tmp_path / "a")) for _ in range(2))
        assert mine.take(7)
        assert not other.take(7)
        assert other.take(8)
        mine.release(7)
        assert other.take(7)
        other.release_all()
        assert not list(tmp_path.iterdir())

    @pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
    def test_a_claim_that_is_removed_while_it_is_taken(self, tmp_path):
        mine, other = (Claims(str(tmp_path / "a")) for _ in range(2))
        assert mine.take(0)

        def lock(file):
            mine.release(0)  # after the other one has opened the file
            return locks(file)

        locks = sys.modules[Claims.__module__].try_lock
        with mock.patch.object(sys.modules[Claims.__module__], "try_lock", lock):
            assert other.take(0)
        assert not mine.take(0)
        other.release_all()


class TestProcesses:
    @pytest.mark.slow
    def test_two_on_one_study(self, tmp_path):
        both = [start(tmp_path / "a", tmp_path / "pids", "company") for _ in range(2)]
        (own, trials), (other, same) = (json.loads(p.communicate(timeout=200)[0]) for p in both)
        assert own
        assert other
        assert sorted(own + other) == list(range(24))
        assert trials == same == alone()
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "pids"]

    @pytest.mark.slow
    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
    def test_what_a_killed_one_claimed_is_taken_over(self, tmp_path):
        process = start(tmp_path / "a", tmp_path / "pids", "stuck")
        workers, seen = [], []

        def begun():
            workers[:] = [int(p.name) for p in (tmp_path / "pids").iterdir()]
            return len(workers) == 2

        def kill(trial):
            seen.append(trial["number"])
            if len(seen) == 8:  # the last that depends on none of those which the other one has
                process.kill()

        try:
            shared.until(begun)
            assert not Claims(str(tmp_path / "a")).take(0)
            assert search(study=tmp_path / "a", callbacks=[kill]).trials == alone()
            assert sorted(seen) == list(range(24))
            process.communicate(
                timeout=100
            )  # workers, which write there too, end with their parent
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    @pytest.mark.slow
    def test_a_pool_finds_the_same(self, tmp_path):
        assert search(processes=2, study=tmp_path / "a").trials == alone()
        assert any(t["state"] == "pruned" for t in alone())


class Far(Executor):
    """An executor whose worker has a memory of its own, and sees no files of ours."""

    _max_workers = 2

    def __init__(self, sees_files):
        self.sees_files, self.memory, self.sent = sees_files, {}, []

    def submit(self, fn, task):
        self.sent.append(task.carried)
        task = pickle.loads(pickle.dumps(task._replace(owner=-1)))
        if isinstance(task.carried, str) and not self.sees_files:
            task = task._replace(carried="/no/such/folder")
        future = Future()
        with mock.patch.multiple(parcel, _OPENED={}, _RECEIVED=self.memory):
            future.set_result(fn(task))
        return future


class TestExecutors:
    @pytest.mark.medium
    def test_threads(self, tmp_path):
        with ThreadPoolExecutor(3) as pool:
            found = search(executor=pool, make=lambda units: shared.make(units + 0))
            assert found.trials == alone()
            assert pool.submit(int).result() == 0  # it stays open

    @pytest.mark.medium
    def test_two_searches_of_one_process(self, tmp_path):
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(search, study=tmp_path / "a") for _ in range(2)]
            assert [f.result().trials for f in both] == [alone()] * 2

    @pytest.mark.medium
    @pytest.mark.parametrize("sees_files", [True, False])
    def test_data_are_sent_once(self, sees_files):
        executor = Far(sees_files)
        assert search(executor=executor).trials == alone()
        assert executor.sent[:2] == [None, None]  # the first two trials are out together
        assert sum(isinstance(carried, bytes) for carried in executor.sent) == 2 * (not sees_files)
        assert not any(os.path.exists(c) for c in executor.sent if isinstance(c, str))

    @pytest.mark.medium
    def test_no_room_for_files(self):
        executor = Far(sees_files=True)
        with mock.patch.object(parcel, "_write", side_effect=OSError("no space")):
            assert search(executor=executor, trials=3).trials[:2] == alone()[:2]
        assert not any(isinstance(carried, str) for carried in executor.sent)

    def test_a_worker_has_its_share_of_threads_and_ignores_ctrl_c(self):
        seen = []

        def make(units):
            seen.append((get_num_threads(), signal.getsignal(signal.SIGINT)))
            return shared.make(units)

        before = get_num_threads(), signal.getsignal(signal.SIGINT)
        objective = Objective(make, shared.X, shared.Y, shared.SPACE, 1, {}, "cost", (), 0, False)
        sent = parcel.Parcel(objective)
        task = workers.Task(0, {"learning_rate": 0.1, "units": 2}, {}, sent.key, None,
                            "vectorized", 1, -1)  # fmt: skip
        workers.run_task(task)
        workers.run_task(task._replace(owner=os.getpid()))
        assert seen == [(1, signal.SIG_IGN), before]
        assert (get_num_threads(), signal.getsignal(signal.SIGINT)) == before
        assert workers.threads_each(1000) == 1
        with mock.patch.multiple(parcel, _OPENED={}, _RECEIVED={sent.key: objective}):
            workers.run_task(task._replace(owner=os.getpid()))  # of another machine, by its number
        assert seen[2] == seen[0]
        sent.close()

    def test_two_tasks_at_once_leave_the_threads_as_they_were(self):
        seen, both, before = [], threading.Barrier(2), threads._wanted

        def make(units):
            seen.append(get_num_threads())
            both.wait(100)
            return shared.make(units)

        objective = Objective(make, shared.X, shared.Y, shared.SPACE, 1, {}, "cost", (), 0, False)
        sent = parcel.Parcel(objective)
        task = workers.Task(0, {"learning_rate": 0.1, "units": 2}, {}, sent.key, None,
                            "vectorized", 1, -1)  # fmt: skip
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(workers.run_task, [task, task]))
            assert list(pool.map(lambda k: get_num_threads(), range(2))) == [get_num_threads()] * 2
        assert seen == [1, 1]
        assert threads._wanted is before
        sent.close()

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"executor": 4}, r"executor must be one of concurrent\.futures.*got 4; processes=4"),
            ({"executor": ThreadPoolExecutor}, "executor must be"),
            ({"executor": workers.ThisProcess()}, "ThisProcess does not tell how many.*processes="),
            ({"executor": Far(True), "make": lambda units: 1}, "must be a function that stands in"),
        ],
    )
    def test_bad_input(self, settings, words):
        with pytest.raises(SettingError, match=words) as caught:
            search(**settings)
        assert "\n" not in str(caught.value)

    def test_processes_count_the_workers(self):
        assert search(executor=workers.ThisProcess(), processes=1, trials=1).trials[0] == alone()[0]
        with ThreadPoolExecutor(8) as pool:
            assert workers.count_workers(pool, None) == 8
            assert workers.count_workers(pool, 2) == 2


class Held(Executor):
    """An executor of three workers: the first trial runs at once, the second when it may."""

    _max_workers = 3

    def __init__(self):
        self.go_on, self.futures = threading.Event(), []

    def submit(self, fn, task):
        future = Future()
        self.futures.append(future)
        if len(self.futures) < 3:
            future.set_running_or_notify_cancel()

            def run():
                if self.futures[0] is not future:
                    self.go_on.wait(100)
                try:
                    future.set_result(fn(task))
                except BaseException as error:
                    future.set_exception(error)

            threading.Thread(target=run).start()
        return future


class TestEnds:
    @pytest.mark.medium
    @pytest.mark.parametrize("study", [None, "a"])
    def test_ctrl_c_keeps_what_runs_and_cancels_the_rest(self, tmp_path, study):
        executor = Held()

        def interrupt(trial):
            executor.go_on.set()
            raise KeyboardInterrupt

        path = None if study is None else tmp_path / study
        found = search(executor=executor, callbacks=[interrupt], study=path)
        assert found.interrupted
        assert found.trials == alone()[:2]
        assert [future.cancelled() for future in executor.futures] == [False, False, True]
        assert not list(tmp_path.glob("a.*"))
        if path is not None:
            assert search(study=path).trials == alone()

    @pytest.mark.medium
    def test_an_error_is_told_and_the_others_are_kept(self, tmp_path):
        calls, executor = [], Held()

        def make(units):
            calls.append(units)
            executor.go_on.set()
            if len(calls) == 1:
                raise RuntimeError("mine")
            return shared.make(units)

        with pytest.raises(RuntimeError, match="mine") as caught:
            search(executor=executor, make=make, study=tmp_path / "a", prune=False)
        assert "This was trial 0" in caught.value.__notes__[0]
        again = search(study=tmp_path / "a", trials=2, refine=False)
        assert again.trials == alone()[:2]
        with ThreadPoolExecutor(2) as pool:
            calls.clear()
            found = search(executor=pool, make=make, catch=RuntimeError, trials=4, refine=False)
        assert sorted(t["state"] for t in found.trials) == ["failed", *3 * ["finished"]]

    @pytest.mark.slow
    def test_a_worker_that_dies(self, tmp_path):
        with pytest.raises(Exception, match="abruptly") as caught:
            search(processes=2, make=shared.die, study=tmp_path / "a")
        assert "ended from outside" in caught.value.__notes__[0]
        assert [p.name for p in tmp_path.iterdir()] == ["a"]


class TestParcels:
    def test_arrays_are_mapped_and_may_be_written(self, tmp_path):
        whole = {"X": np.arange(12.0).reshape(3, 4), "F": np.asfortranarray(np.eye(3)),
                 "none": np.zeros((0, 2)), "part": np.arange(9)[::2], "y": ["a"]}  # fmt: skip
        parcel._write(whole, tmp_path, "key")
        read = parcel._read(tmp_path, "key")
        for name, value in whole.items():
            np.testing.assert_array_equal(read[name], value)
        assert isinstance(read["X"].base.base, np.memmap)
        assert read["F"].flags.f_contiguous
        read["X"][0, 0] = 7
        assert parcel._read(tmp_path, "key")["X"][0, 0] == 0

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_a_memory_map_is_its_file(self, tmp_path, order):
        (tmp_path / "sent").mkdir()
        X = np.memmap(tmp_path / "x", np.float32, "w+", offset=8, shape=(50, 40), order=order)
        X[:] = np.arange(2000).reshape(50, 40)
        X.flush()
        parcel._write([X, X[10:], X[:, 3]], tmp_path / "sent", "key")
        whole, part, column = parcel._read(tmp_path / "sent", "key")
        assert Path(whole.filename) == tmp_path / "x"
        np.testing.assert_array_equal(whole, X)
        np.testing.assert_array_equal(part, X[10:])
        np.testing.assert_array_equal(column, X[:, 3])
        assert sum(p.stat().st_size for p in (tmp_path / "sent").iterdir()) < X.nbytes

    def test_a_memory_map_that_was_changed_is_sent_so(self, tmp_path):
        np.save(tmp_path / "x.npy", np.zeros((50, 40)))
        (tmp_path / "sent").mkdir()
        own = np.load(tmp_path / "x.npy", mmap_mode="c")
        own[3] = 7  # in memory alone
        parcel._write([own], tmp_path / "sent", "key")
        np.testing.assert_array_equal(parcel._read(tmp_path / "sent", "key")[0], own)
        assert (tmp_path / "sent/0.array").stat().st_size == own.nbytes  # mapped by all workers
        open_map = np.load(tmp_path / "x.npy", mmap_mode="r+")
        with mock.patch.object(np.memmap, "flush") as flush:
            parcel._write([open_map], tmp_path / "sent", "key")
        flush.assert_called_once_with()

    def test_one_that_another_search_replaces_meanwhile(self, tmp_path):
        class Cleared(dict):
            def __setitem__(self, key, value):
                """Another thread receives its own parcel at once."""

        parcel._write([1], tmp_path, "key")
        with mock.patch.multiple(parcel, _OPENED={}, _RECEIVED=Cleared()):
            assert parcel.open_parcel("key", str(tmp_path)) == [1]

    def test_a_folder_without_the_key_is_not_read(self, tmp_path):
        parcel._write([1], tmp_path, "key")
        with mock.patch.multiple(parcel, _OPENED={}, _RECEIVED={}):
            assert parcel.open_parcel("another", str(tmp_path)) is None
            assert parcel.open_parcel("key", str(tmp_path)) == [1]

    def test_a_data_set_is_its_place(self, tmp_path):
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["a/x"] = shared.X
        with h5py.File(tmp_path / "x.h5") as file:
            parcel._write({"X": file["a/x"]}, tmp_path, "key")
            sent = parcel.Parcel(Objective(shared.make, file["a/x"], 0, {}, 1, {}, "", (), 0, True))
            packed = sent.pack("/no/such/folder")
            sent.close()
        for read in (parcel._read(tmp_path, "key")["X"], pickle.loads(packed).X):
            np.testing.assert_array_equal(read, shared.X)
            read.file.close()

    def test_rows_in_a_file_are_the_task_that_they_are_in_memory(self, tmp_path, monkeypatch):
        h5py = pytest.importorskip("h5py")
        X = np.arange(600).reshape(100, 6) - 50
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file["x"], file["y"] = X, X[:, 0]
            whole = task_digest.digest(X, X[:, 0])
            monkeypatch.setattr(task_digest, "CHUNK_SIZE", 70)
            monkeypatch.setattr(h5py.Dataset, "__array__", None)  # which would read all
            assert task_digest.digest(file["x"], X[:, 0]) == whole
            assert task_digest.digest(file["x"], X[:, 1]) != whole
            file["x"][99, 5] = 7
            assert task_digest.digest(file["x"], X[:, 0]) != whole


class TestPruning:
    """The rule is Optuna's; what a trial is compared with goes by numbers."""

    @pytest.mark.parametrize("monitor", ["validation_cost", "validation_accuracy"])
    @pytest.mark.parametrize("n", [3, 4, 5, 6, 11])
    def test_the_median_rule(self, monitor, n):
        rng, epochs = np.random.default_rng(n), 10
        up = monitor == "validation_accuracy"
        pruner = optuna.pruners.MedianPruner(pruning.N_STARTUP_TRIALS, epochs // 5, 1)
        study = optuna.create_study(direction="maximize" if up else "minimize", pruner=pruner)
        curves = [dict(enumerate(rng.random(epochs - k % 3))) for k in range(n)]
        curves[1][4] = float("nan")
        for curve in curves:
            study.add_trial(optuna.trial.create_trial(value=0.5, intermediate_values=curve))
        bars = pruning.bars(curves, epochs)
        assert bool(bars) == (n >= 5)
        for _ in range(20):
            trial, callback, values = study.ask(), pruning.PruningCallback(monitor, bars), []
            history = History()
            for step in range(epochs):
                values.append(float(rng.random()))
                trial.report(values[-1], step)
                history.extend({"cost": [0.0], monitor: values[-1:]})
                assert callback(None, history) == trial.should_prune()
            assert callback.curve == dict(enumerate(values))
            study.tell(trial, state=optuna.trial.TrialState.FAIL)

    @pytest.mark.parametrize(
        ("number", "prune", "refine", "needs"),
        [(0, True, True, 0), (9, True, True, 0), (10, True, True, 5), (19, True, True, 9),
         (20, True, True, 20), (39, True, True, 20), (39, True, False, 19), (19, False, True, 0),
         (20, False, True, 20), (39, False, False, 0)],
    )  # fmt: skip
    def test_what_a_trial_waits_for(self, number, prune, refine, needs):
        objective = Objective(shared.make, 0, 0, shared.SPACE, 1, {}, "cost", (), 0, prune)
        plan = Plan(objective, 40, refine)
        assert plan.is_ready(number, dict.fromkeys(range(needs)))
        assert not needs or not plan.is_ready(number, dict.fromkeys(range(needs - 1)))

    @pytest.mark.medium
    def test_curves_are_kept_for_later_searches(self, tmp_path):
        search(trials=8, refine=False, study=tmp_path / "a")
        found = search(trials=16, refine=False, study=tmp_path / "a")
        assert found.trials == search(trials=16, refine=False).trials
        assert any(trial["state"] == "pruned" for trial in found.trials)
