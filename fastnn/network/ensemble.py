"""Ensembles: several networks that predict together, by the mean of what each predicts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastnn._habits.answers import explained
from fastnn._runtime.text import plural
from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.kernels.records import Examples
from fastnn.layers import Layer
from fastnn.lowering.lower import output_activation
from fastnn.lowering.program import scores_of_outputs
from fastnn.training.fit_config import WINDOW
from fastnn.training.metric_recorder import check_metric_names, compute_metrics, validate_metrics
from fastnn.training.prepare_data import encode_targets
from fastnn.training.state import NetworkState

from . import prediction
from .network import Network

__all__ = ["Ensemble"]

Array = np.ndarray[Any, Any]


class Ensemble:
    """Several networks that predict together: by the mean of their outputs.

    That is the mean of probabilities for sigmoid and softmax outputs, as in deep ensembles
    (Lakshminarayanan et al., arXiv:1612.01474), else the mean of values. It is the sum of the
    networks' predictions in their order, divided by their number, in their dtype.

    Parameters
    ----------
    networks : iterable of Network
        Of the same number of inputs and outputs and with the same output activation; hidden layers,
        seeds and dtypes may differ. They are kept, not copied.

    Attributes
    ----------
    networks : tuple of Network
        In the order that was given.

    Raises
    ------
    SettingError
        If there is no network, or their outputs cannot be averaged.

    Examples
    --------
    >>> nets = [Network.mlp([2, 10, 1], output="sigmoid", seed=seed) for seed in range(8)]
    >>> fastnn.fit_many(nets, X, y)
    >>> fastnn.Ensemble(nets).predict_proba(X)
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        nets = arguments.as_list(networks, "networks", "[first, second]")
        if not nets:
            raise SettingError("networks is empty; give one Network at least")
        for k, net in enumerate(nets):
            arguments.instance(net, Network, f"networks[{k}]", "Network([Dense(1, 'sigmoid')])")
            here, first = _kind_of(net._state), _kind_of(nets[0]._state)
            for name, own, expected in zip(("outputs", "output"), here, first, strict=True):
                if own != expected:
                    raise SettingError(
                        f"networks[{k}] has {name} {own!r}, but networks[0] {expected!r}; networks "
                        "of an ensemble have equal numbers of outputs with the same activation"
                    )
        widths = {net.inputs for net in nets} - {None}
        if len(widths) > 1:
            raise SettingError(
                f"the networks take {' and '.join(map(str, sorted(widths)))} features; networks of "
                "an ensemble take the same ones"
            )
        self.networks: tuple[Network, ...] = tuple(nets)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of the first network; all have its output activation."""
        return self.networks[0].layers

    @property
    def inputs(self) -> int | None:
        """Number of features, or None before a network is built."""
        return next((net.inputs for net in self.networks if net.inputs is not None), None)

    @property
    def outputs(self) -> int:
        """Number of outputs K."""
        return self.networks[0].outputs

    @property
    def _states(self) -> list[NetworkState]:
        """What the networks are made of."""
        return [net._state for net in self.networks]

    def _mean(
        self, X: Any, both: bool = False, window: Any = WINDOW, verb: str = "predict"
    ) -> Array:
        """Return the mean of the networks' outputs (m, K), or of both classes' probabilities."""
        total: Array | None = None
        for state in self._states:
            A = prediction.outputs(state, X, both, window, verb)
            total = A if total is None else total + A
        assert total is not None
        mean: Array = total / total.dtype.type(len(self.networks))
        return mean

    @explained("Ensemble.predict", "Network.predict")
    def predict(
        self, X: Any, *, threshold: float | Sequence[float] = prediction.DEFAULT_THRESHOLD,
        window: int | str = WINDOW,
    ) -> Array:  # fmt: skip
        """Return the labels or values of rows X (m, n), by the mean of the outputs.

        Parameters, shapes, dtypes and errors are those of `Network.predict`.
        """
        first = self._states[0]
        activation = output_activation(first.layers)
        limits: Any = 0.5
        if threshold is not prediction.DEFAULT_THRESHOLD:
            limits = first.check_thresholds(threshold)
        A = self._mean(X, False, window)
        if activation == "softmax":
            return np.asarray(A.argmax(axis=1))
        if activation == "sigmoid":
            A = np.greater(A, np.asarray(limits, A.dtype)).astype(np.int64)
        return A[:, 0] if A.shape[1] == 1 else A

    @explained("Ensemble.predict_proba", "Network.predict_proba")
    def predict_proba(self, X: Any, *, window: int | str = WINDOW) -> Array:
        """Return the mean probabilities (m, K) of rows X (m, n); for one sigmoid both classes'.

        Parameters, shapes and errors are those of `Network.predict_proba`.
        """
        both = self._states[0].check_probabilities() == "sigmoid" and self.outputs == 1
        return self._mean(X, both, window, "predict_proba")

    def log_probabilities(self, X: Any) -> Array:
        """Return natural logarithms of `predict_proba` in float64.

        They are finite where all networks' probabilities round to 0: ln Σ eˡ is taken less the
        largest l.
        """
        self._states[0].check_probabilities()
        return _log_mean(self._stacked(prediction.log_probabilities, X))

    def _stacked(self, function: Callable[[NetworkState, Any], Array], X: Any) -> Array:
        """Return what a function gives of each network and X, in float64: (n, m, K)."""
        return np.stack([function(state, X).astype(np.float64) for state in self._states])

    @explained("Ensemble.evaluate", "Network.evaluate")
    def evaluate(self, X: Any, y: Any, *, metrics: Sequence[str] = ()) -> dict[str, float]:
        """Return the cost of the mean prediction, for classes its accuracy, and metrics.

        Parameters and errors are those of `Network.evaluate`. Costs of probabilities are finite
        where all networks' are: they are taken of logits in float64. With `scale_target` they are
        those of the first network's z-scores.

        Raises
        ------
        SettingError
            If the networks have several losses.
        """
        states = self._states
        first = states[0]
        if any(state.loss != first.loss for state in states):
            raise SettingError(
                "evaluate takes one loss, but these networks have "
                f"{', '.join(sorted({repr(state.loss) for state in states}))}; use predict, and "
                "fastnn.metrics"
            )
        names = check_metric_names(metrics, output_activation(self.layers), self.outputs)
        X = prediction.finite_examples(first, X)
        Y = encode_targets(y, len(X), self.outputs, first.loss, np.dtype(np.float64))
        examples = Examples(X, Y, np.ones(len(Y)))
        validate_metrics(self.layers, names, examples, "given")
        wanted = [*dict.fromkeys((*first.metrics, *names))]
        return self._cost_and_accuracy(examples) | compute_metrics(
            self, self.layers, examples, wanted
        )

    def _cost_and_accuracy(self, examples: Examples) -> dict[str, float]:
        """Return the cost of the mean outputs against the targets, and for classes the accuracy."""
        first, (X, Y, w) = self._states[0], examples
        A = self._mean_logits(X) if first.loss.from_logits else self._mean(X).astype(np.float64)
        if first.target_scaling is not None:
            A, Y = (first.target_scaling.encode(values) for values in (A, Y))
        cost, accuracy = scores_of_outputs(first.loss, A, Y, w)
        return {"cost": cost, "accuracy": accuracy} if first.classifies else {"cost": cost}

    def _mean_logits(self, X: Any) -> Array:
        """Return the logits (m, K) of the mean probabilities in float64."""
        if output_activation(self.layers) == "softmax":
            return self.log_probabilities(X)
        Z = self._stacked(prediction.logits, X)
        tail = np.log1p(np.exp(-np.abs(Z)))  # ln σ(z) = min(z, 0) − ln(1 + e^−|z|)
        return _log_mean(np.minimum(Z, 0) - tail) - _log_mean(np.minimum(-Z, 0) - tail)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all networks to one file, from which `fastnn.load` returns the ensemble.

        Errors are those of `Network.save`.
        """
        from fastnn.saving import ensemble_file  # only this needs it

        ensemble_file.save(self._states, path)

    def __len__(self) -> int:
        return len(self.networks)

    def __iter__(self) -> Iterator[Network]:
        return iter(self.networks)

    def __getitem__(self, place: int) -> Network:
        return self.networks[place]

    def __repr__(self) -> str:
        return f"Ensemble of {plural(len(self), 'network')}, the first {self.networks[0]!r}"


def _kind_of(state: NetworkState) -> tuple[int, str]:
    """Return the number of outputs and their activation."""
    return state.outputs, output_activation(state.layers)


def _log_mean(logs: Array) -> Array:
    """Return ln(mean of eˡ) over the first axis of logs l (n, …)."""
    top = logs.max(axis=0)
    return np.asarray(top + np.log(np.exp(logs - top).mean(axis=0)))
