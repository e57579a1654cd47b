"""Whole processes that find a pack: it runs without Numba, or a sentence says why it is not used.

The pack is a real one, but holds only what one small fit calls, so that it is soon compiled; its
manifest says of all other kernels that they exist for no dtype. Where the package that is tested
brings a pack of all kernels, their code is taken from it instead of compiled once more.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fastnn.kernels.jitted.loader import elf, source, target
from fastnn.kernels.jitted.loader.pack import pack_path

import fastnn
from fastnn import kernels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not kernels.get("jitted").available, reason="nothing can be compiled"),
]

WORK = """
import hashlib, sys
import numpy as np, fastnn
rng = np.random.default_rng(0)
X = rng.normal(size=(300, 20)).astype(np.float32)
def network():
    return fastnn.Network.mlp([20, 32, 16, 1], output="sigmoid", seed=1)
def work():
    net = network()
    net.fit(X, X[:, 0] > X[:, 1], epochs=3, progress=False)
    found = net.predict_proba(X), net.predict_proba(X[:1]), *net.parameters.values()
    return hashlib.sha256(b"".join(array.tobytes() for array in found)).hexdigest()
"""
BITS = WORK + "print(work())\n"
#: Puts the code of a level's pack into the cache of a process that compiles for that level.
FILL = """
import sys
from fastnn.kernels.jitted.loader import digest, manifest, pack, source
whole, cache = pack.open_pack(sys.argv[1], digest.sources()), source.source().store
for dtype in manifest.DTYPES:
    for name in whole.manifest.objects(dtype): cache.write(name, whole.read(name))
"""
#: Writes the pack of a level with the kernels that this process has linked.
WRITE = """
from fastnn.kernels.jitted.loader import digest, linker, manifest, pack, source
held, store, whole = linker.LINKER.addresses, source.source().store, source.manifest()
def reduced(kernel):
    dtypes = tuple(d for d in kernel.dtypes if manifest.object_name(kernel.name, d) in held)
    entered = all(manifest.entrance_name(kernel.name, d) in held for d in dtypes)
    return kernel._replace(dtypes=dtypes, entrance=kernel.entrance and entered)
found = whole._replace(kernels=tuple(map(reduced, whole.kernels)))
objects = {name: bytes(store.read(name)) for name in held}
about = {"level": sys.argv[1], "sources": digest.sources()}
pack.write_pack(pack.pack_path(sys.argv[1]), found, objects, about)
"""
SAY = "from fastnn._runtime.versions import collect\nprint(collect()['kernels'])\n"
#: Let a process find Numba missing, or as old as VERSION.
MISSING = """
import importlib.metadata as m, sys
found = m.version
def version(name):
    if name == "numba": raise m.PackageNotFoundError(name)
    return found(name)
m.version, sys.modules["numba"] = version, None
"""
OLD = """
import importlib.metadata as m
found = m.version
m.version = lambda name: "0.59.1" if name == "numba" else found(name)
"""


def process(tree, code, *arguments, **settings):
    """Run code in a fresh process that imports the package in a folder."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FASTNN_K", "NUMBA_"))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=environment | {"PYTHONPATH": str(tree)} | settings, cwd=tree,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def printed(tree, code, *arguments, **settings):
    """What a process prints that ends as it should."""
    done = process(tree, code, *arguments, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def compiling(level):
    """Settings of a process that compiles for a level."""
    cpu, features = target.LEVELS[level].target
    return {"FASTNN_KERNELS": "jit", "NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}


@pytest.fixture(scope="module")
def level():
    """The level of the pack that is installed, or the best one that this CPU runs."""
    levels = target.levels_here()
    if not levels:
        pytest.skip("this CPU runs no level")
    return source.source().level or levels[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A copy of the package, without packs."""
    folder = tmp_path_factory.mktemp("plain")
    without = shutil.ignore_patterns("__pycache__", "*.pack")
    for package, place in ((fastnn, "fastnn"), (kernels, "fastnn/kernels")):
        shutil.copytree(
            Path(package.__file__).parent, folder / place, ignore=without, dirs_exist_ok=True
        )
    return folder


@pytest.fixture(scope="module")
def packed(plain, level, tmp_path_factory):
    """A copy with a pack, and what its work gives that is compiled here for its level."""
    folder = shutil.copytree(plain, tmp_path_factory.mktemp("packed") / "lib")
    packs = folder / "fastnn" / "kernels" / "packs"
    packs.mkdir(exist_ok=True)
    code, settings = BITS + WRITE, compiling(level)
    if source.source().level:
        shutil.copy(pack_path(level), packs)
        code, cache = FILL + code, tmp_path_factory.mktemp("filled")
        settings |= {"FASTNN_CACHE_DIR": str(cache)}
    return folder, printed(folder, code, level, **settings)


@pytest.fixture
def pack(packed, level, tmp_path):
    """The pack of a copy of its own, which may be spoilt."""
    folder = shutil.copytree(packed[0], tmp_path / "lib")
    return folder / "fastnn" / "kernels" / "packs" / f"{level}.pack"


def tree_of(pack):
    return pack.parents[3]


class TestWork:
    def test_needs_no_compiler_and_no_cache(self, packed, level, tmp_path):
        code = BITS + "print('numba' in sys.modules)\n" + SAY
        said = printed(packed[0], code, FASTNN_CACHE_DIR=str(tmp_path)).split("\n")
        assert said == [packed[1], "False", f"packed for {level}"]
        assert not list(tmp_path.iterdir())

    @pytest.mark.long  # the bits of the process that made the pack are compared above
    def test_gives_the_bits_of_what_is_compiled_here_for_its_level(self, packed, level, tmp_path):
        cold = compiling(level) | {"FASTNN_CACHE_DIR": str(tmp_path)}
        assert printed(packed[0], BITS, **cold) == packed[1]

    @pytest.mark.parametrize(("before", "settings", "why"), [
        (MISSING, {}, "Numba is not installed"),
        (OLD, {}, "Numba 0.59.1 is too old: 0.62 is the first that fits"),
        ("", {"NUMBA_DISABLE_JIT": "1"}, "Numba's compiler is switched off (NUMBA_DISABLE_JIT)"),
    ], ids=["missing", "old", "off"])  # fmt: skip
    def test_goes_on_without_numba(self, packed, level, before, settings, why):
        said = printed(packed[0], before + BITS + SAY, **settings).split("\n")
        assert said == [packed[1], f"packed for {level}; {why}"]

    def test_gives_the_same_bits_on_two_threads_in_a_child_and_after_ctrl_c(self, packed):
        code = WORK + (
            "import os, signal\n"
            "from fastnn.kernels.jitted.execution import entry\n"
            "entry.MIN_FLOPS_PER_STEP = 0\n"
            "fastnn.set_num_threads(2)\n"
            "print(work(), flush=True)\n"
            "child = os.fork() if hasattr(os, 'fork') else None\n"
            "if child == 0:\n"
            "    print(work(), flush=True)\n"
            "    os._exit(0)\n"
            "if child: assert os.waitpid(child, 0)[1] == 0\n"
            "stop = lambda net, history: signal.raise_signal(signal.SIGINT)\n"
            "done = network().fit(X, X[:, 0] > 0, epochs=10**9, callbacks=[stop], progress=False)\n"
            "print(done.interrupted and work())\n"
        )
        assert set(printed(packed[0], code).split("\n")) == {packed[1]}

    def test_takes_what_users_define_along(self, packed):
        """Custom ops are compiled, into tables of the pack's kernels; the places must agree."""
        code = WORK + (
            "fastnn.losses.register('own', lambda a, y: (a - y) ** 2, lambda a, y: 2 * (a - y),\n"
            "                       compiled=True)\n"
            "found = []\n"
            "for name in 'jitted', 'vectorized':\n"
            "    net = fastnn.Network.mlp([20, 32, 16, 1], output='identity', loss='own', seed=1)\n"
            "    with fastnn.backend(name):\n"
            "        net.fit(X, X[:, 0] > 0, epochs=2, progress=False)\n"
            "        found.append(net.predict(X))\n"
            "np.testing.assert_allclose(*found, rtol=1e-3)\n"
        )
        printed(packed[0], code + SAY)


class TestChoice:
    def test_is_the_best_pack_the_named_one_or_none(self, packed, level):
        for value, said in {
            "": f"packed for {level}", "pack": f"packed for {level}",
            level.upper(): f"packed for {level}", f" {level} ": f"packed for {level}",
            "jit": "compiled on this machine, because FASTNN_KERNELS is jit",
        }.items():  # fmt: skip
            assert printed(packed[0], SAY, FASTNN_KERNELS=value) == said

    @pytest.mark.parametrize(
        ("command", "value"),
        [("info", "packs"), ("info", "x86-64-v9"), ("info", "../packs"), ("check", "1")],
    )
    def test_misspelt_is_one_sentence(self, packed, value, command):
        code = "import runpy; runpy.run_module('fastnn', run_name='__main__', alter_sys=True)"
        done = process(packed[0], code, command, FASTNN_KERNELS=value)
        assert done.returncode not in (0, -6, -11)
        assert f"FASTNN_KERNELS is {value!r}; set it to jit, pack or a level (" in done.stderr
        assert "Traceback" not in done.stderr

    def test_misspelt_ends_a_fit_by_an_error_of_settings(self, packed):
        code = WORK + "try: work()\nexcept fastnn.errors.SettingError as e: print(e)\n"
        said = printed(packed[0], code, FASTNN_KERNELS="packs")
        assert said.startswith("FASTNN_KERNELS is 'packs'; set it to jit, pack or a level (")
        assert "\n" not in said

    def test_of_a_level_that_the_cpu_lacks_is_one_sentence(self, packed):
        other = next(name for name in target.LEVELS if not target.runs_here(name))
        code = WORK + "try: work()\nexcept fastnn.errors.SettingError as e: print(e)\n"
        said = printed(packed[0], code, FASTNN_KERNELS=other)
        assert said.startswith(f"FASTNN_KERNELS is {other}, but this CPU lacks instructions of ")
        assert "\n" not in said

    def test_of_packs_where_there_are_none_is_one_sentence(self, plain):
        code = WORK + "try: work()\nexcept fastnn.errors.SettingError as e: print(e)\n"
        said = printed(plain, code, FASTNN_KERNELS="pack")
        assert said.startswith("FASTNN_KERNELS is pack, but no pack is installed; unset it, or ")
        assert "\n" not in said


def cut(pack):
    pack.write_bytes(pack.read_bytes()[:-1])


def flip(pack):
    whole = bytearray(pack.read_bytes())
    whole[len(whole) // 2] ^= 1
    pack.write_bytes(whole)


def empty(pack):
    pack.write_bytes(b"")


def open_to_all(pack):
    pack.chmod(0o666)


def link(pack):
    pack.symlink_to(pack.rename(pack.with_suffix(".other")))


def change_a_source(pack):
    with (pack.parents[1] / "views.py").open("a") as file:
        file.write("\n")


TROUBLE = {
    cut: "is damaged", flip: "is damaged", empty: "is damaged",
    open_to_all: "could have been written by others than the sources",
    link: "could have been written by others than the sources",
    change_a_source: "was made of other sources than those installed",
}  # fmt: skip


class TestTrouble:
    # Other damage is found as `cut` is; `kernels/test_packs.py` reads packs damaged anywhere.
    @pytest.mark.parametrize(
        "spoil",
        [pytest.param(s, marks=[pytest.mark.long] * (s in (flip, empty))) for s in TROUBLE],
        ids=lambda spoil: spoil.__name__,
    )
    def test_of_a_pack_falls_back_to_compiling_and_is_said(self, pack, level, spoil):
        if os.name != "posix" and spoil in (open_to_all, link):
            pytest.skip("permissions of POSIX")
        spoil(pack)
        why = f"the pack of {level} {TROUBLE[spoil]}"
        code = SAY + (
            "import numpy as np, fastnn\n"
            "x = np.arange(40.0); print(fastnn.kernels.get('jitted').dot(x, x))\n"
        )
        said = printed(tree_of(pack), code).split("\n")
        assert said == [f"compiled on this machine, because {why}", "20540.0"]
        asked = process(tree_of(pack), BITS, FASTNN_KERNELS="pack")
        assert (
            asked.stderr.strip()
            .split("\n")[-1]
            .endswith(
                f"FASTNN_KERNELS is pack, but {why}; unset it, "
                "or make a pack by `fastnn warmup --pack`"
            )
        )

    def test_of_a_pack_without_numba_leaves_numpy(self, pack, level):
        cut(pack)
        code = (
            MISSING
            + SAY
            + (
                "import fastnn\n"
                "from fastnn._runtime import backend\n"
                "print(backend.active().name)\n"
                "try: fastnn.backend('jitted')\n"
                "except fastnn.errors.SettingError as e: print(e)\n"
            )
        )
        said = printed(tree_of(pack), code + BITS).split("\n")
        why = f"the pack of {level} is damaged, and Numba is not installed"
        assert said[0] == f"not available: {why}"
        assert said[1] == "vectorized"
        assert "Numba is not installed, and the pack of" in said[2]

    def test_of_llvm_that_is_missing_leaves_packs_or_numpy(self, packed):
        """Only Linux on x86-64 links kernels without it."""
        code = (
            MISSING
            + "sys.modules['llvmlite'] = None\n"
            + SAY
            + ("from fastnn._runtime import backend\nprint(backend.active().name)\n")
        )
        said = printed(packed[0], code + BITS).split("\n")
        if elf.SUPPORTED:
            assert said[0].startswith("packed for ")
            assert said[1] == "jitted"
            return
        why = "llvmlite is not installed, which links kernels, and Numba is not installed"
        assert said[0] == f"not available: {why}"
        assert said[1] == "vectorized"

    def test_of_a_cpu_without_a_packed_level_is_said(self, pack, level):
        other = next(name for name in target.LEVELS if not target.runs_here(name))
        pack.rename(pack.with_name(f"{other}.pack"))
        assert printed(tree_of(pack), SAY) == (
            f"compiled on this machine, because this CPU runs none of the packed levels {other}"
        )


def test_packs_lie_beside_the_sources_and_nowhere_else(plain, packed, level, tmp_path):
    """No folder that a process stands in, and no setting, leads to one."""
    for folder in ("packs", "kernels/packs", "fastnn/kernels/packs", "."):
        shutil.copytree(packed[0] / "fastnn/kernels/packs", tmp_path / folder, dirs_exist_ok=True)
    places = ("FASTNN_CACHE_DIR", "FASTNN_PACKS", "FASTNN_KERNELS_DIR", "XDG_CACHE_HOME", "HOME")
    code = f"import os; os.chdir({str(tmp_path)!r})\n" + SAY
    said = printed(plain, code, **dict.fromkeys(places, str(tmp_path)))
    assert said == "compiled on this machine, because no pack is installed"


def test_a_package_in_a_zip_archive_compiles(packed, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "lib"), "zip", packed[0])
    code = SAY + (
        "import numpy as np, fastnn\n"
        "x = np.arange(40.0); print(fastnn.kernels.get('jitted').dot(x, x), fastnn.__file__)\n"
    )
    said = printed(tmp_path, code, PYTHONPATH=archive).split("\n")
    assert said[0] == "compiled on this machine, because no pack is installed"
    assert said[1].startswith(f"20540.0 {archive}")
