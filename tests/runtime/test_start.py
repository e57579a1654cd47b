"""Starting: what an import brings along, the kernel cache, and life without the compiler."""

import gc
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

pytestmark = pytest.mark.medium

DTYPES = ("float32", "float64")

FIT = """
import numpy as np, fastnn
net = fastnn.Network.mlp([2, 1], output="sigmoid")
net.fit(np.array([[0.0, 1], [1, 0]]), [0, 1], epochs=1, progress=False)
"""
SPEAK = "import os; os.dup2(1, 2)\n" + FIT.replace("progress=False", "progress=True") * 2
TWO_THREADS = "import fastnn; fastnn.set_num_threads(2)\n"


def python(code, **environment):
    """Run code in a fresh process, which compiles its kernels, and return what it prints."""
    result = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", code],
        env={**os.environ, "FASTNN_KERNELS": "jit", **environment},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_brings_no_heavy_module():
    code = "import sys, fastnn; print(*sorted(sys.modules))"
    loaded = {name.split(".")[0] for name in python(code).split()}
    heavy = {"numba", "llvmlite", "h5py", "matplotlib", "sklearn", "scipy", "PIL", "rich"}
    assert not loaded & heavy


#: Every extra's packages, so that a process finds none of them.
WITHOUT = (
    "import sys\n"
    "for name in 'matplotlib', 'onnx', 'optuna', 'PIL', 'scipy', 'sklearn', 'torch':\n"
    " sys.modules[name] = None\n"
)
STAR = (
    "import sys, fastnn\n"
    "light = set(sys.modules)\n"
    "from fastnn import *\n"
    "print(*sorted(n.split('.')[0] for n in set(sys.modules) - light), sep='|')\n"
    "print(*sorted(n for n in dir(fastnn) if n in globals()))\n"
)


def test_all_names_come_by_a_star_and_bring_only_what_estimators_need():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    brought, names = python(STAR).splitlines()
    import fastnn

    assert set(names.split()) == set(dir(fastnn)) - {"__version__"}
    assert not {"numba", "llvmlite", "h5py", "matplotlib", "optuna"} & set(brought.split("|"))


def test_a_star_works_without_any_extra():
    brought, names = python(WITHOUT + STAR).splitlines()
    import fastnn

    of_sklearn = {"LogisticRegression", "MLPClassifier", "MLPRegressor", "estimators"}
    of_sklearn |= {"TabularClassifier", "TabularRegressor"}
    assert set(names.split()) == set(dir(fastnn)) - of_sklearn - {"__version__"}
    assert {"callbacks", "data", "plot"} <= set(names.split())
    assert not {"numba", "llvmlite", "h5py", "rich"} & set(brought.split("|"))
    missing = "try: fastnn.MLPClassifier\nexcept fastnn.errors.MissingExtraError as e: print(e)"
    assert 'pip install "fastnn[sklearn]"' in python(WITHOUT + STAR + missing)


def test_no_global_package_is_called_kernels():
    code = "import importlib.metadata as m; print(*m.packages_distributions().get('kernels', []))"
    assert "fastnn" not in python(code).split()


#: Notes what this process itself compiles, and not helpers; COUNT prints what it took from the
#: cache, and all that it linked.
WATCH = (
    "from fastnn.kernels.jitted.loader import linker, user_cache\n"
    "compiled, write = [], user_cache.UserCache.write\n"
    "def noted(cache, name, code): compiled.append(name); write(cache, name, code)\n"
    "user_cache.UserCache.write = noted\n"
)
COUNT = "linked = len(linker.LINKER.addresses); print(linked - len(compiled), linked)"


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """A cache folder into which two fits of a process compiled the kernels, and what they said."""
    folder = tmp_path_factory.mktemp("warm")
    code = WATCH + TWO_THREADS + SPEAK + COUNT
    return folder, python(code, FASTNN_CACHE_DIR=str(folder), COLUMNS="200")


@pytest.fixture(scope="module")
def warm(cold):
    """A cache folder that holds the kernels."""
    return cold[0]


def test_second_process_hits_the_cache(warm):
    hits, kernels = python(WATCH + FIT + COUNT, FASTNN_CACHE_DIR=str(warm)).split()
    assert hits == kernels
    assert int(kernels) > 10


def test_a_helper_compiles_a_part_of_a_cold_fit(cold):
    hits, kernels = map(int, cold[1].split()[-2:])
    assert 0 < hits < kernels


#: Compiles or loads one kernel and its entrance for each of some dtypes; says how many of these
#: objects the cache held.
DOTS = (
    WATCH + "import numpy as np, fastnn\n"
    "k = fastnn.kernels.get('jitted')\n"
    "for name in {}: x = np.arange(40, dtype=name); assert k.dot(x, x) == 20540\n"
    "print(len(linker.LINKER.addresses) - len(compiled))"
)
BOTH = DOTS.format(DTYPES)


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """A folder with a cache for each dtype, made by a process that compiled for this one alone."""
    folder = tmp_path_factory.mktemp("apart")
    for name in DTYPES:
        assert python(DOTS.format([name]), FASTNN_CACHE_DIR=str(folder / name)) == "0"
    return folder


@pytest.fixture
def both(apart, tmp_path):
    """A cache folder with the files of both processes, to be spoilt."""
    for name in DTYPES:
        shutil.copytree(apart / name, tmp_path / "both", dirs_exist_ok=True)
    return tmp_path / "both"


class TestFiles:
    """Of one function, compiled for two dtypes."""

    def test_two_processes_may_compile_a_function_at_once(self, both):
        """Each keeps files of its own, so that none replaces or stands for the other's."""
        assert python(BOTH, FASTNN_CACHE_DIR=str(both)) == "4"

    def test_code_under_another_name_is_not_run(self, both):
        one, other = (next(both.rglob(f"*dot-{name}.code")) for name in DTYPES)
        held = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(held)
        assert python(BOTH, FASTNN_CACHE_DIR=str(both)) == "2"
        assert python(BOTH, FASTNN_CACHE_DIR=str(both)) == "4"

    @pytest.mark.parametrize(
        "damage",
        [
            "cut",
            "shared",
            *(pytest.param(d, marks=pytest.mark.long) for d in ("empty", "other", "inside")),
        ],
    )
    def test_a_damaged_file_is_compiled_again_and_mended(self, both, damage):
        file = next(both.rglob("*dot-float32.code"))
        whole = file.read_bytes()
        middle = len(whole) // 2
        inside = whole[:middle] + bytes(64) + whole[middle + 64 :]
        damaged = {"cut": whole[:40], "empty": b"", "other": b"x" * 400, "inside": inside}
        file.write_bytes(damaged.get(damage, whole))
        if damage == "shared":  # others could have written it
            if os.name != "posix":
                pytest.skip("permissions of POSIX")
            file.chmod(0o666)
        assert python(BOTH, FASTNN_CACHE_DIR=str(both)) == "3"
        assert python(BOTH, FASTNN_CACHE_DIR=str(both)) == "4"

    def test_what_a_killed_process_left_is_swept_by_one_that_saves(self, both):
        file = next(both.rglob("*dot-float32.code"))
        left = file.rename(f"{file}.tmp.0")
        os.utime(left, (0, 0))
        assert python(BOTH, FASTNN_CACHE_DIR=str(both)) == "3"
        assert not left.exists()

    def test_a_full_disk_costs_no_kernel_that_is_kept(self, apart, tmp_path):
        held = shutil.copytree(apart / "float32", tmp_path / "held")
        full = (
            "import errno, warnings\n"
            "warnings.simplefilter('ignore')\n"
            "from fastnn.kernels.jitted.loader import private_folder\n"
            "def refuse(*_): raise OSError(errno.ENOSPC, 'No space left on device')\n"
            "private_folder.write = refuse\n"
        )
        assert python(full + BOTH, FASTNN_CACHE_DIR=str(held)) == "2"
        assert python(BOTH, FASTNN_CACHE_DIR=str(held)) == "2"


@pytest.mark.parametrize("collects", [True, False])
def test_compiling_leaves_the_collector_of_garbage_as_it_was(collects):
    from fastnn.kernels.jitted.compiler import jit

    def _sound(x):
        return x + 1.0

    def _faulty(x):
        return x.missing

    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        assert jit.runnable(_sound)(1.0) == 2.0
        assert gc.isenabled() is collects
        with pytest.raises(numba.TypingError):
            jit.runnable(_faulty)(1.0)
        assert gc.isenabled() is collects
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.forks
def test_a_child_that_is_forked_during_a_compilation_collects():
    from fastnn.kernels.jitted.compiler import jit

    with jit.uncollected():
        child = os.fork()
        if child == 0:
            os._exit(0 if gc.isenabled() else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert not gc.isenabled()
    assert gc.isenabled()


def test_says_once_that_it_compiles(cold):
    folder, said = cold
    assert said.count("compiles its kernels") == 1
    assert "compiles" not in python(SPEAK, FASTNN_CACHE_DIR=str(folder), COLUMNS="200")


def test_the_command_says_once_that_it_compiles(tmp_path):
    """What lacks are the entrances; the kernels are those that this user's processes have kept."""
    arguments = ["fastnn", "train", "--epochs", "1", "--layers", "2", "--overwrite"]
    arguments += ["--out", str(tmp_path / "out")]
    code = (
        "import os, runpy, sys; os.dup2(1, 2)\n"
        f"sys.argv[:] = {arguments!r}\n"
        "runpy.run_module('fastnn', run_name='__main__')"
    )
    python(code)
    where = "from fastnn.kernels.jitted.loader import source; print(source.source().store.folder)"
    kept, cache = Path(python(where)), tmp_path / "cache"
    lacking = shutil.ignore_patterns("*-entrance.code", "*.tmp.*")
    shutil.copytree(kept, cache / kept.name, ignore=lacking)
    first, second = (python(code, FASTNN_CACHE_DIR=str(cache), COLUMNS="200") for _ in range(2))
    assert first.count("compiles its kernels") == 1
    assert "compiles" not in second


class TestCacheTrouble:
    SAY = "\nprint(len(w), w[0].message if w else '')"
    #: Two kernels without a fit: compiling all of them in memory takes ten times as long.
    FEW = (
        "import warnings, numpy as np, fastnn\n"
        "k, x = fastnn.kernels.get('jitted'), np.ones(3)\n"
        "with warnings.catch_warnings(record=True) as w:\n"
        " warnings.simplefilter('always')\n"
        " k.dot(x, x), k.dot(x.astype('float32'), x.astype('float32'))\n"
    )

    @pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
    def test_a_folder_of_others_is_not_trusted(self, both):
        (folder,) = both.iterdir()
        folder.chmod(0o777)
        files = sorted(folder.iterdir())
        said = python(self.FEW + self.SAY, FASTNN_CACHE_DIR=str(both))
        assert said.startswith("1 ")
        assert "not private" in said
        assert sorted(folder.iterdir()) == files

    def test_a_user_without_a_home(self, tmp_path):
        code = (
            "import os, pathlib\n"
            "for name in ('FASTNN_CACHE_DIR', 'XDG_CACHE_HOME', 'LOCALAPPDATA'):\n"
            " os.environ.pop(name, None)\n"
            "def nowhere(): raise RuntimeError('Could not determine home directory.')\n"
            "pathlib.Path.home = nowhere\n"
        )
        said = python(code + self.FEW + self.SAY, TMPDIR=str(tmp_path))
        assert said.startswith("1 ")
        assert "memory" in said
        assert not list(tmp_path.iterdir())

    def test_a_folder_is_where_it_was_at_first(self, tmp_path):
        first, second = tmp_path / "first", tmp_path / "second"
        first.mkdir(), second.mkdir()
        code = f"import os; os.chdir({str(first)!r}); import fastnn.kernels.jitted.backend\n"
        code += f"os.chdir({str(second)!r})\n"
        python(code + DOTS.format(["float32"]), FASTNN_CACHE_DIR="cache")
        assert list(first.rglob("*dot-float32.code"))
        assert not list(second.iterdir())

    def test_a_file_in_the_way(self, tmp_path):
        blocked = tmp_path / "file"
        blocked.write_text("")
        said = python(self.FEW + self.SAY, FASTNN_CACHE_DIR=str(blocked))
        assert said.startswith("1 ")


def test_without_the_compiler_vectorized_steps_in():
    code = FIT + (
        "from fastnn import kernels\n"
        "from fastnn._runtime import backend\n"
        "assert backend.active() is kernels.get('vectorized')\n"
        "try: fastnn.backend('jitted')\n"
        "except fastnn.errors.SettingError as e: print(e)"
    )
    assert "NUMBA_DISABLE_JIT" in python(code, NUMBA_DISABLE_JIT="1")


def test_one_that_listens_is_told_once_that_kernels_are_compiled(monkeypatch):
    """A silent prediction compiles what it needs; the fit after it has more to compile."""
    from fastnn.kernels.jitted.compiler import announce

    from fastnn._runtime import backend

    said, lines = [], []
    monkeypatch.setattr(backend, "_told", [])
    announce.announce(9, "forward pass")
    for name in ("first", "second"):
        backend.announce_compilation(lambda line, name=name: said.append(name), lines.append)
        announce.announce(backend.MANY_OBJECTS - 1, "forward pass")
        announce.announce(9, "forward pass")("training")
    backend.announce_compilation(None)
    announce.announce(9, "forward pass")
    assert said == ["first"]
    counts = ["0 of 9 (forward pass)", "1 of 9 (training)"] * 2
    assert lines == [f"compiling kernels for this machine: {count}" for count in counts]
