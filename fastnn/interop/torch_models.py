"""Models of PyTorch taken over, and networks handed on to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._extras import require
from fastnn.errors import SettingError
from fastnn.layers import BatchNorm, Dropout
from fastnn.network import Network

from .assembly import Assembly, unsupported
from .stages import Drop, Function, Norm, Product, Scaling, stages, usable

if TYPE_CHECKING:
    from fastnn.program import Program

Array = np.ndarray[Any, Any]

#: Activation modules by our names. Their default settings are the functions that we have.
MODULES = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "softmax": "Softmax",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "softplus": "Softplus",
    "mish": "Mish",
}
FUNCTIONS = {module: name for name, module in MODULES.items()}
#: Settings that must have these values for the function to be ours.
FIXED = {
    "negative_slope": (0.01,),
    "approximate": ("none",),
    "alpha": (1.0,),
    "beta": (1.0,),
    "dim": (1, -1),
}
KNOWN = f"Sequential, Linear, BatchNorm1d, Dropout, Flatten, Identity, {', '.join(FUNCTIONS)}"


def to_torch(network: Network) -> Any:
    """Return a network as a torch.nn.Sequential with equal outputs, in evaluation mode.

    Its output is that of the last layer, (m, K): for one sigmoid the probability of class 1.
    Dropout and BatchNorm come along, noise does not; learnt scaling is a module of its own.

    Parameters
    ----------
    network : Network
        Built; with a `Normalization` layer, fitted.

    Raises
    ------
    MissingExtraError
        Without PyTorch; the extra is ``fastnn[torch]``.
    NotBuiltError
        If the network is not built, or its scaling not learnt.
    SettingError
        If an activation is registered by the user.
    """
    program: Program = usable(network, "PyTorch")
    torch = require("torch", extra="torch", purpose="handing a network on to PyTorch")
    return torch.nn.Sequential(*(_module(torch, stage) for stage in stages(program))).eval()


def _tensor(torch: Any, array: Array) -> Any:
    """Return a copy as a tensor."""
    return torch.from_numpy(np.array(array, order="C"))


def _module(torch: Any, stage: Any) -> Any:
    """Return the module of one stage."""
    nn = torch.nn
    if isinstance(stage, Function):
        options = {"dim": 1} if stage.name == "softmax" else {}
        return getattr(nn, MODULES[stage.name])(**options)
    if isinstance(stage, Drop):
        return nn.Dropout(stage.rate)
    if isinstance(stage, Scaling):
        from .torch_scaling import Scaling as Module  # which needs torch to be imported

        return Module(_tensor(torch, stage.shift), _tensor(torch, stage.factor), stage.offset)
    if isinstance(stage, Product):
        module = nn.Linear(*stage.W.shape)
        numbers = {"weight": stage.W.T, "bias": stage.b}
    else:
        assert isinstance(stage, Norm)
        module = nn.BatchNorm1d(len(stage.mean), eps=stage.epsilon, momentum=1 - stage.momentum)
        numbers = {"weight": stage.gamma, "bias": stage.beta}
        numbers |= {"running_mean": stage.mean, "running_var": stage.variance}
    module = module.to(_tensor(torch, numbers["bias"]).dtype)
    module.load_state_dict({k: _tensor(torch, v) for k, v in numbers.items()}, strict=False)
    return module


def from_torch(model: Any, *, hidden: str | None = None, output: str | None = None) -> Network:
    """Return a network with the outputs of a PyTorch model, as in its evaluation mode.

    Parameters
    ----------
    model : torch.nn.Sequential or mapping
        Of Linear, BatchNorm1d, Dropout, Flatten and activations, or what `to_torch` has made; or
        its ``state_dict()``, in which a BatchNorm1d follows a Linear and has PyTorch's default
        settings.
    hidden : str, optional
        For a state_dict, which does not hold it: the activation of all hidden layers.
    output : str, optional
        Activation to put on the output, ``"softmax"`` or ``"sigmoid"`` where the model gives
        logits to its loss. By default none is added.

    Returns
    -------
    Network
        float64 where the weights are, else float32.

    Raises
    ------
    SettingError
        If a layer, or a setting of it, has no counterpart: it is named.

    Examples
    --------
    >>> net = fastnn.from_torch(model.state_dict(), hidden="relu", output="softmax")
    """
    made = Assembly()
    if isinstance(model, Mapping):
        _take_state(made, model, "identity" if hidden is None else hidden)
        if hidden is None and sum("W" in numbers for numbers in made.numbers) > 1:
            raise SettingError("a state_dict does not hold the activations; give hidden='relu'")
    elif hidden is not None:
        raise SettingError("hidden is for a state_dict; the model has its own activations")
    else:
        _take(made, model, "")
    if output is not None:
        made.activate(output)
    return made.network("the PyTorch model")


def _array(tensor: Any) -> Array:
    """Return a tensor as an array, half precision widened."""
    if not hasattr(tensor, "detach"):
        return np.asarray(tensor)
    tensor = tensor.detach().cpu()
    return np.asarray((tensor if str(tensor.dtype) == "torch.float64" else tensor.float()).numpy())


def _take(made: Assembly, module: Any, place: str) -> None:
    """Append one module; `place` is its name within the model."""
    kind = type(module).__name__
    if kind == "Sequential":
        for name, child in module.named_children():
            _take(made, child, f"{place}.{name}" if place else name)
    elif kind == "Linear":
        bias = None if module.bias is None else _array(module.bias)
        made.dense(_array(module.weight).T, bias, f"Linear {place!r}")
    elif kind == "BatchNorm1d" and module.running_mean is not None:
        numbers = {"mean": _array(module.running_mean), "variance": _array(module.running_var)}
        scale = module.weight
        numbers["gamma"] = np.ones_like(numbers["mean"]) if scale is None else _array(scale)
        numbers["beta"] = numbers["gamma"] * 0 if scale is None else _array(module.bias)
        momentum = 0.9 if module.momentum is None else 1 - module.momentum
        made.append(BatchNorm(momentum, module.eps), numbers)
    elif kind == "Dropout":
        made.append(Dropout(module.p))
    elif kind == "Scaling" and hasattr(module, "factor"):  # what `to_torch` begins with
        made.scale(_array(module.shift), _array(module.factor), module.offset)
    elif kind in FUNCTIONS:
        for name, values in FIXED.items():
            if getattr(module, name, values[0]) not in values:
                raise unsupported(f"{module} {place!r}", "PyTorch", f"{kind} with {name}={values}")
        made.activate(FUNCTIONS[kind])
    elif kind not in ("Flatten", "Identity"):
        raise unsupported(f"{module} {place!r}", "PyTorch", KNOWN)


def _take_state(made: Assembly, state: Mapping[str, Any], hidden: str) -> None:
    """Append the layers of a state_dict, the activation between them."""
    groups: dict[str, dict[str, Array]] = {}
    for key, value in state.items():
        prefix, _, name = key.rpartition(".")
        if name not in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            raise unsupported(f"with the entry {key!r}", "PyTorch", "Linear and BatchNorm1d")
        groups.setdefault(re.sub(r"^module\.", "", prefix), {})[name] = _array(value)
    for place, (prefix, numbers) in enumerate(groups.items()):
        weight = numbers.get("weight")
        if "running_mean" in numbers and weight is not None:
            arrays = {"gamma": weight, "beta": numbers["bias"]}
            arrays |= {"mean": numbers["running_mean"], "variance": numbers["running_var"]}
            made.append(BatchNorm(0.9, 1e-5), arrays)
            continue
        if weight is None or weight.ndim != 2:
            raise unsupported(f"{prefix!r}", "PyTorch", "Linear and BatchNorm1d")
        if place:
            made.activate(hidden)
        made.dense(weight.T, numbers.get("bias"), f"Linear {prefix!r}")
