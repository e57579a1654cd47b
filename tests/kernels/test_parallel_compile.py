"""Helpers that compile a share of the kernels: their orders, and life without them."""

import json
import subprocess
import sys
import threading

import pytest
from fastnn.kernels.jitted.compiler import object_code, parallel_compile, production
from fastnn.kernels.jitted.compiler.parallel_compile import started_helpers
from fastnn.kernels.jitted.execution import kernel_selection
from fastnn.kernels.jitted.loader import user_cache
from fastnn.kernels.jitted.loader.source import Source, manifest
from fastnn.kernels.jitted.loader.user_cache import UserCache

import fastnn
from fastnn import kernels
from fastnn._runtime import threads

NAMES = [f"kernel_{i:02} float32" for i in range(20)]
FORWARD = ("forward.forward_pass", "loop.predict_blocks", "single_row.single_row")
BACKWARD = ("gradient.batch_gradient", "loop.run_steps", "update.update_parameters")
SLEEP = "import time; time.sleep(60)\n"


@pytest.fixture
def started(monkeypatch):
    """The shares and processes of the helpers that a test starts."""
    found, start = [], parallel_compile._start

    def watched(names):
        helper = start(names)
        found.append((names, helper))
        return helper

    monkeypatch.setattr(parallel_compile, "_start", watched)
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", SLEEP)
    monkeypatch.setattr(parallel_compile, "available_cores", lambda: 64)
    return found


def test_every_kernel_is_in_the_order_once_and_helpers_begin_at_the_other_end(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", "raise SystemExit\n")
    with started_helpers(NAMES, 3) as order:
        assert sorted(order) == NAMES
    (second, _), (third, _) = started
    assert order == [*NAMES[::3], *second[::-1], *third[::-1]]


@pytest.mark.parametrize("processes", [0, 1])
def test_one_process_starts_no_helper(started, processes):
    with started_helpers(NAMES, processes) as order:
        assert order == NAMES
    assert not started


def test_few_kernels_start_no_helper(started):
    with started_helpers(NAMES[: 2 * parallel_compile.MIN_KERNELS_PER_PROCESS - 1], 8):
        assert not started


def test_there_are_never_more_helpers_than_most_or_cores(started, monkeypatch):
    with started_helpers(NAMES * 10, 64):
        assert len(started) == parallel_compile.MAX_HELPERS
    started.clear()
    monkeypatch.setattr(parallel_compile, "available_cores", lambda: 3)
    with started_helpers(NAMES * 10, 64):
        assert len(started) == 2


def test_one_thread_of_a_process_has_helpers(started):
    def other():
        with started_helpers(NAMES, 2) as order:
            assert order == NAMES

    with started_helpers(NAMES, 2):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert len(started) == 1
    with started_helpers(NAMES, 2):
        assert len(started) == 2


def test_a_worker_of_multiprocessing_starts_no_helper(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "parent_process", lambda: "the one that has all cores")
    with started_helpers(NAMES, 2):
        assert not started


@pytest.mark.parametrize("name", ["", "/usr/bin/blender", "/usr/bin/python-editor"])
def test_a_program_that_embeds_python_is_not_started_again(started, monkeypatch, name):
    monkeypatch.setattr(sys, "executable", name)
    with started_helpers(NAMES, 2) as order:
        assert order == NAMES
    assert not started


def test_a_cache_that_cannot_be_written_starts_no_helper(started, monkeypatch):
    monkeypatch.setattr(UserCache, "is_writable", lambda cache: False)
    with started_helpers(NAMES, 2):
        assert not started


def test_helpers_that_cannot_be_started_are_not_missed(monkeypatch):
    def refuse(*args, **options):
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with started_helpers(NAMES, 2) as order:
        assert sorted(order) == NAMES


def test_a_helper_that_fails_is_not_missed(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", "raise SystemExit(3)\n")
    with started_helpers(NAMES, 2) as order:
        assert sorted(order) == NAMES
        assert started[0][1].wait() == 3


def test_helpers_are_ended_when_all_is_done(started):
    with started_helpers(NAMES, 3):
        pass
    assert len(started) == 2
    assert all(helper.returncode for _, helper in started)


def test_an_interrupt_ends_helpers(started):
    with pytest.raises(KeyboardInterrupt), started_helpers(NAMES, 3):
        raise KeyboardInterrupt
    assert len(started) == 2
    assert all(helper.returncode for _, helper in started)


def test_a_helper_ends_with_the_process_that_it_helps(monkeypatch):
    """A process that is killed closes the pipe to its helpers."""
    endless = "import time\nwhile True: time.sleep(1)\n"
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", parallel_compile.HELPER_CODE + endless)
    helper = parallel_compile._start([])
    helper.communicate()
    assert helper.returncode == 1


def test_a_helper_imports_what_its_process_would(tmp_path, monkeypatch):
    """From the same folders, in their order, but not from the one where the process stands."""
    package = tmp_path / "lib" / "fastnn" / "kernels" / "jitted" / "compiler"
    package.mkdir(parents=True)
    for folder in (package, *package.parents[:3]):
        (folder / "__init__.py").touch()
    (package / "production.py").write_text(
        "import json, os, pathlib\n"
        "def produce(names):\n"
        "    told = [names, os.environ['FASTNN_CACHE_DIR'], os.environ['FASTNN_KERNELS']]\n"
        f"    pathlib.Path({str(tmp_path / 'told')!r}).write_text(json.dumps(told))\n"
    )
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib"), *sys.path])
    with parallel_compile._start(NAMES[:2]) as helper:
        assert helper.wait() == 0
    told = json.loads((tmp_path / "told").read_text())
    assert told == [NAMES[:2], str(user_cache.base_folder()), "jit"]


def test_what_another_process_has_compiled_meanwhile_is_read(monkeypatch):
    """As helpers and the process that started them leave out each other's kernels."""
    kept, compiled = {"b": b"other's"}, []

    class Store:
        read = staticmethod(kept.get)
        write = staticmethod(kept.__setitem__)

    def compile_object(name):
        compiled.append(name)
        return b"own"

    monkeypatch.setattr(production, "source", lambda: Source(Store, None, ""))
    monkeypatch.setattr(production, "in_order", sorted)
    monkeypatch.setattr(object_code, "compile_object", compile_object)
    assert production.produce(["c", "b", "a"]) == {"a": b"own", "b": b"other's", "c": b"own"}
    assert compiled == ["a", "c"]
    assert kept == {"a": b"own", "b": b"other's", "c": b"own"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_only_fits_need_is_compiled_last(dtype):
    """A prediction then finds its own even where the fit was interrupted."""
    names = manifest().objects(dtype)
    order = production.in_order(names)
    assert sorted(order) == sorted(names)
    first = [order.index(f"step.{name} {dtype}") for name in FORWARD]
    then = [order.index(f"step.{name} {dtype}") for name in BACKWARD]
    assert max(first) < min(then)


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
