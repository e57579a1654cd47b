"""Slopes of a network's cost by finite differences: central ones, and those towards both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from fastnn.kernels import gradient_check as interpreted
from fastnn.kernels.records import Examples
from fastnn.lowering.program import Program, backend_for

from .gradient_report import RIGHT

Array = np.ndarray[Any, Any]

Data = tuple[Array, Examples, Array]  # state, examples and settings of a program
JUMP = 1e-4  # of two one-sided slopes: a smooth cost's differ by less over a small epsilon


class Sides(NamedTuple):
    """The slopes of a cost towards both sides of a point, the smaller one first."""

    low: float
    high: float

    def _room(self, noise: float) -> float:
        """What may separate a right gradient from a slope; one side alone has twice the noise."""
        return RIGHT * (abs(self.low) + abs(self.high)) + 2 * noise

    def jump(self, noise: float) -> bool:
        """Whether they differ as only the sides of a kink do."""
        smooth = 2 * self._room(noise) + JUMP * (abs(self.low) + abs(self.high))
        return self.high - self.low > smooth

    def hold(self, gradient: float, noise: float) -> bool:
        """Whether a gradient is one of the two or lies between them, as it should at a kink."""
        room = self._room(noise)
        return bool(self.low - room <= gradient <= self.high + room)


@dataclass(frozen=True)
class Slopes:
    """Takes the slopes of a program's cost over a step at its parameters theta (p,), in float64.

    `cost` is the cost at theta.
    """

    program: Program
    data: Data
    step: float
    cost: float

    @classmethod
    def of(cls, program: Program, data: Data, step: float) -> tuple[Slopes, Array]:
        """Return that, and the gradient (p,) that training takes."""
        grad = np.zeros_like(program.theta)
        arguments = backend_for(program, loss=True), program.ops, program.theta, grad, *data
        return cls(program, data, step, interpreted.full_batch_gradient(*arguments)), grad

    def by_each(self, indices: Array) -> Array:
        """Return the slopes (k,) by theta[indices], from the active backend's loop."""
        program = self.program
        backend, out = backend_for(program, loss=True), np.empty(len(indices))
        backend.gradient_check(program.ops, program.theta, *self.data, self.step, indices, out)
        return out

    def along(self, directions: Array) -> Array:
        """Return the slopes (k,) along directions (k, p)."""
        program, out = self.program, np.empty(len(directions))
        arguments = program.ops, program.theta, *self.data, self.step, directions, out
        interpreted.along(backend_for(program, loss=True), *arguments)
        return out

    def direction_of(self, index: int) -> Array:
        """Return the direction (p,) of one parameter; as long as it is moved."""
        direction = np.zeros_like(self.program.theta)
        kept = self.program.theta[index]
        direction[index] = interpreted.step_at(kept, self.step) / self.step
        return direction

    def sides(self, direction: Array) -> Sides:
        """Return the slopes along a direction (p,) whose entries are alike in size."""
        program, grad = self.program, np.zeros_like(self.program.theta)
        found = []
        for step in (self.step, -self.step):
            moved = program.theta + step * direction
            cost = interpreted.full_batch_gradient(
                backend_for(program, loss=True), program.ops, moved, grad, *self.data
            )
            found.append((cost - self.cost) / (step * float(np.abs(direction).max())))
        return Sides(*sorted(found))
