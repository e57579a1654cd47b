"""What a model file keeps, and that no damage to it does worse than a clear error."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys

import numpy as np
import pytest

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Network,
    Normalization,
    Rescaling,
    initializers,
    losses,
)
from fastnn.errors import DataError, ModelFileError, NotBuiltError, SettingError
from fastnn.network import prediction
from fastnn.network.description import state_of
from fastnn.network.loading import load, load_with_notes
from fastnn.saving import model_file

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, (40, 3))
y = (X[:, 0] > 3).astype(int)

NETWORKS = {
    "plain": lambda: Network([Dense(4, "relu"), Dense(1, "sigmoid")]),
    "float64": lambda: Network([Dense(4, "tanh"), Dense(2, "softmax")], dtype="float64", seed=7),
    "rescaling": lambda: Network([Rescaling(1 / 3, -0.5), Dense(1, "sigmoid")]),
    "normalization": lambda: Network([Normalization(), Dense(1, "sigmoid")], dtype="float64"),
    "whole": lambda: Network([Normalization(per_feature=False), Dense(1, "sigmoid")]),
    "no bias": lambda: Network([Dense(4, use_bias=False), Activation("tanh"), Dense(1)]),
    "named": lambda: Network([Dense(2, name="größe", init="orthogonal"), Dense(1)], init="zeros"),
    "random": lambda: Network([Dense(1, init=initializers.Random(10))], init=initializers.Random()),
}


def fitted(name, **settings):
    net = NETWORKS[name]()
    net.fit(X, y, epochs=2, progress=False, **settings)
    return net


def split(data):
    """The header as a dict, and the numbers behind it."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header, data):
    """A file of these parts; where it had a checksum of its strings, a right one."""
    strings = header.get("__metadata__", {})
    if "checksum" in strings:
        rest = {key: value for key, value in strings.items() if key != "checksum"}
        text = json.dumps(rest, sort_keys=True)
        strings["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.fixture
def small(tmp_path):
    """A file of the smallest network, with learnt scaling, and its path."""
    path = tmp_path / "small.safetensors"
    net = Network([Normalization(), Dense(1, "sigmoid")], seed=3)
    net.fit(X, y, epochs=1, progress=False)
    model_file.save(state_of(net), path, notes={"classes": ["a", "b"]})
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_loaded_network_is_the_saved_one(name, tmp_path):
    net, path = fitted(name), tmp_path / "net.safetensors"
    model_file.save(state_of(net), path)
    loaded = load(path)
    assert repr(loaded) == repr(net)
    one, other = state_of(loaded), state_of(net)
    assert (one.layers, one.init, one.seed) == (other.layers, other.init, other.seed)
    for key, parameter in net.parameters.items():
        assert loaded.parameters[key].tobytes() == parameter.tobytes()
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X), strict=True)
    assert [A.tobytes() for A in loaded.activations(X)] == [A.tobytes() for A in net.activations(X)]
    loaded.reset()
    net.reset()
    np.testing.assert_array_equal(loaded.parameters["W1"], net.parameters["W1"])


def test_loaded_network_trains(tmp_path):
    model_file.save(state_of(fitted("normalization")), tmp_path / "net.safetensors")
    loaded = load(tmp_path / "net.safetensors")
    before = loaded.program.state.copy()
    loaded.fit(X * 2, y, epochs=3, progress=False)
    np.testing.assert_array_equal(loaded.program.state, before)


def test_unfitted_normalization_learns_after_loading(tmp_path):
    net = Network([Normalization(), Dense(1)], inputs=3)
    model_file.save(state_of(net), tmp_path / "net.safetensors")
    loaded = load(tmp_path / "net.safetensors")
    with pytest.raises(NotBuiltError, match="Normalization"):
        loaded.predict(X)


def test_notes_come_back(small):
    assert load_with_notes(small)[1] == {"classes": ["a", "b"]}


def test_safetensors_reads_the_file(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    net = fitted("float64")
    model_file.save(state_of(net), tmp_path / "net.safetensors")
    held = numpy.load_file(tmp_path / "net.safetensors")
    assert set(held) == set(net.parameters)
    for name, parameter in net.parameters.items():
        np.testing.assert_array_equal(held[name], parameter, strict=True)


def test_layout_is_the_published_one(tmp_path):
    net = fitted("plain")
    model_file.save(state_of(net), tmp_path / "net.safetensors")
    header, data = split((tmp_path / "net.safetensors").read_bytes())
    entry = header["W1"]
    begin, end = entry["data_offsets"]
    assert (entry["dtype"], entry["shape"]) == ("F32", [3, 4])
    assert np.frombuffer(data[begin:end], "<f4").reshape(3, 4).tolist() == (
        net.parameters["W1"].tolist()
    )
    assert all(isinstance(value, str) for value in header["__metadata__"].values())


# Saving


class Own:
    def draw(self, rng, n_in, n_out):
        return np.ones((n_in, n_out))


class OwnDense(Dense):
    pass


def test_what_is_no_data_is_refused_before_anything_is_written(tmp_path):
    path = tmp_path / "net.safetensors"
    wrong = {
        "initialiser": (SettingError, Network([Dense(1)], inputs=2, init=Own())),
        "class of your own": (SettingError, Network([OwnDense(1)], inputs=2)),
        "build": (NotBuiltError, Network([Dense(1)])),
        "'W1' holds": (DataError, Network([Dense(1)], inputs=2)),
    }
    wrong["'W1' holds"][1].parameters["W1"][0, 0] = np.nan
    for words, (error, net) in wrong.items():
        with pytest.raises(error, match=words):
            model_file.save(state_of(net), path)
    with pytest.raises(SettingError, match="notes"):
        model_file.save(state_of(fitted("plain")), path, notes={"array": np.zeros(2)})
    with pytest.raises(SettingError, match="notes"):
        model_file.save(state_of(fitted("plain")), path, notes={"nan": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_known_initialiser_object_is_saved_by_its_name(tmp_path):
    net = Network([Dense(1)], inputs=2, init=initializers.NAMES["he"])
    model_file.save(state_of(net), tmp_path / "net.safetensors")
    assert state_of(load(tmp_path / "net.safetensors")).init == "he"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        model_file.save(state_of(fitted("plain")), tmp_path / "nowhere" / "net.safetensors")


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_whole(small, monkeypatch, moment):
    before = small.read_bytes()

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, moment, fail)
    with pytest.raises(OSError, match=r"not saved \(No space") as caught:
        model_file.save(state_of(fitted("plain")), small)
    assert caught.value.errno == 28
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


def test_an_existing_file_is_replaced_and_a_link_followed(small, tmp_path):
    link = tmp_path / "link.safetensors"
    link.symlink_to(small)
    model_file.save(state_of(fitted("float64")), link)
    assert link.is_symlink()
    assert load(small).dtype == "float64"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_file_has_the_usual_permissions(small):
    plain = small.parent / "plain"
    plain.touch()
    assert stat.S_IMODE(small.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


# Loading


def test_no_file_and_no_plain_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        load(tmp_path / "none")
    with pytest.raises(ModelFileError, match="is a folder"):
        load(tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"short", b"\x89PNG\r\n\x1a\n" + bytes(100), b"a plain text of some length\n" * 9,
     b"\0" * 64, b"\x02" + bytes(7) + b"[]", b"\x80\x04\x95" + bytes(60)],
)  # fmt: skip
def test_other_kinds_of_files(tmp_path, data):
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"other.* is not a usable model file"):
        load(path)


def test_every_truncation_is_noticed(small):
    data = small.read_bytes()
    for length in range(len(data)):
        small.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            load(small)
    small.write_bytes(data + b"\0")
    with pytest.raises(ModelFileError, match="its tensors take"):
        load(small)


def outcome(path):
    """Load a damaged file: None if it is refused, else its network, which must be sound."""
    try:
        net = load(path)
    except ModelFileError:
        return None
    assert np.isfinite(net.program.theta).all()
    return net


@pytest.mark.medium
@pytest.mark.parametrize("flip", [0x01, 0x10, 0x80])
def test_every_byte_of_the_header_flipped(small, flip):
    data = small.read_bytes()
    names = set(load(small).parameters)
    length = int.from_bytes(data[:8], "little")
    refused = 0
    for place in range(8 + length):
        small.write_bytes(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
        net = outcome(small)
        refused += net is None
        assert net is None or set(net.parameters) == names
    assert refused > 0.7 * length  # the rest are texts like the version and the seed


@pytest.mark.medium
def test_flipped_numbers_load_or_are_refused(small):
    data = small.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    for place in range(8 * start, 8 * len(data)):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        small.write_bytes(damaged)
        outcome(small)
    small.write_bytes(data[:-4] + np.array([np.inf], "<f4").tobytes())
    with pytest.raises(ModelFileError, match="not finite"):
        load(small)


def edit_network(**changes):
    def edit(header):
        network = json.loads(header["__metadata__"]["network"])
        network.update(changes)
        header["__metadata__"]["network"] = json.dumps(network)

    return edit


def edit_layer(**changes):
    layers = [{"class": "Normalization", "per_feature": True}]
    return edit_network(layers=[*layers, {"class": "Dense", "units": 1, **changes}])


def edit_entry(name, **changes):
    return lambda header: header[name].update(changes)


def edit_metadata(**changes):
    return lambda header: header["__metadata__"].update(changes)


LIES = {
    "width": (edit_network(inputs=10**12), "too short"),
    "units": (edit_layer(units=10**9, activation="sigmoid"), "too short"),
    "negative": (edit_layer(units=-1), "cannot be"),
    "no inputs": (edit_network(inputs=0), "too short"),
    "true": (edit_network(inputs=True), "'inputs'"),
    "class": (edit_layer(**{"class": "os.system"}), "known ones are Dense"),
    "field": (edit_layer(weights=3), "'weights'"),
    "type": (edit_layer(use_bias="yes"), "'use_bias'"),
    "name": (edit_layer(name=["a"]), "'name'"),
    "initialiser": (edit_layer(init={"class": "Own"}), "initialiser"),
    "lacking": (edit_network(layers=[{"class": "Rescaling"}]), "lacks a field"),
    "activation": (edit_layer(activation="magic"), "'magic' does not exist"),
    "loss": (edit_network(loss="squared"), "'squared' does not exist"),
    "dtype": (edit_network(dtype="float16"), "float16"),
    "other dtype": (edit_network(dtype="float64"), "needs|too short"),
    "no layers": (edit_network(layers=[]), "layers is empty"),
    "key": (edit_network(code="print()"), "keys"),
    "shape": (edit_entry("W1", shape=[1, 3]), "shape"),
    "huge shape": (edit_entry("W1", shape=[2**62, 4]), "cannot be"),
    "axes": (edit_entry("W1", shape=[3, 1] + [1] * 50), "cannot be"),
    "tensor dtype": (edit_entry("W1", dtype="U32"), "F32, F64"),
    "integers": (edit_entry("W1", dtype="I32"), "dtype int32, but its network needs"),
    "overlap": (edit_entry("b1", data_offsets=[0, 4]), "begins at byte"),
    "offsets": (edit_entry("b1", data_offsets=[12, 4]), "needs 4 bytes"),
    "extra": (edit_entry("b1", more=1), "is not dtype"),
    "missing": (lambda header: header.update(b2=header.pop("b1")), "not those of"),
    "metadata": (edit_metadata(network=3), "strings"),
    "text": (edit_metadata(network="{"), "'network' cannot be read"),
    "twice": (edit_metadata(network='{"seed": 1, "seed": 2}'), "twice"),
    "nan": (edit_metadata(network='{"seed": NaN}'), "NaN"),
    "deep": (edit_metadata(network="[" * 100_000), "nested too deeply"),
    "half a pair": (edit_layer(name="\ud800"), "cannot be read"),
    "notes": (edit_metadata(notes="[1]"), "'notes' cannot be read .it is no JSON object"),
    "version": (edit_metadata(format_version="3"), "written by fastnn .* newer"),
    "unsealed": (lambda header: header["__metadata__"].pop("checksum"), "checksum differs"),
    "no sums": (lambda header: header["__metadata__"].pop("checksums"), "'checksums'"),
    "other sums": (edit_metadata(checksums="{}"), "not those of its tensors"),
    "old version": (edit_metadata(format_version="1"), "has checksums"),
    "infinity": (edit_metadata(notes='{"a": 1e999}'), "'notes' cannot be read"),
    "norms": (
        edit_network(
            layers=[
                {"class": "Dense", "units": 1},
                *999 * [{"class": "BatchNorm"}],
                {"class": "Dense", "units": 1, "activation": "sigmoid"},
            ]
        ),
        "too short",
    ),
    "other library": (lambda header: header.pop("__metadata__"), "another library"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_file_is_refused(small, lie):
    edit, words = LIES[lie]
    header, data = split(small.read_bytes())
    edit(header)
    small.write_bytes(joined(header, data))
    with pytest.raises(ModelFileError, match=words):
        load(small)


def test_repeated_tensor_names_are_refused(small):
    header, data = split(small.read_bytes())
    text = json.dumps(header).replace('"b1"', '"W1"').encode()
    small.write_bytes(len(text).to_bytes(8, "little") + text + data)
    with pytest.raises(ModelFileError, match="twice"):
        load(small)


def test_a_header_of_many_megabytes_is_not_read(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write((2**30).to_bytes(8, "little"))
        file.truncate(2**31)
    with pytest.raises(ModelFileError, match="header"):
        load(path)


COURSE_2 = {
    "batch norm": ([Dense(4), BatchNorm(0.8), Activation("gelu"), Dense(1, "sigmoid")], None),
    "dropout": ([Dense(4, "selu", max_norm=2.0), Dropout(0.3), Dense(1, "sigmoid")], None),
    "noise": ([GaussianNoise(0.1), Dense(1)], losses.Huber(0.7)),
    "poisson": ([Dense(1, "softplus")], "poisson"),
    "smooth": ([Dense(1, "sigmoid")], losses.BinaryCrossEntropy(label_smoothing=0.1)),
}


@pytest.mark.parametrize("case", COURSE_2)
def test_layers_and_losses_of_the_second_course_come_back(case, tmp_path):
    layers, loss = COURSE_2[case]
    net = Network(layers, loss=loss)
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    net.fit(X, y, epochs=2, progress=False)
    net.save(tmp_path / "net.safetensors")
    other = fastnn.load(tmp_path / "net.safetensors")
    assert other.layers == net.layers
    assert state_of(other).loss == state_of(net).loss
    np.testing.assert_array_equal(other.predict(X), net.predict(X))
    np.testing.assert_array_equal(
        prediction.outputs(state_of(other), X), prediction.outputs(state_of(net), X)
    )
