"""Where kernels come from: the choice of a pack, CPU levels, the user's cache of object code."""

import json
import os
import re
import sys
from types import SimpleNamespace

import pytest
from fastnn.kernels.jitted.loader import cpu, digest, elf, private_folder, target
from fastnn.kernels.jitted.loader import source as choice
from fastnn.kernels.jitted.loader.cpu import CPU
from fastnn.kernels.jitted.loader.manifest import DTYPES, Kernel, Manifest, kernel_of
from fastnn.kernels.jitted.loader.pack import UnfitPackError
from fastnn.kernels.jitted.loader.user_cache import UserCache

from fastnn import kernels

FOLDER = "0123456789abcdef"
NAME = "ops.losses.absolute error float32"
MANIFEST = Manifest(CPU(32, 16, True, False, False), (Kernel("step.loop.run_steps", None),))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A user's cache of which nothing exists yet."""
    monkeypatch.setattr("fastnn.kernels.jitted.loader.user_cache.base_folder", lambda: tmp_path)
    return UserCache(FOLDER)


def files(cache):
    return list(cache.folder.iterdir())


class TestCache:
    def test_gives_back_what_it_was_given_also_to_another_process(self, cache):
        assert cache.read(NAME) is None
        assert not cache.holds(NAME)
        cache.write(NAME, b"code")
        for found in (cache, UserCache(FOLDER)):
            assert bytes(found.read(NAME)) == b"code"
            assert found.holds(NAME)
        assert UserCache("other").read(NAME) is None

    def test_knows_damage_anywhere_and_mends_it(self, cache):
        cache.write(NAME, b"code")
        (file,) = files(cache)
        whole = file.read_bytes()
        for place in range(len(whole)):
            file.write_bytes(whole[:place])
            assert cache.read(NAME) is None
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
            assert cache.read(NAME) is None
        cache.write(NAME, b"new")
        assert bytes(cache.read(NAME)) == b"new"

    def test_takes_no_code_under_the_name_of_other_code(self, cache):
        cache.write(NAME, b"code")
        (file,) = files(cache)
        other = NAME.replace("32", "64")
        file.rename(file.with_name(file.name.replace("32", "64")))
        assert cache.read(other) is None

    @pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")
    @pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
    def test_takes_no_file_that_others_may_write(self, cache, mode):
        cache.write(NAME, b"code")
        (file,) = files(cache)
        file.chmod(mode)
        assert cache.read(NAME) is None
        cache.write(NAME, b"own")
        assert bytes(cache.read(NAME)) == b"own"
        assert files(cache)[0].stat().st_mode & 0o777 == 0o600

    @pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")
    def test_takes_nothing_from_a_folder_that_others_may_write(self, cache):
        cache.write(NAME, b"code")
        cache.folder.chmod(0o777)
        with pytest.warns(RuntimeWarning, match="keeps its compiled kernels in memory only"):
            assert cache.read(NAME) is None
        cache.write(NAME, b"own")
        assert cache.read(NAME) == b"own"  # from memory
        assert not cache.is_writable()

    @pytest.mark.skipif(os.name != "posix", reason="symbolic links")
    def test_follows_no_link(self, cache, tmp_path):
        cache.write(NAME, b"code")
        (file,) = files(cache)
        file.rename(tmp_path / "aim"), file.symlink_to(tmp_path / "aim")
        assert cache.read(NAME) is None

    def test_keeps_code_in_memory_where_the_disk_is_full_and_says_it_once(self, cache, monkeypatch):
        def refuse(*args):
            raise OSError(28, "No space left, as this test says")

        monkeypatch.setattr(private_folder, "write", refuse)
        with pytest.warns(RuntimeWarning, match="as this test says"):
            cache.write(NAME, b"code")
        cache.write("other float32", b"other")  # a second warning would be an error
        cache.save_manifest(MANIFEST)
        assert cache.holds(NAME)
        assert cache.read(NAME) == b"code"
        assert cache.read("other float32") == b"other"
        assert cache.manifest is None

    def test_saves_the_manifest(self, cache):
        assert cache.manifest is None
        cache.save_manifest(MANIFEST)
        assert UserCache(FOLDER).manifest == MANIFEST
        (file,) = files(cache)
        whole = file.read_bytes()
        for damaged in (b"", whole[:-1], whole.replace(b"step", b"stop")):
            file.write_bytes(damaged)
            assert UserCache(FOLDER).manifest is None

    def test_has_a_file_of_its_own_for_each_object_on_every_system(self, cache):
        names = [name for dtype in DTYPES for name in choice.manifest().objects(dtype)]
        found = {cache._path(name).name for name in names}
        assert len({name.lower() for name in found}) == len(names) == len(set(names))
        assert all(re.fullmatch(r"[\w.-]{1,120}", name) for name in found)
        assert "manifest.code" not in found


def test_names_of_objects_tell_their_kernel():
    for kernel in choice.manifest().kernels:
        assert kernel_of(f"{kernel.name} float32") == (kernel.name, "float32")
        assert kernel_of(f"{kernel.name} float32 entrance") == (kernel.name, "float32", "entrance")


def test_a_manifest_is_read_as_it_was_written():
    found = choice.manifest()
    assert Manifest.from_json(json.loads(json.dumps(found.as_json()))) == found


class TestLevels:
    X86 = tuple(name for name, level in target.LEVELS.items() if level.machine == "x86_64")

    @pytest.fixture
    def has(self, monkeypatch, by_linux):
        """Sets the architecture and features of the CPU."""

        def has(machine, features):
            monkeypatch.setattr(target, "machine", lambda: machine)
            monkeypatch.setattr(target, "_host_features", lambda: features)
            linux = {target._LINUX_NAMES.get(name, name) for name in features if features[name]}
            monkeypatch.setattr(target, "_linux_flags", lambda: linux if by_linux else set())

        return has

    @pytest.fixture(params=[True, False], ids=["named by Linux", "named by LLVM"])
    def by_linux(self, request):
        """Whether Linux tells the features."""
        return request.param

    @pytest.mark.parametrize("level", target.LEVELS)
    def test_run_only_where_the_cpu_has_all_their_instructions(self, has, level):
        kind = target.LEVELS[level]
        every = dict.fromkeys(kind.required, True)
        has(kind.machine, every)
        assert target.runs_here(level)
        for name in kind.required:
            has(kind.machine, every | {name: False})
            assert not target.runs_here(level)
            has(kind.machine, {k: v for k, v in every.items() if k != name})
            assert not target.runs_here(level)
        has("another", every)
        assert not target.runs_here(level)
        has(kind.machine, {})
        assert not target.runs_here(level)

    def test_come_the_best_first(self, has):
        every = frozenset().union(*(target.LEVELS[name].required for name in self.X86))
        has("x86_64", dict.fromkeys(every, True))
        levels = ["x86-64-v4-bf16", "x86-64-v4-vnni", "x86-64-v4", "x86-64-v3"]
        assert target.levels_here() == levels
        has("x86_64", dict.fromkeys(every, True) | {"avx512bf16": False})
        assert target.levels_here() == levels[1:]
        has("x86_64", dict.fromkeys(every, True) | {"avx512vnni": False})
        assert target.levels_here() == ["x86-64-v4", "x86-64-v3"]
        has("aarch64", {"neon": True})
        assert target.levels_here() == ["armv8"]

    @pytest.mark.skipif(target.machine() != "x86_64", reason="the names are x86-64's")
    @pytest.mark.parametrize(("level", "properties"), [
        ("x86-64-v3", CPU(32, 16, True, False, False)),
        ("x86-64-v4", CPU(64, 32, True, False, False)),
        ("x86-64-v4-vnni", CPU(64, 32, True, True, False)),
        ("x86-64-v4-bf16", CPU(64, 32, True, True, True)),
    ])  # fmt: skip
    def test_are_to_llvm_what_their_names_promise(self, level, properties):
        assert cpu.probe(target.LEVELS[level].target) == properties


class TestVectorFunctions:
    """Of Intel's library, which Numba's code calls in some installations."""

    @pytest.fixture
    def found(self, monkeypatch):
        """Whether they are called, by an llvmlite that is built for them or not, and what it loads.

        installed: whether the library is.
        """

        def found(built, installed=True, disabled="0"):
            def load(name):
                if not installed:
                    raise RuntimeError(name)
                loaded.append(name)

            loaded, targets = [], SimpleNamespace(has_svml=lambda: built)
            binding = SimpleNamespace(targets=targets, load_library_permanently=load)
            monkeypatch.setattr(target, "llvm", lambda: binding)
            monkeypatch.setattr(target.sys, "platform", "linux")
            monkeypatch.setenv("NUMBA_DISABLE_INTEL_SVML", disabled)
            return target.loads_svml.__wrapped__(), loaded

        return found

    def test_are_loaded_where_code_may_call_them(self, found):
        assert found(built=True) == (True, ["libsvml.so"])

    def test_are_not_loaded_elsewhere(self, found):
        assert found(built=False) == (False, [])
        assert found(built=True, installed=False) == (False, [])
        assert found(built=True, disabled="1") == (False, [])

    def test_are_not_missed_without_llvmlite(self, monkeypatch):
        monkeypatch.setattr(target, "llvm", lambda: None)
        assert not target.loads_svml.__wrapped__()

    def test_part_caches(self, monkeypatch):
        folders = set()
        for called in (False, True):
            monkeypatch.setattr(target, "loads_svml", lambda called=called: called)
            folders.add(digest.compiled_here.__wrapped__())
        assert len(folders) == 2


@pytest.mark.parametrize("name", digest.NUMBA_SETTINGS)
def test_settings_of_numba_part_caches(name, monkeypatch):
    monkeypatch.delenv(name, raising=False)
    usual = digest.compiled_here.__wrapped__()
    monkeypatch.setenv(name, "1")
    assert digest.compiled_here.__wrapped__() != usual


class TestChoice:
    """`source` is called again and again, past its memory, for packs that are there or not."""

    @pytest.fixture
    def chosen(self, monkeypatch):
        """Returns what `source` chooses of levels that are packed, run here, and fit."""

        def chosen(value, packed=(), runs=(), fits=()):
            def open_pack(level, sources):
                if level not in fits:
                    raise UnfitPackError("is damaged")
                return f"the pack of {level}"

            monkeypatch.setattr(choice, "DEBUG", False)
            monkeypatch.setattr(choice, "packed_levels", lambda: set(packed))
            monkeypatch.setattr(choice, "open_pack", open_pack)
            monkeypatch.setattr(target, "levels_here", lambda: list(runs))
            monkeypatch.setattr(target, "runs_here", lambda level: level in runs)
            monkeypatch.setenv("FASTNN_KERNELS", value)
            found = choice.source.__wrapped__()
            return found.level, found.reason

        return chosen

    V3, V4 = "x86-64-v3", "x86-64-v4"

    def test_is_the_best_level_that_runs_and_fits(self, chosen):
        both = {self.V3, self.V4}
        for value in ("", "pack", " PACK "):
            assert chosen(value, both, (self.V4, self.V3), both) == (self.V4, "")
            assert chosen(value, both, (self.V4, self.V3), {self.V3}) == (self.V3, "")
            assert chosen(value, both, (self.V3,), both) == (self.V3, "")
            assert chosen(value, {self.V3}, (self.V4, self.V3), both) == (self.V3, "")

    def test_is_the_level_that_is_named(self, chosen):
        both = {self.V3, self.V4}
        assert chosen(self.V3, both, (self.V4, self.V3), both) == (self.V3, "")

    def test_is_no_pack_for_a_reason(self, chosen):
        assert chosen("jit", {self.V3}, (self.V3,), {self.V3}) == (None, "FASTNN_KERNELS is jit")
        assert chosen("") == (None, "no pack is installed")
        missing = f"this CPU runs none of the packed levels {self.V3}, {self.V4}"
        assert chosen("", {self.V3, self.V4}) == (None, missing)
        damaged = f"the pack of {self.V3} is damaged"
        assert chosen("", {self.V3}, (self.V3,)) == (None, damaged)

    @pytest.mark.parametrize(("value", "made"), [("pack", "--pack"), (V3, f"--pack {V3}")])
    def test_that_is_asked_for_and_not_to_be_had_is_an_error(self, chosen, value, made):
        with pytest.raises(ValueError, match=f"^FASTNN_KERNELS is {value}, but ") as e:
            chosen(value)
        assert str(e.value).endswith(f" by `fastnn warmup {made}`")

    @pytest.mark.parametrize("value", ["packs", "x86-64", "0", "/tmp", "../x86-64-v3", "jit,pack"])
    def test_misspelt_is_an_error(self, chosen, value):
        with pytest.raises(ValueError, match=r"set it to jit, pack or a level \(x86-64-v4-bf16, "):
            chosen(value, {self.V3}, (self.V3,), {self.V3})


class TestCompiler:
    @pytest.fixture
    def numba(self, monkeypatch):
        """Sets the version that Numba seems to have, where nobody has imported it."""
        monkeypatch.delitem(sys.modules, "numba", raising=False)
        monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
        return lambda found: monkeypatch.setattr(digest, "version", lambda package: found)

    @pytest.mark.parametrize("version", ["0.62.0", "0.62.0rc1", "0.100.1", "1.0", "0.63.0.dev0+g1"])
    def test_is_new_enough(self, numba, version):
        numba(version)
        assert choice.no_compiler() == ""

    @pytest.mark.parametrize("version", ["0.61.2", "0.9.9", "0.1"])
    def test_is_too_old(self, numba, version):
        numba(version)
        assert choice.no_compiler() == f"Numba {version} is too old: 0.62 is the first that fits"

    @pytest.mark.parametrize("value", ["1", "true", " 1 "])
    def test_is_switched_off(self, numba, monkeypatch, value):
        numba("0.62.0")
        monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
        assert choice.no_compiler() == "Numba's compiler is switched off (NUMBA_DISABLE_JIT)"

    def test_is_missing(self, numba, monkeypatch):
        monkeypatch.setitem(sys.modules, "numba", None)
        assert choice.no_compiler() == "Numba is not installed"

    def test_lacks_llvm(self, numba, monkeypatch):
        numba("0.62.0")
        monkeypatch.setattr(target, "llvm", lambda: None)
        assert choice.no_compiler() == "llvmlite is not installed"


@pytest.mark.skipif(not kernels.get("jitted").available, reason="nothing can be compiled")
class TestSymbols:
    """LLVM ends the process that links code whose symbols it cannot find."""

    def require(self, name, kept=True):
        """Look at a kernel that calls a function of that name."""
        from fastnn.kernels.jitted.compiler import object_code
        from llvmlite import binding

        code = f"declare void @{name}()\ndefine void @k() {{\n call void @{name}()\n ret void\n}}"
        object_code._require_known(binding.parse_assembly(code), "ops.own", kept)

    @pytest.mark.parametrize("name", ["memset", "pow", "fastnn_yield", "fastnn_nap"])
    def test_of_the_c_library_and_of_waits_are_known(self, name):
        self.require(name)

    @pytest.mark.parametrize("name", ["numba_something_new", "step_loop_run_steps"])
    def test_of_nothing_are_refused_by_their_kernel(self, name):
        with pytest.raises(RuntimeError, match=f"kernel ops.own calls {name}, which cannot be"):
            self.require(name)

    @pytest.mark.skipif(not elf.SUPPORTED, reason="LLVM knows Numba's functions everywhere")
    def test_of_numba_are_known_to_code_that_is_not_kept(self):
        from numba.core.registry import cpu_target

        assert cpu_target.target_context  # it tells LLVM Numba's functions when it is made
        self.require("numba_gamma", kept=False)
        with pytest.raises(RuntimeError, match="calls numba_gamma, which cannot be linked"):
            self.require("numba_gamma")


def test_a_manifest_is_read_once(cache, monkeypatch):
    cache.save_manifest(MANIFEST)
    read, content = [], cache._content
    monkeypatch.setattr(cache, "_content", lambda name: read.append(name) or content(name))
    assert cache.manifest == cache.manifest == MANIFEST
    assert read == ["manifest"]
