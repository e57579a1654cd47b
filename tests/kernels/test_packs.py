"""Packs: what is written is read, and what is damaged or could be forged is refused by a reason.

The code in these packs is a few bytes that nobody runs; `runtime/test_packs.py` runs real ones.
"""

import os
import sys
from types import SimpleNamespace

import pytest
from fastnn.kernels.jitted.loader import pack, private_folder
from fastnn.kernels.jitted.loader.cpu import CPU
from fastnn.kernels.jitted.loader.manifest import Kernel, Manifest
from fastnn.kernels.jitted.loader.sealed_file import seal

LEVEL, SOURCES = "x86-64-v3", "0123456789abcdef0123"
MANIFEST = Manifest(
    CPU(32, 16, fma=True, vnni=False, bf16=False),
    (
        Kernel("step.loop.run_steps", None),
        Kernel("ops.losses.absolute error", "absolute error", entrance=True),
        Kernel("ops.dense.dot", "dot", ("float64",), indirect=False, entrance=True),
    ),
)
NAMES = [name for dtype in ("float32", "float64") for name in MANIFEST.objects(dtype)]
OBJECTS = {name: f"<{name}>".encode() * (i + 1) for i, name in enumerate(NAMES)}
FORGEABLE = "could have been written by others than the sources"
ABOUT = {"level": LEVEL, "sources": SOURCES}

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of packs beside sources of which the user is the owner, and nobody else writes."""
    sources = tmp_path / "kernels"
    (sources / "packs").mkdir(parents=True)
    (sources / "pack.py").touch()
    for path, mode in ((sources, 0o755), (sources / "packs", 0o755), (sources / "pack.py", 0o644)):
        path.chmod(mode)
    monkeypatch.setattr(pack, "SOURCES", sources)
    monkeypatch.setattr(pack, "FOLDER", sources / "packs")
    monkeypatch.setattr(pack, "__file__", str(sources / "pack.py"))
    return sources / "packs"


@pytest.fixture
def path(folder):
    """The file of a pack as it should be."""
    pack.write_pack(folder / f"{LEVEL}.pack", MANIFEST, OBJECTS, ABOUT)
    return folder / f"{LEVEL}.pack"


def reason(level=LEVEL, sources=SOURCES):
    """Why a pack is not used, without its first words "the pack of LEVEL"."""
    with pytest.raises(pack.UnfitPackError) as found:
        pack.open_pack(level, sources)
    return str(found.value)


class TestContent:
    def test_is_what_was_written(self, path):
        found = pack.open_pack(LEVEL, SOURCES)
        assert found.manifest == MANIFEST
        assert {name: bytes(found.read(name)) for name in NAMES} == OBJECTS
        assert all(map(found.holds, NAMES))
        assert not found.holds("ops.dense.dot float32")
        assert found.read("ops.dense.dot float32") is None
        assert pack.packed_levels() == {LEVEL}
        assert [file.name for file in path.parent.iterdir()] == [f"{LEVEL}.pack"]

    def test_cut_anywhere_is_damaged(self, path):
        whole = path.read_bytes()
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            assert reason() == "is damaged"

    def test_with_a_byte_flipped_anywhere_is_damaged(self, path):
        whole = path.read_bytes()
        for place in range(len(whole)):
            path.write_bytes(
                whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]
            )
            assert reason() == "is damaged"

    @pytest.mark.parametrize("content", [
        b"\0", b"PK\3\4" + bytes(500), b"\x7fELF" + bytes(500), b"x" * 10_000,
    ], ids=["zero", "zip", "object", "text"])  # fmt: skip
    def test_of_another_kind_is_damaged(self, path, content):
        whole = path.read_bytes()
        for damaged in (content, whole + content, content + whole):
            path.write_bytes(damaged)
            assert reason() == "is damaged"

    @pytest.mark.parametrize("description", [
        {}, [], 7, None, "text", ABOUT, ABOUT | {"system": sys.platform},
        ABOUT | {"system": sys.platform, "head": pack.HEAD, "objects": {}},
        ABOUT | {"system": sys.platform, "head": pack.HEAD, "objects": {}, "manifest": []},
        ABOUT | {"system": sys.platform, "head": pack.HEAD, "objects": {}, "manifest": [[], [1]]},
    ], ids=str)  # fmt: skip
    def test_described_otherwise_is_of_another_version(self, path, description):
        path.write_bytes(seal(description, b"code"))
        assert reason() == "is of another version"

    def test_described_in_no_json_is_damaged(self, path, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr("json.dumps", lambda *args, **options: "{'level'")
            path.write_bytes(seal({}, b""))
        assert reason() == "is damaged"


class TestFit:
    def test_is_of_the_same_sources(self, path):
        assert reason(sources="another") == "was made of other sources than those installed"

    def test_is_of_the_level_of_its_name(self, path):
        path.rename(path.with_name("x86-64-v4.pack"))
        assert reason("x86-64-v4") == "is of another platform"
        assert reason() == "is not installed"

    def test_is_of_the_same_system(self, path, monkeypatch):
        monkeypatch.setattr(sys, "platform", "another")
        assert reason() == "is of another platform"

    def test_is_of_the_same_layout_of_objects(self, path, monkeypatch):
        """A debug or a free-threaded build of Python has longer heads."""
        monkeypatch.setattr(pack, "HEAD", 32)
        assert reason() == "is of another build of Python"

    @pytest.mark.parametrize("name", NAMES)
    def test_holds_every_kernel(self, path, name):
        for objects in ({k: v for k, v in OBJECTS.items() if k != name}, OBJECTS | {name: b""}):
            pack.write_pack(path, MANIFEST, objects, ABOUT)
            assert reason() == "lacks kernels"


class TestPlace:
    def test_missing(self, folder):
        assert reason() == "is not installed"
        assert pack.packed_levels() == set()
        folder.rmdir()
        assert reason() == "is not installed"
        assert pack.packed_levels() == set()

    def test_in_a_zip_archive(self, folder, tmp_path, monkeypatch):
        archive = tmp_path / "lib.zip"
        archive.write_bytes(b"PK")
        monkeypatch.setattr(pack, "SOURCES", archive / "kernels")
        monkeypatch.setattr(pack, "FOLDER", archive / "kernels" / "packs")
        monkeypatch.setattr(pack, "__file__", str(archive / "kernels" / "pack.py"))
        assert reason() == "is not installed"
        assert pack.packed_levels() == set()

    def test_that_cannot_be_read(self, path, monkeypatch):
        def refuse(*args):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(pack, "open", refuse, raising=False)
        assert reason() == "cannot be read (Permission denied)"

    def test_that_cannot_be_written(self, path):
        path.chmod(0o444), path.parent.chmod(0o555)
        try:
            assert pack.open_pack(LEVEL, SOURCES).manifest == MANIFEST
        finally:
            path.parent.chmod(0o755)

    def test_that_is_a_folder(self, path):
        path.unlink(), path.mkdir(mode=0o755)
        assert reason() in (FORGEABLE, "cannot be read (Permission denied)")  # POSIX, Windows


@posix
class TestWhoMayWrite:
    """Nobody may replace a pack who may not replace the sources too."""

    @pytest.mark.parametrize("mode", [0o646, 0o666, 0o664, 0o602])
    def test_a_file_that_others_may_write_is_refused(self, path, mode):
        path.chmod(mode)
        assert reason() == FORGEABLE

    @pytest.mark.parametrize("mode", [0o777, 0o757, 0o775, 0o1777])
    def test_a_folder_that_others_may_write_is_refused(self, path, mode):
        path.parent.chmod(mode)
        assert reason() == FORGEABLE

    def test_sources_that_others_may_write_need_no_better_packs(self, path):
        """As where a group installs together: who may write a pack may write the sources."""
        (path.parents[1] / "pack.py").chmod(0o664), path.parents[1].chmod(0o775)
        path.chmod(0o664), path.parent.chmod(0o775)
        assert pack.open_pack(LEVEL, SOURCES).manifest == MANIFEST
        path.chmod(0o666)
        assert reason() == FORGEABLE

    def test_a_link_to_a_file_or_a_folder_is_refused(self, path, tmp_path):
        other = path.rename(tmp_path / "other")
        path.symlink_to(other)
        assert reason() == FORGEABLE
        path.unlink(), other.rename(path)
        folder = path.parent.rename(tmp_path / "packs")
        path.parent.symlink_to(folder)
        assert reason() == FORGEABLE

    def test_what_blocks_a_reader_is_refused_unread(self, path):
        path.unlink(), os.mkfifo(path, 0o666), path.chmod(0o666)
        assert reason() == FORGEABLE
        path.chmod(0o644)
        assert reason() == FORGEABLE

    @pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives away")
    @pytest.mark.parametrize("given", ["file", "folder"])
    def test_what_another_user_owns_is_refused(self, path, given):
        os.chown(path if given == "file" else path.parent, 65534, -1)
        assert reason() == FORGEABLE

    @pytest.mark.parametrize(("uid", "gid", "mode", "fits"), [
        (1000, 100, 0o100644, True), (0, 0, 0o100644, True), (1001, 100, 0o100644, False),
        (1000, 100, 0o100664, True), (1000, 101, 0o100664, False), (1000, 101, 0o100644, True),
        (1000, 100, 0o100666, False), (1000, 100, 0o120777, False), (0, 100, 0o100600, True),
    ])  # fmt: skip
    def test_owner_group_and_mode_are_those_of_the_sources_or_closer(self, uid, gid, mode, fits):
        """Sources of user 1000 and group 100, who may write them."""
        sources = SimpleNamespace(st_uid=1000, st_gid=100, st_mode=0o100664)
        found = SimpleNamespace(st_uid=uid, st_gid=gid, st_mode=mode)
        assert pack._is_as_private(found, sources) is fits

    def test_a_pack_is_written_for_all_to_read_and_its_owner_to_write(self, folder):
        before = os.umask(0)
        try:
            pack.write_pack(folder / f"{LEVEL}.pack", MANIFEST, OBJECTS, ABOUT)
        finally:
            os.umask(before)
        assert (folder / f"{LEVEL}.pack").stat().st_mode & 0o777 == 0o644

    def test_a_pack_that_is_written_takes_the_place_of_a_link_and_not_of_its_aim(self, folder):
        aim = folder.parent / "aim"
        aim.write_bytes(b"other")
        (folder / f"{LEVEL}.pack").symlink_to(aim)
        pack.write_pack(folder / f"{LEVEL}.pack", MANIFEST, OBJECTS, ABOUT)
        assert aim.read_bytes() == b"other"
        assert pack.open_pack(LEVEL, SOURCES).manifest == MANIFEST

    def test_a_write_that_fails_leaves_the_old_pack_and_nothing_else(self, path, monkeypatch):
        def refuse(*args):
            raise OSError(28, "No space left on device")

        whole = path.read_bytes()
        monkeypatch.setattr(private_folder.os, "replace", refuse)
        with pytest.raises(OSError, match="No space left"):
            pack.write_pack(path, MANIFEST, OBJECTS, ABOUT)
        assert path.read_bytes() == whole
        assert list(path.parent.iterdir()) == [path]
