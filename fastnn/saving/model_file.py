"""Model files: a network's description and numbers as plain data; loading never runs code.

The numbers lie in the safetensors layout, one tensor for each entry of `net.parameters` under the
same name, and the learnt input scaling as ``input.shift`` and so on; paths that end in ``.h5`` or
``.hdf5`` take an HDF5 layout of the same parts. The description, JSON again, stands in the
metadata, and with it a SHA-256 of itself and of every tensor. Version 1 of the format had no
checksums; it is still read, and so is what another library writes with such metadata. A
checkpoint holds what training needs to go on as well.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn._version import __version__
from fastnn.errors import DataError, FastnnError, MissingExtraError, ModelFileError
from fastnn.kernels.opcodes import Kind
from fastnn.kernels.views import moments, statistics
from fastnn.layers import BatchNorm, Dense, Normalization
from fastnn.lowering.program import Program
from fastnn.training.state import NetworkState
from fastnn.training.target_scaling import TargetScaling

from . import checkpoint as _checkpoints
from . import config, hdf5, safetensors
from .atomic_write import find_folder
from .bounded_json import shown
from .safetensors import TensorFile

__all__ = ["checkpoint", "read", "save"]

Array = np.ndarray[Any, Any]

FORMAT, VERSION, VERSION_WITHOUT_CHECKSUMS = "fastnn", "2", "1"
SCALING = ("input.shift", "input.factor", "input.rest")
HDF5_ENDINGS = (".h5", ".hdf5")


def save(
    state: NetworkState, path: str | os.PathLike[str], *, notes: Mapping[str, Any] | None = None
) -> None:
    """Save a network: layers, settings, parameters and learnt input scaling.

    Parameters
    ----------
    state : NetworkState
        Of a network that is built, its parameters finite.
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
    write(path, tensors_of(state), metadata_of(state, notes))


def checkpoint(state: NetworkState, path: str | os.PathLike[str]) -> None:
    """Save a network as `save` does, and all that its training needs to go on.

    That is the optimiser and its slots, the counts of epochs and steps, the schedule and the
    history. Random numbers are functions of the seed and these counts. L-BFGS alone begins its
    pairs of steps and gradients anew.

    Raises
    ------
    SettingError
        If the optimiser or the schedule is of a class of your own; and what `save` raises.
    """
    tensors = tensors_of(state) | _checkpoints.tensors(state)
    write(path, tensors, _training(state))


def check_savable(state: NetworkState, path: str | os.PathLike[str]) -> None:
    """Raise what a `checkpoint` of this network would raise for its description or folder."""
    _training(state)
    find_folder(path)


def _training(state: NetworkState) -> dict[str, str]:
    """Return the metadata of a checkpoint."""
    training = config.to_json(_checkpoints.training_config(state), "the training")
    return {**metadata_of(state, None), "training": training}


def tensors_of(state: NetworkState) -> dict[str, Array]:
    """Return the numbers that make a network's predictions, by name; all are finite."""
    tensors = dict(state.program.parameters) | _averages(state.program)
    if isinstance(state.layers[0], Normalization) and state.scaled:
        found = statistics(state.program.state, state.program.ops[0])
        tensors |= dict(zip(SCALING, found, strict=True))
    if state.target_scaling is not None:
        tensors |= _target_scaling(state.target_scaling)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise DataError(f"{name!r} holds numbers that are not finite; net.reset() draws anew")
    return tensors


def _is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether a path's ending asks for HDF5."""
    return Path(path).suffix.lower() in HDF5_ENDINGS


def write(
    path: str | os.PathLike[str], tensors: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write the file in the layout that its ending asks for."""
    (hdf5 if _is_hdf5(path) else safetensors).write(path, tensors, metadata)


def _averages(program: Program) -> dict[str, Array]:
    """Return BatchNorm's running averages by name, views of (n,) each."""
    found: dict[str, Array] = {}
    norms = [op for op in program.ops if op["kind"] == Kind.BATCHNORM]
    for number, op in enumerate(norms, start=1):
        found[f"mean{number}"], found[f"variance{number}"] = moments(program.state, op)[:2]
    return found


def read(path: str | os.PathLike[str]) -> tuple[NetworkState, dict[str, Any]]:
    """Return the network of a file, and the notes that were saved with it.

    It takes at most about twice the size of the file and 4 MiB of memory. What is no model file,
    damaged, or of a newer version raises a ModelFileError that says where.
    """
    with opened(path) as file:
        if "members" in file.metadata:
            raise file.refuse("it holds an ensemble of networks", "load it with fastnn.load")
        if "quantized" in file.metadata:
            raise file.refuse("it holds a quantised network", "load it with fastnn.load")
        return contents(file)


def contents(file: TensorFile) -> tuple[NetworkState, dict[str, Any]]:
    """Return the network of an open file, and the notes that were saved with it."""
    return state_from(file), notes_of(file)


def notes_of(file: TensorFile) -> dict[str, Any]:
    """Return the notes of an open file."""
    return file.table("notes", strict=False) if "notes" in file.metadata else {}


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[TensorFile]:
    """Yield the open file; what its contents break is raised as a ModelFileError."""
    with (hdf5.HDF5File if _is_hdf5(path) else TensorFile)(path) as file:
        try:
            yield file
        except (ModelFileError, MissingExtraError):
            raise
        except FastnnError as error:
            raise file.refuse(f"it describes what cannot be ({error!s:.400})") from error


def metadata_of(state: NetworkState, notes: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the strings that stand in the header."""
    metadata = {
        "format": FORMAT,
        "format_version": VERSION,
        "fastnn_version": __version__,
        "network": config.to_json(config.network_config(state), "the network"),
    }
    if notes is not None:
        metadata["notes"] = config.to_json(dict(notes), "notes")
    return metadata


def state_from(file: TensorFile) -> NetworkState:
    """Return the network that the file describes, with the file's numbers."""
    if file.metadata.get("format") != FORMAT or "network" not in file.metadata:
        raise file.refuse("it holds tensors but no network", "was it saved by another library?")
    version = file.metadata.get("format_version")
    if version not in (VERSION, VERSION_WITHOUT_CHECKSUMS):
        raise file.refuse(
            f"it has version {shown(version)} of the format, written by fastnn "
            f"{shown(file.metadata.get('fastnn_version'))}, this fastnn reads up to {VERSION!r}",
            "load it with the fastnn that wrote it, or a newer one",
        )
    if file.has_checksums != (version == VERSION):
        has = "has" if file.has_checksums else "lacks"
        raise file.refuse(f"it {has} checksums, which version {version} of the format does not")
    state, inputs = config.network_from_config(file)
    held = sum(entry.end - entry.begin for entry in file.entries.values())
    if inputs < 1 or held < state.dtype.itemsize * _smallest(state, inputs):
        raise file.refuse(f"its data are too short for {inputs} features and these layers")
    state.lower(inputs)
    targets = _targets(state, file)
    training_tensors: dict[str, Array] = {}
    if "training" in file.metadata:
        training_tensors = _checkpoints.restore_state(state, file, file.table("training"))
    nonnegative = {name for name in targets if name.startswith(("variance", "target_deviation"))}
    _fill(targets, training_tensors, file, nonnegative | _checkpoints.squares(state))
    if state.target_scaling is not None:
        if not state.target_scaling.deviation.all():
            raise file.refuse("its 'target_deviation' holds 0, by which nothing can be divided")
        for name, values in _target_scaling(state.target_scaling).items():
            arguments.check_representable(values, state.dtype, name)
    if training_tensors:
        _checkpoints.restore_history(state, training_tensors, file)
    return state


def _smallest(state: NetworkState, width: int) -> int:
    """Return how many numbers a file of this network must hold, before memory is taken."""
    total = 0
    for layer in state.layers:
        if isinstance(layer, Dense):
            total += layer.units * (width + layer.use_bias)
            width = layer.units
        elif isinstance(layer, BatchNorm):
            total += 4 * width
    return total


def _targets(state: NetworkState, file: TensorFile) -> dict[str, Array]:
    """Return the arrays that take the tensors of a network's predictions, by name."""
    program = state.program
    targets: dict[str, Array] = dict(program.parameters) | _averages(program)
    if isinstance(state.layers[0], Normalization) and set(SCALING) & set(file.entries):
        targets |= dict(zip(SCALING, statistics(program.state, program.ops[0]), strict=True))
        state.scaled = True
    if state.scale_target and file.entries.keys() & {"target_mean", "target_deviation"}:
        K = state.outputs
        state.target_scaling = TargetScaling(np.zeros(K), np.ones(K))
        targets |= _target_scaling(state.target_scaling)
    return targets


def _target_scaling(scaling: TargetScaling) -> dict[str, Array]:
    """Return the mean and the deviation of targets by the names of their tensors."""
    return {"target_mean": scaling.mean, "target_deviation": scaling.deviation}


def _fill(
    targets: Mapping[str, Array],
    training_tensors: Mapping[str, Array],
    file: TensorFile,
    squares: Collection[str],
) -> None:
    """Copy the file's tensors to where they go; all but the history's are finite."""
    places = {**targets, **training_tensors}
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
