"""What keeps a sound HDF5 file from being read is told by its cause, not as damage."""

import errno
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from fastnn.data import load_h5
from fastnn.errors import DataFileError

WRITER = """
import os
import sys

import h5py
import numpy as np

path, how = sys.argv[1:]
file = h5py.File(path, "w", libver="latest")
file.create_dataset("train_set_x", data=np.ones((3, 4), "u1"), maxshape=(None, 4))
file["train_set_y"] = np.array([0, 1, 1])
file["list_classes"] = np.array([b"no", b"yes"])
if how == "SWMR":
    file.swmr_mode = True
file.flush()
print("written", flush=True)
if how == "killed":
    os._exit(0)
sys.stdin.read()
file.close()
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "open.h5"
    with h5py.File(path, "w") as file:
        file["train_set_x"], file["train_set_y"] = np.ones((3, 4)), np.array([0, 1, 1])
        file["list_classes"] = np.array([b"no", b"yes"])
    return path


@pytest.mark.medium
@pytest.mark.skipif("HDF5_USE_FILE_LOCKING" in os.environ, reason="locks are set from outside")
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("plain", "is locked, .* another program has it open .*HDF5_USE_FILE_LOCKING=FALSE"),
        ("SWMR", "is marked as open for writing; close it in the program that writes it"),
        ("killed", "is marked as open for writing; .*killed, remove the mark .*h5clear -s"),
    ],
)
def test_open_for_writing_elsewhere(tmp_path, how, message):
    path = tmp_path / "open.h5"
    command = [sys.executable, "-c", WRITER, str(path), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"written\n"
        if how == "killed":
            writer.wait()
        with pytest.raises(DataFileError, match=message) as caught:
            load_h5(path)
        assert "damaged" not in str(caught.value)
        writer.stdin.close()
        writer.wait()
    if how != "killed":
        assert load_h5(path).X.sum() == 12


def test_open_for_writing_here_is_read_as_flushed(path):
    with h5py.File(path, "a") as file:
        file["train_set_x"][0] = 5
        file.flush()
        assert load_h5(path).X.sum() == 28


def test_a_file_system_without_locks(path, monkeypatch):
    def locked(*arguments, **keywords):
        raise OSError(errno.ENOLCK, "unable to lock file, errno = 37")

    monkeypatch.setattr(h5py, "File", locked)
    with pytest.raises(DataFileError, match=r"knows no locks \(HDF5 says: .*errno = 37"):
        load_h5(path)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_what_the_system_refuses_is_no_damage(path, monkeypatch, code):
    def failing(*arguments, **keywords):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(h5py, "File", failing)
    with pytest.raises(OSError, match=os.strerror(code)) as caught:
        load_h5(path)
    assert not isinstance(caught.value, DataFileError)


def test_a_place_that_cannot_be_is_damage(path, monkeypatch):
    def failing(*arguments, **keywords):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(h5py, "File", failing)
    with pytest.raises(DataFileError, match="is damaged or cut short; fetch it again"):
        load_h5(path)


def test_no_permission(path):
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    with pytest.raises(PermissionError):
        load_h5(path)


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_file_cut_short_is_damage(path, part):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(DataFileError, match="is damaged or cut short; fetch it again"):
        load_h5(path)
