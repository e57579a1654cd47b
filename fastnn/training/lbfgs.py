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
from fastnn.kernels.opcodes import Mode
from fastnn.kernels.records import Batch
from fastnn.layers import BatchNorm, Dropout, GaussianNoise, Layer
from fastnn.optimizers import LBFGS

from .callback_list import CallbackList
from .fit_config import FitConfig
from .loop import Trainer
from .progress import ProgressReporter

Array = np.ndarray[Any, Any]


ABNORMAL = 2  # SciPy's status where a line search found no lower cost


class _Stop(Exception):  # noqa: N818 - an end, no error
    """Leaves SciPy's loop where a callback or Ctrl-C ends the fit."""


class _NoFiniteTrial(Exception):  # noqa: N818 - an end like others, no error
    """Leaves a line search whose trial has parameters that are not finite themselves."""


class Point(NamedTuple):
    """Parameters theta (p,) in float64, and the cost and its gradient there."""

    theta: Array
    cost: float
    hits: float  # Σ w of right examples
    total: float  # Σ w
    grad: Array  # (p,) in float64
    finite: bool  # whether cost and gradient are finite

    @property
    def diverged(self) -> bool:
        """Whether cost or gradient are not finite although the parameters are."""
        return not self.finite and bool(np.isfinite(self.theta).all())


def check_supported(config: FitConfig, layers: Sequence[Layer]) -> None:
    """Refuse settings and layers that L-BFGS cannot take."""
    unwanted = {"schedule": config.schedule, "clip_norm": config.clip_norm}
    for name, value in (unwanted | {"clip_value": config.clip_value}).items():
        if value:
            raise SettingError(f"LBFGS takes no {name}; leave it out, or change the optimizer")
    if any(isinstance(layer, Dropout | GaussianNoise | BatchNorm) for layer in layers):
        raise SettingError(
            "LBFGS needs the same cost for the same weights: networks with Dropout, "
            "GaussianNoise or BatchNorm want another optimizer"
        )


class LBFGSTrainer(Trainer):
    """One fit by L-BFGS; costs of the history are those after each iteration."""

    #: The point at which the gradient was taken last: an iteration ends at the point where its line
    #: search ended, whose gradient need not be taken again.
    _evaluated = Point(np.zeros(0), 0.0, 0.0, 0.0, np.zeros(0), False)
    _accepted: Point  # the result of the last finished iteration

    def fit(self, callbacks: CallbackList, reporter: ProgressReporter) -> History:
        """Run up to the configured epochs; return early when the gradient is small enough."""
        check_supported(self.config, self.state.layers)
        self.callbacks, self.reporter = callbacks, reporter
        self._row_indices = np.arange(len(self.train.X))
        callbacks.start()
        if self.config.epochs:  # SciPy takes a step where it is allowed none
            with (
                self.interrupts as self._held, reporter, self.kernels.keep_team(),
                np.errstate(all="ignore"),
            ):  # fmt: skip
                self._prepare()
                self._minimize(self.config.optimizer)
        callbacks.finish()
        return self.history

    def _minimize(self, chosen: Any) -> None:
        """Let SciPy lower the cost, and note how that ended; chosen: an `LBFGS`."""
        scipy = require("scipy.optimize", extra="sklearn", purpose="LBFGS")
        start, epochs = self.program.theta.copy(), self.config.epochs
        self._accepted = self._at(start.astype(np.float64))
        if not self._accepted.finite:
            raise self._divergence("the parameters that it began with")
        first = self._accepted.cost
        options = {"maxiter": epochs, "maxcor": chosen.memory, "gtol": chosen.tolerance}
        options |= {"maxfun": chosen.max_evaluations or 20 * epochs + 20}
        try:
            found = scipy.minimize(
                self._objective, self._accepted.theta, jac=True, method="L-BFGS-B",
                callback=self._end_iteration, options=options | {"ftol": chosen.cost_tolerance},
            )  # fmt: skip
            status = int(found.status)
        except _Stop:
            return
        except _NoFiniteTrial:
            status = ABNORMAL
        finally:  # a line search that was left stands elsewhere
            self.program.theta[...] = self._accepted.theta
        if self._evaluated.diverged:
            raise self._divergence("all that its line search tried")
        rounding = float(np.finfo(self.program.theta.dtype).eps) * abs(first)
        self._record_end(status, chosen, lowered=first - self._accepted.cost > rounding)

    def _record_end(self, status: int, chosen: LBFGS, lowered: bool) -> None:
        """Record in the history whether the fit converged, and why it ended.

        lowered: whether the cost sank by more than its rounding. SciPy calls a step a success
        that changes nothing, as it is short beside a gradient that steep.
        """
        history, steepest = self.history, float(np.abs(self._accepted.grad).max())
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
        elif history.epochs >= self.config.epochs:
            end = f"reached its limit of {self.config.epochs} iterations"
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
        self.program.theta[...] = self._evaluated.theta
        whole = Batch.of(self.train, self._row_indices)
        layer = self._first_nonfinite_layer(whole, Mode.FROZEN)
        self.program.theta[...] = self._accepted.theta
        return DivergenceError(
            f"L-BFGS met a cost or gradient that is not finite at {where}: numbers leave the range "
            f"of {self.program.theta.dtype} first in layer {layer!r}. The network keeps the "
            f"parameters after {self.history.epochs} iterations; scale the inputs or targets, or "
            "use another optimizer",
            layer=layer,
            history=self.history,
        )

    def _advice(self) -> str:
        """Return nothing, for L-BFGS has no learning rate."""
        return ""

    def _at(self, theta: Array) -> Point:
        """Give the program the parameters theta (p,), and return the point there."""
        program = self.program
        program.theta[...] = theta
        if not np.array_equal(theta, self._evaluated.theta):
            cost, hits, total = self._gradient()
            grad = program.grad.astype(np.float64)
            finite = math.isfinite(cost) and bool(np.isfinite(grad).all())
            self._evaluated = Point(theta.copy(), cost, hits, total, grad, finite)
        return self._evaluated

    def _gradient(self) -> tuple[float, float, float]:
        """Write program.grad of all examples; return the cost, Σ w of right ones, and Σ w."""
        program = self.program
        found: tuple[float, float, float] = self.kernels.gradient(
            program.ops, program.theta, program.grad, program.state, self.work,
            Batch.of(self.train, self._row_indices), self.settings, Mode.FROZEN,
        )  # fmt: skip
        return found

    def _objective(self, theta: Array) -> tuple[float, Array]:
        """Return the cost and the gradient (p,) in float64 for SciPy; both are finite.

        SciPy takes a NaN for a lower cost. Where a trial's cost is not finite it is told of a
        parabola instead, along which the cost is least at a quarter of the way from the last
        iteration: the line search goes on there.
        """
        point, base = self._at(theta), self._accepted
        if point.finite:
            return point.cost, point.grad
        fall = abs(float(base.grad @ (theta - base.theta)))
        if not math.isfinite(fall):
            raise _NoFiniteTrial
        return base.cost + fall, -3 * base.grad

    def _validation_scores(self) -> tuple[float, float]:
        """Return the cost and the accuracy of the validation examples."""
        program = self.program
        found: tuple[float, float] = self.kernels.evaluate(
            program.ops, program.theta, program.state, *self.validation, get_num_threads
        )
        return found

    def _end_iteration(self, theta: Array) -> None:
        """Record an iteration and call the callbacks; SciPy calls this after each."""
        point = self._at(theta)
        if not point.finite:  # a line search that could go no further
            raise _NoFiniteTrial
        self._accepted = point
        curves = {"cost": [point.cost]}
        if self.state.classifies:
            curves["accuracy"] = [point.hits / point.total]
        if len(self.scores):
            scores = self.scores[self.history.epochs] = self._validation_scores()
            names = ("validation_cost", "validation_accuracy")[: len(curves)]
            curves |= {name: [score] for name, score in zip(names, scores, strict=False)}
        self._record(curves)
        self._check_validation_cost(self.history.epochs)
        self.training.epoch += 1
        try:
            stop = self.callbacks.after_epoch(self.history)
        except StopIteration as error:  # SciPy would take it for a wish, as generators do
            raise RuntimeError("a callback raised StopIteration; return True to stop") from error
        finally:
            self.reporter.update(self.history)
        if self._is_interrupted():
            self.history.interrupted = self.state.history.interrupted = True
            stop = True
        if stop:
            raise _Stop
