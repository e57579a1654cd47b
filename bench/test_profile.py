"""The profile of a small row: its lines name phases and layers, and add up to the step."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import fastnn

from . import breakdown, profile, trace
from .peers.rows import chosen

try:
    trace.require_counter()
except RuntimeError as refusal:
    pytest.skip(str(refusal), allow_module_level=True)


@pytest.fixture(params=["float32", "float64"])
def row(request):
    (row,) = chosen("moons-adam")
    return replace(row, dtype=request.param)


@pytest.fixture
def profiled(row):
    return profile.measured(row, 0.001, 1)


def test_lines_add_up_to_the_step(row, profiled):
    step = profiled.step
    assert sum(line.cycles for line in step.lines) + step.rest == pytest.approx(step.whole)
    assert step.rest > 0
    assert step.threads == 1
    seen = {(line.phase, line.row, line.kernel) for line in step.lines}
    forward = {("forward", layer, "dense.layer_outputs") for layer in (1, 2, 3)}
    weights = {("backward", layer, "dense.weight_gradient") for layer in (1, 2, 3)}
    assert forward | weights <= seen
    assert ("backward", 1, "dense.input_gradient") not in seen  # X needs no gradient
    assert {line.phase for line in step.lines} == {"forward", "loss", "backward", "update"}
    shares = re.findall(r"([\d.]+) %", "\n".join(profile.report(row, profiled)))
    assert float(shares[0]) < 100


def test_calls_of_a_step_are_counted(profiled):
    """Three layers: as many products forward and of dW, one fewer of dA, one update, each step."""
    held = profiled.fit.trace
    names = {kernel.place: str(kernel) for kernel in held.kernels}
    count = dict.fromkeys(names.values(), 0)
    for place in held.records["place"].tolist():
        count[names[place]] += 1
    steps = profiled.fit.epochs * len(profiled.fit.row.batches)
    assert count[breakdown.GRADIENT] == steps
    assert count["update.update_parameters"] == steps
    assert count["dense.layer_outputs"] == count["dense.weight_gradient"] == 3 * steps
    assert count["dense.input_gradient"] == 2 * steps


def test_layers_in_place_and_what_is_no_product_have_their_rows():
    layers = [fastnn.Dense(8, "tanh"), fastnn.Dropout(0.2), fastnn.Dense(1, "sigmoid")]
    net = fastnn.Network(layers, inputs=64, seed=1)
    X, y = fastnn.data.moons(200, seed=1)
    held = trace.Trace(breakdown.is_traced)
    with trace.installed(held):
        net.fit(X.repeat(32, axis=1), y, epochs=8, batch_size=None, progress=False)
    step = breakdown.breakdown(held, net.program.ops)
    seen = {(line.phase, line.row, line.kernel) for line in step.lines}
    assert {
        ("forward", 1, "driver.first_layer_forward"),
        ("forward", 1, "activations.tanh"),
    } <= seen
    assert {("forward", 2, "random.drop_units"), ("backward", 2, "random.drop_back")} <= seen
    assert {
        ("backward", 1, "activations.tanh_back"),
        ("backward", 1, "driver.first_layer_backward"),
    } <= seen


def test_a_fit_beside_a_trace_is_not_traced():
    held = trace.Trace(breakdown.is_traced)
    with trace.installed(held):
        pass
    fastnn.Network.mlp([2, 1], output="sigmoid").fit([[0, 1], [1, 0]], [0, 1], progress=False)
    assert len(held.records) == 0


def test_more_calls_than_a_trace_holds_are_left_out():
    held = trace.Trace(breakdown.is_traced, capacity=40)
    net = fastnn.Network.mlp([2, 1], output="sigmoid")
    with trace.installed(held):
        net.fit([[0, 1], [1, 0]], [0, 1], epochs=20, progress=False)
    assert held.cursor[0] > len(held.records) == 40
    assert held.records["thread"].all()


def test_a_trace_without_steps_is_refused():
    held = trace.Trace(breakdown.is_traced)
    with pytest.raises(ValueError, match="no whole steps"):
        breakdown.breakdown(held, None)


def test_kernels_are_named_as_they_are():
    names = {str(kernel) for kernel in trace.kernels() if breakdown.is_traced(kernel)}
    named = {*breakdown.ENCLOSING, *breakdown.PRODUCTS, breakdown.LOSS, breakdown.INPUT}
    assert named <= names
    rooms = {kernel.room for kernel in trace.kernels()}
    assert {*breakdown.PHASES, *breakdown.PUBLIC, *breakdown.WHOLE} <= rooms
