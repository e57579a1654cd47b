"""Networks handed on to PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._runtime.optional import require
from fastnn.training.state import NetworkState

from .stages import Drop, Function, Norm, Product, Scaling, check_exportable, stages

Array = np.ndarray[Any, Any]

#: Activation modules by our names. Their default settings are the functions that we have; Exp is
#: a module of `torch_layers`.
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
    "exp": "Exp",
}


def torch_module(state: NetworkState) -> Any:
    """Return a network as a torch.nn.Sequential; `interop.to_torch` says what it holds."""
    program = check_exportable(state, "PyTorch", MODULES)
    torch = require("torch", extra="torch", purpose="handing a network on to PyTorch")
    steps = stages(program, state.target_scaling)
    return torch.nn.Sequential(*(_module(torch, stage) for stage in steps)).eval()


def _tensor(torch: Any, array: Array) -> Any:
    """Return a copy as a tensor."""
    return torch.from_numpy(np.array(array, order="C"))


def _module(torch: Any, stage: Any) -> Any:
    """Return the module of one stage, on the CPU and in the dtype of its numbers."""
    from . import torch_layers as layers  # which imports PyTorch

    nn = torch.nn
    if isinstance(stage, Function):
        options = {"dim": 1} if stage.name == "softmax" else {}
        return getattr(layers if stage.name == "exp" else nn, MODULES[stage.name])(**options)
    if isinstance(stage, Drop):
        return nn.Dropout(stage.rate)
    if isinstance(stage, Scaling):
        shift, factor, rest = (_tensor(torch, a) for a in (stage.shift, stage.factor, stage.rest))
        return layers.Scaling(shift, factor, stage.offset, rest)
    where: dict[str, Any] = {"device": "cpu"}
    if isinstance(stage, Product):
        numbers = {"weight": stage.W.T, "bias": stage.b}
        where["dtype"] = _tensor(torch, stage.b).dtype
        # Linear would draw weights, which moves the user's generator.
        module = nn.utils.skip_init(nn.Linear, *stage.W.shape, **where)
    else:
        assert isinstance(stage, Norm)
        numbers = {"weight": stage.gamma, "bias": stage.beta}
        numbers |= {"running_mean": stage.mean, "running_var": stage.variance}
        where["dtype"] = _tensor(torch, stage.mean).dtype
        momentum = 1 - stage.momentum
        module = nn.BatchNorm1d(len(stage.mean), eps=stage.epsilon, momentum=momentum, **where)
    module.load_state_dict({k: _tensor(torch, v) for k, v in numbers.items()}, strict=False)
    return module
