"""Network: layers described, trained and used; what most people need is in this one class."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn._habits.answers import explained
from fastnn._validation import arguments
from fastnn.history import History
from fastnn.kernels.csr import SparseRows
from fastnn.lowering.lower import output_activation
from fastnn.lowering.program import backend_for
from fastnn.optimizers import LBFGS, Optimizer
from fastnn.training.callback_list import CallbackList
from fastnn.training.choose_trainer import trainer_maker
from fastnn.training.exclusive_fit import exclusive_fit, shared_by_ranks
from fastnn.training.fit_config import WINDOW, FitConfig
from fastnn.training.loop import Trainer
from fastnn.training.metric_recorder import (
    MetricRecorder,
    check_metric_names,
    validate_metrics,
    validate_monitors,
)
from fastnn.training.prepare_data import prepare, validate_batch_size, validate_optimizer
from fastnn.training.progress import ProgressReporter
from fastnn.training.state import NetworkState
from fastnn.training.verdict import judge

from .prediction import cost_and_accuracy
from .use import UsableNetwork

if TYPE_CHECKING:
    from fastnn.schedules import Schedule

Array = np.ndarray[Any, Any]
Callback = Callable[["Network", History], Any]
Given = tuple[Any, Any, tuple[Any, Any], Any, float, NetworkState]  # what `prepare` takes
IN_MEMORY = (np.ndarray, SparseRows, list, tuple)


class Network(UsableNetwork):
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
    scale_target : bool
        Whether a network of values learns z-scores of its targets: mean and deviation of each
        column of y, by `sample_weight`, are learnt at the first fit and kept. Predictions and
        metrics are in y's unit; costs, gradients and parameters are those of the z-scores.
    precision : {"float32", "mixed"}
        "mixed" rounds what the products of Dense layers multiply to bfloat16, in training and
        prediction: inputs, weights and gradients dZ. Sums, parameters, the optimiser and all else
        stay float32. It is made for CPUs that multiply bfloat16; see `show_versions`.

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

    @shared_by_ranks
    @explained("Network.fit")
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int | str = 10,
        batch_size: int | str | None = "auto",
        optimizer: Optimizer | LBFGS | str | None = None,
        schedule: Schedule | str | None = None,
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
        window: int | str = WINDOW,
        comm: Any = None,
        shards: int | None = None,
    ) -> History:
        """Train for some more epochs and return their history.

        Parameters
        ----------
        X : array (m, n)
            Rows are examples; real numbers of any dtype and memory order. They are read in place
            and converted some rows at a time; whole only where the byte order is another, numbers
            are not aligned, longer than float64, or bfloat16. Frames of pandas (nullable and Arrow
            columns too), tables of Arrow and tensors are taken where they hold numbers. What has
            a shape, a dtype and slices of rows elsewhere, as a data set of HDF5, is loaded where
            it fits into a window, and else read window by window.
        y : array (m,), (m, 1) or (m, K)
            0/1 for sigmoid, 0…K−1 or one-hot rows for softmax, or probabilities in their places;
            else numbers.
        epochs : int or "auto"
            Additional epochs; `fit` never re-initialises (`reset` does). "auto" ends when the
            validation cost has not got better for 10 epochs and 500 steps, after 1000 epochs at
            most, and keeps the weights of the best one; a tenth of the examples is held out for it
            where nothing else is given to score.
        batch_size : int, "auto" or None
            Examples of a step; None takes all at once. The last batch of an epoch may be short.
            "auto" is 32; from 6400 examples on 64, from 12,800 on 128, from 256,000 on 256 and
            from 512,000 on 512.
        optimizer : Optimizer or str, optional
            `Adam()` by default; a name like ``"adam"`` or ``"sgd"`` is that one with its defaults.
            Its memory lives in the network: the same settings go on where the
            last fit stopped, other settings start afresh, as `LBFGS` does in every fit.
        schedule : schedules.Schedule or "cosine", optional
            Multiplies the optimiser's learning rate, by the epoch or by the step. "cosine" is
            ``Cosine(epochs, per="step")``, begun anew in each fit.
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
            Whether every epoch goes through the examples in another order, by seed and epoch. Of
            more than 2²⁰ examples pieces of 256 are permuted, and then the examples within windows
            of 128 pieces: what is taken together lies together in memory.
        metrics : sequence of str
            Names of `fastnn.metrics` that are recorded after every epoch: of the validation data
            as ``validation_…``, without such data of the training data. ``"f1"``, ``"precision"``
            and ``"recall"`` are those of class 1, with more than two classes the mean over the
            classes (``"f1_macro"``); ``"f1_weighted"`` and ``"f1_micro"`` are there too.
        callbacks : sequence of callables
            Each is called with (network, history) after an epoch; returning True stops the fit.
        progress : "auto" or bool
            Whether costs and metrics are shown, on stderr: always, never, or for long fits. On a
            terminal and in a notebook that is a bar, of ``"auto"`` after a second. In a log, where
            no cursor moves, True writes a line an epoch, some hundred of a fit of more epochs;
            ``"auto"`` a line every 10 s, and every twentieth of the time gone by.
        window : int or str
            Bytes of rows that are held at a time where X is read, as a number or like
            ``"1 GB"``; a second window is filled meanwhile. An epoch goes through the rows in
            another order then: pieces of the file are drawn by seed and epoch, a hundred or so to
            a window where its chunks allow it, and rows are shuffled within the window.
        comm : mpi4py.MPI.Comm, optional
            Train on all its ranks together; each passes the same arguments. `batch_size` and
            `window` are those of all ranks. Callbacks are called on every rank, but for those whose
            attribute `rank_0_only` is true, as of callbacks that write files; what is shown is
            shown by rank 0. With BatchNorm a fit cannot be shared.
        shards : int, optional
            Parts that every batch is cut into, of which each rank computes some: 8, or as many as
            ranks where there are more. Results depend on it, and not on the number of ranks; name
            it to go on with another number of ranks. Without `comm` this process computes all.

        Returns
        -------
        History
            Of this call. ``history["cost"][k]`` is the mean over epoch k's mini-batches of the cost
            before each step, L2 and L1 included; with full batch, the course's cost at iteration k.
            ``history["learning_rate"][k]`` is the rate of epoch k's last step.

        Raises
        ------
        ShapeError, DataError, SettingError
            If something that comes in breaks a rule. Nothing has changed then.
        DivergenceError
            If a cost or gradient stops being finite, or a step could make a parameter so; the
            parameters are those before that step. If a validation cost does: those of its epoch.
        RankError
            If another rank raised an error: all ranks end then.
        """
        config = FitConfig.checked(
            epochs, batch_size, optimizer, l2, l1, shuffle, schedule, clip_norm, clip_value
        )
        names = check_metric_names(metrics, output_activation(self.layers), self.outputs)
        reporter = ProgressReporter(config.epochs, progress)
        callbacks = arguments.callables(callbacks, "callbacks")
        weights = sample_weight, class_weight
        share = config.held_out(validation_data, validation_split)
        given = X, y, weights, validation_data, share, self._state
        with self._data_of_fit(given, config, window) as data:
            config = config.sized(data.shape[0])
            callbacks = (*callbacks, *config.stops(data.shape[0]))
            self._check_fit(config, callbacks, names, data)
            make = trainer_maker(self._state, config, data, comm, shards)
            return self._train(config, callbacks, names, data, reporter, make)

    def _data_of_fit(self, given: Given, config: FitConfig, window: Any) -> Any:
        """Return the data of a fit, from arguments of `prepare`: in memory, or read in windows."""
        X, scored = given[0], given[3]
        rows = [X, *scored[:1]] if isinstance(scored, tuple | list) else [X]
        if window == WINDOW and all(isinstance(part, IN_MEMORY) for part in rows):
            return prepare(*given)
        from fastnn.training.windows import prepare as windows  # what is no array may need them
        from fastnn.training.windows.size import window_bytes

        return windows.prepare(*given, config, window_bytes(window))

    def _check_fit(
        self, config: FitConfig, callbacks: tuple[Any, ...], names: tuple[str, ...], data: Any
    ) -> None:
        """Refuse settings that do not suit the data of a fit."""
        watchers = [*callbacks, config.schedule] if config.schedule else list(callbacks)
        validate_monitors(watchers, self._state.classifies, names, data.validation)
        if names:
            scored = (data.train, "training")
            if data.validation is not None:
                scored = (data.validation, "validation")
            validate_metrics(self.layers, names, *scored, self._state.target_scaling)
        validate_batch_size(self.layers, data.shape[0], config)
        validate_optimizer(config.optimizer, self._state)

    def _train(
        self, config: FitConfig, callbacks: tuple[Any, ...], names: tuple[str, ...], data: Any,
        reporter: ProgressReporter, make: Callable[..., Trainer],
    ) -> History:  # fmt: skip
        """Fit to data that are ready, by the trainer that `make` makes."""
        state = self._state
        with exclusive_fit(state), data.keep(state):
            scaling = state.target_scaling
            if state.learns_target_scaling:  # which may refuse the targets: first of all
                scaling = data.learn_target_scaling()
                data = data.scale_targets(scaling, state.dtype)
            self.build(data.shape[1])
            if not state.scaled:
                state.scale_inputs(*data.learn_scaling(state.program))
            state.target_scaling = scaling
            if names:
                recorder = MetricRecorder(state, names, data.train, data.validation)
                callbacks, state.metrics = (recorder, *callbacks), names
            kernels = backend_for(state.program, loss=True)
            trainer = make(state, kernels, config, data.train, data.validation)
            history = trainer.fit(CallbackList(callbacks, self), reporter)
        if reporter.mode is not False:
            judge(history, config, data, state, lambda: cost_and_accuracy(state, data.train)[0])
        return history

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write description, parameters and input scaling to a file that `fastnn.load` reads.

        Raises
        ------
        NotBuiltError, SettingError, DataError
            If the network has nothing to save, or something that is no data.
        OSError
            If the file cannot be written; a file that was there stays as it was.
        """
        from fastnn.saving import model_file  # only this needs it

        model_file.save(self._state, path)

    def to_onnx(self, path: str | os.PathLike[str], *, input_dtype: str | None = None) -> None:
        """Write the network as an ONNX model; `interop.to_onnx` says what it holds."""
        from fastnn.export.onnx_file import write_onnx  # only this needs it

        write_onnx(self._state, path, input_dtype=input_dtype)

    def to_torch(self) -> Any:
        """Return a torch.nn.Sequential with equal outputs; see `interop.to_torch`."""
        from fastnn.export.torch_model import torch_module  # only this needs it

        return torch_module(self._state)
