"""Damaged and forged model files, kills and full disks: one clear error, nothing lost."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

import fastnn
from fastnn import BatchNorm, Dense, Network, Normalization
from fastnn.errors import ModelFileError, SettingError
from fastnn.network.description import state_of
from fastnn.network.loading import load, load_with_notes
from fastnn.saving import hdf5, model_file

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
ENDINGS = ("safetensors", "h5")
SLACK = 2**20  # bytes of Python objects that a load may take whatever the size of the file


def network(units=3, dtype="float32"):
    rng = np.random.default_rng(1)
    net = Network([Normalization(), Dense(units, "tanh"), BatchNorm(), Dense(1)], dtype=dtype)
    net.fit(rng.normal(2, 3, (20, 2)), rng.normal(size=20), epochs=2, progress=False)
    return net


@pytest.fixture(params=ENDINGS)
def saved(request, tmp_path):
    """A small checkpoint, its path and its network."""
    path, net = tmp_path / f"net.{request.param}", network()
    model_file.checkpoint(state_of(net), path)
    return path, net


def peak_of(path):
    """What loading gives, an error or a network, and the bytes it took at most."""
    tracemalloc.start()
    try:
        found = load(path)
    except ModelFileError as error:
        found = error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found, peak


class TestGolden:
    """Files of every version so far: they load as long as fastnn lives."""

    X = np.add(np.sin(np.arange(60.0).reshape(20, 3)), [1, 2, 3])

    @pytest.mark.parametrize(
        "name",
        ["version1.safetensors", "version2.safetensors", "version2.h5", "checkpoint2.safetensors"],
    )
    def test_predicts_what_it_predicted(self, name):
        net, notes = load_with_notes(GOLDEN / name)
        stored = json.loads((GOLDEN / "predictions.json").read_text())
        np.testing.assert_allclose(net.predict_proba(self.X), stored, rtol=1e-12)
        assert notes in ({}, {"classes": ["no", "yes"]})
        assert net.layers[-1].name == "größe"
        assert net.history.epochs == (5 if name.startswith("checkpoint") else 0)
        net.fit(self.X, np.arange(20) % 2, epochs=1, progress=False)


def mutations(data, header_end, rng):
    """A thousand damaged versions of a file: flips, cuts, insertions, rewritten headers."""
    for _ in range(500):
        damaged = bytearray(data)
        for place in rng.integers(len(data), size=rng.integers(1, 9)):
            damaged[place] ^= int(rng.integers(1, 256))
        yield bytes(damaged)
    for length in rng.integers(len(data), size=200):
        yield data[:length]
    for place in rng.integers(len(data), size=100):
        yield data[:place] + rng.bytes(rng.integers(1, 20)) + data[place:]
    for place in rng.integers(8, header_end, size=200):
        size = int(rng.integers(1, 30))
        text = "".join(rng.choice(list('0123456789"{}[],:eE-nulW.'), size=size)).encode()
        yield data[:place] + text + data[place + size :]


@pytest.mark.medium
def test_a_thousand_mutated_files_are_refused_or_equal(saved):
    path, net = saved
    data, refused = path.read_bytes(), 0
    header_end = hdf5.USER_BLOCK if path.suffix == ".h5" else int.from_bytes(data[:8], "little")
    for damaged in mutations(data, header_end, np.random.default_rng(0)):
        path.write_bytes(damaged)
        found, peak = peak_of(path)
        assert peak <= 2 * len(damaged) + SLACK
        refused += isinstance(found, ModelFileError)
        if isinstance(found, Network):
            assert repr(found) == repr(net)
            assert found.program.theta.tobytes() == net.program.theta.tobytes()
            assert found.history == net.history
    assert refused >= 990


@pytest.mark.parametrize(
    ("old", "new"), [("tanh", "relu"), ('seed\\": 0', 'seed\\": 1'), ("0.9", "0.8"), ("yes", "no!")]
)
def test_a_description_that_means_something_else_is_refused(tmp_path, old, new):
    path = tmp_path / "net.safetensors"
    model_file.save(state_of(network()), path, notes={"classes": ["no", "yes"]})
    data = path.read_bytes()
    assert old.encode() in data
    path.write_bytes(data.replace(old.encode(), new.encode()))
    with pytest.raises(ModelFileError, match="its description is not what was saved"):
        load(path)


def test_every_truncation_of_an_hdf5_file_is_noticed(tmp_path):
    path = tmp_path / "net.h5"
    network().save(path)
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            load(path)


def values(rng):
    """Something that a forger may write in the place of a value."""
    return [0, -1, 2**40, 2**63, 1e300, None, True, "", "x", [], {}, [[1]], {"class": "Dense"}][
        rng.integers(13)
    ]


def rewritten(thing, rng):
    """A copy of JSON data with one value or key replaced somewhere."""
    if isinstance(thing, str) and thing[:1] == "{" and rng.random() < 0.9:
        return json.dumps(rewritten(json.loads(thing), rng))
    if not isinstance(thing, dict | list) or not thing or rng.random() < 0.1:
        return values(rng)
    key = list(thing)[rng.integers(len(thing))] if isinstance(thing, dict) else None
    if key is not None:
        changed = {k: rewritten(v, rng) if k == key else v for k, v in thing.items()}
        return {("x" if k == key else k): v for k, v in changed.items()} if (
            rng.random() < 0.1
        ) else changed  # fmt: skip
    place = rng.integers(len(thing))
    return [rewritten(v, rng) if k == place else v for k, v in enumerate(thing)]


@pytest.mark.medium
def test_rewritten_headers_with_right_checksums_are_refused_or_equal(tmp_path):
    path, net, rng = tmp_path / "net.safetensors", network(), np.random.default_rng(3)
    model_file.checkpoint(state_of(net), path)
    data = path.read_bytes()
    length, refused = int.from_bytes(data[:8], "little"), 0
    header = json.loads(data[8 : 8 + length])
    for _ in range(600):
        forged = rewritten(header, rng)
        strings = forged.get("__metadata__") if isinstance(forged, dict) else None
        if isinstance(strings, dict):
            strings.pop("checksum", None)
            text = json.dumps(strings, sort_keys=True)  # what it is of since version 2
            strings["checksum"] = hashlib.sha256(text.encode()).hexdigest()
        text = json.dumps(forged).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
        found, peak = peak_of(path)
        assert peak <= 2 * path.stat().st_size + SLACK
        refused += isinstance(found, ModelFileError)
        if isinstance(found, Network):
            for name, parameter in found.parameters.items():
                np.testing.assert_array_equal(parameter, net.parameters[name])
    assert refused > 300


@pytest.mark.parametrize("ending", ENDINGS)
def test_loading_takes_at_most_twice_the_file(tmp_path, ending):
    path = tmp_path / f"large.{ending}"
    Network([Dense(500, "relu"), Dense(10)], inputs=3000).save(path)
    fastnn.load(path)  # what is imported at the first use is not counted
    found, peak = peak_of(path)
    assert isinstance(found, Network)
    assert peak <= 2 * path.stat().st_size + SLACK


def test_notes_that_could_not_be_read_again_are_refused(tmp_path):
    for ending in ENDINGS:
        with pytest.raises(SettingError, match="make the notes shorter"):
            model_file.save(
                state_of(network()), tmp_path / f"a.{ending}", notes={"long": "x" * 2**23}
            )
    assert not list(tmp_path.iterdir())


# HDF5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hdf5_brings_back_the_same_bits_and_opens_with_h5py(tmp_path, dtype):
    path, net = tmp_path / "net.h5", network(dtype=dtype)
    model_file.save(state_of(net), path, notes={"classes": ["ä", "b"]})
    loaded, notes = load_with_notes(path)
    X = np.random.default_rng(0).normal(size=(9, 2))
    assert loaded.predict(X).tobytes() == net.predict(X).tobytes()
    assert notes == {"classes": ["ä", "b"]}
    with h5py.File(path) as file:
        for name, parameter in net.parameters.items():
            np.testing.assert_array_equal(file[name][()], parameter, strict=True)
        assert json.loads(file["metadata"][()].tobytes())["format"] == "fastnn"
    net.save(tmp_path / "other.h5")
    net.save(tmp_path / "again.h5")
    assert (tmp_path / "other.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()


def external(file):
    file["W1"] = h5py.ExternalLink("other.h5", "W1")


def stored_elsewhere(file):
    file.create_dataset("W1", (2, 3), "<f4", external=[("weights.bin", 0, 24)])


def virtual(file):
    layout = h5py.VirtualLayout((2, 3), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "W1", (2, 3))
    file.create_virtual_dataset("W1", layout)


def references(file):
    file["W1"] = np.array([[file["b1"].ref] * 3] * 2, h5py.ref_dtype)


def compressed(file):
    file.create_dataset("W1", data=np.ones((2, 3), "<f4"), compression="gzip")


FORGERIES = {
    "soft link": (lambda file: file.update(W1=h5py.SoftLink("/b1")), "a soft link"),
    "external link": (external, "an external link"),
    "external storage": (stored_elsewhere, "kept in external files"),
    "virtual": (virtual, "a virtual data set"),
    "references": (references, "has the dtype 'object'"),
    "group": (lambda file: file.create_group("W1"), "no array but a group"),
    "chunks": (compressed, "not whole and in one piece"),
    "shape": (lambda file: file.update(W1=np.ones((3, 2), "<f4")), "has shape"),
    "scalar": (lambda file: file.update(W1=np.float32(1)), "has the shape"),
    "huge": (lambda file: file.create_dataset("W1", (2**40, 3), "<f4"), "not whole"),
    "dtype": (lambda file: file.update(W1=np.ones((2, 3), "<f2")), "has the dtype 'float16'"),
    "big-endian": (lambda file: file.update(W1=np.ones((2, 3), ">f4")), "has the dtype '>f4'"),
    "values": (lambda file: file.update(W1=np.ones((2, 3), "<f4")), "'W1' are not those saved"),
    "missing": (lambda file: None, "not those of its tensors"),
    "no description": (lambda file: file.pop("metadata"), "no network"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_hdf5_file_is_refused(tmp_path, forgery):
    path = tmp_path / "net.h5"
    network().save(path)
    network().save(tmp_path / "other.h5")
    (tmp_path / "weights.bin").write_bytes(bytes(24))
    forge, words = FORGERIES[forgery]
    with h5py.File(path, "r+") as file:
        del file["W1"]
        forge(file)
    with pytest.raises(ModelFileError, match=r"checksum of the rest.*changed after"):
        load(path)
    rest = path.read_bytes()[hdf5.USER_BLOCK :]
    path.write_bytes(hdf5._user_block(hashlib.sha256(rest).hexdigest()) + rest)
    with pytest.raises(ModelFileError, match=words):
        load(path)


def test_another_hdf5_file_is_no_model(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["train_set_x"] = np.zeros((3, 4))
    with pytest.raises(ModelFileError, match="another kind of HDF5 file"):
        load(tmp_path / "data.h5")


# The official safetensors library


def test_files_of_the_official_library(tmp_path):
    """Read where they describe a network as version 1; changed under our checksums, refused."""
    official = pytest.importorskip("safetensors", reason="safetensors is not installed")
    numpy = pytest.importorskip("safetensors.numpy")
    path, other, net = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors", network()
    net.save(path)
    with official.safe_open(path, "numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    numpy.save_file(tensors, other, metadata)
    np.testing.assert_array_equal(load(other).program.theta, net.program.theta)
    tensors["b1"] = tensors["b1"] + 1
    numpy.save_file(tensors, other, metadata)
    with pytest.raises(ModelFileError, match="checksum differs"):
        load(other)
    plain = {key: text for key, text in metadata.items() if not key.startswith("checksum")}
    numpy.save_file(tensors, other, plain)
    with pytest.raises(ModelFileError, match="lacks checksums"):
        load(other)
    numpy.save_file(tensors, other, {**plain, "format_version": "1"})
    np.testing.assert_array_equal(load(other).parameters["b1"], net.parameters["b1"] + 1)
    numpy.save_file(tensors, other)
    with pytest.raises(ModelFileError, match="another library"):
        load(other)
    model_file.checkpoint(state_of(net), path)
    assert "slot1.W1" in numpy.load_file(path)


# Saving that fails

CHILD = """
import sys
import fastnn
from fastnn.network.description import state_of
from fastnn.saving import model_file
nets = [fastnn.load(path) for path in sys.argv[2:]]
print("ready", flush=True)
while True:
    for net in nets:
        model_file.checkpoint(state_of(net), sys.argv[1])
"""


def run(code, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_kill_leaves_the_old_or_the_new_file(tmp_path, ending):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    path, known = tmp_path / "out" / f"net.{ending}", set()
    for units in (200, 3000):
        net = network(units)
        model_file.checkpoint(state_of(net), tmp_path / "in" / f"{units}.safetensors")
        known.add(net.program.theta.tobytes())
    for delay in (0.02, 0.031, 0.047, 0.11):
        child = run(CHILD, path, *(tmp_path / "in").iterdir())
        assert child.stdout.readline() == "ready\n", child.stderr.read()
        while not path.exists() and child.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        child.kill()
        child.communicate()
        assert load(path).program.theta.tobytes() in known


FULL = """
import resource, signal, sys
sys.dont_write_bytecode = True  # it would be cut off, too
import fastnn
net = fastnn.load(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    net.save(sys.argv[1])
except OSError as error:
    print(error)
"""


@pytest.mark.medium
@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_a_full_disk_leaves_the_old_file(saved):
    path, _ = saved
    before, large = path.read_bytes(), path.parent / "large.safetensors"
    network(3000).save(large)
    out, err = run(FULL, path, large).communicate(timeout=300)
    assert "the model was not saved" in out, err
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == sorted([path, large])


def test_an_unwritable_folder_leaves_the_old_file(saved, monkeypatch):
    path, net = saved
    before = path.read_bytes()

    def refuse(*arguments, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"not saved \(Permission denied"):
        net.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
