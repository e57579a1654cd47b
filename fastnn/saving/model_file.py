"""Model files: a network's description and numbers as plain data; loading never runs code.

The numbers lie in the safetensors layout, one tensor for each entry of `net.parameters` under the
same name, and the learnt input scaling as ``input.shift`` and so on; paths that end in ``.h5`` or
``.hdf5`` take an HDF5 layout of the same parts. The description, JSON again, stands in the
metadata, and with it a SHA-256 of itself and of every tensor. Version 1 of the format had no
checksums; it is still read, and so is what another library writes with such metadata. A
checkpoint holds what training needs to go on as well.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.errors import DataError, FastnnError, ModelFileError
from fastnn.kernels.opcodes import Kind
from fastnn.kernels.views import moments, statistics
from fastnn.layers import BatchNorm, Dense, Normalization
from fastnn.lowering.lower import lower
from fastnn.lowering.program import Program

from . import checkpoint as _checkpoints
from . import config, hdf5, safetensors
from .atomic_write import find_folder
from .bounded_json import shown
from .safetensors import TensorFile

if TYPE_CHECKING:
    from fastnn.network import Network

__all__ = ["checkpoint", "load", "read", "save"]

Array = np.ndarray[Any, Any]

FORMAT, VERSION, UNSEALED = "fastnn", "2", "1"
SCALING = ("input.shift", "input.factor", "input.rest")
HDF5_ENDINGS = (".h5", ".hdf5")


def save(
    network: Network, path: str | os.PathLike[str], *, notes: Mapping[str, Any] | None = None
) -> None:
    """Save a network: layers, settings, parameters and learnt input scaling.

    Parameters
    ----------
    network : Network
        Built, its parameters finite.
    path : str or path
        ``.safetensors`` is the usual ending, ``.h5`` gives an HDF5 file. A file there is
        replaced, in one piece: a crash leaves the old one or the new one. Its permissions stay.
    notes : mapping, optional
        Anything that JSON can say, for example the names of the classes; `read` returns it.

    Raises
    ------
    NotBuiltError
        If the network does not know its number of features yet.
    SettingError
        If it has an initialiser or a layer that is no data, or the notes are none, or it is so
        much text that it could not be loaded again.
    DataError
        If a parameter is not finite.
    OSError
        If the file cannot be written, or the one there is read-only. A file that was there before
        is as it was.
    """
    _write(path, _tensors_of(network), _metadata(network, notes))


def checkpoint(network: Network, path: str | os.PathLike[str]) -> None:
    """Save a network as `save` does, and all that its training needs to go on.

    That is the optimiser and its slots, the counts of epochs and steps, the schedule and the
    history. Random numbers are functions of the seed and these counts. L-BFGS alone begins its
    pairs of steps and gradients anew.

    Raises
    ------
    SettingError
        If the optimiser or the schedule is of a class of your own; and what `save` raises.
    """
    tensors = _tensors_of(network) | _checkpoints.tensors(network)
    _write(path, tensors, _training(network))


def check_savable(network: Network, path: str | os.PathLike[str]) -> None:
    """Raise what a `checkpoint` of this network would raise for its description or folder."""
    _training(network)
    find_folder(path)


def _training(network: Network) -> dict[str, str]:
    """The metadata of a checkpoint."""
    training = config.text(_checkpoints.described(network), "the training")
    return {**_metadata(network, None), "training": training}


def _tensors_of(network: Network) -> dict[str, Array]:
    """The numbers that make a network's predictions, by name; all are finite."""
    tensors = dict(network.program.parameters) | _averages(network.program)
    if isinstance(network.layers[0], Normalization) and network._scaled:
        found = statistics(network.program.state, network.program.ops[0])
        tensors |= dict(zip(SCALING, found, strict=True))
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise DataError(f"{name!r} holds numbers that are not finite; net.reset() draws anew")
    return tensors


def _is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether a path's ending asks for HDF5."""
    return Path(path).suffix.lower() in HDF5_ENDINGS


def _write(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write the file in the layout that its ending asks for."""
    (hdf5 if _is_hdf5(path) else safetensors).write(path, tensors, metadata)


def _averages(program: Program) -> dict[str, Array]:
    """BatchNorm's running averages by name, views of (n,) each."""
    found: dict[str, Array] = {}
    norms = [op for op in program.ops if op["kind"] == Kind.BATCHNORM]
    for number, op in enumerate(norms, start=1):
        found[f"mean{number}"], found[f"variance{number}"] = moments(program.state, op)[:2]
    return found


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network that `save` wrote: same predictions, bit for bit.

    From a checkpoint comes a network whose next `fit` goes on where that one was, bit for bit.
    At no time is more memory taken than about twice the size of the file and 4 MiB.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is not a model file, or damaged, or of a newer version; the message says
        where.

    Examples
    --------
    >>> net.save("model.safetensors")
    >>> net = fastnn.load("model.safetensors")
    """
    return read(path)[0]


def read(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Load a network and the notes that were saved with it; raises what `load` raises."""
    with (hdf5.HDF5File if _is_hdf5(path) else TensorFile)(path) as file:
        try:
            notes = file.table("notes", strict=False) if "notes" in file.metadata else {}
            return _network(file), notes
        except ModelFileError:
            raise
        except FastnnError as error:
            raise file.refuse(f"it describes what cannot be ({error!s:.400})") from error


def _metadata(network: Network, notes: Mapping[str, Any] | None) -> dict[str, str]:
    """The strings that stand in the header."""
    metadata = {
        "format": FORMAT,
        "format_version": VERSION,
        "fastnn_version": importlib.import_module("fastnn").__version__,
        "network": config.text(config.described(network), "the network"),
    }
    if notes is not None:
        metadata["notes"] = config.text(dict(notes), "notes")
    return metadata


def _network(file: TensorFile) -> Network:
    """Return the network that the file describes, with the file's numbers."""
    if file.metadata.get("format") != FORMAT or "network" not in file.metadata:
        raise file.refuse("it holds tensors but no network", "was it saved by another library?")
    version = file.metadata.get("format_version")
    if version not in (VERSION, UNSEALED):
        raise file.refuse(
            f"it has version {shown(version)} of the format, written by fastnn "
            f"{shown(file.metadata.get('fastnn_version'))}, this fastnn reads up to {VERSION!r}",
            "load it with the fastnn that wrote it, or a newer one",
        )
    if file.sealed != (version == VERSION):
        has = "has" if file.sealed else "lacks"
        raise file.refuse(f"it {has} checksums, which version {version} of the format does not")
    network, inputs = config.network(file)
    held = sum(entry.end - entry.begin for entry in file.entries.values())
    if inputs < 1 or held < network.dtype.itemsize * _smallest(network, inputs):
        raise file.refuse(f"its data are too short for {inputs} features and these layers")
    network._program = lower(network.layers, inputs, network._loss, network.dtype)
    targets = _targets(network, file)
    loose: dict[str, Array] = {}
    if "training" in file.metadata:
        loose = _checkpoints.prepared(network, file, file.table("training"))
    least = {name for name in targets if name.startswith("variance")}
    _fill(targets, loose, file, least | _checkpoints.squares(network))
    if loose:
        _checkpoints.remember(network, loose, file)
    return network


def _smallest(network: Network, width: int) -> int:
    """Numbers that a file of this network must hold: known before anything is allocated."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, Dense):
            total += layer.units * (width + layer.use_bias)
            width = layer.units
        elif isinstance(layer, BatchNorm):
            total += 4 * width
    return total


def _targets(network: Network, file: TensorFile) -> dict[str, Array]:
    """Where the tensors go that make a network's predictions, by name."""
    program = network.program
    targets: dict[str, Array] = dict(program.parameters) | _averages(program)
    if isinstance(network.layers[0], Normalization) and set(SCALING) & set(file.entries):
        targets |= dict(zip(SCALING, statistics(program.state, program.ops[0]), strict=True))
        network._scaled = True
    return targets


def _fill(
    targets: Mapping[str, Array],
    loose: Mapping[str, Array],
    file: TensorFile,
    squares: Collection[str],
) -> None:
    """Copy the file's tensors to where they go; all but the history's are finite."""
    places = {**targets, **loose}
    if set(places) != set(file.entries):
        raise file.refuse(
            f"its network has {', '.join(places)[:200]}, but it holds "
            f"{', '.join(file.entries)[:200]!r}"
        )
    for name, target in places.items():
        entry = file.entries[name]
        if entry.shape != target.shape or entry.dtype.newbyteorder("=") != target.dtype:
            raise file.refuse(
                f"{name!r} has shape {entry.shape} and dtype {entry.dtype.name}, but its network "
                f"needs {target.shape} and {target.dtype.name}"
            )
    for name, target in places.items():
        history = name.startswith(_checkpoints.HISTORY)
        file.read_into(name, target, finite=not history, negative=name not in squares)
