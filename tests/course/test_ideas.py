"""The ideas of the notes: the numbers that make each point."""

import math

import numpy as np
import pytest

from fastnn.course import ideas
from fastnn.course._core import parity_nets


def test_slope():
    found = ideas.slope()
    assert (found["before"], found["after"]) == (6.0, pytest.approx(6.003))
    assert found["slope"] == pytest.approx(3.0, rel=1e-9)


def test_squared_error_against_cross_entropy(backend):
    found = ideas.squared_error_against_cross_entropy()
    squared, entropy = found["squared error"], found["cross-entropy"]
    assert (squared["minima"], entropy["minima"]) == (2, 1)
    assert squared["curvature"] < -0.1
    assert entropy["curvature"] > -1e-9
    assert squared["w"] < -9.9
    assert squared["cost"] > 0.49
    assert entropy["w"] > 5
    assert entropy["cost"] < 0.003


def test_linear_layers_collapse(backend):
    found = ideas.linear_layers_collapse()
    assert found["W"].shape == (2, 3)
    assert found["b"].shape == (2, 1)
    assert found["difference"] < 1e-14


def test_shapes():
    found = ideas.shapes()
    sizes = [2, 3, 5, 4, 2, 1]
    for layer in range(1, 6):
        assert found[f"W{layer}"] == (sizes[layer], sizes[layer - 1])
        assert found[f"b{layer}"] == (sizes[layer], 1)
        assert found[f"Z{layer}"] == (sizes[layer], 10)
    assert len(found) == 15


@pytest.mark.medium
def test_zero_initialization(fast_backend):
    found = ideas.zero_initialization()
    # Half of the flower is of each class, so zeros cannot leave ln 2.
    assert found["zeros"] == {"spread": 0.0, "cost": pytest.approx(math.log(2), abs=1e-12)}
    assert found["equal"]["spread"] < 1e-12
    assert 0.6 < found["equal"]["cost"] < found["zeros"]["cost"]
    assert found["random"]["spread"] > 1
    assert round(found["random"]["cost"], 6) == 0.288083


def test_parity(backend):
    found = ideas.parity(8)
    for n, units in found.items():
        assert units["shallow"] == 2 ** (n - 1)
        assert units["counting"] == n
        assert units["deep layers"] == math.ceil(math.log2(n))
        assert units["deep"] <= 2 * (n - 1) + units["deep layers"]
    assert found[8]["deep"] == 14


@pytest.mark.parametrize("build", [parity_nets.tree, parity_nets.detectors, parity_nets.counters])
def test_a_wrong_parity_net_is_caught(build):
    for n in (1, 2, 5, 10):
        assert parity_nets.is_right(build(n), n)
    broken = build(5)
    broken["W1"][0, 0] += 1
    assert not parity_nets.is_right(broken, 5)


def test_wrong_parity_raises(monkeypatch):
    monkeypatch.setattr(
        parity_nets, "counters", lambda n: parity_nets.tree(n) | {"b1": np.zeros((2, 1))}
    )
    with pytest.raises(ArithmeticError, match="counting network is wrong about 2 bits"):
        ideas.parity(2)


@pytest.mark.medium
def test_learning_rates(fast_backend):
    found = ideas.learning_rates()
    assert list(found) == [0.01, 0.001, 0.0001]
    for result in found.values():
        assert len(result["costs"]) == 15
        assert result["costs"][0] == pytest.approx(math.log(2))
        assert all(np.diff(result["costs"]) < 0)
    ends = [result["costs"][-1] for result in found.values()]
    assert ends == sorted(ends)
    assert found[0.01]["test"] > 0.95
    assert found[0.0001]["test"] < 0.92


@pytest.mark.long
def test_learning_rates_on_the_cats(fast_backend, flat_cats):
    found = ideas.learning_rates(flat_cats)
    first = {rate: result["costs"][1] for rate, result in found.items()}
    # At 0.01 the cost jumps above its start before it falls; the smallest rate hardly moves.
    assert first[0.01] > math.log(2)
    assert found[0.01]["costs"][-1] < found[0.001]["costs"][-1] < found[0.0001]["costs"][-1]
    assert found[0.01]["train"] > 0.99
    assert found[0.0001]["test"] < 0.4


@pytest.mark.medium
def test_main_prints_every_idea(capsys):
    ideas.main()
    out = capsys.readouterr().out
    for title, _, _ in ideas.IDEAS:
        assert f"{title}\n    " in out
    assert "slope = 3.000000" in out
    assert "squared error: 2 valleys along a line (not convex)" in out
    assert "cross-entropy: 1 valley along a line (convex)" in out
    assert "-0.0" not in out
    assert max(map(len, out.splitlines())) <= 110
