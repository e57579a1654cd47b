"""Network: layers described, trained and used; what most people need is in this one class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn._runtime.backend import fitting
from fastnn._validation import arguments
from fastnn.history import History
from fastnn.kernels.opcodes import Mode
from fastnn.kernels.records import Batch, Examples
from fastnn.lowering.lower import output_activation
from fastnn.optimizers import LBFGS, Optimizer
from fastnn.schedules import Schedule
from fastnn.training.fit_config import Plan, claimed
from fastnn.training.lbfgs import Descent
from fastnn.training.loop import Callback, Trainer
from fastnn.training.metric_recorder import Scorer, known, refuse_unrecorded, refuse_untakable
from fastnn.training.prepare_data import (
    hold_out,
    learn_scaling,
    prepare,
    refuse_single,
    refuse_vanishing,
    weights_of,
)
from fastnn.training.progress import Line

from .prediction import Predictor

Array = np.ndarray[Any, Any]


class Network(Predictor):
    """A dense neural network: described by layers, run by the active backend.

    Parameters
    ----------
    layers : sequence of layers
        `Dense`, `Activation`, `Dropout`, `GaussianNoise`, `BatchNorm`, and first in the list
        `Rescaling` or `Normalization`.
    inputs : int, optional
        Number of features. Without it the network is built at its first `fit`, or by `build`.
    loss : str or losses.Loss, optional
        By default the output's partner: sigmoid → ``"binary_cross_entropy"``, softmax →
        ``"categorical_cross_entropy"``, else ``"squared_error"`` (½(ŷ−y)²). Every cost is the
        mean over examples of the sum over outputs.
    init : str or initializers.Initializer
        How weights are drawn where a layer does not say; biases start at 0.
    seed : int
        Of the initial weights, shuffles and splits; below 2³².
    dtype : {"float32", "float64"}
        Of parameters and arithmetic.

    Attributes
    ----------
    history : History
        Of all fits so far.

    Raises
    ------
    SettingError
        If a setting is out of range or unknown, or the layers' order means nothing.

    Examples
    --------
    >>> net = Network([Dense(20, "relu"), Dense(1, "sigmoid")], inputs=2)
    """

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = 10,
        batch_size: int | None = 128,
        optimizer: Optimizer | LBFGS | None = None,
        schedule: Schedule | None = None,
        l2: float = 0.0,
        l1: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | str | None = None,
        validation_data: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        metrics: Sequence[str] = (),
        callbacks: Sequence[Callback] = (),
        progress: str | bool = "auto",
    ) -> History:
        """Train for some more epochs and return their history.

        Parameters
        ----------
        X : array (m, n)
            Rows are examples; real numbers of any dtype and memory order. They are read in place
            and converted some rows at a time; whole only where the byte order is another, numbers
            are not aligned, longer than float64, or bfloat16. Frames of pandas (nullable and Arrow
            columns too), tables of Arrow, tensors and HDF5 data sets are taken where they hold
            numbers.
        y : array (m,), (m, 1) or (m, K)
            0/1 for sigmoid, 0…K−1 or one-hot rows for softmax, or probabilities in their places;
            else numbers.
        epochs : int
            Additional epochs; `fit` never re-initialises (`reset` does).
        batch_size : int or None
            Examples of a step; None takes all at once. The last batch of an epoch may be short.
        optimizer : Optimizer, optional
            `Adam()` by default. Its memory lives in the network: the same settings go on where the
            last fit stopped, other settings start afresh, as `LBFGS` does in every fit.
        schedule : schedules.Schedule, optional
            Multiplies the optimiser's learning rate, by the epoch or by the step.
        l2, l1 : float
            λ of cost + λ/(2m) Σ‖W‖² and of cost + λ/m Σ|W|, m the (weighted) examples of the
            batch; biases are spared.
        clip_norm, clip_value : float, optional
            Largest norm of the whole gradient; largest size of each of its numbers, taken first.
        sample_weight : array (m,), optional
            Weights of the examples, not negative.
        class_weight : dict or "balanced", optional
            Weight of each class, multiplied with sample_weight; balanced: Σw / (K Σw of the class),
            of several sigmoids the product; not for probabilities as y. It weighs errors: mean and
            deviation of a `Normalization` are those of the rows by sample_weight alone.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Scored after every epoch.
        validation_split : float
            Or the share of the examples to hold out for that, drawn by the seed, stratified.
        shuffle : bool
            Whether every epoch goes through the examples in another order.
        metrics : sequence of str
            Names of `fastnn.metrics` that are recorded after every epoch: of the validation data
            as ``validation_…``, without such data of the training data. ``"f1"``, ``"precision"``
            and ``"recall"`` are those of class 1, with more than two classes the mean over the
            classes (``"f1_macro"``); ``"f1_weighted"`` and ``"f1_micro"`` are there too.
        callbacks : sequence of callables
            Each is called with (network, history) after an epoch; returning True stops the fit.
        progress : "auto" or bool
            Cost and accuracy, for long fits, always, or never: a bar on screens, lines in logs.

        Returns
        -------
        History
            Of this call. ``history["cost"][k]`` is the mean over epoch k's mini-batches of the cost
            before each step, L2 and L1 included; with full batch, the course's cost at iteration k.

        Raises
        ------
        ShapeError, DataError, SettingError
            If something that comes in breaks a rule. Nothing has changed then.
        DivergenceError
            If a cost or gradient stops being finite, or a step could make a parameter so; the
            parameters are those before that step. If a validation cost does: those of its epoch.
        """
        plan = Plan.checked(
            epochs, batch_size, optimizer, l2, l1, shuffle, schedule, clip_norm, clip_value
        )
        names = known(metrics, output_activation(self._layers), self.outputs)
        line = Line(plan.epochs, progress)
        callbacks = arguments.callables(callbacks, "callbacks")
        X = arguments.finite_examples(X, self.inputs)
        arguments.check_representable(X, self.dtype)
        Y = prepare(y, len(X), self.outputs, self._loss, self.dtype)
        w = weights_of(sample_weight, class_weight, Y, self._loss, self.dtype)
        own = w if class_weight is None else weights_of(sample_weight, None, Y, self._loss, Y.dtype)
        train, validation, kept = hold_out(
            Examples(X, Y, w), validation_data, validation_split, self._loss, self.seed
        )
        watchers = [*callbacks, plan.schedule] if plan.schedule else list(callbacks)
        refuse_unrecorded(watchers, self._loss, names, validation)
        scored = (train, "training") if validation is None else (validation, "validation")
        refuse_untakable(self, names, *scored)
        refuse_single(self._layers, len(train.X), plan)
        refuse_vanishing(plan, self.dtype)
        with claimed(self):
            self.build(X.shape[1])
            if not self._scaled:
                learn_scaling(self.program, train.X, own[kept])
                self._scaled = True
            if names:
                callbacks, self._metrics = (Scorer(names, train, validation), *callbacks), names
            fit = Descent if isinstance(plan.optimizer, LBFGS) else Trainer
            kernels = fitting(self.program)
            trainer = fit(self, self.program, self._memory, kernels, plan, train, validation)
            return trainer.fit(callbacks, line)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write description, parameters and input scaling to a file that `fastnn.load` reads.

        Raises
        ------
        NotBuiltError, SettingError, DataError
            If the network has nothing to save, or something that is no data.
        OSError
            If the file cannot be written; a file that was there stays as it was.
        """
        from fastnn.saving import model_file  # which knows networks, and is needed only here

        model_file.save(self, path)

    def to_onnx(self, path: str | os.PathLike[str], *, input_dtype: str | None = None) -> None:
        """Write the network as an ONNX model; `interop.to_onnx` says what it holds."""
        from fastnn import interop

        interop.to_onnx(self, path, input_dtype=input_dtype)

    def to_torch(self) -> Any:
        """Return a torch.nn.Sequential with equal outputs; see `interop.to_torch`."""
        from fastnn import interop

        return interop.to_torch(self)

    def cost_and_gradients(
        self, X: Any, y: Any, *, l2: float = 0.0, l1: float = 0.0, sample_weight: Any = None
    ) -> tuple[float, dict[str, Array]]:
        """Return the cost of all rows and its gradient by every parameter; nothing is updated.

        Without dropout and noise; BatchNorm takes these rows as its batch. For networks of a few
        layers, float32 agrees with float64 to 2⁻²² of the cost and to 2⁻¹⁸ of the largest entry of
        each gradient.

        Returns
        -------
        (float, dict of str to ndarray)
            Names and shapes as in `parameters`.
        """
        X, program = self._ready(X), self.program
        Y = prepare(y, len(X), self.outputs, self._loss, self.dtype)
        w = weights_of(sample_weight, None, Y, self._loss, self.dtype)
        settings = program.settings(
            l2=arguments.real(l2, "l2", least=0), l1=arguments.real(l1, "l1", least=0)
        )
        grad = np.zeros_like(program.grad)
        kernels = fitting(program)
        work = kernels.workspace(program.ops, len(X), self.dtype)
        cost, _, _ = kernels.gradient(
            program.ops, program.theta, grad, program.state.copy(), work,
            Batch(X, Y, w, np.arange(len(X))), settings, Mode.FROZEN,
        )  # fmt: skip
        return cost, program.views(grad)
