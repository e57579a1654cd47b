"""Helpers that compile a share of the kernels: their orders, and life without them."""

import json
import subprocess
import sys
import threading

import pytest
from fastnn.kernels.jitted.compiler import dispatch_table, parallel_compile
from fastnn.kernels.jitted.compiler.parallel_compile import started_helpers
from fastnn.kernels.jitted.execution import kernel_selection

import fastnn
from fastnn import kernels
from fastnn._runtime import threads

PLACES = list(range(20))
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def started(monkeypatch):
    """The shares and processes of the helpers that a test starts."""
    found, start = [], parallel_compile._start

    def watched(dtype, places):
        helper = start(dtype, places)
        found.append((places, helper))
        return helper

    monkeypatch.setattr(parallel_compile, "_start", watched)
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", SLEEP)
    monkeypatch.setattr(parallel_compile, "_cores", lambda: 64)
    return found


def test_every_kernel_is_in_the_order_once_and_helpers_begin_at_the_other_end(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", "")
    with started_helpers("float32", PLACES, 3) as order:
        assert sorted(order) == PLACES
    (second, _), (third, _) = started
    assert order == [*PLACES[::3], *second[::-1], *third[::-1]]


@pytest.mark.parametrize("processes", [0, 1])
def test_one_process_starts_no_helper(started, processes):
    with started_helpers("float32", PLACES, processes) as order:
        assert order == PLACES
    assert not started


def test_few_kernels_start_no_helper(started):
    with started_helpers("float32", PLACES[: 2 * parallel_compile.MIN_KERNELS_PER_PROCESS - 1], 8):
        assert not started


def test_there_are_never_more_helpers_than_most_or_cores(started, monkeypatch):
    with started_helpers("float32", list(range(200)), 64):
        assert len(started) == parallel_compile.MAX_HELPERS
    started.clear()
    monkeypatch.setattr(parallel_compile, "_cores", lambda: 3)
    with started_helpers("float32", list(range(200)), 64):
        assert len(started) == 2


def test_one_thread_of_a_process_has_helpers(started):
    def other():
        with started_helpers("float32", PLACES, 2) as order:
            assert order == PLACES

    with started_helpers("float32", PLACES, 2):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(started) == 1
    with started_helpers("float32", PLACES, 2):
        assert len(started) == 2


def test_a_worker_of_multiprocessing_starts_no_helper(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "parent_process", lambda: "the one that has all cores")
    with started_helpers("float32", PLACES, 2):
        assert not started


@pytest.mark.parametrize("name", ["", "/usr/bin/blender", "/usr/bin/python-editor"])
def test_a_program_that_embeds_python_is_not_started_again(started, monkeypatch, name):
    monkeypatch.setattr(sys, "executable", name)
    with started_helpers("float32", PLACES, 2) as order:
        assert order == PLACES
    assert not started


def test_a_cache_that_cannot_be_written_starts_no_helper(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "is_writable", lambda: False)
    with started_helpers("float32", PLACES, 2):
        assert not started


def test_helpers_that_cannot_be_started_are_not_missed(monkeypatch):
    def refuse(*args, **options):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with started_helpers("float32", PLACES, 2) as order:
        assert sorted(order) == PLACES


def test_a_helper_that_fails_is_not_missed(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", "raise SystemExit(3)")
    with started_helpers("float32", PLACES, 2) as order:
        assert sorted(order) == PLACES
        assert started[0][1].wait() == 3


def test_helpers_are_ended_when_all_is_done(started):
    with started_helpers("float32", PLACES, 3):
        pass
    assert len(started) == 2
    assert all(helper.returncode for _, helper in started)


def test_an_interrupt_ends_helpers(started):
    with pytest.raises(KeyboardInterrupt), started_helpers("float32", PLACES, 3):
        raise KeyboardInterrupt
    assert len(started) == 2
    assert all(helper.returncode for _, helper in started)


def test_a_helper_ends_with_the_process_that_it_helps(monkeypatch):
    """A process that is killed closes the pipe to its helpers."""
    endless = "import time\nwhile True: time.sleep(1)\nsys.path[:]"
    code = parallel_compile.HELPER_CODE.replace("sys.path[:]", endless)
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", code)
    helper = parallel_compile._start("float32", [])
    helper.communicate()
    assert helper.returncode == 1


def test_a_helper_imports_what_its_process_would(tmp_path, monkeypatch):
    """From the same folders, in their order, but not from the one where the process stands."""
    package = tmp_path / "lib" / "fastnn" / "kernels" / "jitted" / "compiler"
    package.mkdir(parents=True)
    for folder in (package, *package.parents[:3]):
        (folder / "__init__.py").touch()
    (package / "dispatch_table.py").write_text(
        "import json, os, pathlib\n"
        "def compile_share(*share):\n"
        "    told = [*share, os.environ['FASTNN_CACHE_DIR']]\n"
        f"    pathlib.Path({str(tmp_path / 'told')!r}).write_text(json.dumps(told))\n"
    )
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib"), *sys.path])
    with parallel_compile._start("float32", [3, 2]) as helper:
        assert helper.wait() == 0
    cache = str(parallel_compile.cache_folder().parent)
    assert json.loads((tmp_path / "told").read_text()) == ["float32", [3, 2], cache]


def test_a_share_leaves_out_what_is_kept_meanwhile(monkeypatch):
    compiled, kept = [], {7}
    monkeypatch.setattr(dispatch_table, "_compile", lambda number, place: compiled.append(place))
    monkeypatch.setattr(dispatch_table, "is_kept", lambda number, place: place in kept)
    dispatch_table.compile_share("float64", [9, 7, 5])
    assert compiled == [9, 5]


def test_as_many_processes_as_threads_compile(monkeypatch):
    jitted, told = kernels.get("jitted"), []
    table = kernel_selection.kernel_pointers

    def watched(dtype, uses, processes):
        told.append(processes)
        return table(dtype, uses, processes)

    monkeypatch.setattr(jitted, "compile_all", lambda dtype, processes: told.append(processes))
    monkeypatch.setattr(kernel_selection, "kernel_pointers", watched)
    monkeypatch.setattr(threads, "_wanted", 3)
    kernel_selection._kernel_ptrs.cache_clear()
    fastnn.warmup(["float32"])
    assert told[:2] == [3, 3]  # of all kernels, and of a fit's
