"""What a gradient check found: one row for each parameter, and the verdict over all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn._display.report import Report
from fastnn._display.table import Table

Array = np.ndarray[Any, Any]

RIGHT = 2e-7  # the course's bound for epsilon = 1e-7
DOUBTFUL = 1e-4  # below this a kink or rounding is more likely than a wrong formula


@dataclass(frozen=True, eq=False)
class ParameterCheck:
    """One parameter's numbers: its gradient and the measured slopes, along each checked direction.

    `noise` is what rounding of the cost alone may do to one slope. `kinks` counts the directions
    left out because the cost has a kink there, with the gradient between the slopes at its sides.
    """

    name: str
    shape: tuple[int, ...]
    gradient: Array
    slopes: Array
    noise: float
    kinks: int = 0

    @property
    def differing(self) -> Array:
        """Which slopes (k,) differ from the gradient by more than the method's own error."""
        room = RIGHT * (np.abs(self.gradient) + np.abs(self.slopes)) + self.noise
        return np.asarray(np.abs(self.gradient - self.slopes) > room)

    @property
    def error(self) -> float:
        """‖g − ĝ‖."""
        return float(np.linalg.norm(self.gradient - self.slopes))

    @property
    def scale(self) -> float:
        """‖g‖ + ‖ĝ‖."""
        return float(np.linalg.norm(self.gradient) + np.linalg.norm(self.slopes))

    @property
    def rounding(self) -> float:
        """What rounding of the cost may add to the error."""
        return self.noise * float(np.sqrt(self.slopes.size))

    @property
    def difference(self) -> float:
        """‖g − ĝ‖ / (‖g‖ + ‖ĝ‖), 0 where both vanish: a slope below rounding is none."""
        return self.error / self.scale if self.scale > self.rounding else 0.0

    @property
    def passed(self) -> bool:
        """Whether the difference is explained by the method's own error."""
        return bool(self.error <= RIGHT * self.scale + self.rounding)


@dataclass(frozen=True, eq=False, repr=False)
class GradientReport(Report):
    """What `check_gradients` found; printing gives the table.

    Attributes
    ----------
    rows : tuple of ParameterCheck
        One for each parameter.
    epsilon : float
        The step of the central differences.
    in_full : bool
        Whether each single parameter was moved, rather than random directions followed.
    """

    rows: tuple[ParameterCheck, ...]
    epsilon: float
    in_full: bool

    @property
    def difference(self) -> float:
        """‖g − ĝ‖ / (‖g‖ + ‖ĝ‖) over all parameters together."""
        gradient = np.concatenate([row.gradient for row in self.rows])
        slopes = np.concatenate([row.slopes for row in self.rows])
        return ParameterCheck("", (), gradient, slopes, self.rows[0].noise).difference

    @property
    def by_parameter(self) -> dict[str, float]:
        """The difference of each parameter: ``{"W1": 3e-9, "b1": …}``."""
        return {row.name: row.difference for row in self.rows}

    @property
    def kinks(self) -> dict[str, int]:
        """The parameters with slopes at a kink, and how many they are: ``{"b1": 3}``."""
        return {row.name: row.kinks for row in self.rows if row.kinks}

    @property
    def passed(self) -> bool:
        """Whether every parameter's gradient is right; at a kink, between the slopes beside it."""
        return all(row.passed for row in self.rows)

    @property
    def verdict(self) -> str:
        """One sentence: right, doubtful or wrong, and where."""
        bad = sorted((r for r in self.rows if not r.passed), key=lambda r: -r.difference)
        if not bad:
            return f"The gradient is right: the difference is {self.difference:.1e}.{self._told()}"
        names, worst = ", ".join(row.name for row in bad), bad[0].difference
        if worst < DOUBTFUL:
            return (
                f"The gradient of {names} is doubtful: a difference of {worst:.1e} may come from "
                "a kink (relu) within epsilon; try other examples or another seed."
            )
        return f"The gradient of {names} is wrong: a difference of up to {worst:.1e}."

    def _told(self) -> str:
        """The sentence about kinks, or nothing."""
        if not self.kinks:
            return ""
        found = ", ".join(f"{count} of {name}" for name, count in self.kinks.items())
        return (
            f" Left out at a kink (relu at Z = 0), where a cost has two slopes and the gradient "
            f"lies between them: {found}."
        )

    def _parts(self) -> list[Table | str]:
        rows = []
        for row in self.rows:
            marks = [f"({row.kinks} at a kink)"] if row.kinks else []
            if not row.passed:
                marks.append("<- " + ("?" if row.difference < DOUBTFUL else "wrong"))
            size, difference = f"{row.slopes.size:>8}", f"{row.difference:>10.1e}"
            rows.append((row.name, str(row.shape), size, difference, "  ".join(marks)))
        rows.append(("all", "", "", f"{self.difference:>10.1e}", ""))
        way = "every parameter" if self.in_full else "random directions in each large matrix"
        return [
            Table(("parameter", "shape", "checked", "difference", ""), rows, align="llrrl"),
            self.verdict,
            f"Checked on a float64 copy: {way}, central differences with epsilon = "
            f"{self.epsilon:g}.",
        ]
