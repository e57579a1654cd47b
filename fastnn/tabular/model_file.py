"""Model files of tabular estimators: the networks of an ensemble, and all else as one JSON text."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn.data.tables import TableEncoder
from fastnn.errors import DataError, ModelFileError
from fastnn.lowering.lower import output_activation
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.loading import network_of
from fastnn.saving import config, ensemble_file
from fastnn.saving.safetensors import TensorFile

from .codes import PiecewiseLinearCodes
from .members import KINDS, Member
from .plain import finite, finite_array, texts
from .rule import Rule
from .target_statistics import TargetStatistics

__all__ = ["read", "save"]

Array = np.ndarray[Any, Any]
KEY = "tabular"
#: Numbers of a `Member`.
COUNTS = ("trained", "scored", "epochs", "best_epoch")
PARAMETERS = ("bag", "categorical", "max_time", "random_state", "verbose")


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator; its `save` says what it raises."""
    check_is_fitted(model)
    states = [state_of(network) for network in model.networks_]
    ensemble_file.save(states, path, {KEY: config.to_json(_config(model), "the estimator")})


def _config(model: Any) -> dict[str, Any]:
    """Return all of a fitted estimator but its networks, as plain data."""
    members = [
        {name: getattr(each, name) for name in (*COUNTS, "kind", "curve")}
        for each in model._members
    ]
    common = {
        "parameters": _parameters(model),
        "encoder": model.encoder_.config(),
        "dropped": model.encoder_.dropped,
        "statistics": [each.config() for each in model._statistics],
        "codes": model._codes.config(),
        "columns": model._names,
        "targets": model._targets,
        "named": model._named,
        "named_by_text": hasattr(model, "feature_names_in_"),
        "rule": asdict(model.rule_),
        "members": members,
        "held_out": {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in model.held_out_.items()
        },
    }
    targets: dict[str, Any] = model._targets_config()
    return common | targets


def _parameters(model: Any) -> dict[str, Any]:
    """Return the parameters as plain data; a RandomState is none, and left out."""
    given = model.get_params()
    seed = given["random_state"]
    given["random_state"] = int(seed) if isinstance(seed, int | np.integer) else None
    if not isinstance(given["categorical"], str):
        given["categorical"] = [
            int(each) if isinstance(each, np.integer) else each for each in given["categorical"]
        ]
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    """Return a number of NumPy as Python's, other values as they are."""
    return value.item() if isinstance(value, np.generic) else value


def read(file: TensorFile, kinds: Mapping[str, type[Any]]) -> Any:
    """Return the estimator of an open file, of one of the `kinds` by their names there.

    A ModelFileError refuses what describes none.
    """
    try:
        states = ensemble_file.states_from(file)
        return _estimator(file.table(KEY, strict=False), states, kinds)
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise file.refuse(f"it describes no estimator ({error!s:.200})") from error


def _estimator(data: dict[str, Any], states: Sequence[Any], kinds: Mapping[str, type[Any]]) -> Any:
    """Return the estimator that data describe, with these networks."""
    parameters = data["parameters"]
    if set(parameters) != set(PARAMETERS):
        raise DataError("its parameters are others")
    model = kinds[data["kind"]](**parameters)
    model._check_settings()
    model.encoder_ = TableEncoder.from_config(data["encoder"])
    model.encoder_.dropped = texts(data["dropped"])
    model._statistics = tuple(TargetStatistics.from_config(each) for each in data["statistics"])
    n = model._features
    model._codes = PiecewiseLinearCodes.from_config(data["codes"], n)
    model._names, model._named = [str(name) for name in data["columns"]], data["named"] is True
    model._targets = [str(name) for name in data["targets"]]
    model.n_features_in_ = len(model._names)
    if data["named_by_text"] is True:
        model.feature_names_in_ = np.array(model._names, object)
    model.rule_ = _rule(data["rule"])
    model.held_out_ = {
        str(name): finite_array(value) if isinstance(value, list) else finite(value)
        for name, value in data["held_out"].items()
    }
    networks = [network_of(state) for state in states]
    if len(networks) != len(data["members"]):
        raise DataError("it has another number of networks")
    model._members = [
        _member(each, net) for each, net in zip(data["members"], networks, strict=True)
    ]
    model._restore_targets(data)
    _check_networks(model, n)
    return model


def _check_networks(model: Any, n: int) -> None:
    """Refuse networks that do not take n features, with the codes, or have other outputs."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        wanted = (model.n_outputs_, "identity")
    else:
        wanted = (1, "sigmoid") if len(classes) == 2 else (len(classes), "softmax")
    for each in model._members:
        net = each.network
        inputs = n + model._codes.width * each.coded
        if net.inputs != inputs or (net.outputs, output_activation(net.layers)) != wanted:
            raise DataError("its networks do not fit to its columns and targets")


def _member(data: dict[str, Any], network: Network) -> Member:
    """Return a network of the bag."""
    counts = {name: data[name] for name in COUNTS}
    if data["kind"] not in KINDS or any(type(n) is not int or n < 0 for n in counts.values()):
        raise DataError("one of its networks is none of a bag")
    curve = tuple(finite(value) for value in data["curve"])
    if not curve:
        raise DataError("one of its networks was never trained")
    return Member(data["kind"], network, **counts, curve=curve)


def _rule(data: dict[str, Any]) -> Rule:
    """Return the rule; its numbers are those of a bag that was trained."""
    if set(data) != {field.name for field in fields(Rule)} or not all(
        type(value) in (int, float, bool) for value in data.values()
    ):
        raise DataError("its rule is none")
    return Rule(**data)
