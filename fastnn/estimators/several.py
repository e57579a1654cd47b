"""Several networks of one estimator: what `n_networks` asks for beside one network's fit."""

from __future__ import annotations

import time
from typing import Any

from fastnn._validation import arguments
from fastnn.history import History
from fastnn.network import Network
from fastnn.network.many import fit_many
from fastnn.network.per_network import stateful

from ..callbacks import TimeLimit
from ..errors import SettingError
from . import settings
from .parameters import Parameters
from .stopping import Patience

__all__ = ["fit_networks", "why_not_converged"]


def fit_networks(
    given: Parameters, networks: list[Network], patiences: list[Patience], X: Any, Y: Any,
    seen: int, shared: dict[str, Any],
) -> list[History]:  # fmt: skip
    """Fit the networks at once, each watched by its own patience; return their histories.

    seen: examples of earlier calls; shared: what `Network.fit` takes beside the parameters. A
    network that diverges raises its error once the others have ended.
    """
    if getattr(given, "_skl_callbacks", None):
        raise SettingError("set_callbacks tells of one network's epochs; leave n_networks at 1")
    if own := stateful(list(arguments.callables(given.callbacks, "callbacks"))):
        raise SettingError(
            f"callbacks with n_networks={given.n_networks} must be functions, for "
            f"{type(own[0]).__name__} remembers what it saw of one network; leave n_networks at 1"
        )
    each = [settings.fit_arguments(given, len(Y), seen, patience) for patience in patiences]
    if given.max_time is not None:
        end = time.monotonic() + given.max_time  # of all networks together

        def stop(network: Network, history: History) -> bool:
            return time.monotonic() >= end

        for chosen in each:
            kept = [own for own in chosen["callbacks"] if not isinstance(own, TimeLimit)]
            chosen["callbacks"] = [*kept, stop]
    one = {name: each[0][name] for name in ("batch_size", "l2", "shuffle", "progress")}
    several: dict[str, Any] = {
        name: [chosen[name] for chosen in each] for name in ("optimizer", "schedule", "callbacks")
    }
    return fit_many(networks, X, Y, on_divergence="raise", **shared, **one, **several)


def why_not_converged(
    given: Parameters, histories: list[History], patiences: list[Patience]
) -> str | None:
    """Return why a fit ended before it converged, and what to do: of the first that did."""
    epochs = given.max_iter
    for history, patience in zip(histories, patiences, strict=True):
        over = history.epochs == epochs and not patience.stopped
        if history.converged is False or (over and not history.converged):
            why = f"{given.solver} reached max_iter={epochs} without converging; raise it"
            if history.message:
                why = f"{history.message}; raise max_iter={epochs}, max_fun={given.max_fun} or tol"
            return f"{why}, or scale the inputs"
    return None
