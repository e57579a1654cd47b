"""Hostile descriptions: what a file makes a load take is bounded by the file, not by its author."""

from __future__ import annotations

import hashlib
import json
import tracemalloc

import h5py
import numpy as np
import pytest

import fastnn
from fastnn import BatchNorm, Dense, Dropout, Network
from fastnn.errors import ModelFileError, SettingError
from fastnn.network.description import state_of
from fastnn.network.loading import load_with_notes
from fastnn.saving import bounded_json, config, hdf5, model_file

ENDINGS = ("safetensors", "h5")


def checksum(strings):
    """Of the strings of a file, as the format says."""
    return hashlib.sha256(json.dumps(strings, sort_keys=True).encode()).hexdigest()


def forge(path, strings=None, entries=None):
    """Write a file around the numbers of a small network, with right checksums.

    strings: what to put into the metadata instead; entries: tensors that the header names besides.
    """
    Network([Dense(2)], inputs=2).save(path)
    data = path.read_bytes()
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            text = json.loads(file["metadata"][()].tobytes())
            del file["metadata"]
            text |= strings or {}
            del text["checksum"]
            text["checksum"] = checksum(text)
            file["metadata"] = np.frombuffer(json.dumps(text).encode(), np.uint8)
            for name in entries or {}:
                file[name] = np.zeros(1, "<f4")
        rest = path.read_bytes()[hdf5.USER_BLOCK :]
        path.write_bytes(hdf5._user_block(hashlib.sha256(rest).hexdigest()) + rest)
        return
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    text = header["__metadata__"] | (strings or {})
    del text["checksum"]
    header["__metadata__"] = {**text, "checksum": checksum(text)}
    header |= entries or {}
    whole = json.dumps(header, ensure_ascii=False).encode()
    path.write_bytes(len(whole).to_bytes(8, "little") + whole + data[8 + length :])


def loaded(path):
    """The error or the network that loading gives; it takes no more than is promised."""
    first = path.with_stem("first")  # what is imported at the first use is not counted
    Network([Dense(2)], inputs=2).save(first)
    fastnn.load(first)
    tracemalloc.start()
    try:
        found = fastnn.load(path)
    except ModelFileError as error:
        found = str(error)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = path.stat().st_size
    assert peak <= 2.125 * size + bounded_json.SPARE, f"{peak / size:.1f} times the file"
    return found


def described(**changes):
    network = {
        "layers": [{"class": "Dense", "units": 2}], "inputs": 2, "loss": "squared_error",
        "init": "he", "seed": 0, "dtype": "float32",
    }  # fmt: skip
    return {"network": json.dumps(network | changes)}


def many(item, size):
    """So many bytes of a JSON list of that item."""
    return "[" + ",".join([item] * (size // (len(item) + 1))) + "]"


LARGE = 2**18
DENSE = {"class": "Dense", "units": 1}
HOSTILE = {
    "empty lists": lambda: {"network": many("[]", LARGE)},
    "empty objects": lambda: {"network": many("{}", LARGE)},
    "numbers": lambda: {"network": many("1", LARGE)},
    "floats": lambda: {"network": many("1e9", LARGE)},
    "strings": lambda: {"network": many('""', LARGE)},
    "layers": lambda: described(layers=25_000 * [{"class": "Dropout", "rate": 0.5}]),
    "layers that need memory": lambda: described(layers=4000 * [DENSE]),
    "classes": lambda: described(layers=5000 * [{"class": "x" * 150}]),
    "name": lambda: described(layers=[{**DENSE, "name": "x" * LARGE}]),
    "escaped name": lambda: described(layers=[{**DENSE, "name": "\0" * (LARGE // 8)}]),
    "class": lambda: described(layers=[{"class": "x" * LARGE}]),
    "activation": lambda: described(layers=[{**DENSE, "activation": "x" * LARGE}]),
    "loss": lambda: described(loss="x" * LARGE),
    "initialiser": lambda: described(init="x" * LARGE),
    "dtype": lambda: described(dtype="x" * LARGE),
    "key": lambda: described(**{"x" * LARGE: 1}),
    "keys": lambda: described(**{str(k): 1 for k in range(100_000)}),
    "number": lambda: {"network": "1" * LARGE},
    "depth": lambda: {"network": "[" * LARGE},
    "some depth": lambda: {"notes": '{"a":' + 65 * "[" + 65 * "]" + "}"},
    "notes": lambda: {"notes": json.dumps({"all": list(range(150_000))})},
    "notes of lists": lambda: {"notes": '{"all":' + many("[0]", LARGE) + "}"},
    "wide notes": lambda: {"notes": json.dumps({"text": "x" * 4 * LARGE + "\U0001f600"})},
    "checksums": lambda: {"checksums": json.dumps({str(k): "" for k in range(100_000)})},
    "version": lambda: {"format_version": "x" * LARGE},
    "string": lambda: {"x" * LARGE: ""},
    "training": lambda: {"training": many("[]", LARGE)},
}


#: One of each way in: both formats have their descriptions read by the same code.
BOTH = {"empty lists", "layers", "name", "depth", "wide notes", "checksums", "version", "string"}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("ending", "kind"), [(e, k) for k in HOSTILE for e in ENDINGS[: 1 + (k in BOTH)]]
)
def test_a_hostile_description_takes_no_more_than_twice_the_file(tmp_path, ending, kind):
    path = tmp_path / f"net.{ending}"
    forge(path, HOSTILE[kind]())
    found = loaded(path)
    assert isinstance(found, str), "it was not refused"
    assert len(found) < 800 + len(str(path))


ENTRY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
HEADERS = {
    "tensors": lambda: {f"t{k}": ENTRY for k in range(40_000)},
    "name": lambda: {"x" * LARGE: ENTRY},
    "wide name": lambda: {"\U0001f600" * (LARGE // 8): ENTRY},
    "dtype": lambda: {"t": ENTRY | {"dtype": "x" * LARGE}},
    "dtypes": lambda: {"t": ENTRY | {"dtype": [[]] * (LARGE // 4)}},
    "shape": lambda: {"t": ENTRY | {"shape": [0] * (LARGE // 4)}},
    "offsets": lambda: {"t": ENTRY | {"data_offsets": ["x" * LARGE] * 2}},
    "no entry": lambda: {"t": [[]] * (LARGE // 4)},
    "keys": lambda: {"t": {str(k): 0 for k in range(100_000)}},
}


@pytest.mark.medium
@pytest.mark.parametrize("kind", HEADERS)
def test_a_hostile_header_takes_no_more_than_twice_the_file(tmp_path, kind):
    path = tmp_path / "net.safetensors"
    forge(path, entries=HEADERS[kind]())
    found = loaded(path)
    assert isinstance(found, str)
    assert len(found) < 800 + len(str(path))


def test_a_hostile_name_of_an_hdf5_array_is_cut(tmp_path):
    path = tmp_path / "net.h5"
    forge(path, entries=["x" * 10_000])
    with pytest.raises(ModelFileError, match="a name has 10000 characters, at most 200 can be"):
        fastnn.load(path)


SMALL = 2**16
VALUES = {
    "lists": many("[]", SMALL), "lists of one": many("[1]", SMALL),
    "objects": many("{}", SMALL), "objects of one": many('{"a":1}', SMALL),
    "other keys": "[" + ",".join(f'{{"{k}":1}}' for k in range(2000)) + "]",
    "keys": "{" + ",".join(f'"{k}":1' for k in range(10_923)) + "}",
    "strings": "[" + ",".join(f'"a{k}"' for k in range(5000)) + "]",
    "escapes": many('"\\u1234"', SMALL), "accents": many('"é"', SMALL),
    "one emoji": json.dumps(["x" * SMALL + "\U0001f600"]),
    "one raw emoji": '["' + "x" * SMALL + '\U0001f600"]',
    "numbers": "[" + ",".join(str(10**6 + k) for k in range(5000)) + "]",
    "long numbers": many("1" * 4000, SMALL), "floats": many("1.5", SMALL),
    "constants": many("true", SMALL), "backslashes": '["' + "\\\\" * 20_000 + '"]',
    "structure in strings": json.dumps([json.dumps([{"a": [1, "]"]}])] * 500),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("kind", VALUES)
def test_what_is_spent_is_at_least_what_parsing_takes(kind):
    room = bounded_json.MemoryBudget(0, 2**40)
    before = room.left
    bounded_json.scan(VALUES[kind], room)
    tracemalloc.start()
    bounded_json.parse(VALUES[kind])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= before - room.left <= 20 * peak


@pytest.mark.medium
@pytest.mark.parametrize("ending", ENDINGS)
def test_ordinary_large_descriptions_load(tmp_path, ending):
    path = tmp_path / f"net.{ending}"
    names = [f"class {k}" for k in range(20_000)]
    net = Network([Dense(3), BatchNorm(), Dropout(0.1)] * 60 + [Dense(1)], inputs=3)
    net.fit(np.eye(3), np.zeros(3), epochs=1, progress=False)
    model_file.checkpoint(state_of(net), path)
    np.testing.assert_array_equal(fastnn.load(path).program.theta, net.program.theta)
    model_file.save(state_of(net), path, notes={"classes": names, "text": "ä" * 10_000})
    assert load_with_notes(path)[1] == {"classes": names, "text": "ä" * 10_000}


@pytest.mark.medium
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "case", ["notes", "depth of notes", "name", "layers", "layers within the number"]
)
def test_what_could_not_be_loaded_again_is_not_saved(tmp_path, monkeypatch, ending, case):
    path = tmp_path / f"net.{ending}"
    Network([Dense(1)], inputs=1).save(path)
    before, notes, layers = path.read_bytes(), None, [Dense(1)]
    if case == "notes":
        notes = {"all": list(range(200_000))}
    elif case == "depth of notes":
        notes = {"a": 1}
        for _ in range(64):
            notes = {"a": notes}
    elif case == "name":
        layers = [Dense(1, name="x" * 1001)]
    elif case == "layers":
        monkeypatch.setattr(config, "MOST_LAYERS", 3)
        layers = [Dropout(0.1)] * 3 + layers
    else:
        layers = [Dropout(0.1)] * 2500 + layers
    with pytest.raises(SettingError, match=r"cannot be (saved|loaded again)"):
        model_file.save(state_of(Network(layers, inputs=1)), path, notes=notes)
    assert path.read_bytes() == before
