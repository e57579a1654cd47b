"""Plan and memory: how a fit goes over its examples, and what it leaves in the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn._validation import arguments
from fastnn.errors import SettingError
from fastnn.kernels.views import aligned_zeros, slots_for
from fastnn.lowering.program import Program, owned
from fastnn.optimizers import Adam, Optimizer
from fastnn.schedules import Schedule

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """How a fit goes over its examples."""

    epochs: int
    batch_size: int
    optimizer: Optimizer
    l2: float
    l1: float
    shuffle: bool
    schedule: Schedule | None = None
    clip_norm: float = 0.0
    clip_value: float = 0.0

    @classmethod
    def checked(
        cls, epochs: Any, batch_size: Any, optimizer: Any, l2: Any, l1: Any, shuffle: Any,
        schedule: Any, clip_norm: Any, clip_value: Any,
    ) -> Plan:  # fmt: skip
        """Return the plan of the arguments that `Network.fit` takes."""
        optimizer = Adam() if optimizer is None else optimizer
        arguments.instance(optimizer, Optimizer, "optimizer", "fastnn.Adam(learning_rate=0.001)")
        arguments.instance(schedule, Schedule | None, "schedule", "fastnn.schedules.Cosine(50)")
        return cls(
            arguments.count(epochs, "epochs"),
            2**62 if batch_size is None else arguments.count(batch_size, "batch_size", least=1),
            optimizer,
            arguments.real(l2, "l2", least=0),
            arguments.real(l1, "l1", least=0),
            arguments.flag(shuffle, "shuffle") and batch_size is not None,
            schedule,
            0.0 if clip_norm is None else arguments.real(clip_norm, "clip_norm", above=0),
            0.0 if clip_value is None else arguments.real(clip_value, "clip_value", above=0),
        )


_busy: dict[int, object] = {}  # by id of a network: the fit that holds it
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_busy.clear)  # a child has no thread that would end a fit


@contextmanager
def claimed(network: object) -> Iterator[None]:
    """Hold a network for one fit or reset; refuse a second one, from a callback or a thread.

    Let go without a call, for Python looks for signals after calls: none can come in between.
    """
    place, fit = id(network), object()
    try:
        if _busy.setdefault(place, fit) is not fit:
            raise SettingError(
                "this network is being fitted already; wait for that fit, or fit net.copy()"
            )
        yield
    finally:
        if place in _busy and _busy[place] is fit:
            del _busy[place]


@dataclass
class Memory:
    """What training keeps in a network: the optimiser and its slots, and how far it has come.

    `counters` holds the updates made so far and a flag of the run's own; `since` the epoch and the
    length of the history at which the schedule began.
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
        self.slots = owned(self.slots.reshape(-1)).reshape(self.slots.shape)
        self.counters = np.array(self.counters, np.int64)

    def prepare(self, optimizer: Optimizer, program: Program) -> None:
        """Start fresh slots unless the optimiser has the settings it had before."""
        if self.optimizer != optimizer:
            empty = slots_for(int(optimizer.settings["method"]), 0, program.theta.dtype)
            size = program.theta.size
            flat = aligned_zeros(len(empty) * size, program.theta.dtype)
            self.optimizer, self.slots = optimizer, flat.reshape(len(empty), size)
            self.counters = np.zeros(2, np.int64)

    @property
    def steepest(self) -> float:
        """The largest number, but for its sign, of the first slot: of v, where there is one."""
        return (
            max(float(self.slots[0].max()), -float(self.slots[0].min())) if len(self.slots) else 0
        )

    def follow(self, schedule: Schedule | None, recorded: int) -> None:
        """Start a schedule's clock unless it is the one that was followed before."""
        if self.schedule != schedule:
            self.schedule, self.since = schedule, (self.epoch, recorded)
