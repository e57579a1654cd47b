"""Models of PyTorch taken over: a Sequential as it computes, or a state_dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.errors import DataError, SettingError
from fastnn.export.torch_model import MODULES
from fastnn.layers import BatchNorm, Dropout
from fastnn.network import Network

from .assembly import Assembly, no_counterpart, real
from .settings import LayerRule, check_settings, library_class, overridden_method
from .torch_state import ENTRIES, check_adjacent, entries, sorted_layers

Array = np.ndarray[Any, Any]

FUNCTIONS = {module: name for name, module in MODULES.items()}
#: What is taken of PyTorch, and under which settings. Of a BatchNorm1d momentum None, the mean of
#: all batches, has no counterpart in training and becomes 0.1.
LAYERS = {
    "Linear": LayerRule(read="in_features out_features bias", free="device dtype"),
    "BatchNorm1d": LayerRule(
        read="num_features eps momentum affine track_running_stats bias", free="device dtype"
    ),
    "Dropout": LayerRule(read="p", free="inplace"),
    "Flatten": LayerRule(needed={"start_dim": (1,), "end_dim": (-1,)}),
    "Identity": LayerRule(),
    **{module: LayerRule(free="inplace") for module in FUNCTIONS},
    "LeakyReLU": LayerRule(needed={"negative_slope": (0.01,)}, free="inplace"),
    "Softmax": LayerRule(needed={"dim": (1, -1, None)}),
    "ELU": LayerRule(needed={"alpha": (1.0,)}, free="inplace"),
    "GELU": LayerRule(needed={"approximate": ("none",)}),
    "Softplus": LayerRule(needed={"beta": (1.0,), "threshold": (20.0,)}),
}
#: Where the modules are that `to_torch` adds; importing it would import PyTorch.
OWN = "fastnn.export.torch_layers"
KNOWN = f"Sequential, {', '.join(LAYERS)}"


def from_torch(
    model: Any,
    *,
    hidden: str | None = None,
    output: str | None = None,
    order: Sequence[str] | None = None,
) -> Network:
    """Return a network with the outputs of a PyTorch model, as in its evaluation mode.

    Parameters
    ----------
    model : torch.nn.Sequential or mapping
        Of Linear, BatchNorm1d, Dropout, Flatten and activations, or what `to_torch` has made; a
        module that stands in several places is taken in each, with weights of its own. Or the
        ``state_dict()`` of layers that follow one another, in which a BatchNorm1d stands right
        behind a Linear or before all of them, and has PyTorch's default settings.
    hidden : str, optional
        For a state_dict, which does not hold it: the activation of all hidden layers.
    output : str, optional
        Activation to put on the output, ``"softmax"`` or ``"sigmoid"`` where the model gives
        logits to its loss. By default none is added.
    order : sequence of str, optional
        For a state_dict: the names of its layers from input to output, ``["fc1", "out"]``; one
        that is used twice stands there twice. Names that differ in numbers only need none.

    Returns
    -------
    Network
        float64 where the weights are, else float32; numbers of 16 and 8 bits are widened.

    Raises
    ------
    SettingError
        If a layer, or a setting of it, has no counterpart, or what a state_dict holds does not
        tell the order of its layers: it is named.
    ShapeError, DataError
        If layers do not follow one another, or weights are not finite real numbers.

    Examples
    --------
    >>> net = fastnn.from_torch(model.state_dict(), hidden="relu", output="softmax")
    """
    assembly = Assembly()
    if isinstance(model, Mapping):
        _append_state_dict(assembly, model, hidden, order)
    elif hidden is not None or order is not None:
        name = "hidden" if hidden is not None else "order"
        raise SettingError(f"{name} is for a state_dict; the model itself says what it computes")
    elif not hasattr(model, "_modules"):  # which every torch.nn.Module has
        raise SettingError(
            f"from_torch takes a model or its state_dict, got {type(model).__name__}; a file gives "
            "one by torch.load"
        )
    else:
        _append_layer(assembly, model, "")
    if output is not None:
        assembly.finish(output)
    return assembly.network("the PyTorch model")


def _array(tensor: Any, what: str) -> Array:
    """Return a tensor, or what NumPy takes for an array, as finite real numbers."""
    if not hasattr(tensor, "detach"):
        return real(tensor, what)
    if getattr(tensor, "is_meta", False):
        raise DataError(f"{what} have no values, only a shape (device 'meta'); load them first")
    if not tensor.is_floating_point():
        raise DataError(
            f"{what} must be real floating-point numbers, got {tensor.dtype}; "
            "dequantise or convert them first"
        )
    try:
        dense = tensor.detach().cpu().to_dense()
        wide = str(dense.dtype) == "torch.float64"
        values = (dense if wide else dense.float()).resolve_neg().numpy()
    except Exception as error:
        reason = str(error).partition(". ")[0]
        raise DataError(f"{what} cannot be read as plain numbers: {reason}") from error
    return real(values, what)


def _append_layer(assembly: Assembly, module: Any, place: str) -> None:
    """Append one module, or those of a Sequential; `place` is its name within the model."""
    base = library_class(module, ("torch.nn.modules.", OWN))
    kind = "" if base is None else base.__name__
    name = f"{type(module).__name__} {place!r}" if place else type(module).__name__
    home = type(module).__module__
    users = kind == "Module" and not home.startswith("torch.")
    if users or kind in ("Sequential", "Scaling", *LAYERS):
        _check_unmodified(module, base, name)
    if kind == "Sequential":
        for key, child in module._modules.items():
            _append_layer(assembly, child, f"{place}.{key}" if place else key)
    elif kind == "Scaling":
        buffers = module.shift, module.factor, module.rest
        shift, factor, rest = (_array(a, f"the scaling of {name}") for a in buffers)
        assembly.scale(shift.astype(np.float64) + rest, factor, module.offset)
    elif kind in LAYERS:
        check_settings(LAYERS[kind], base, module, name)
        _append_known_layer(assembly, module, kind, name)
    else:
        raise no_counterpart(f"{name} ({home})", "PyTorch", KNOWN)


def _append_known_layer(assembly: Assembly, module: Any, kind: str, name: str) -> None:
    """Append one layer, whose settings are known to be ours."""
    if kind == "Linear":
        W = _array(module.weight, f"the weights of {name}").T
        b = None if module.bias is None else _array(module.bias, f"the biases of {name}")
        assembly.dense(W, b, name)
    elif kind == "BatchNorm1d":
        if module.running_mean is None:
            raise SettingError(
                f"{name} keeps no running averages (track_running_stats=False), so its outputs "
                "depend on the batch; fastnn's BatchNorm predicts with averages"
            )
        momentum = 0.1 if module.momentum is None else module.momentum
        if not (0 < momentum <= 1 and module.eps > 0):
            raise SettingError(
                f"{name} has momentum={momentum} and eps={module.eps}; fastnn's BatchNorm needs a "
                "momentum above 0 and at most 1, and a positive eps"
            )
        tensors = {key: getattr(module, key) for key in ENTRIES}
        assembly.norm(BatchNorm(1 - momentum, module.eps), _moments(tensors, name), name)
    elif kind == "Dropout":
        if not 0 <= module.p < 1:
            raise SettingError(f"{name} has p={module.p}; fastnn's Dropout needs a rate below 1")
        assembly.append(Dropout(module.p))
    elif kind in FUNCTIONS:
        assembly.activate(FUNCTIONS[kind])


def _moments(tensors: Mapping[str, Any], name: str) -> dict[str, Array]:
    """Return the arrays of a BatchNorm1d, those it has, by our names."""
    ours = {"running_mean": "mean", "running_var": "variance", "weight": "gamma", "bias": "beta"}
    held = {ours[key]: t for key, t in tensors.items() if key in ours and t is not None}
    return {key: _array(tensor, f"{key} of {name}") for key, tensor in held.items()}


def _check_unmodified(module: Any, base: Any, name: str) -> None:
    """Refuse a module that computes something else than the library's class of it."""
    method = overridden_method(module, base, ("forward", "__call__"))
    if method is not None:
        raise SettingError(
            f"{name} has a {method} of its own, which from_torch cannot read; give a Sequential "
            "of its layers in the order in which they are applied, or its state_dict"
        )
    if module._forward_hooks or module._forward_pre_hooks:
        hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
        called = ", ".join(getattr(hook, "__name__", type(hook).__name__) for hook in hooks)
        raise SettingError(
            f"{name} has hooks ({called}) that may change what it computes; remove them first, "
            "weight_norm by torch.nn.utils.remove_weight_norm, pruning by "
            "torch.nn.utils.prune.remove"
        )
    if module._modules and base.__name__ != "Sequential":
        raise SettingError(
            f"{name} computes its weights by modules within it ({', '.join(module._modules)}); "
            "merge them first, by torch.nn.utils.parametrize.remove_parametrizations"
        )


def _append_state_dict(
    assembly: Assembly, state: Mapping[str, Any], hidden: Any, order: Any
) -> None:
    """Append the layers of a state_dict, the activation between them."""
    groups = entries(state)
    names = sorted_layers(list(groups), order)
    linear = [name for name in names if "running_mean" not in groups[name]]
    if hidden is None and len(linear) > 1:
        raise SettingError("a state_dict does not hold the activations; give hidden='relu'")
    if order is None:
        check_adjacent(names, linear)
    for place, prefix in enumerate(names):
        tensors, name = groups[prefix], repr(prefix) if prefix else "the layer"
        if prefix not in linear:
            assembly.norm(BatchNorm(0.9, 1e-5), _moments(tensors, name), name)
            continue
        if "weight" not in tensors:
            held = " and ".join(tensors)
            raise SettingError(f"{name} of the state_dict has {held} but no weight; add it")
        weight = _array(tensors["weight"], f"the weights of {name}")
        if weight.ndim != 2:
            raise SettingError(
                f"{name} of the state_dict has weights of shape {weight.shape} and no running "
                "averages; from_torch takes Linear, and BatchNorm1d that keeps them"
            )
        if any("W" in numbers for numbers in assembly.numbers[:place]):
            assembly.activate(hidden)
        bias = tensors.get("bias")
        bias = None if bias is None else _array(bias, f"the biases of {name}")
        assembly.dense(weight.T, bias, f"Linear {name}")
