"""Replacing a file: whole or not at all, with the permissions it had, and nothing left behind."""

from __future__ import annotations

import functools
import os
import signal
import stat
import subprocess
import sys

import builders
import numpy as np
import pytest

import fastnn
from fastnn import Network, callbacks
from fastnn.saving import atomic_write

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes and locks of POSIX")
ENDINGS = ("safetensors", "h5")
X = np.random.default_rng(0).normal(size=(20, 3))
Y = (X[:, 0] > 0).astype(int)


network = functools.partial(builders.network, inputs=3)


def fit(net, *watchers, epochs=1):
    net.fit(X, Y, epochs=epochs, progress=False, callbacks=watchers)


def save(path):
    network().save(path)


def checkpoint(path):
    fit(network(), callbacks.Checkpoint(path))


def log(path):
    fit(network(), callbacks.CSVLogger(path))


def onnx(path):
    pytest.importorskip("onnx")
    network().to_onnx(path)


def picture(path):
    pytest.importorskip("matplotlib").use("Agg")
    from fastnn.cli.output import write_picture

    said = write_picture(path, (2.0, 2.0), lambda ax: ax.plot([1, 2]))
    if "not written" in said:  # the work that it shows is done: it must not fail for a picture
        raise PermissionError(said)


WRITERS = {
    "safetensors": (save, "net.safetensors"),
    "hdf5": (save, "net.h5"),
    "checkpoint": (checkpoint, "net.safetensors"),
    "log": (log, "log.csv"),
    "onnx": (onnx, "net.onnx"),
    "picture": (picture, "history.png"),
}


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """What writes a kind of file, and the path of one that it has written."""
    write, name = WRITERS[request.param]
    path = tmp_path / name
    write(path)
    return write, path


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@POSIX
class TestPermissions:
    @pytest.mark.medium
    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o604, 0o666])
    def test_of_the_replaced_file_stay(self, written, mode):
        write, path = written
        path.chmod(mode)
        before = path.stat().st_ino
        write(path)
        assert mode_of(path) == mode
        assert path.stat().st_ino != before

    @pytest.mark.medium
    def test_of_a_new_file_are_the_usual_ones(self, written):
        write, path = written
        for mask, mode in ((0o077, 0o600), (0o022, 0o644), (0o007, 0o660)):
            path.unlink()
            before = os.umask(mask)
            try:
                write(path)
            finally:
                os.umask(before)
            assert mode_of(path) == mode

    @pytest.mark.parametrize("mode", [0o444, 0o400])
    def test_a_read_only_file_is_refused_also_for_root(self, written, mode):
        write, path = written
        before = path.read_bytes()
        path.chmod(mode)
        with pytest.raises(PermissionError, match="is read-only and is not replaced; allow"):
            write(path)
        assert path.read_bytes() == before
        assert mode_of(path) == mode
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("watcher", [callbacks.Checkpoint, callbacks.CSVLogger])
    def test_a_read_only_file_is_refused_before_the_first_step(self, tmp_path, watcher):
        path, net = tmp_path / "file", network()
        path.write_bytes(b"")
        path.chmod(0o444)
        with pytest.raises(PermissionError, match="read-only"):
            fit(net, watcher(path))
        assert net.history.epochs == 0

    def test_a_private_file_is_private_while_it_is_written(self, tmp_path):
        path, seen = tmp_path / "secret", []
        path.write_bytes(b"old")
        path.chmod(0o600)

        def content(file):
            seen.extend(mode_of(found) for found in tmp_path.iterdir())
            file.write(b"new")

        atomic_write.replace(path, content)
        assert seen == [0o600, 0o600]

    def test_another_group_does_not_get_the_rights_of_the_old_one(self, tmp_path, monkeypatch):
        """Where the group cannot be given, what it might do is taken away."""
        path = tmp_path / "shared"
        path.write_bytes(b"old")
        path.chmod(0o664)
        if os.geteuid():
            pytest.skip("only root can give a file to a group that it is not in")
        os.chown(path, 12345, 54321)

        def refuse(*arguments):
            raise PermissionError(1, "Operation not permitted")

        with monkeypatch.context() as patch:
            patch.setattr(os, "chown", refuse)
            atomic_write.replace(path, lambda file: file.write(b"new"))
        assert mode_of(path) == 0o604
        os.chown(path, 12345, 54321)
        atomic_write.replace(path, lambda file: file.write(b"new"))
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


@POSIX
def test_the_folder_is_synchronised_after_the_file_has_its_name(tmp_path, monkeypatch):
    """Else a power cut could bring the old file back, or none."""
    path, events = tmp_path / "net.safetensors", []
    fsync, move = os.fsync, os.replace

    def note_sync(descriptor):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("folder" if folder else "file")
        fsync(descriptor)

    def note_move(old, new):
        events.append("name")
        move(old, new)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_move)
    save(path)
    assert events == ["file", "name", "folder"]


# Temporaries

WRITE_FOR_EVER = """
import sys, time
from fastnn.saving import atomic_write

def content(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)

atomic_write.replace(sys.argv[1], content)
"""


@pytest.fixture
def writer(tmp_path):
    """A process in the middle of replacing a file in tmp_path, and its temporary."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path / "theirs")], text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout.readline() == "writing\n"
        yield child, next(tmp_path.glob(".fastnn-*.tmp"))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.mark.medium
@POSIX
@pytest.mark.parametrize("ending", ENDINGS)
def test_temporaries_of_killed_processes_are_swept_those_of_living_ones_are_not(
    tmp_path, writer, ending
):
    child, theirs = writer
    os.utime(theirs, (0, 0))  # however old it is
    save(tmp_path / f"mine.{ending}")
    assert theirs.read_bytes() == b"half"
    child.send_signal(signal.SIGSTOP)  # stopped is not dead
    save(tmp_path / f"mine.{ending}")
    assert theirs.exists()
    child.kill()
    child.wait()
    save(tmp_path / f"mine.{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"mine.{ending}"]


@POSIX
def test_what_only_looks_like_a_temporary_is_not_swept(tmp_path):
    kept = [".fastnn-notes.tmp", "fastnn-0123456789abcdef.tmp", ".fastnn-0123456789abcdef.tmp.bak"]
    for name in kept:
        (tmp_path / name).write_bytes(b"mine")
    aim = tmp_path / "aim"
    aim.write_bytes(b"mine")
    (tmp_path / ".fastnn-0123456789abcdef.tmp").symlink_to(aim)
    (tmp_path / ".fastnn-0123456789abcdee.tmp").mkdir()
    os.mkfifo(tmp_path / ".fastnn-0123456789abcded.tmp")
    before = sorted(tmp_path.iterdir())
    save(tmp_path / "net.safetensors")
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "net.safetensors"])


@POSIX
def test_a_temporary_that_is_swept_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    import fcntl

    flock, swept = fcntl.flock, []

    def late(file, how):
        if not swept:
            swept.extend(tmp_path.glob(".fastnn-*.tmp"))
            swept[0].unlink()
        return flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    save(tmp_path / "net.safetensors")
    assert len(swept) == 1
    assert isinstance(fastnn.load(tmp_path / "net.safetensors"), Network)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.medium
@POSIX
def test_two_processes_that_save_into_one_folder_do_not_disturb_each_other(tmp_path):
    """Each sweeps while the other writes."""
    code = (
        "import sys\nfrom fastnn.saving import atomic_write\n"
        "for k in range(300): atomic_write.replace(sys.argv[1], lambda file: file.write(b'%d' % k))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name)], env=environment)
        for name in ("one", "two")
    ]
    assert [child.wait(timeout=300) for child in children] == [0, 0]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "one": b"299", "two": b"299",
    }  # fmt: skip


def test_where_a_file_system_has_no_locks_saving_works_and_nothing_is_swept(tmp_path, monkeypatch):
    left = tmp_path / ".fastnn-0123456789abcdef.tmp"
    left.write_bytes(b"left")
    if atomic_write.fcntl:

        def refuse(file, how):
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(atomic_write.fcntl, "flock", refuse)
    save(tmp_path / "net.safetensors")
    assert left.exists()
    monkeypatch.setattr(atomic_write, "fcntl", None)  # as on Windows
    save(tmp_path / "net.safetensors")
    assert left.exists()
