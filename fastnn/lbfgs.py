"""L-BFGS: SciPy's line searches on the gradient half of a step, all examples at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._extras import require
from ._threads import get_num_threads
from .errors import DivergenceError, SettingError
from .history import History
from .kernels.opcodes import Kind, Mode
from .optimizers import LBFGS
from .progress import Line
from .training import Callback, Interrupts, Trainer

__all__ = ["LBFGS", "Descent"]


class _Stop(Exception):  # noqa: N818 - a wish of a callback or of Ctrl-C, no error
    """Leaves SciPy's loop."""


class Descent(Trainer):
    """One fit by L-BFGS; costs of the history are those after each iteration."""

    #: Where the gradient was last taken, and what came out: an iteration ends where a line search
    #: did, so it need not be taken again.
    _last: tuple[Any, tuple[float, float, float]] | None = None

    def fit(self, callbacks: Sequence[Callback], line: Line) -> History:
        """Run up to the plan's epochs; return early when the gradient is small enough."""
        self._refuse()
        scipy = require("scipy.optimize", extra="sklearn", purpose="LBFGS")
        start, self.callbacks, self.line = self.program.theta.copy(), callbacks, line
        self._reached = start  # by the last finished iteration
        self._tell(callbacks, "start")
        chosen, epochs = self.plan.optimizer, self.plan.epochs
        assert isinstance(chosen, LBFGS)
        options = {"maxiter": epochs, "maxcor": chosen.memory, "gtol": chosen.tolerance}
        options |= {"ftol": 0.0, "maxfun": chosen.max_evaluations or 20 * epochs + 20}
        with (
            Interrupts() as self.interrupts, line, self.kernels.keep_team(),
            np.errstate(all="ignore"),
        ):  # fmt: skip
            try:
                found = scipy.minimize(
                    self._objective, start.astype(np.float64), jac=True, method="L-BFGS-B",
                    callback=self._after, options=options,
                )  # fmt: skip
                self.program.theta[...] = found.x
                self.history.converged = found.status != 1  # 1: a limit was reached
            except _Stop:
                pass
            except BaseException:  # in the middle of a line search
                self.program.theta[...] = self._reached
                raise
        self._tell(callbacks, "finish")
        if not np.isfinite(self.program.theta).all():
            self.program.theta[...] = start
            raise DivergenceError(
                "L-BFGS met a cost that is not finite; the network keeps the parameters it began "
                "with. Scale the inputs, or use another optimizer",
                layer="loss",
                history=self.history,
            )
        return self.history

    def _refuse(self) -> None:
        """Refuse settings and layers that L-BFGS cannot take."""
        unwanted = {"schedule": self.plan.schedule, "clip_norm": self.plan.clip_norm}
        for name, value in (unwanted | {"clip_value": self.plan.clip_value}).items():
            if value:
                raise SettingError(f"LBFGS takes no {name}; leave it out, or change the optimizer")
        if set(self.program.ops["kind"]) & {Kind.DROPOUT, Kind.NOISE, Kind.BATCHNORM}:
            raise SettingError(
                "LBFGS needs the same cost for the same weights: networks with Dropout, "
                "GaussianNoise or BatchNorm want another optimizer"
            )

    def _gradient(self, theta: Any) -> tuple[float, float, float]:
        """Cost, Σ w of right examples and Σ w at theta; the gradient goes into the program's."""
        program, rows = self.program, np.arange(len(self.train.X))
        program.theta[...] = theta
        if self._last is None or not np.array_equal(theta, self._last[0]):
            found = self.kernels.gradient(
                program.ops, program.theta, program.grad, program.state, self.work, *self.train,
                rows, self.settings, Mode.FROZEN,
            )  # fmt: skip
            self._last = theta.copy(), found
        return self._last[1]

    def _objective(self, theta: Any) -> tuple[float, Any]:
        """Cost and gradient (p,) in float64, as SciPy wants them."""
        cost = self._gradient(theta)[0]
        return cost, self.program.grad.astype(np.float64)

    def _scored(self) -> tuple[float, float]:
        """Cost and share of right ones of the held-out examples."""
        program = self.program
        found: tuple[float, float] = self.kernels.evaluate(
            program.ops, program.theta, program.state, *self.validation, get_num_threads
        )
        return found

    def _after(self, theta: Any) -> None:
        """Note an iteration and call the callbacks."""
        cost, hits, total = self._gradient(theta)
        self._reached = self.program.theta.copy()
        curves = {"cost": [cost]}
        if self.classifies:
            curves["accuracy"] = [hits / total]
        if len(self.scores):
            scores = self._scored()
            names = ("validation_cost", "validation_accuracy")[: len(curves)]
            curves |= {name: [score] for name, score in zip(names, scores, strict=False)}
        self.history.extend(curves)
        self.network.history.extend(curves)
        self.memory.epoch += 1
        self.line.update(self.history)
        wishes = [callback(self.network, self.history) for callback in self.callbacks]
        if self.interrupts.seen:
            self.history.interrupted = self.network.history.interrupted = True
            wishes.append(True)
        if any(isinstance(wish, bool | np.bool_) and wish for wish in wishes):
            raise _Stop
