"""Descriptions: what a network is before it is trained: layers, sizes, parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastnn import initializers, losses
from fastnn._habits import answers
from fastnn._runtime.text import Text, plural
from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.history import History
from fastnn.layers import Activation, BatchNorm, Dense, Dropout, Layer, Rescaling
from fastnn.lowering.program import Parameters, Program
from fastnn.training.exclusive_fit import exclusive_fit
from fastnn.training.state import NetworkState

__all__ = ["NetworkDescription"]

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
    """Return the layers of a multilayer perceptron, as `Network.mlp` takes its arguments."""
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


class NetworkDescription:
    """A described network and its parameters; `Network` adds training and use.

    All that it holds stands in one `NetworkState`, which `state_of` returns.
    """

    _state: NetworkState

    @answers.explained("Network")
    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        inputs: int | None = None,
        loss: str | losses.Loss | None = None,
        init: str | initializers.Initializer = "he",
        seed: int = 0,
        dtype: str = "float32",
        scale_target: bool = False,
        precision: str = "float32",
    ) -> None:
        self._state = NetworkState.checked(layers, loss, init, seed, dtype, scale_target, precision)
        if inputs is not None:
            self.build(inputs)

    @classmethod
    @answers.explained("Network.mlp")
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
        scale_target: bool = False,
        precision: str = "float32",
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
        loss, init, seed, dtype, scale_target, precision
            As in `Network`.

        Raises
        ------
        SettingError
            If there are fewer than two sizes, or another number of activations than hidden layers.
        """
        layers = perceptron(
            sizes, output, hidden=hidden, dropout=dropout, batch_norm=batch_norm, rescale=rescale
        )
        return cls(
            layers, inputs=sizes[0], loss=loss, init=init, seed=seed, dtype=dtype,
            scale_target=scale_target, precision=precision,
        )  # fmt: skip

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The described layers."""
        return self._state.layers

    @property
    def inputs(self) -> int | None:
        """Number of features, or None before the network is built."""
        return self._state.inputs

    @property
    def outputs(self) -> int:
        """Number of outputs K."""
        return self._state.outputs

    @property
    def loss(self) -> str:
        """Name of the loss."""
        return self._state.loss.name

    @property
    def seed(self) -> int:
        """Seed of weights, shuffles and splits."""
        return self._state.seed

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of parameters and arithmetic."""
        return self._state.dtype

    @property
    def precision(self) -> str:
        """``"mixed"``, or the name of the dtype, whose numbers are multiplied as they are."""
        return "mixed" if self._state.precision == "mixed" else self.dtype.name

    @property
    def history(self) -> History:
        """Of all fits so far."""
        return self._state.history

    @property
    def program(self) -> Program:
        """The lowered network: op table and flat vectors.

        Raises
        ------
        NotBuiltError
            Before the number of features is known.
        """
        return self._state.program

    def build(self, inputs: int) -> Self:
        """Fix the number of features, draw the weights, and return the network itself.

        Raises
        ------
        SettingError
            If inputs is not a positive whole number, or the network has another one already.
        """
        n = arguments.count(inputs, "inputs", least=1)
        if self.inputs is None:
            self._state.build(n)
        elif n != self.inputs:
            raise SettingError(
                f"this network is built for {plural(self.inputs, 'feature')} and cannot be built "
                f"for {n}; make a new Network"
            )
        return self

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        vars(twin).update(vars(self), _state=copy.copy(self._state))
        return twin

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_state" not in state:
            from .old_pickles import of_earlier_versions  # only those of fastnn 0.1 need it

            state = of_earlier_versions(state)
        vars(self).update(state)

    def reset(self) -> None:
        """Draw the weights anew from the seed and forget all training."""
        state, _ = self._state, self.program
        with exclusive_fit(state):
            state.draw_weights()
            state.forget_training()

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

    if not TYPE_CHECKING:  # for type checkers a network has what is written out alone

        def __getattr__(self, name: str) -> Any:
            raise answers.missing_attribute(self, name, "Network")

        def __call__(self, *_: Any, **__: Any) -> None:
            """Say what to call instead."""
            raise answers.not_callable("Network")

    def summary(self) -> Text:
        """Return a table of layers, shapes and numbers of parameters; it prints as text."""
        from .summary import summarize  # only this needs it

        return summarize(self._state)

    def __repr__(self) -> str:
        from .representation import as_code  # only this needs it

        return as_code(type(self).__name__, self._state)

    def _repr_html_(self) -> str:
        from .representation import as_html  # only this needs it

        return as_html(type(self).__name__, self._state)


def state_of(network: NetworkDescription) -> NetworkState:
    """Return the state of a network, for what saves, exports, checks or observes it.

    It is the network's own: what is changed there changes the network.
    """
    return network._state
