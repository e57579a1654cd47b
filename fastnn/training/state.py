"""States: what a network is made of, and what its training keeps in it.

`NetworkState` lies below `Network`: whatever saves, exports, trains or checks a network takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import initializers, losses
from fastnn._validation import arguments
from fastnn.errors import NotBuiltError, SettingError, ShapeError
from fastnn.history import History
from fastnn.initializers import Initializer
from fastnn.kernels.opcodes import Precision
from fastnn.kernels.views import aligned_zeros, slots_for
from fastnn.layers import Dense, Layer, Normalization
from fastnn.losses import Loss
from fastnn.lowering.lower import initialize, lower, output_activation, validate_layers
from fastnn.lowering.program import Program, aligned_copy
from fastnn.optimizers import Optimizer

from .target_scaling import TargetScaling, check_scalable

if TYPE_CHECKING:
    from fastnn.schedules import Schedule

Array = np.ndarray[Any, Any]


@dataclass
class TrainingState:
    """What training keeps from one fit to the next.

    Attributes
    ----------
    optimizer : Optimizer, optional
        The optimiser whose slots these are; None before the first fit.
    slots : ndarray (S, p)
        The optimiser's averages, one row for each that it keeps.
    counters : ndarray (2,)
        The number of updates made, and a flag that belongs to the kernels.
    epoch : int
        Epochs begun over all fits, those that were cut short included.
    schedule : Schedule, optional
        The schedule followed last.
    since : (int, int)
        The epoch and the length of the history at which that schedule began.
    """

    optimizer: Optimizer | None = None
    slots: Array = field(default_factory=lambda: np.zeros((0, 0)))
    counters: Array = field(default_factory=lambda: np.zeros(2, np.int64))
    epoch: int = 0
    schedule: Schedule | None = None
    since: tuple[int, int] = (0, 0)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # What carried it may have mapped it read-only, or in another byte order.
        self.__dict__.update(state)
        self.slots = aligned_copy(self.slots.reshape(-1)).reshape(self.slots.shape)
        self.counters = np.array(self.counters, np.int64)

    def keep_slots_for(self, optimizer: Optimizer, program: Program) -> None:
        """Start fresh slots unless the optimiser has the settings that it had before."""
        if self.optimizer != optimizer:
            empty = slots_for(int(optimizer.settings["method"]), 0, program.theta.dtype)
            size = program.theta.size
            flat = aligned_zeros(len(empty) * size, program.theta.dtype)
            self.optimizer, self.slots = optimizer, flat.reshape(len(empty), size)
            self.counters = np.zeros(2, np.int64)

    def keep_clock_of(
        self, schedule: Schedule | None, recorded: int, restarts: bool = False
    ) -> None:
        """Start a schedule's clock unless it is the schedule that was followed before.

        recorded: the epochs in the network's history; restarts: whether to start it all the same.
        """
        if restarts or not _same(self.schedule, schedule):
            self.schedule, self.since = schedule, (self.epoch, recorded)

    @property
    def max_abs_momentum(self) -> float:
        """The largest absolute value in the first slot: of the momentum, where there is one."""
        return (
            max(float(self.slots[0].max()), -float(self.slots[0].min())) if len(self.slots) else 0
        )


def _same(one: Any, other: Any) -> bool:
    """Return whether two schedules are equal; fields that are arrays, number by number."""
    try:
        return bool(one == other)
    except ValueError:  # an array among the fields of a user's schedule
        pass
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    from fastnn.schedules import Schedule  # a network without a schedule needs none

    if type(one) is not type(other) or not isinstance(one, Schedule):
        return False
    fields = vars(other)
    return len(fields) == len(vars(one)) and all(
        name in fields and _same(value, fields[name]) for name, value in vars(one).items()
    )


@dataclass
class NetworkState:
    """A described network, its program once it is built, and its training.

    Attributes
    ----------
    layers : tuple of Layer
        From input to output.
    loss : Loss
        The loss, resolved.
    init : str or Initializer
        How weights are drawn where a layer does not say.
    seed : int
        Of the weights, shuffles and splits.
    dtype : dtype
        Of parameters and arithmetic.
    lowered : Program, optional
        The program, once the number of features is known; `program` refuses where it is not.
    scaled : bool
        Whether the statistics of a Normalization are known; True without one.
    scale_target : bool
        Whether the network learns z-scores of its targets.
    target_scaling : TargetScaling, optional
        Their mean and deviation, once a fit has learnt them.
    precision : str
        "mixed", where the Dense layers' products are of numbers rounded to bfloat16, or "float32".
    training : TrainingState
        The optimiser's slots, the counts of steps and epochs, the schedule.
    metrics : tuple of str
        Names of the metrics that the last fit recorded.
    history : History
        Of all fits.
    """

    layers: tuple[Layer, ...]
    loss: Loss
    init: str | Initializer
    seed: int
    dtype: np.dtype[Any]
    lowered: Program | None = None
    scaled: bool = False
    scale_target: bool = False
    target_scaling: TargetScaling | None = None
    training: TrainingState = field(default_factory=TrainingState)
    metrics: tuple[str, ...] = ()
    history: History = field(default_factory=History)
    precision: str = "float32"

    @classmethod
    def checked(
        cls,
        layers: Sequence[Layer],
        loss: str | Loss | None = None,
        init: str | Initializer = "he",
        seed: int = 0,
        dtype: str = "float32",
        scale_target: bool = False,
        precision: str = "float32",
    ) -> NetworkState:
        """Return the state of a network that is not built, of the arguments of `Network`."""
        layers = arguments.as_list(layers, "layers", "[Dense(10, 'relu'), Dense(1, 'sigmoid')]")
        validate_layers(layers)
        init = initializers.own_name(init)
        output = output_activation(layers)
        resolved = losses.resolve(loss, output)
        kind = arguments.dtype(dtype)
        state = cls(
            tuple(layers), resolved, init, arguments.seed(seed), kind,
            scale_target=check_scalable(scale_target, resolved, output),
            precision=arguments.precision(precision, kind),
        )  # fmt: skip
        state.forget_training()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.dtype = self.dtype.newbyteorder("=")  # of a pickle from another kind of machine

    @property
    def program(self) -> Program:
        """The program; a NotBuiltError before the number of features is known."""
        if self.lowered is None:
            raise NotBuiltError(
                "this network does not know its number of features yet; call net.build(n), give "
                "inputs=n to Network, or fit it first"
            )
        return self.lowered

    @property
    def inputs(self) -> int | None:
        """Number of features, or None before the network is built."""
        return None if self.lowered is None else self.lowered.inputs

    @property
    def outputs(self) -> int:
        """Number of outputs K."""
        return [layer.units for layer in self.layers if isinstance(layer, Dense)][-1]

    @property
    def classifies(self) -> bool:
        """Whether the targets are classes, so that a fit records the accuracy."""
        return bool(self.loss.labels)

    def build(self, inputs: int) -> None:
        """Lower the layers for that many features and draw the weights."""
        self.lower(inputs)
        self.draw_weights()

    def lower(self, inputs: int) -> None:
        """Lower the layers for that many features; parameters are zero."""
        precision = Precision.MIXED if self.precision == "mixed" else Precision.FULL
        self.lowered = lower(self.layers, inputs, self.loss, self.dtype, precision)

    def draw_weights(self) -> None:
        """Draw the weights from the seed."""
        initialize(self.program, self.layers, self.init, self.seed)

    def forget_training(self) -> None:
        """Start anew all that is neither description nor parameters."""
        self.training, self.metrics, self.history = TrainingState(), (), History()
        self.scaled = not isinstance(self.layers[0], Normalization)
        self.target_scaling = None

    def scale_inputs(self, shift: Array, factor: Array) -> None:
        """Let a Normalization compute (X − shift) factor, both (n,) or (1,)."""
        self.program.scale_inputs(shift, factor)
        self.scaled = True

    @property
    def learns_target_scaling(self) -> bool:
        """Whether the next fit learns mean and deviation of its targets."""
        return self.scale_target and self.target_scaling is None

    def in_unit_of_targets(self, A: Array) -> Array:
        """Return the last layer's outputs (m, K) in the unit that y has."""
        return A if self.target_scaling is None else self.target_scaling.decode(A)

    def check_scaled(self) -> None:
        """Refuse a network that has not learnt the scaling of its inputs or targets."""
        if not self.scaled:
            raise NotBuiltError(
                "the Normalization layer learns its mean and deviation at the first fit; call fit "
                "before this"
            )
        if self.learns_target_scaling:
            raise NotBuiltError(
                "with scale_target=True the network learns the mean and deviation of its targets "
                "at the first fit; call fit before this"
            )

    def check_probabilities(self) -> str:
        """Return the output's activation; refuse one whose outputs are no probabilities."""
        activation = output_activation(self.layers)
        if activation not in ("sigmoid", "softmax"):
            raise SettingError(
                f"outputs with activation {activation!r} are no probabilities; use predict, or a "
                "sigmoid or softmax output"
            )
        return activation

    def check_thresholds(self, threshold: Any) -> Array:
        """Return the thresholds (K,) of sigmoid outputs: one number in [0, 1] for all, or K."""
        activation, K = output_activation(self.layers), self.outputs
        if activation != "sigmoid":
            advice = "compare predict_proba(X)[:, k] with it for a class k"
            if activation != "softmax":
                advice = "outputs with another activation are values, which predict(X) returns"
            raise SettingError(
                f"threshold is one of sigmoid outputs, not of {activation}; {advice}"
            )
        limits = arguments.array(threshold, "threshold")
        if limits.ndim == 0:
            limits = np.full(K, arguments.real(threshold, "threshold"))
        limits = arguments.numeric(limits, "threshold")
        if limits.shape != (K,):
            raise ShapeError(
                f"threshold must be one number or {K}, one for each output, got shape "
                f"{limits.shape}"
            )
        if not ((limits >= 0) & (limits <= 1)).all():
            raise SettingError(f"threshold must lie in [0, 1], got {threshold!r}")
        return limits
