"""How many threads there may be: affinity, container, environment, wish."""

import contextvars
import os
import subprocess
import sys

import pytest

import fastnn
from fastnn._runtime import threads
from fastnn.ranks.group import Ranks

V2, V1 = "0::/", "4:cpu,cpuacct:/"


@pytest.fixture
def quota(tmp_path):
    """Return what the control groups grant, given lines of /proc/self/cgroup and files."""

    def find(lines, files):
        threads.container_quota.cache_clear()
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(lines)
        for name, text in files.items():
            path = tmp_path / "sys/fs/cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return threads.container_quota(str(tmp_path))

    yield find
    threads.container_quota.cache_clear()


@pytest.mark.parametrize(("lines", "files", "cores"), [
    (V2, {"cpu.max": "150000 100000\n"}, 2),
    (V2, {"cpu.max": "max 100000\n"}, None),
    (V2, {"cpu.max": "20000 100000\n"}, 1),
    ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
    ("0::/a/b\n", {"a/b/cpu.max": "200000 100000", "a/cpu.max": "300000 100000"}, 2),
    ("0::/of/the/host\n", {"cpu.max": "400000 100000"}, 4),
    (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 3),
    (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, None),
    ("5:memory:/\n", {"memory/cpu.cfs_quota_us": "1", "memory/cpu.cfs_period_us": "1"}, None),
    (V2, {"cpu.max": "nonsense"}, None),
    (V2, {}, None),
    ("", {}, None),
])  # fmt: skip
def test_quota_of_a_container(quota, lines, files, cores):
    assert quota(lines, files) == cores


def test_no_more_than_the_container_grants(monkeypatch):
    monkeypatch.setattr(threads, "container_quota", lambda: 1)
    assert threads.available_cores() == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_no_more_than_the_affinity():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert threads.available_cores() == 1
        assert threads.get_num_threads() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_limits_of_a_context_are_the_least_of_them(monkeypatch):
    monkeypatch.setattr(threads, "_wanted", 6)
    with threads.limited(8):
        assert threads.get_num_threads() == 6
        with threads.limited(2), threads.limited(3):
            assert threads.get_num_threads() == 2
        assert contextvars.copy_context().run(threads.get_num_threads) == 6
        fastnn.set_num_threads(9)
        assert threads.get_num_threads() == 8
    assert threads.get_num_threads() == 9


@pytest.mark.parametrize(("environment", "n"), [
    ({"FASTNN_NUM_THREADS": "3", "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}, 3),
    ({"NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}, 2),
    ({"OMP_NUM_THREADS": "2,1"}, 2),
    ({"FASTNN_NUM_THREADS": "no", "OMP_NUM_THREADS": "1"}, 1),
    ({"OMP_NUM_THREADS": "0"}, 8),
    ({"OMP_NUM_THREADS": "99"}, 8),
    ({}, 8),
])  # fmt: skip
def test_environment(monkeypatch, environment, n):
    monkeypatch.setattr(threads, "available_cores", lambda: 8)
    monkeypatch.setattr(threads, "_wanted", None)
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert fastnn.get_num_threads() == n


def test_a_wish_is_obeyed_beyond_the_cores(monkeypatch):
    monkeypatch.setattr(threads, "_wanted", None)
    fastnn.set_num_threads(7)
    assert fastnn.get_num_threads() == 7


def test_ranks_see_the_limit_of_a_worker(monkeypatch):
    group = object.__new__(Ranks)
    group._share = 3
    for wanted, free, held in ((None, 3, 2), (4, 4, 2)):
        monkeypatch.setattr(threads, "wanted_threads", lambda wanted=wanted: wanted)
        monkeypatch.setattr("fastnn.ranks.group.wanted_threads", lambda wanted=wanted: wanted)
        monkeypatch.setattr(threads, "available_cores", lambda: 8)
        assert group.threads == free
        with threads.limited(2):
            assert group.threads == held


@pytest.mark.medium
def test_workers_of_joblib_are_limited():
    """In a fresh process: joblib gives each of its workers a share of the cores."""
    pytest.importorskip("joblib", reason="joblib is not installed")
    code = (
        "import joblib, fastnn\n"
        "jobs = [joblib.delayed(fastnn.get_num_threads)() for _ in range(2)]\n"
        "with joblib.parallel_config('loky', inner_max_num_threads=1):\n"
        "    assert joblib.Parallel(2)(jobs) == [1, 1]\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in threads.VARIABLES}
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env=environment, timeout=300)
