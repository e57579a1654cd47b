"""Starting: what an import brings along, the kernel cache, and life without the compiler."""

import os
import shutil
import subprocess
import sys

import pytest

FIT = """
import numpy as np, fastnn
net = fastnn.Network.mlp([2, 1], output="sigmoid")
net.fit(np.array([[0.0, 1], [1, 0]]), [0, 1], epochs=1, progress=False)
"""
CHECKOUT = "import sys; sys.path.insert(0, sys.argv[1]); import conftest\n"


def python(code, **environment):
    """Run code in a fresh process and return what it prints."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHECKOUT + code, os.path.dirname(__file__)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_brings_no_heavy_module():
    code = "import fastnn; print(*sorted(sys.modules))"
    loaded = {name.split(".")[0] for name in python(code).split()}
    heavy = {"numba", "llvmlite", "h5py", "matplotlib", "sklearn", "scipy", "PIL", "rich"}
    assert not loaded & heavy


def test_no_global_package_is_called_kernels():
    code = "import importlib.metadata as m; print(*m.packages_distributions().get('kernels', []))"
    assert "fastnn" not in python(code).split()


COUNT = (
    "from fastnn.kernels.jitted import _link\n"
    "hits = [sum(k.stats.cache_hits.values()) for k, _, when in _link._linked if not when]\n"
    "print(sum(h > 0 for h in hits), len(hits))"
)


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    """A cache folder that holds the kernels."""
    folder = tmp_path_factory.mktemp("warm")
    python(FIT, FASTNN_CACHE_DIR=str(folder))
    return folder


@pytest.fixture
def cache(warm, tmp_path):
    """A copy of it to be spoilt."""
    return shutil.copytree(warm, tmp_path / "cache")


def test_second_process_hits_the_cache(warm):
    hits, kernels = python(FIT + COUNT, FASTNN_CACHE_DIR=str(warm)).split()
    assert hits == kernels
    assert int(kernels) > 10


def test_says_once_that_it_compiles(tmp_path, warm):
    loud = FIT.replace("progress=False", "progress=True") * 2
    speak = "import os; os.dup2(1, 2)\n" + loud
    said = python(speak, FASTNN_CACHE_DIR=str(tmp_path), COLUMNS="200")
    assert said.count("compiles its kernels") == 1
    assert "compiles" not in python(speak, FASTNN_CACHE_DIR=str(warm), COLUMNS="200")


class TestCacheTrouble:
    LOUD = FIT.replace(
        "net.fit(",
        "import warnings\nwith warnings.catch_warnings(record=True) as w:\n"
        " warnings.simplefilter('always')\n net.fit(",
    )
    SAY = "\nprint(len(w), w[0].message if w else '')"

    @pytest.mark.parametrize("ending", ["nbi", "nbc"])
    def test_a_damaged_file_is_compiled_again_and_mended(self, cache, ending):
        damaged = next(cache.rglob(f"optimizers.check*.{ending}"))
        damaged.write_bytes(damaged.read_bytes()[:40])
        said = python(self.LOUD + self.SAY, FASTNN_CACHE_DIR=str(cache))
        assert said.startswith("1 ")
        assert "memory" in said
        for _ in range(2):  # the second start compiles into the cache, the third finds it whole
            said = python(self.LOUD + self.SAY, FASTNN_CACHE_DIR=str(cache))
        assert said == "0"

    @pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
    def test_a_folder_of_others_is_not_trusted(self, cache):
        next(cache.iterdir()).chmod(0o777)
        said = python(self.LOUD + self.SAY, FASTNN_CACHE_DIR=str(cache))
        assert "not private" in said

    def test_a_file_in_the_way(self, tmp_path):
        blocked = tmp_path / "file"
        blocked.write_text("")
        said = python(self.LOUD + self.SAY, FASTNN_CACHE_DIR=str(blocked))
        assert said.startswith("1 ")


def test_without_the_compiler_vectorized_steps_in():
    code = FIT + (
        "from fastnn import _backend, kernels\n"
        "assert _backend.active() is kernels.get('vectorized')\n"
        "try: fastnn.backend('jitted')\n"
        "except fastnn.errors.SettingError as e: print(e)"
    )
    assert "NUMBA_DISABLE_JIT" in python(code, NUMBA_DISABLE_JIT="1")
