"""Examples have numbers: where their rows lie in X changes no mask, no noise and no step."""

import numpy as np
import pytest
from fastnn.kernels.records import Batch, Examples, FitArrays, FitLog

from fastnn import Dense, Dropout, GaussianNoise, Network, kernels

rng = np.random.default_rng(3)
M = 90
X = rng.normal(size=(M, 6)).astype(np.float32)
EXAMPLES = Examples(X, (X[:, :1] > 0).astype(np.float32), rng.uniform(0.5, 2, M).astype(np.float32))


def drawing(units=8):
    """The program of a network that draws noise and masks in every step."""
    layers = [GaussianNoise(0.2), Dense(units, "tanh"), Dropout(0.4), Dense(1, "sigmoid")]
    return Network(layers, inputs=6).program


def moved(numbers, room):
    """These examples of EXAMPLES at drawn places of a buffer of so many rows; NaN elsewhere."""
    places = np.random.default_rng(8).permutation(room)[: len(numbers)]
    buffers = [np.full((room, *part.shape[1:]), np.nan, part.dtype) for part in EXAMPLES]
    for buffer, part in zip(buffers, EXAMPLES, strict=True):
        buffer[places] = part[numbers]
    return Batch(*buffers, places, numbers)


def gradient(kernels_of, program, batch, **settings):
    grad = np.zeros_like(program.grad)
    found = kernels_of.gradient(
        program.ops, program.theta, grad, program.state, None, batch,
        program.settings(seed=5, **settings), 2,
    )  # fmt: skip
    return found, grad


def test_a_gradient_knows_examples_by_number(backend):
    numbers, program, k = rng.permutation(M)[:50], drawing(), kernels.get(backend)
    at_home = gradient(k, program, Batch(*EXAMPLES, numbers, numbers))
    elsewhere = gradient(k, program, moved(numbers, room=70))
    assert at_home[0] == elsewhere[0]
    np.testing.assert_array_equal(at_home[1], elsewhere[1])
    renamed = gradient(k, program, Batch(*EXAMPLES, numbers, (numbers + 1) % M))
    assert renamed[0] != at_home[0]


@pytest.mark.medium
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_in_groups_and_blocks_knows_them_too(dtype, monkeypatch):
    """Each group and block of a large batch takes its own part of the numbers."""
    from fastnn.kernels.jitted.execution import workspace

    monkeypatch.setattr(workspace, "MIN_GROUPED_FLOPS", 0)
    monkeypatch.setattr(workspace, "MIN_GROUP_EXAMPLES", 8)
    workspace.plan_blocked.cache_clear()
    net = Network([Dense(8, "tanh"), Dropout(0.4), Dense(1, "sigmoid")], inputs=6, dtype=dtype)
    program, k = net.program, kernels.get("jitted")
    assert workspace.plan_blocked(program.ops.tobytes(), M, program.theta.itemsize, 0).groups > 1
    whole = Examples(X, *(part.astype(dtype) for part in EXAMPLES[1:]))
    numbers = rng.permutation(M)
    buffers = (np.ascontiguousarray(part[numbers]) for part in whole)
    at_home = gradient(k, program, Batch(*whole, numbers, numbers))
    elsewhere = gradient(k, program, Batch(*buffers, np.arange(M), numbers))
    workspace.plan_blocked.cache_clear()
    assert at_home[0] == elsewhere[0]
    np.testing.assert_array_equal(at_home[1], elsewhere[1])


def steps(backend, batch, size=16):
    """Parameters and log after the steps of one pass over a batch, the last one short."""
    program, count = drawing(), -(-len(batch.row_indices) // size)
    log = FitLog(np.zeros((count, 4)), np.zeros((0, 2)), np.zeros(2, np.int64))
    k, settings = kernels.get(backend), program.settings(batch_size=size, seed=5, first_epoch=3)
    done = k.run(
        program.ops, FitArrays(program.theta, program.grad, np.zeros((0, program.theta.size), "f"),
        program.state), k.workspace(program.ops, size, np.float32, 1, batch.X), batch,
        Examples(*(part[:0] for part in EXAMPLES)), settings, np.full(count, 0.1), log, 0, count,
    )  # fmt: skip
    assert done == count
    return program.theta, log.steps


def test_a_run_takes_some_rows_of_a_buffer(backend):
    numbers = rng.permutation(M)[:70]
    theta, log = steps(backend, Batch(*(p[numbers] for p in EXAMPLES), np.arange(70), numbers))
    other, log_of_other = steps(backend, moved(numbers, room=200))
    np.testing.assert_array_equal(theta, other)
    np.testing.assert_array_equal(log, log_of_other)
