"""Solvers: scikit-learn's `solver` and `learning_rate` as optimisers and schedules of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from sklearn.utils.metaestimators import available_if

from fastnn._validation import arguments

from ..errors import SettingError
from ..optimizers import (
    LBFGS,
    GradientDescent,
    Optimizer,
    UncorrectedAdam,
    VelocityMomentum,
)
from .parameters import Parameters
from .stopping import Adaptive, InverseScaling, Patience

Method = TypeVar("Method", bound=Callable[..., Any])
#: The share of the cost below which L-BFGS stops: `ftol` of SciPy, which scikit-learn does not set.
COST_TOLERANCE = 1e7 * sys.float_info.epsilon


def make_optimizer(given: Parameters) -> Optimizer | LBFGS:
    """Return the optimiser that takes scikit-learn's steps."""
    rate = arguments.real(given.learning_rate_init, "learning_rate_init", above=0)
    if given.solver == "lbfgs":
        return LBFGS(
            tolerance=given.tol, max_evaluations=given.max_fun, cost_tolerance=COST_TOLERANCE
        )
    if given.solver == "adam":
        return UncorrectedAdam(rate, given.beta_1, given.beta_2, given.epsilon)
    if given.solver != "sgd":
        raise SettingError(f"solver must be 'adam', 'sgd' or 'lbfgs', got {given.solver!r}")
    if given.momentum == 0:
        return GradientDescent(rate)
    nesterov = arguments.flag(given.nesterovs_momentum, "nesterovs_momentum")
    return VelocityMomentum(rate, arguments.fraction(given.momentum, "momentum"), nesterov)


def make_schedule(given: Parameters, m: int, seen: int, patience: Patience) -> Any:
    """Return the schedule of `schedule` or of `learning_rate`, for m examples after those seen."""
    if given.learning_rate not in ("constant", "invscaling", "adaptive"):
        raise SettingError(
            "learning_rate must be 'constant', 'invscaling' or 'adaptive', got "
            f"{given.learning_rate!r}; the number is learning_rate_init"
        )
    if given.schedule is not None or given.solver != "sgd":
        return given.schedule
    kinds = {
        "invscaling": lambda: InverseScaling(m, given.power_t, seen),
        "adaptive": lambda: Adaptive(patience),
    }
    return kinds.get(given.learning_rate, lambda: None)()


def _solver_steps(estimator: Any) -> bool:
    """Return whether the solver takes steps, as partial_fit needs it."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for solvers 'sgd' and 'adam'")
    return True


def available_if_solver_steps(method: Method) -> Method:
    """Decorate a method that an estimator has where its solver takes steps."""
    found: Method = available_if(_solver_steps)(method)
    return found
