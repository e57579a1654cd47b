"""What the notebooks print while they train."""

from __future__ import annotations


def print_cost_after(iteration: int, cost: float, *, digits: int | None = 6) -> None:
    """Print the cost of an iteration, with six digits or, digits=None, all of them."""
    shown = repr(cost) if digits is None else f"{cost:.{digits}f}"
    print(f"Cost after iteration {iteration}: {shown}")
