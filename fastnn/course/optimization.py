"""Mini-batches, momentum, Adam and decaying learning rates, and a model to compare them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastnn._runtime.backend import active
from fastnn.kernels.opcodes import Method
from fastnn.kernels.records import StepNumbers

from ._core.arrays import Array, Parameters, as_matrix, check_shape
from ._core.checks import check_beta, check_count, check_one_of
from ._core.layers import quiet
from ._core.optimizers import (
    initialize_adam,
    initialize_velocity,
    update_parameters_with_adam,
    update_parameters_with_gd,
    update_parameters_with_momentum,
)
from ._core.parameter_vector import FlatParameters
from ._core.relu_net import as_examples, backward, forward, losses
from .opt_utils import initialize_parameters

__all__ = [
    "initialize_adam",
    "initialize_velocity",
    "model",
    "random_mini_batches",
    "schedule_lr_decay",
    "update_lr",
    "update_parameters_with_adam",
    "update_parameters_with_gd",
    "update_parameters_with_momentum",
]

#: The seed of the first epoch: the notebook adds 1 to its seed of 10 before each.
FIRST_SEED = 11
Step = Callable[[Array, float], None]


def random_mini_batches(
    X: ArrayLike, Y: ArrayLike, mini_batch_size: int = 64, seed: int | None = 0
) -> list[tuple[Array, Array]]:
    """Shuffle the examples and cut them into mini-batches, the last of them perhaps smaller.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (n_y, m)
        Labels.
    mini_batch_size : int
        Columns of a mini-batch.
    seed : int or None
        Seed of NumPy's global generator; None draws on.

    Returns
    -------
    list of tuple
        (X, Y) of each mini-batch.

    Raises
    ------
    ShapeError
        If X and Y differ in the number of columns.
    SettingError
        If mini_batch_size is not a whole number from 1 on.
    """
    X, Y = as_matrix("X", X), as_matrix("Y", Y)
    check_shape("Y", Y, (None, X.shape[1]), f"one column for each column of X, {X.shape}")
    return list(_batches(X, Y, check_count("mini_batch_size", mini_batch_size), seed))


def _batches(X: Array, Y: Array, size: int, seed: int | None) -> Iterator[tuple[Array, Array]]:
    """Yield the mini-batches, as arrays of their own."""
    if seed is not None:
        np.random.seed(seed)
    m = X.shape[1]
    places = np.random.permutation(m)
    for start in range(0, m, size):
        columns = places[start : start + size]
        yield X.take(columns, axis=1), Y.take(columns, axis=1)


def update_lr(learning_rate0: float, epoch_num: int, decay_rate: float) -> float:
    """Return α = α₀ / (1 + decay_rate · epoch).

    Parameters
    ----------
    learning_rate0 : float
        α₀.
    epoch_num : int
        The epoch.
    decay_rate : float
        How fast the rate falls; 0 keeps it.

    Returns
    -------
    float
        α.
    """
    return learning_rate0 / (1 + decay_rate * epoch_num)


def schedule_lr_decay(
    learning_rate0: float, epoch_num: int, decay_rate: float, time_interval: int = 1000
) -> float:
    """Return α = α₀ / (1 + decay_rate · ⌊epoch / time_interval⌋): it falls in steps.

    Parameters
    ----------
    learning_rate0 : float
        α₀.
    epoch_num : int
        The epoch.
    decay_rate : float
        How fast the rate falls; 0 keeps it.
    time_interval : int
        Epochs between two falls.

    Returns
    -------
    float
        α.

    Raises
    ------
    SettingError
        If time_interval is not a whole number from 1 on.
    """
    falls = math.floor(epoch_num / check_count("time_interval", time_interval))
    return learning_rate0 / (1 + decay_rate * falls)


@quiet
def model(
    X: ArrayLike,
    Y: ArrayLike,
    layers_dims: Sequence[int],
    optimizer: str,
    learning_rate: float = 0.0007,
    mini_batch_size: int = 64,
    beta: float = 0.9,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    num_epochs: int = 5000,
    print_cost: bool = True,
    decay: Callable[[float, int, float], float] | None = None,
    decay_rate: float = 1,
) -> Parameters:
    """Train a network of relu layers and a last sigmoid layer on mini-batches, from He's weights.

    The weights come from the seed 3; epoch e (from 0) is shuffled with the seed 11 + e.

    Parameters
    ----------
    X : array_like, (n_x, m)
        Examples in columns.
    Y : array_like, (1, m)
        Labels.
    layers_dims : sequence of int
        n_x, the sizes of the hidden layers, 1.
    optimizer : {"gd", "momentum", "adam"}
        How to step. Adam's t counts mini-batches, from 1.
    learning_rate : float
        α, or α₀ with a decay.
    mini_batch_size : int
        Columns of a mini-batch.
    beta : float
        β of momentum.
    beta1, beta2, epsilon : float
        β₁, β₂ and ε of Adam.
    num_epochs : int
        Passes over the examples; before 2021 the notebook's default was 10000.
    print_cost : bool
        Print the mean cost of every 1000th epoch, and with a decay its learning rate.
    decay : callable, optional
        `update_lr` or `schedule_lr_decay`: called with α₀, the epoch just finished and
        decay_rate, it gives the next epoch's α.
    decay_rate : float
        Passed on to the decay.

    Returns
    -------
    dict
        W1, b1, …

    Raises
    ------
    ShapeError
        If X or Y does not fit the sizes.
    SettingError
        If there is no such optimiser, or a setting lies outside its range.
    """
    X, Y = as_examples(X, Y)
    size = check_count("mini_batch_size", mini_batch_size)
    net = FlatParameters(initialize_parameters(layers_dims))
    check_shape("X", X, (net.layers[0][0].shape[1], None), "one row for each input of layers_dims")
    check_shape("Y", Y, (len(net.layers[-1][0]), None), "one row for each output of layers_dims")
    step = _stepper(net, optimizer, beta, (beta1, beta2, epsilon))
    rate = float(learning_rate)
    for epoch in range(num_epochs):
        shown = print_cost and epoch % 1000 == 0
        cost = _epoch(net, _batches(X, Y, size, FIRST_SEED + epoch), step, rate, shown)
        if decay is not None:
            rate = float(decay(learning_rate, epoch, decay_rate))
        if shown:
            print(f"Cost after epoch {epoch}: {cost / X.shape[1]:.6f}")
            if decay is not None:
                print(f"learning rate after epoch {epoch}: {rate:.6f}")
    return net.result()


def _epoch(
    net: FlatParameters,
    batches: Iterator[tuple[Array, Array]],
    step: Step,
    rate: float,
    wanted: bool,
) -> float:
    """Take one step for each mini-batch; return the sum of the losses before it, when wanted."""
    weights = [W for W, _ in net.layers]
    total = 0.0
    for X, Y in batches:
        A = forward(X, net.layers)[1]
        if wanted:
            total += float(np.sum(losses(A[-1], Y)))
        step(net.gradient(backward(A, weights, A[-1] - Y)), rate)
    return total


def _stepper(
    net: FlatParameters, optimizer: str, beta: float, adam: tuple[float, float, float]
) -> Step:
    """Return what moves the network's vector along a gradient (p,), with a memory of its own."""
    check_one_of("optimizer", optimizer, ("gd", "momentum", "adam"))
    beta = check_beta("beta", beta)
    beta1, beta2, epsilon = (
        check_beta("beta1", adam[0]),
        check_beta("beta2", adam[1]),
        float(adam[2]),
    )
    slots, t = np.zeros((2, len(net.theta))), 0

    def momentum(gradient: Array, rate: float) -> None:
        """Move along the average of the gradients."""
        numbers = StepNumbers(1, rate, gain=1 - beta, beta1=beta)
        active().methods[Method.MOMENTUM](net.theta, gradient, slots[:1], numbers)

    def adams(gradient: Array, rate: float) -> None:
        """Move along the average, each number in units of its own spread."""
        nonlocal t
        t += 1
        numbers = StepNumbers(t, rate, beta1=beta1, beta2=beta2, epsilon=epsilon)
        active().methods[Method.ADAM](net.theta, gradient, slots, numbers)

    steps: dict[str, Step] = {"gd": net.step, "momentum": momentum, "adam": adams}
    return steps[optimizer]
