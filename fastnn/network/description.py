"""Blueprint: what a network is before it is trained: layers, sizes, parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from fastnn import initializers, losses
from fastnn._validation import arguments
from fastnn.errors import NotBuiltError, SettingError
from fastnn.history import History
from fastnn.layers import Activation, BatchNorm, Dense, Dropout, Layer, Normalization, Rescaling
from fastnn.lowering.lower import initialize, lower, output_activation, validate
from fastnn.lowering.program import Parameters, Program
from fastnn.training.fit_config import Memory, claimed

from .summary import Text, summarize

__all__ = ["Blueprint"]

Array = np.ndarray[Any, Any]


def _each(value: Any, kind: Any, n: int, rule: str) -> list[Any]:
    """Return one value for each of n hidden layers."""
    one = isinstance(value, kind) or not isinstance(value, Sequence)
    values = [value] * n if one else list(value)
    if len(values) != n:
        raise SettingError(f"{rule} or {n}, one for each hidden layer; got {values}")
    return values


def perceptron(
    sizes: Sequence[int],
    output: str,
    *,
    hidden: str | Sequence[str],
    dropout: float | Sequence[float],
    batch_norm: bool,
    rescale: float | None = None,
) -> list[Layer]:
    """Return the layers of a multilayer perceptron, as `Blueprint.mlp` takes its arguments."""
    sizes = arguments.as_list(sizes, "sizes", "[784, 512, 10]")
    if len(sizes) < 2:
        raise SettingError(f"sizes must run from input to output, got {list(sizes)!r}")
    between = len(sizes) - 2
    names = _each(hidden, str, between, "hidden must be one activation")
    rates = _each(dropout, (int, float), between, "dropout must be one rate")
    layers: list[Layer] = [] if rescale is None else [Rescaling(rescale)]
    for n, g, rate in zip(sizes[1:], names, rates, strict=False):
        layers += [Dense(n), BatchNorm(), Activation(g)] if batch_norm else [Dense(n, g)]
        layers += [Dropout(rate)] if Dropout(rate).rate else []
    layers.append(Dense(sizes[-1], output))
    return layers


class Blueprint:
    """A described network and its parameters; `Network` adds training and use."""

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        inputs: int | None = None,
        loss: str | losses.Loss | None = None,
        init: str | initializers.Initializer = "he",
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        layers = arguments.as_list(layers, "layers", "[Dense(10, 'relu'), Dense(1, 'sigmoid')]")
        validate(layers)
        initializers.resolve(init)
        self._layers = tuple(layers)
        self._loss = losses.resolve(loss, output_activation(self._layers))
        self._init, self._seed = init, arguments.seed(seed)
        self._dtype = arguments.dtype(dtype)
        self._program: Program | None = None
        self._clear()
        if inputs is not None:
            self.build(inputs)

    @classmethod
    def mlp(
        cls,
        sizes: Sequence[int],
        *,
        output: str,
        hidden: str | Sequence[str] = "relu",
        dropout: float | Sequence[float] = 0.0,
        batch_norm: bool = False,
        rescale: float | None = None,
        loss: str | losses.Loss | None = None,
        init: str | initializers.Initializer = "he",
        seed: int = 0,
        dtype: str = "float32",
    ) -> Self:
        """Return a network of Dense layers from its sizes, built at once.

        Parameters
        ----------
        sizes : sequence of int
            From input to output: ``[784, 512, 256, 10]``; ``[12288, 1]`` with
            ``output="sigmoid"`` is logistic regression.
        output : str
            Activation of the last layer.
        hidden : str or sequence of str
            Activation of the hidden layers, or one for each.
        dropout : float or sequence of float
            Rate of the Dropout after each hidden layer, or one for each; 0 for none.
        batch_norm : bool
            Whether a BatchNorm stands between each hidden layer's product and its activation.
        rescale : float, optional
            Multiplies the inputs while they are read: ``1/255`` for uint8 images.
        loss, init, seed, dtype
            As in `Network`.

        Raises
        ------
        SettingError
            If there are fewer than two sizes, or another number of activations than hidden layers.
        """
        layers = perceptron(
            sizes, output, hidden=hidden, dropout=dropout, batch_norm=batch_norm, rescale=rescale
        )
        return cls(layers, inputs=sizes[0], loss=loss, init=init, seed=seed, dtype=dtype)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The described layers."""
        return self._layers

    @property
    def inputs(self) -> int | None:
        """Number of features, or None before the network is built."""
        return None if self._program is None else self._program.inputs

    @property
    def outputs(self) -> int:
        """Number of outputs K."""
        return [layer.units for layer in self._layers if isinstance(layer, Dense)][-1]

    @property
    def loss(self) -> str:
        """Name of the loss."""
        return self._loss.name

    @property
    def seed(self) -> int:
        """Seed of weights, shuffles and splits."""
        return self._seed

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of parameters and arithmetic."""
        return self._dtype

    @property
    def program(self) -> Program:
        """The lowered network: op table and flat vectors.

        Raises
        ------
        NotBuiltError
            Before the number of features is known.
        """
        if self._program is None:
            raise NotBuiltError(
                "this network does not know its number of features yet; call net.build(n), give "
                "inputs=n to Network, or fit it first"
            )
        return self._program

    def build(self, inputs: int) -> Self:
        """Fix the number of features, draw the weights, and return the network itself.

        Raises
        ------
        SettingError
            If inputs is not a positive whole number, or the network has another one already.
        """
        n = arguments.count(inputs, "inputs", least=1)
        if self._program is None:
            self._program = lower(self._layers, n, self._loss, self._dtype)
            initialize(self._program, self._layers, self._init, self._seed)
        elif n != self.inputs:
            raise SettingError(
                f"this network is built for {self.inputs} features and cannot be built for {n}; "
                "make a new Network"
            )
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._dtype = self._dtype.newbyteorder("=")  # of a pickle from another kind of machine

    def _clear(self) -> None:
        """Forget all training but the parameters."""
        self._memory = Memory()
        self._metrics: tuple[str, ...] = ()
        self._scaled = not isinstance(self._layers[0], Normalization)
        self.history = History()

    def reset(self) -> None:
        """Draw the weights anew from the seed and forget all training."""
        program = self.program
        with claimed(self):
            initialize(program, self._layers, self._init, self._seed)
            self._clear()

    def copy(self) -> Self:
        """Return an independent copy: parameters, optimiser memory and history."""
        return copy.deepcopy(self)

    @property
    def parameters(self) -> Parameters:
        """``"W1"`` (n_in, n_out), ``"b1"`` (n_out,), …: writable views; assignment copies."""
        return self.program.parameters

    def set_parameters(self, mapping: Mapping[str, Any]) -> None:
        """Copy all parameters from a mapping of the names that `parameters` has.

        Raises
        ------
        SettingError
            If a name is missing or unknown. Nothing has changed then.
        ShapeError
            If an array has another shape. Nothing has changed then.
        """
        mine = self.parameters
        missing, unknown = set(mine) - set(mapping), set(mapping) - set(mine)
        if missing or unknown:
            wrong = [f"missing {name!r}" for name in sorted(missing)]
            wrong += [f"unknown {name!r}" for name in sorted(unknown)]
            raise SettingError(
                f"the network's parameters are {', '.join(mine)}: {', '.join(wrong)}"
            )
        checked = {name: mine.checked(name, mapping[name]) for name in mine}
        for name, value in checked.items():
            mine[name][...] = value

    def summary(self) -> Text:
        """Return a table of layers, shapes and numbers of parameters; it prints as text."""
        return summarize(self)

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self._layers))
        inputs = f", inputs={self.inputs}" if self._program is not None else ""
        rest = f"{inputs}, loss={self.loss!r}, dtype={self.dtype.name!r}"
        return f"{type(self).__name__}([{inside}]{rest})"
