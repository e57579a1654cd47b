"""ONNX graphs that grow: what networks consist of, put together from standard operators.

Runtimes have a kernel for each operator here in float32 and in float64. For some activations they
have none in float64 (Elu, Selu, LeakyRelu, Softplus, Erf in onnxruntime 1.32), and attributes of
operators are float32 numbers; those are put together from products, sums and exponentials.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.kernels.erfc import ERFC_FLOAT64
from fastnn.kernels.opcodes import LEAK, SELU_ALPHA, SELU_SCALE
from fastnn.lowering.fold_batchnorm import fold
from fastnn.lowering.lower import output_activation
from fastnn.training.state import NetworkState

from .stages import Drop, Function, Norm, Product, Scaling, check_exportable, stages

Array = np.ndarray[Any, Any]

OPSET = 17  # from 2022; runtimes read older opsets


class Graph:
    """A graph in one arithmetic dtype: each call of `add` returns the name of its node's output."""

    prefix = ""  # of all names but those of inputs and outputs

    def __init__(self, onnx: Any, dtype: np.dtype[Any]) -> None:
        self.onnx, self.dtype = onnx, dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, dtype: np.dtype[Any] | None = None) -> str:
        """Return the name of a new constant, in the network's dtype or in another."""
        name = f"{self.prefix}c{len(self.constants)}"
        array = np.ascontiguousarray(values, dtype or self.dtype)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        name = output or f"{self.prefix}t{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def with_constant(self, kind: str, A: str, values: Any, dtype: Any = None) -> str:
        """Append A + c, A c and the like, for a constant c."""
        return self.add(kind, A, self.constant(values, dtype))

    def cast(self, X: str, given: np.dtype[Any], wanted: np.dtype[Any]) -> str:
        """Append a conversion of X, unless it is of that dtype."""
        number = self.onnx.helper.np_dtype_to_tensor_dtype
        return X if given == wanted else self.add("Cast", X, to=number(wanted))

    def scaling(self, X: str, stage: Scaling, given: np.dtype[Any]) -> str:
        """Append (X − shift) factor + offset in a dtype that holds X, lest a large mean cancels."""
        wide = np.promote_types(given, self.dtype)
        X = self.cast(X, given, wide)
        if wide == self.dtype:
            X = self.with_constant("Sub", X, stage.shift)
            X = self.with_constant("Sub", X, stage.rest) if stage.rest.any() else X
        else:
            X = self.with_constant("Sub", X, stage.shift.astype(wide) + stage.rest, wide)
        X = self.with_constant("Mul", X, stage.factor, wide)
        X = self.with_constant("Add", X, stage.offset, wide) if stage.offset else X
        return self.cast(X, wide, self.dtype)

    def normalization(self, X: str, stage: Norm) -> str:
        """Append γ (X − mean) / √(variance + ε) + β."""
        factor = stage.gamma / np.sqrt(stage.variance.astype(np.float64) + stage.epsilon)
        scaled = self.with_constant("Mul", self.with_constant("Sub", X, stage.mean), factor)
        return self.with_constant("Add", scaled, stage.beta)

    def activation(self, Z: str, name: str) -> str:
        """Append g(Z), g a built-in activation."""
        if name in OPERATORS:
            kind, attributes = OPERATORS[name]
            return self.add(kind, Z, **attributes)
        if name in SINGLE and self.dtype == np.float32:
            kind, attributes = SINGLE[name]
            return self.add(kind, Z, **attributes)
        return FORMULAS[name](self, Z)

    def logits(self, X: str, state: NetworkState, given: np.dtype[Any]) -> tuple[str, str]:
        """Append all that a network computes from X up to its outputs' sigmoid or softmax.

        Returns
        -------
        (str, str)
            The name of what comes out (m, K), and of that function; else "identity".
        """
        program = fold(check_exportable(state, "ONNX", ACTIVATIONS))
        steps = stages(program, state.target_scaling)
        function = output_activation(state.layers)
        if function in ("sigmoid", "softmax"):
            steps.pop()
        else:
            function = "identity"
        if not isinstance(steps[0], Scaling):
            X = self.cast(X, given, self.dtype)
        for stage in steps:
            if isinstance(stage, Scaling):
                X = self.scaling(X, stage, given)
            elif isinstance(stage, Norm):
                X = self.normalization(X, stage)
            elif isinstance(stage, Product):
                product = self.with_constant("MatMul", X, stage.W)
                X = self.with_constant("Add", product, stage.b)
            elif isinstance(stage, Function):
                X = self.activation(X, stage.name)
            else:
                assert isinstance(stage, Drop)  # nothing in predictions
        return X, function

    def both_classes(self, Z: str, function: str, K: int) -> tuple[str, int]:
        """Append what gives one sigmoid's logit (m, 1) both classes: −z and z; return the width."""
        if function != "sigmoid" or K > 1:
            return Z, K
        return self.add("Concat", self.add("Neg", Z), Z, axis=1), 2

    def probabilities(self, Z: str, function: str) -> str:
        """Append the sigmoid or softmax of logits Z (m, K)."""
        return self.activation(Z, "softmax") if function == "softmax" else _sigmoid(self, Z)


def _sigmoid(graph: Graph, Z: str) -> str:
    """1 / (1 + e^−Z) with its tail, which runtimes cut off: e / (1 + e) below 0, e = e^−|Z|."""
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", Z)))
    below = graph.add("Less", Z, graph.constant(0))
    upper = graph.add("Where", below, e, graph.constant(1))
    return graph.add("Div", upper, graph.with_constant("Add", e, 1))


def _leaky_relu(graph: Graph, Z: str) -> str:
    """Z, or Z/100 below zero."""
    below = graph.add("Less", Z, graph.constant(0))
    return graph.add("Where", below, graph.with_constant("Mul", Z, LEAK), Z)


def _elu(graph: Graph, Z: str, scale: float = 1, alpha: float = 1) -> str:
    """scale (max(Z, 0) + alpha (e^min(Z, 0) − 1))."""
    e = graph.add("Exp", graph.with_constant("Min", Z, 0))
    below = graph.with_constant("Mul", graph.with_constant("Sub", e, 1), alpha * scale)
    return graph.add("Add", graph.with_constant("Mul", graph.add("Relu", Z), scale), below)


def _selu(graph: Graph, Z: str) -> str:
    """Elu by the two numbers of Klambauer et al."""
    return _elu(graph, Z, SELU_SCALE, SELU_ALPHA)


def _softplus(graph: Graph, Z: str) -> str:
    """max(Z, 0) + ln(1 + u), u = e^−|Z|; its tail is not lost beside the 1.

    With w = 1 + u, rounded: ln(1 + u) = u ln(w) / (w − 1), or u where w is 1 (Goldberg, ACM
    Computing Surveys 23, 1991, theorem 4). Old opsets lack Equal, and w − 1 is 0 or at least ε.
    """
    u = graph.add("Exp", graph.add("Neg", graph.add("Abs", Z)))
    w = graph.with_constant("Add", u, 1)
    rest = graph.with_constant("Sub", w, 1)
    lost = graph.with_constant("Less", rest, np.finfo(graph.dtype).eps)
    one = graph.add("Where", lost, graph.constant(1), rest)
    share = graph.add("Div", graph.add("Mul", u, graph.add("Log", w)), one)
    return graph.add("Add", graph.add("Relu", Z), graph.add("Where", lost, u, share))


def _silu(graph: Graph, Z: str) -> str:
    """Z σ(Z)."""
    return graph.add("Mul", Z, graph.add("Sigmoid", Z))


def _mish(graph: Graph, Z: str) -> str:
    """Z tanh(softplus Z)."""
    return graph.add("Mul", Z, graph.add("Tanh", graph.activation(Z, "softplus")))


def _gelu(graph: Graph, Z: str) -> str:
    """Z Φ(Z): by Erf in float32, by the kernels' own polynomial of erfc in float64.

    y = |Z| / √2, v = 1 / (y + 2): ½ erfc y = ½ e^(−y²) v p(1 − 4v) is Φ(−|Z|).
    """
    if graph.dtype == np.float32:
        erf = graph.add("Erf", graph.with_constant("Mul", Z, math.sqrt(0.5)))
        return graph.add(
            "Mul", Z, graph.with_constant("Mul", graph.with_constant("Add", erf, 1), 0.5)
        )
    y = graph.with_constant("Mul", graph.add("Abs", Z), math.sqrt(0.5))
    v = graph.add("Reciprocal", graph.with_constant("Add", y, 2))
    t = graph.with_constant("Add", graph.with_constant("Mul", v, -4), 1)
    p = graph.constant(ERFC_FLOAT64[-1])
    for coefficient in reversed(ERFC_FLOAT64[:-1]):
        p = graph.with_constant("Add", graph.add("Mul", p, t), coefficient)
    e = graph.add("Exp", graph.add("Neg", graph.add("Mul", y, y)))
    tail = graph.add("Mul", graph.add("Mul", graph.with_constant("Mul", e, 0.5), v), p)
    below = graph.add("Less", Z, graph.constant(0))
    other = graph.add("Sub", graph.constant(1), tail)
    return graph.add("Mul", Z, graph.add("Where", below, tail, other))


#: Activations that are one ONNX operator each (https://onnx.ai/onnx/operators) in both dtypes.
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "identity": ("Identity", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "relu": ("Relu", {}),
    "exp": ("Exp", {}),
    "softmax": ("Softmax", {"axis": 1}),
}
#: Those that are one in float32 alone.
SINGLE: dict[str, tuple[str, dict[str, Any]]] = {
    "leaky_relu": ("LeakyRelu", {"alpha": LEAK}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
    "softplus": ("Softplus", {}),
}
#: And those that are put together.
FORMULAS: dict[str, Callable[[Graph, str], str]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "softplus": _softplus,
    "silu": _silu,
    "mish": _mish,
    "gelu": _gelu,
}
#: All that ONNX can say.
ACTIVATIONS = frozenset({*OPERATORS, *FORMULAS})
