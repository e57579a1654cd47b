"""Helpers that compile a share of the kernels: their orders, and life without them."""

import json
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from fastnn.kernels.jitted.compiler import object_code, parallel_compile, production
from fastnn.kernels.jitted.compiler.parallel_compile import started_helpers
from fastnn.kernels.jitted.execution import kernel_selection
from fastnn.kernels.jitted.loader import tables, user_cache
from fastnn.kernels.jitted.loader.source import Source, manifest, no_compiler
from fastnn.kernels.jitted.loader.user_cache import UserCache

import fastnn
from fastnn import kernels
from fastnn._runtime import threads

NAMES = [f"kernel_{i:02} float32" for i in range(20)]
FORWARD = ("forward.forward_pass", "prediction.predict_blocks", "few_rows.few_rows")
BACKWARD = ("gradient.batch_gradient", "loop.run_steps", "update.update_parameters")
#: Codes of helpers: one that never answers, one that says of each object that it has compiled it,
#: and one that ends after the first.
SLEEP = "import time; time.sleep(60)\n"
ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)\n"
ECHO_ONE = "print(input(), flush=True)\n"


@pytest.fixture(autouse=True)
def _compiled_here(monkeypatch):
    """Kernels have no pack, whatever this process found."""
    cache = UserCache("0" * 20)
    monkeypatch.setattr(parallel_compile, "source", lambda: Source(cache, None, ""))


@pytest.fixture
def started(monkeypatch):
    """The helpers that a test starts."""
    found = []

    class Watched(parallel_compile._Helper):
        def __init__(self):
            super().__init__()
            found.append(self)

    monkeypatch.setattr(parallel_compile, "_Helper", Watched)
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", SLEEP)
    monkeypatch.setattr(parallel_compile, "available_cores", lambda: 64)
    return found


@pytest.mark.parametrize(("code", "most"), [(ECHO, len(NAMES)), (ECHO_ONE, 2)])
def test_every_object_is_compiled_once(started, monkeypatch, code, most):
    """Helpers take the first ones; what they leave when they fail, this process takes."""
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", code)
    theirs, two = [], threading.Event()

    def finished(name):
        theirs.append(name)
        if len(theirs) == 2:
            two.set()

    with started_helpers(NAMES, 3, finished) as order:
        assert two.wait(60)
        own = list(order)
    assert len(started) == 2
    assert {*NAMES[:2]} <= {*theirs}
    assert len(theirs) <= most
    assert sorted(own + theirs) == NAMES


@pytest.mark.parametrize("processes", [0, 1])
def test_one_process_starts_no_helper(started, processes):
    with started_helpers(NAMES, processes) as order:
        assert list(order) == NAMES
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
            assert list(order) == NAMES

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
        assert list(order) == NAMES
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
        assert list(order) == NAMES


def test_a_helper_that_fails_is_not_missed(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", "raise SystemExit(3)\n")
    with started_helpers(NAMES, 2) as order:
        assert sorted(order) == NAMES
        assert started[0].process.wait() == 3


def test_a_helper_that_hangs_is_not_waited_for(started, monkeypatch):
    monkeypatch.setattr(parallel_compile, "PATIENCE", 0.1)
    with started_helpers(NAMES, 2) as order:
        assert sorted(order) == NAMES
        assert started[0].process.wait()


def test_helpers_are_ended_when_all_is_done(started):
    with started_helpers(NAMES, 3):
        pass
    assert len(started) == 2
    assert all(helper.process.returncode for helper in started)


def test_an_interrupt_ends_helpers(started):
    with pytest.raises(KeyboardInterrupt), started_helpers(NAMES, 3):
        raise KeyboardInterrupt
    assert len(started) == 2
    assert all(helper.process.returncode for helper in started)


def test_helpers_that_are_started_ahead_are_taken(started):
    with parallel_compile.started_ahead(3):
        assert len(started) == 2
        with started_helpers(NAMES[:10], 3):
            assert len(started) == 2
        assert [helper.process.poll() is None for helper in started] == [False, True]
    assert all(helper.process.returncode for helper in started)


@pytest.mark.parametrize(
    ("known", "processes", "helpers"), [(None, 3, 2), (None, 1, 0), ([], 3, 0)]
)
def test_helpers_start_ahead_where_no_kernel_is_known(
    started, monkeypatch, known, processes, helpers
):
    """A process that has the list of kernels imports no Numba before it knows what is missing."""
    if no_compiler():
        pytest.skip("nothing is compiled here")
    store = SimpleNamespace(manifest=known)
    monkeypatch.setattr(tables, "source", lambda: Source(store, None, ""))
    with tables._helped(processes):
        assert len(started) == helpers


def test_a_helper_ends_with_the_process_that_it_helps(monkeypatch):
    """A process that is killed closes the pipe to its helpers."""
    code = parallel_compile.HELPER_CODE.rpartition("getattr")[0]
    endless = f"{code}import time\nwhile True: time.sleep(1)\n"
    monkeypatch.setattr(parallel_compile, "HELPER_CODE", endless)
    with parallel_compile._Helper().process as process:
        process.stdin.close()
        assert process.wait() == 1


def test_a_helper_imports_what_its_process_would(tmp_path, monkeypatch):
    """From the same folders, in their order, but not from the one where the process stands."""
    package = tmp_path / "lib" / "fastnn" / "kernels" / "jitted" / "compiler"
    package.mkdir(parents=True)
    for folder in (package, *package.parents[:3]):
        (folder / "__init__.py").touch()
    (package / "production.py").write_text(
        "import json, os, pathlib\n"
        "def serve(next_name):\n"
        "    told = [next_name(), os.environ['FASTNN_CACHE_DIR'], os.environ['FASTNN_KERNELS']]\n"
        f"    pathlib.Path({str(tmp_path / 'told')!r}).write_text(json.dumps(told))\n"
    )
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "lib"), *sys.path])
    helper = parallel_compile._Helper()
    with helper.process as process:
        assert not helper.compile(NAMES[0])
        assert process.wait() == 0
    told = json.loads((tmp_path / "told").read_text())
    assert told == [NAMES[0], str(user_cache.base_folder()), "jit"]


def test_a_helper_compiles_what_the_store_lacks_and_says_so(monkeypatch, capsys):
    kept, names = {"b": b"other's"}, iter("ab")
    store = SimpleNamespace(read=kept.get, write=kept.__setitem__)
    monkeypatch.setattr(production, "source", lambda: Source(store, None, ""))
    monkeypatch.setattr(object_code, "compile_object", str.encode)
    monkeypatch.setattr(production.gc, "disable", lambda: None)
    with pytest.raises(StopIteration):
        production.serve(lambda: next(names))
    assert kept == {"a": b"a", "b": b"other's"}
    assert capsys.readouterr().out == "a\nb\n"


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
    monkeypatch.setattr(production, "_parts", lambda names: dict.fromkeys(sorted(names), ""))
    monkeypatch.setattr(object_code, "compile_object", compile_object)
    assert production.produce(["c", "b", "a"]) == {"a": b"own", "b": b"other's", "c": b"own"}
    assert compiled == ["a", "c"]
    assert kept == {"a": b"own", "b": b"other's", "c": b"own"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_only_fits_need_is_compiled_last(dtype):
    """A prediction then finds its own even where the fit was interrupted."""
    names = manifest().objects(dtype)
    order = list(production._parts(names))
    assert sorted(order) == sorted(names)
    first = [order.index(f"step.{name} {dtype}") for name in FORWARD]
    then = [order.index(f"step.{name} {dtype}") for name in BACKWARD]
    assert max(first) < min(then)
    parts = list(production._parts(names).values())
    for part in (production.FORWARD_PASS, production.TRAINING):
        within = order[parts.index(part) : len(parts) - parts[::-1].index(part)]
        are_long = [name.startswith(production._LONG) for name in within]
        assert any(are_long)
        assert are_long == sorted(are_long, reverse=True)


def test_as_many_processes_as_threads_compile(monkeypatch):
    jitted, told = kernels.get("jitted"), []
    table = kernel_selection.kernel_pointers

    def watched(dtype, uses, processes, ahead):
        told.append(processes)
        return table(dtype, uses, processes, ahead)

    monkeypatch.setattr(jitted, "compile_all", lambda dtype, processes: told.append(processes))
    monkeypatch.setattr(kernel_selection, "kernel_pointers", watched)
    monkeypatch.setattr(threads, "_wanted", 3)
    kernel_selection._kernel_ptrs.cache_clear()
    fastnn.warmup(["float32"])
    assert told[:2] == [3, 3]  # of all kernels, and of a fit's
