"""L-BFGS: SciPy's line searches on the gradient half of a step, all examples at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnn._runtime.optional import require
from fastnn._runtime.threads import get_num_threads
from fastnn.errors import DivergenceError, SettingError
from fastnn.history import History
from fastnn.kernels.opcodes import Kind, Mode
from fastnn.kernels.records import Batch
from fastnn.optimizers import LBFGS

from .loop import Callback, Interrupts, Trainer
from .progress import Line

__all__ = ["LBFGS", "Descent"]

Array = np.ndarray[Any, Any]


ABNORMAL = 2  # SciPy's status where a line search found no lower cost


class _Stop(Exception):  # noqa: N818 - a wish of a callback or of Ctrl-C, no error
    """Leaves SciPy's loop."""


class _Lost(Exception):  # noqa: N818 - an end like others, no error
    """Leaves a line search whose trial has parameters that are not finite themselves."""


class Point(NamedTuple):
    """Parameters theta (p,) in float64 and what was found there."""

    theta: Array
    cost: float
    hits: float  # Σ w of right examples
    total: float  # Σ w
    grad: Array  # (p,) in float64
    finite: bool  # whether cost and gradient are

    @property
    def wild(self) -> bool:
        """Whether they are not, though the parameters are."""
        return not self.finite and bool(np.isfinite(self.theta).all())


class Descent(Trainer):
    """One fit by L-BFGS; costs of the history are those after each iteration."""

    #: Where the gradient was last taken: an iteration ends where a line search did, so it need not
    #: be taken again.
    _last = Point(np.zeros(0), 0.0, 0.0, 0.0, np.zeros(0), False)
    _reached: Point  # by the last finished iteration

    def fit(self, callbacks: Sequence[Callback], line: Line) -> History:
        """Run up to the plan's epochs; return early when the gradient is small enough."""
        self._refuse()
        self.callbacks, self.line = callbacks, line
        self._rows = np.arange(len(self.train.X))
        self._tell(callbacks, "start")
        if self.plan.epochs:  # SciPy takes a step where it is allowed none
            with (
                Interrupts() as self.interrupts, line, self.kernels.keep_team(),
                np.errstate(all="ignore"),
            ):  # fmt: skip
                self._descend(self.plan.optimizer)
        self._tell(callbacks, "finish")
        return self.history

    def _descend(self, chosen: Any) -> None:
        """Let SciPy lower the cost, and note how that ended; chosen: an `LBFGS`."""
        scipy = require("scipy.optimize", extra="sklearn", purpose="LBFGS")
        start, epochs = self.program.theta.copy(), self.plan.epochs
        self._reached = self._at(start.astype(np.float64))
        if not self._reached.finite:
            raise self._divergence("the parameters that it began with")
        first = self._reached.cost
        options = {"maxiter": epochs, "maxcor": chosen.memory, "gtol": chosen.tolerance}
        options |= {"maxfun": chosen.max_evaluations or 20 * epochs + 20}
        try:
            found = scipy.minimize(
                self._objective, self._reached.theta, jac=True, method="L-BFGS-B",
                callback=self._after, options=options | {"ftol": chosen.cost_tolerance},
            )  # fmt: skip
            status = int(found.status)
        except _Stop:
            return
        except _Lost:
            status = ABNORMAL
        finally:  # and not where a line search was left
            self.program.theta[...] = self._reached.theta
        if self._last.wild:
            raise self._divergence("all that its line search tried")
        rounding = float(np.finfo(self.program.theta.dtype).eps) * abs(first)
        self._conclude(status, chosen, lowered=first - self._reached.cost > rounding)

    def _conclude(self, status: int, chosen: LBFGS, lowered: bool) -> None:
        """Note in the history whether the fit converged, and why it ended.

        lowered: whether the cost sank by more than its rounding. SciPy calls a step a success
        that changes nothing, as it is short beside a gradient that steep.
        """
        history, steepest = self.history, float(np.abs(self._reached.grad).max())
        small = steepest <= chosen.tolerance
        flat = status == 0 and chosen.cost_tolerance > 0 and lowered
        if small:
            end = "converged: no number of the gradient is larger than its tolerance"
        elif flat:
            end = "converged: an iteration lowered the cost by no more than cost_tolerance"
        elif status in (0, ABNORMAL):  # 0: SciPy took the step of no length for an iteration
            end = (
                "ended where its line search found no lower cost: costs may lie too close for "
                f"{self.program.theta.dtype} or beyond its range, or at a kink of the activations"
            )
        elif history.epochs >= self.plan.epochs:
            end = f"reached its limit of {self.plan.epochs} iterations"
        elif status == 1:
            end = "reached its limit of evaluations"
        else:
            end = f"ended with SciPy's status {status}"
        history.converged = small or flat
        history.message = (
            f"L-BFGS {end}; the largest number of the gradient is {steepest:.2g} "
            f"(tolerance {chosen.tolerance:g})"
        )

    def _divergence(self, where: str) -> DivergenceError:
        """Return the error of a cost that is not finite, at the point where it was last taken."""
        self.program.theta[...] = self._last.theta
        layer = self._blame(self._rows, Mode.FROZEN)
        self.program.theta[...] = self._reached.theta
        return DivergenceError(
            f"L-BFGS met a cost or gradient that is not finite at {where}: numbers leave the range "
            f"of {self.program.theta.dtype} first in layer {layer!r}. The network keeps the "
            f"parameters after {self.history.epochs} iterations; scale the inputs or targets, or "
            "use another optimizer",
            layer=layer,
            history=self.history,
        )

    def _slower(self) -> str:
        """Return nothing, for L-BFGS has no learning rate."""
        return ""

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

    def _at(self, theta: Array) -> Point:
        """Return the point at theta (p,), which becomes the program's."""
        program = self.program
        program.theta[...] = theta
        if not np.array_equal(theta, self._last.theta):
            cost, hits, total = self.kernels.gradient(
                program.ops, program.theta, program.grad, program.state, self.work,
                Batch(*self.train, self._rows), self.settings, Mode.FROZEN,
            )  # fmt: skip
            grad = program.grad.astype(np.float64)
            finite = math.isfinite(cost) and bool(np.isfinite(grad).all())
            self._last = Point(theta.copy(), cost, hits, total, grad, finite)
        return self._last

    def _objective(self, theta: Array) -> tuple[float, Array]:
        """Cost and gradient (p,) in float64, as SciPy wants them, and finite.

        SciPy takes a NaN for a lower cost. Where a trial's cost is not finite it is told of a
        parabola instead, along which the cost is least at a quarter of the way from the last
        iteration: the line search goes on there.
        """
        point, base = self._at(theta), self._reached
        if point.finite:
            return point.cost, point.grad
        fall = abs(float(base.grad @ (theta - base.theta)))
        if not math.isfinite(fall):
            raise _Lost
        return base.cost + fall, -3 * base.grad

    def _scored(self) -> tuple[float, float]:
        """Cost and share of right ones of the held-out examples."""
        program = self.program
        found: tuple[float, float] = self.kernels.evaluate(
            program.ops, program.theta, program.state, *self.validation, get_num_threads
        )
        return found

    def _after(self, theta: Array) -> None:
        """Note an iteration and call the callbacks."""
        point = self._at(theta)
        if not point.finite:  # a line search that could go no further
            raise _Lost
        self._reached = point
        curves = {"cost": [point.cost]}
        if self.classifies:
            curves["accuracy"] = [point.hits / point.total]
        if len(self.scores):
            scores = self.scores[self.history.epochs] = self._scored()
            names = ("validation_cost", "validation_accuracy")[: len(curves)]
            curves |= {name: [score] for name, score in zip(names, scores, strict=False)}
        self._record(curves)
        self._refuse_score(self.history.epochs)
        self.memory.epoch += 1
        self.line.update(self.history)
        try:
            wishes = [callback(self.network, self.history) for callback in self.callbacks]
        except StopIteration as error:  # SciPy would take it for a wish, as generators do
            raise RuntimeError("a callback raised StopIteration; return True to stop") from error
        if self.interrupts.seen:
            self.history.interrupted = self.network.history.interrupted = True
            wishes.append(True)
        if any(isinstance(wish, bool | np.bool_) and wish for wish in wishes):
            raise _Stop
