"""Fitted attributes under scikit-learn's names: views of a network, which write through to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from fastnn.lowering.lower import output_activation
from fastnn.lowering.program import Parameters
from fastnn.network import Network
from fastnn.network.description import state_of
from fastnn.network.ensemble import Ensemble
from fastnn.network.prediction import log_probabilities, outputs

from ..errors import ShapeError
from ..layers import Dense

Array = np.ndarray[Any, Any]


class Views(list[Array]):
    """Parameters of one kind, layer by layer: a list whose entries stay the network's own.

    What is assigned to an entry, or to all of them as ``views[:] = arrays``, is copied into the
    network after a check of its shape; copies and pickles are plain lists.
    """

    def __init__(self, parameters: Parameters, kind: str) -> None:
        names = [name for name in parameters if name[: len(kind)] == kind]
        self._names = [name for name in names if name[len(kind) :].isdecimal()]
        self._parameters = parameters
        super().__init__(parameters[name] for name in self._names)

    def __setitem__(self, places: Any, values: Any) -> None:
        names = self._names[places]
        if isinstance(names, str):
            names, values = [names], [values]
        values = list(values)
        if len(values) != len(names):
            raise ShapeError(
                f"the network has {len(names)} such arrays, one for each layer, got {len(values)}"
            )
        checked = [
            self._parameters.checked(name, value) for name, value in zip(names, values, strict=True)
        ]
        for name, array in zip(names, checked, strict=True):
            self._parameters[name][...] = array

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError("a fitted network keeps its layers; assign to an entry, or to all of them")

    append = extend = insert = remove = pop = clear = _refuse
    reverse = sort = __delitem__ = __iadd__ = __imul__ = _refuse  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)


class Fitted:
    """The fitted attributes of a perceptron, which are those of `network_`."""

    network_: Network
    _others: Sequence[Network] = ()  # the networks behind the first one

    @property
    def networks_(self) -> list[Network]:
        """All networks, `network_` first."""
        return [self.network_, *self._others]

    @property
    def _predictor(self) -> Network | Ensemble:
        """What predicts: the network, or the mean of several."""
        return Ensemble(self.networks_) if self._others else self.network_

    def _class_outputs(self, X: Any) -> Array:
        """Return the outputs (m, K) of one network, or the probabilities of several."""
        if self._others:
            return Ensemble(self.networks_).predict_proba(X)
        return outputs(state_of(self.network_), X)

    def _log_probabilities(self, X: Any) -> Array:
        """Return logarithms of probabilities (m, K)."""
        if self._others:
            return Ensemble(self.networks_).log_probabilities(X)
        return log_probabilities(state_of(self.network_), X)

    def _views(self, kind: str, values: Iterable[Any] | None = None) -> Views:
        """Return the parameters of a kind, after values were assigned to all of them, if any."""
        views = Views(self.network_.parameters, kind)
        if values is not None:
            views[:] = values
        return views

    @property
    def coefs_(self) -> list[Array]:
        """Weights (n_in, n_out) of each layer: views of the network's, which may be assigned to."""
        return self._views("W")

    @coefs_.setter
    def coefs_(self, arrays: Iterable[Any]) -> None:
        self._views("W", arrays)

    @property
    def intercepts_(self) -> list[Array]:
        """Biases (n_out,) of each layer: views of the network's, which may be assigned to."""
        return self._views("b")

    @intercepts_.setter
    def intercepts_(self, arrays: Iterable[Any]) -> None:
        self._views("b", arrays)

    @property
    def n_layers_(self) -> int:
        """Layers of units, those of the inputs included."""
        return 1 + sum(isinstance(layer, Dense) for layer in self.network_.layers)

    @property
    def n_outputs_(self) -> int:
        """Number of outputs K."""
        return self.network_.outputs

    @property
    def out_activation_(self) -> str:
        """The last layer's activation, by scikit-learn's name."""
        name = output_activation(self.network_.layers)
        return "logistic" if name == "sigmoid" else name
