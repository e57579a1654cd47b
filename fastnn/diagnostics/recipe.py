"""The basic recipe: from two or three errors to the problem, and to what to try, in order.

Andrew Ng, "Improving Deep Neural Networks", week 1: bias first, then variance, then around again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastnn._display.report import Report
from fastnn._display.table import Table
from fastnn._validation import arguments

from ..errors import SettingError

__all__ = ["BiasVariance", "bias_variance"]

AGAINST_BIAS = (
    "a bigger network: more units, more layers",
    "longer training, or a better optimiser",
    "another architecture",
)
AGAINST_VARIANCE = (
    "more data, or augmented data",
    "regularisation: L2, dropout, early stopping",
    "another architecture",
)


@dataclass(frozen=True, repr=False)
class BiasVariance(Report):
    """Which problem the errors show and what to do about it; it prints.

    Attributes
    ----------
    train_error, dev_error, human_error : float
        Shares of wrong examples.
    tolerance : float
        Up to which a gap is no problem.
    """

    train_error: float
    dev_error: float
    human_error: float
    tolerance: float

    @property
    def avoidable_bias(self) -> float:
        """Train error − human error: what a better model could still learn."""
        return self.train_error - self.human_error

    @property
    def variance(self) -> float:
        """Dev error − train error: what is lost from seen to unseen examples."""
        return self.dev_error - self.train_error

    @property
    def problem(self) -> str:
        """``"bias"``, ``"variance"``, ``"bias and variance"`` or ``"none"``."""
        # Gaps are differences of shares like 0.03 − 0.01, which rounding may lift above 0.02.
        bias, variance = (
            gap > self.tolerance + 1e-12 for gap in (self.avoidable_bias, self.variance)
        )
        return " and ".join(["bias"] * bias + ["variance"] * variance) or "none"

    @property
    def steps(self) -> tuple[str, ...]:
        """What the recipe tries next, in order: against bias first, then against variance."""
        steps: tuple[str, ...] = ()
        if "bias" in self.problem:
            steps += AGAINST_BIAS
        if "variance" in self.problem:
            steps += AGAINST_VARIANCE
        return steps

    def _parts(self) -> list[Table | str]:
        found = {
            "bias": "High bias: the network underfits what it was trained on.",
            "variance": "High variance: the network does not carry over to unseen examples.",
            "bias and variance": "High bias and high variance: first mend the bias.",
            "none": "Neither bias nor variance is a problem.",
        }
        rows = [
            ("human (or Bayes) error", f"{self.human_error:>7.2%}", ""),
            (
                "train error", f"{self.train_error:>7.2%}",
                f" avoidable bias {self.avoidable_bias:.2%}",
            ),
            ("dev error", f"{self.dev_error:>7.2%}", f" variance {self.variance:.2%}"),
        ]  # fmt: skip
        lines = [found[self.problem]]
        if self.steps:
            lines.append("Try, in this order, and measure again after each:")
            lines += [f"  {number}. {step}" for number, step in enumerate(self.steps, 1)]
        return [Table((), rows, align="lrl"), "\n".join(lines)]


def _error(value: Any, name: str) -> float:
    """Return a share of wrong examples in [0, 1]."""
    if not 0 <= arguments.real(value, name) <= 1:
        raise SettingError(f"{name} must be a share in [0, 1], got {value!r}; 15 % is 0.15")
    return float(value)


def bias_variance(
    train_error: float, dev_error: float, *, human_error: float = 0.0, tolerance: float = 0.02
) -> BiasVariance:
    """Tell bias from variance, and name the next steps.

    Avoidable bias is train_error − human_error, variance dev_error − train_error; either is a
    problem if it is greater than the tolerance. Dev and train examples must come from the same
    source, else the second gap shows that too.

    Parameters
    ----------
    train_error, dev_error : float
        Shares of wrong examples, 1 − accuracy, in the training and in the dev part.
    human_error : float
        What people, or the best model possible (Bayes), get wrong; 0 where the task is clear.
    tolerance : float
        What gap is acceptable, not negative.

    Returns
    -------
    BiasVariance
        `.problem`, `.steps`, `.avoidable_bias`, `.variance`; it prints.

    Raises
    ------
    SettingError
        If an error lies outside [0, 1], or the tolerance is negative.

    Examples
    --------
    >>> bias_variance(0.01, 0.11).problem
    'variance'
    >>> bias_variance(0.15, 0.16).steps[0]
    'a bigger network: more units, more layers'
    """
    return BiasVariance(
        _error(train_error, "train_error"),
        _error(dev_error, "dev_error"),
        _error(human_error, "human_error"),
        arguments.real(tolerance, "tolerance", least=0),
    )
