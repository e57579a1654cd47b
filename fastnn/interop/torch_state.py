"""The layers of a PyTorch state_dict: which there are and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from fastnn._validation import arguments
from fastnn.errors import SettingError

ENTRIES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
#: What wrappers (DataParallel, torch.compile) put before every name.
WRAPPERS = re.compile(r"^((module|_orig_mod)\.)+")


def entries(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tensors by layer and entry; the names of wrappers around the model are left off.

    Raises
    ------
    SettingError
        If there is an entry that neither a Linear nor a BatchNorm1d has.
    """
    wrapped = all(isinstance(key, str) and WRAPPERS.match(key) for key in state)
    groups: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        prefix, _, entry = str(key).rpartition(".")
        if not isinstance(key, str) or entry not in ENTRIES:
            raise SettingError(
                f"the state_dict has an entry {key!r}, which is of no Linear and no BatchNorm1d; "
                f"from_torch takes {', '.join(ENTRIES)} (of a checkpoint, give the model's part)"
            )
        groups.setdefault(_without_wrappers(prefix) if wrapped else prefix, {})[entry] = value
    return groups


def _without_wrappers(prefix: str) -> str:
    """Return a layer's name without those of the wrappers."""
    return WRAPPERS.sub("", prefix + ".").removesuffix(".")


def sorted_layers(names: list[str], order: Iterable[str] | None) -> list[str]:
    """Return the layers from input to output: as the caller says, or else by their numbers.

    A dict's own order counts for nothing: a safetensors file sorts its names as text, and a module
    registers its layers in the order of its constructor.

    Raises
    ------
    SettingError
        If `order` does not name all layers, or, without it, a layer has others within it or names
        differ in more than numbers.
    """
    if order is not None:
        given = arguments.as_list(order, "order", "['fc1', 'fc2']")
        bare = [
            _without_wrappers(one) if isinstance(one, str) and one not in names else one
            for one in given
        ]
        wrong = [one for one in bare if one not in names] + [n for n in names if n not in bare]
        if wrong:
            raise SettingError(
                f"order must name each layer of the state_dict, which are {names}; it is wrong "
                f"about {wrong}"
            )
        return bare
    for name in names:
        inner = [n for n in names if n != name and n.startswith(f"{name}." if name else "")]
        if inner:
            raise SettingError(
                f"the layer {name!r} of the state_dict has others within it ({', '.join(inner)}); "
                f"merge them first, low-rank deltas by merge_and_unload(), or, where each takes "
                f"what the one before it gives, give order={names}, sorted from input to output"
            )
    ordered = sorted(names, key=_natural_key)
    for one, other in pairwise(ordered):
        if not _differ_in_a_number(_natural_key(one), _natural_key(other)):
            raise SettingError(
                f"the names {one!r} and {other!r} of the state_dict do not say by numbers which "
                f"layer comes first; give order={names}, sorted from input to output"
            )
    return ordered


def _natural_key(name: str) -> list[str | int]:
    """Return the text and the numbers of a name by turns: "fc2.0" is "fc", 2, ".", 0, ""."""
    return [int(p) if i % 2 else p for i, p in enumerate(re.split(r"([0-9]+)", name))]


def _differ_in_a_number(one: list[str | int], other: list[str | int]) -> bool:
    """Tell whether the first piece in which two names differ is a number in both."""
    first = next((a for a, b in zip(one, other, strict=False) if a != b), None)
    return isinstance(first, int)


def check_adjacent(names: list[str], linear: list[str]) -> None:
    """Refuse a BatchNorm1d that may have another module between it and its neighbour.

    Only before a Linear that has another one before it `hidden` is known to stand. Elsewhere, in
    Linear, ReLU, BatchNorm1d, a state_dict shows it by its numbers alone: 0 and 2.
    """
    for place, (one, other) in enumerate(pairwise(names)):
        expects = other in linear and any(name in linear for name in names[: place + 1])
        stem, _, number = one.rpartition(".")
        beside = number.isdecimal() and other == f"{stem}.{int(number) + 1}".removeprefix(".")
        if not expects and not beside:
            raise SettingError(
                f"another module may stand between {one!r} and {other!r} of the state_dict, which "
                f"does not hold it; give the model itself, or order={names} if there is none"
            )
